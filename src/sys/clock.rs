//! The time: coarse and cheap, and fine for who measures.

use super::keep_errno;

fn now(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for the result.
    keep_errno(|| unsafe { libc::clock_gettime(clock, &mut now) });
    now
}

/// Milliseconds of the monotonic clock, at the kernel tick's resolution (1 to
/// 10 ms); no system call on x86-64.
pub(crate) fn now_ms() -> u64 {
    let now = now(libc::CLOCK_MONOTONIC_COARSE);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Nanoseconds of the monotonic clock; no system call on x86-64.
#[allow(dead_code, reason = "observers call it")]
pub(crate) fn now_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for the result.
    keep_errno(|| unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) });
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(feature = "trace")]
fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds of the monotonic clock.
#[cfg(feature = "trace")]
pub(crate) fn monotonic() -> u64 {
    nanoseconds(now(libc::CLOCK_MONOTONIC))
}

/// Nanoseconds since 1970.
#[cfg(feature = "trace")]
pub(crate) fn realtime() -> u64 {
    nanoseconds(now(libc::CLOCK_REALTIME))
}
