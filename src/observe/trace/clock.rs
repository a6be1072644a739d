//! The time of records, in ticks, and how many ticks are a second.
//!
//! Ticks are the processor's counter where it is a clock, else nanoseconds. The counter's rate
//! comes from pairs of readings of both clocks: one when the session begins, one when its files
//! are made, and from then on one in about a second, on slow paths; a reader takes the longest
//! span.

use crate::sys::clock;
use crate::sys::time_stamp;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use hakmem_trace_format::{CalibrationPoint, ClockKind, SessionPage};

/// The least span from which a rate is taken, ns: readings are right to some 50 ns.
const LEAST_SPAN: u64 = 100_000;
/// The span after which there is another point, ns.
const SPAN: u64 = 1_000_000_000;

/// Whether ticks are the counter's: 0 not known yet, 1 yes, 2 no. Written once, before the first
/// record; Relaxed.
static KIND: AtomicU8 = AtomicU8::new(0);
const TSC: u8 = 1;
const MONOTONIC: u8 = 2;

/// Ticks in a second, as far as known, and the ticks from which on there is to be another point.
/// Relaxed: at worst two threads make one.
static RATE: AtomicU64 = AtomicU64::new(0);
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Finds out which clock it is.
pub(super) fn choose() {
    let kind = if time_stamp::is_clock() {
        TSC
    } else {
        MONOTONIC
    };
    KIND.store(kind, Ordering::Relaxed);
}

/// The clock.
pub(super) fn kind() -> ClockKind {
    match KIND.load(Ordering::Relaxed) {
        TSC => ClockKind::Tsc,
        _ => ClockKind::Monotonic,
    }
}

/// The time.
#[inline(always)]
pub(super) fn now() -> u64 {
    if KIND.load(Ordering::Relaxed) == TSC {
        return time_stamp::now();
    }
    now_slow()
}

#[cold]
#[inline(never)]
fn now_slow() -> u64 {
    clock::monotonic()
}

/// One time on both clocks: of some readings the one that took least.
pub(super) fn point() -> CalibrationPoint {
    let mut best = (u64::MAX, now(), clock::monotonic());
    for _ in 0..4 {
        let before = now();
        let monotonic = clock::monotonic();
        let took = now().wrapping_sub(before);
        if took < best.0 {
            best = (took, before.wrapping_add(took / 2), monotonic);
        }
    }
    let (_, ticks, monotonic) = best;
    match kind() {
        ClockKind::Monotonic => CalibrationPoint {
            ticks: monotonic,
            monotonic,
        },
        _ => CalibrationPoint { ticks, monotonic },
    }
}

/// Takes the rate from the span since `first`, which is made long enough, and says the second
/// point and the rate.
pub(super) fn measure(first: CalibrationPoint) -> (CalibrationPoint, u64) {
    let mut second = point();
    while second.monotonic.saturating_sub(first.monotonic) < LEAST_SPAN {
        second = point();
    }
    let ticks = u128::from(second.ticks.wrapping_sub(first.ticks));
    let span = u128::from(second.monotonic - first.monotonic);
    let rate = (ticks * 1_000_000_000 / span) as u64;
    RATE.store(rate, Ordering::Relaxed);
    set_next(second.ticks);
    (second, rate)
}

fn set_next(ticks: u64) {
    let rate = RATE.load(Ordering::Relaxed);
    let span = (u128::from(SPAN) * u128::from(rate) / 1_000_000_000) as u64;
    NEXT.store(ticks.saturating_add(span), Ordering::Relaxed);
}

/// Whether it is time for another point.
#[inline(always)]
pub(super) fn is_due(now: u64) -> bool {
    now >= NEXT.load(Ordering::Relaxed)
}

/// Notes another point in the session. By one thread at a time.
pub(super) fn add_point(session: SessionPage) {
    let point = point();
    set_next(point.ticks);
    session.add_calibration(point);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_clock() {
        choose();
        let first = point();
        let (second, rate) = measure(first);
        assert!(second.monotonic - first.monotonic >= LEAST_SPAN);
        // A counter slower than 100 MHz or faster than 10 GHz is none.
        assert!((100_000_000..10_000_000_000).contains(&rate), "{rate}");
        assert!(now() >= second.ticks);
    }
}
