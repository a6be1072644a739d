//! The time: coarse and cheap, and fine for who measures.

use super::keep_errno;

/// Milliseconds of the monotonic clock, at the kernel tick's resolution (1 to
/// 10 ms); no system call on x86-64.
pub(crate) fn now_ms() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for the result.
    keep_errno(|| unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) });
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
