//! How long the allocator's paths take.
//!
//! A path is timed from its beginning to its end, the paths that it goes through included.
//! The clock is the processor's time-stamp counter where that runs at one rate, and else the
//! system's. Its rate is what it has counted since the set-up, against the system's clock.

use super::super::{Occasion, Path};
use super::Area;
use super::histogram::{self, BUCKETS, Histogram};
use super::profile::share;
use crate::sys::clock;
use crate::sys::stderr::Line;
use core::arch::x86_64;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const PATHS: [(Path, &str); 10] = [
    (Path::Allocate, "allocate"),
    (Path::Free, "free"),
    (Path::Resize, "resize"),
    (Path::Refill, "refill"),
    (Path::Spill, "spill"),
    (Path::Acquire, "acquire"),
    (Path::LargeAllocate, "large allocate"),
    (Path::LargeFree, "large free"),
    (Path::SendHome, "send home"),
    (Path::Collect, "collect"),
];

/// Histograms of each path, so that processors seldom add to the same one.
const SHARDS: usize = 8;
/// Letters of a bar for all of a path's times.
const BAR: u64 = 40;

#[repr(align(128))]
struct Shard([Histogram; PATHS.len()]);

static SHARDED: [Shard; SHARDS] =
    [const { Shard([const { Histogram::new() }; PATHS.len()]) }; SHARDS];

/// The clock, written by the set-up alone, before the hooks are on.
static CLOCK: Timing = Timing {
    has_counter: AtomicBool::new(false),
    ticks: AtomicU64::new(0),
    ns: AtomicU64::new(0),
    empty: AtomicU64::new(0),
};

/// What is known of the clock.
pub(super) struct Timing {
    has_counter: AtomicBool,
    /// The two clocks at the set-up.
    ticks: AtomicU64,
    ns: AtomicU64,
    /// Ticks that a path takes in which nothing happens.
    empty: AtomicU64,
}

impl Timing {
    /// Starts the clocks.
    pub(super) fn begin() {
        CLOCK.has_counter.store(has_counter(), Ordering::Relaxed);
        let empty = (0..64).map(|_| {
            let start = now();
            end().0.wrapping_sub(start)
        });
        CLOCK
            .empty
            .store(empty.min().unwrap_or(0), Ordering::Relaxed);
        CLOCK.ns.store(clock::now_ns(), Ordering::Relaxed);
        CLOCK.ticks.store(now(), Ordering::Relaxed);
    }

    /// Nanoseconds in 2^32 ticks.
    fn scale() -> u64 {
        if !CLOCK.has_counter.load(Ordering::Relaxed) {
            return 1 << 32;
        }
        // A millisecond, so that the reading of the clocks does not show.
        const LEAST: u64 = 1_000_000;
        loop {
            let ns = clock::now_ns() - CLOCK.ns.load(Ordering::Relaxed);
            let ticks = now().wrapping_sub(CLOCK.ticks.load(Ordering::Relaxed));
            if ns >= LEAST && ticks > 0 {
                return ((u128::from(ns) << 32) / u128::from(ticks)) as u64;
            }
        }
    }
}

/// Whether the processor has a counter that runs at one rate, and tells with it which
/// processor it is.
fn has_counter() -> bool {
    const HIGHEST: u32 = 0x8000_0000;
    const POWER: u32 = HIGHEST + 7;
    if x86_64::__cpuid(HIGHEST).eax < POWER {
        return false;
    }
    let has_rdtscp = x86_64::__cpuid(HIGHEST + 1).edx & 1 << 27 != 0;
    has_rdtscp && x86_64::__cpuid(POWER).edx & 1 << 8 != 0
}

/// The time, before what follows.
#[inline]
fn now() -> u64 {
    if !CLOCK.has_counter.load(Ordering::Relaxed) {
        return clock::now_ns();
    }
    // SAFETY: every x86-64 has these instructions.
    unsafe {
        x86_64::_mm_lfence();
        x86_64::_rdtsc()
    }
}

