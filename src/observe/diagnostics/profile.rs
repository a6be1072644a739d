//! The profile of the fronts: what each served, by thread and class.
//!
//! A hit is a request that did not miss: the fast path counts nothing, the hook of every
//! allocation counts requests, and the slow path says when the front had no block.

use super::super::{Cache, Event, LARGE, Occasion};
use super::{Area, Count};
use crate::size_class::{CLASSES, SizeClass};
use crate::sys::stderr::Line;
use core::sync::atomic::{AtomicU64, Ordering};

/// What is counted of a class.
#[derive(Clone, Copy)]
#[repr(usize)]
enum What {
    Requests,
    Misses,
    ListHits,
    Refills,
    Refilled,
    Drains,
    Drained,
    Frees,
}

const KINDS: usize = What::Frees as usize + 1;

/// The columns behind the thread and the class, and how wide they are.
const COLUMNS: [&str; 11] = [
    "bytes",
    "requests",
    "hits",
    "misses",
    "hit rate",
    "list hits",
    "refills",
    "refilled",
    "drains",
    "drained",
    "frees",
];
const WIDTH: usize = 11;
/// Where the first of them begins.
const FIRST: usize = 28;

/// Counts of one class.
type Counts = [u64; KINDS];

/// Counts of the threads that have ended or have been shown at exit.
static TOTAL: [[AtomicU64; KINDS]; CLASSES] =
    [const { [const { AtomicU64::new(0) }; KINDS] }; CLASSES];

/// The counts of one thread.
pub(super) struct Profile([[Count; KINDS]; CLASSES]);

impl Profile {
    pub(super) const fn new() -> Profile {
        Profile([const { [const { Count::new() }; KINDS] }; CLASSES])
    }

    fn add(&self, class: usize, what: What, n: usize) {
        if let Some(counts) = self.0.get(class) {
            counts[what as usize].add(n as u64);
        }
    }

    /// A block of `class` is handed out.
    #[inline]
    pub(super) fn requested(&self, class: usize) {
        if class != LARGE {
            self.add(class, What::Requests, 1);
        }
    }

    /// A block of `class` is freed.
    #[inline]
    pub(super) fn freed(&self, class: usize) {
        if class != LARGE {
            self.add(class, What::Frees, 1);
        }
    }

    /// Counts what an event says of the front.
    pub(super) fn note(&self, event: &Event<'_>) {
        match *event {
            Event::Missed { class } => self.add(class, What::Misses, 1),
            Event::FromList { class } => self.add(class, What::ListHits, 1),
            Event::Refilled { class, blocks } => {
                self.add(class, What::Refills, 1);
                self.add(class, What::Refilled, blocks);
            }
            Event::Drained { class, blocks } => {
                self.add(class, What::Drains, 1);
                self.add(class, What::Drained, blocks);
            }
            _ => {}
        }
    }

    /// Shows the thread's counts. At its end, and at exit, they go into the total; the cache may
    /// be another thread's then.
    pub(super) fn show(&self, cache: &dyn Cache, occasion: Occasion) {
        if occasion == Occasion::Forked {
            self.0.iter().flatten().for_each(|count| {
                count.take();
            });
            return;
        }
        let ends = occasion == Occasion::ThreadEnds;
        let counts_for_all = ends || occasion == Occasion::Exit;
        let used = |class: usize| self.0[class].iter().any(|count| count.get() != 0);
        if !(0..CLASSES).any(used) {
            return;
        }
        heading();
        let thread = Line::new().number(u64::from(cache.thread()));
        let mut sum = [0; KINDS];
        for class in (0..CLASSES).filter(|&class| used(class)) {
            let counts: Counts = core::array::from_fn(|kind| match ends {
                true => self.0[class][kind].take(),
                false => self.0[class][kind].get(),
            });
            row(&thread, Some(class), &counts);
            for (kind, count) in counts.iter().enumerate() {
                sum[kind] += count;
                if counts_for_all {
                    TOTAL[class][kind].fetch_add(*count, Ordering::Relaxed);
                }
            }
        }
        row(&thread, None, &sum);
    }
}

/// Shows the sums over all threads, when all have been shown for the last time.
pub(super) fn show_total(occasion: Occasion) {
    match occasion {
        Occasion::Exit => {}
        Occasion::Forked => return forget_total(),
        _ => return,
    }
    let thread = Line::new().text(b"all");
    let mut sum = [0; KINDS];
    heading();
    for (class, total) in TOTAL.iter().enumerate() {
        let counts: Counts = core::array::from_fn(|kind| total[kind].load(Ordering::Relaxed));
        if counts.iter().any(|&count| count != 0) {
            row(&thread, Some(class), &counts);
            (0..KINDS).for_each(|kind| sum[kind] += counts[kind]);
        }
    }
    row(&thread, None, &sum);
}

/// What other threads counted before a fork is not this process's.
fn forget_total() {
    for count in TOTAL.iter().flatten() {
        count.store(0, Ordering::Relaxed);
    }
}

fn heading() {
    let mut line = Area::Profile.line().text(b"thread");
    line = line.to(FIRST);
    for name in COLUMNS {
        line = line.right(WIDTH, &Line::new().text(name.as_bytes()));
    }
    line.write();
}

/// A row of a class, or without one the sum.
fn row(thread: &Line, class: Option<usize>, counts: &Counts) {
    let of = |what: What| counts[what as usize];
    let requests = of(What::Requests);
    let hits = requests.saturating_sub(of(What::Misses));
    let mut line = Area::Profile.line().text(thread.bytes()).to(FIRST);
    line = match class {
        Some(class) => line.column(WIDTH, SizeClass::from_index(class).bytes() as u64),
        None => line.right(WIDTH, &Line::new().text(b"all")),
    };
    line.column(WIDTH, requests)
        .column(WIDTH, hits)
        .column(WIDTH, of(What::Misses))
        .right(WIDTH, &share(hits, requests))
        .column(WIDTH, of(What::ListHits))
        .column(WIDTH, of(What::Refills))
        .column(WIDTH, of(What::Refilled))
        .column(WIDTH, of(What::Drains))
        .column(WIDTH, of(What::Drained))
        .column(WIDTH, of(What::Frees))
        .write();
}

/// `part` of `whole` in per cent, with two decimals.
pub(super) fn share(part: u64, whole: u64) -> Line {
    if whole == 0 {
        return Line::new().text(b"-");
    }
    let hundredths = (u128::from(part) * 10_000 / u128::from(whole)) as u64;
    let line = Line::new().number(hundredths / 100).text(b".");
    let rest = hundredths % 100;
    line.number(rest / 10).number(rest % 10).text(b"%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_two_decimals() {
        assert_eq!(share(1, 3).bytes(), b"33.33%");
        assert_eq!(share(999_999, 1_000_000).bytes(), b"99.99%");
        assert_eq!(share(7, 7).bytes(), b"100.00%");
        assert_eq!(share(1, 2000).bytes(), b"0.05%");
        assert_eq!(share(0, 0).bytes(), b"-");
    }

    #[test]
    fn events_are_counted_by_class() {
        let profile = Profile::new();
        profile.requested(3);
        profile.requested(LARGE);
        profile.note(&Event::Refilled {
            class: 3,
            blocks: 16,
        });
        profile.note(&Event::Refilled {
            class: 3,
            blocks: 4,
        });
        profile.note(&Event::Missed { class: 4 });
        let of = |class: usize, what: What| profile.0[class][what as usize].get();
        assert_eq!(of(3, What::Requests), 1);
        assert_eq!((of(3, What::Refills), of(3, What::Refilled)), (2, 20));
        assert_eq!((of(3, What::Misses), of(4, What::Misses)), (0, 1));
    }
}