/// The time, after what came before, and the processor's number.
#[inline]
fn end() -> (u64, usize) {
    if !CLOCK.has_counter.load(Ordering::Relaxed) {
        return (clock::now_ns(), 0);
    }
    let mut processor = 0;
    // SAFETY: `has_counter` has asked for it.
    let ticks = unsafe { x86_64::__rdtscp(&mut processor) };
    (ticks, processor as usize)
}

/// A path that is being gone through.
pub(crate) struct Span {
    path: Path,
    start: u64,
}

impl Span {
    #[inline]
    pub(super) fn begin(path: Path) -> Span {
        Span { path, start: now() }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        let (end, processor) = end();
        SHARDED[processor % SHARDS].0[self.path as usize].add(end.saturating_sub(self.start));
    }
}

/// Shows all paths that were taken.
pub(super) fn show(occasion: Occasion) {
    if occasion == Occasion::Forked {
        return forget();
    }
    let scale = Timing::scale();
    let ns = |ticks: u64| ((u128::from(ticks) * u128::from(scale)) >> 32) as u64;
    let mut line = Area::Timing.line().text(b"ns by ");
    line = if CLOCK.has_counter.load(Ordering::Relaxed) {
        let mhz = (1000 << 32) / scale.max(1);
        line.text(b"the time-stamp counter at ")
            .number(mhz)
            .text(b" MHz")
    } else {
        line.text(b"the system's clock")
    };
    line.text(b"; a path's time has in it that of the paths inside, and ")
        .number(ns(CLOCK.empty.load(Ordering::Relaxed)))
        .text(b" ns of measuring")
        .write();
    let mut line = Area::Timing.line().text(b"path").to(FIRST);
    for name in ["count", "mean", "50%", "90%", "99%", "99.9%"] {
        line = line.right(WIDTH, &Line::new().text(name.as_bytes()));
    }
    line.write();
    each_path(|name, counts, ticks| {
        let count: u64 = counts.iter().sum();
        let mut line = Area::Timing.line().text(name.as_bytes()).to(FIRST);
        line = line.column(WIDTH, count).column(WIDTH, ns(ticks) / count);
        for share in [500, 900, 990, 999] {
            let (_, middle) = histogram::range(histogram::percentile(counts, share));
            line = line.column(WIDTH, ns(middle));
        }
        line.write();
    });
    each_path(|name, counts, _| bars(name, counts, ns));
}

/// Where the numbers of a row begin, and how wide each is.
const FIRST: usize = 32;
const WIDTH: usize = 12;

/// Calls `each` with the counts of every path that was taken, and the sum of its durations.
fn each_path(mut each: impl FnMut(&'static str, &[u64; BUCKETS], u64)) {
    for (path, name) in PATHS {
        let mut counts = [0; BUCKETS];
        let histograms = SHARDED.iter().map(|shard| &shard.0[path as usize]);
        let ticks = histograms.map(|it| it.add_to(&mut counts)).sum();
        if counts.iter().any(|&count| count > 0) {
            each(name, &counts, ticks);
        }
    }
}

/// Shows how many times of a path are how long, by powers of two of nanoseconds.
fn bars(name: &'static str, counts: &[u64; BUCKETS], ns: impl Fn(u64) -> u64) {
    let mut powers = [0; u64::BITS as usize];
    for (bucket, &count) in counts.iter().enumerate() {
        let (_, middle) = histogram::range(bucket);
        powers[ns(middle).max(1).ilog2() as usize] += count;
    }
    let all: u64 = powers.iter().sum();
    for (power, &count) in powers.iter().enumerate().filter(|(_, count)| **count > 0) {
        let mut line = Area::Timing.line().text(name.as_bytes()).to(FIRST);
        line = line.column(WIDTH, 1 << power).text(b" ns and more");
        line = line.column(WIDTH, count);
        line = line.right(9, &share(count, all)).text(b" ");
        for _ in 0..(count * BAR).div_ceil(all.max(1)) {
            line = line.text(b"#");
        }
        line.write();
    }
}

/// What was measured before a fork is not this process's.
fn forget() {
    SHARDED
        .iter()
        .flat_map(|shard| &shard.0)
        .for_each(Histogram::forget);
}

const _: () = {
    let mut at = 0;
    while at < PATHS.len() {
        assert!(PATHS[at].0 as usize == at);
        at += 1;
    }
};
