//! The operating system: the only code that calls libc.
//!
//! Every function here leaves `errno` as it was, but for [`set_errno`].
//!
//! System calls go through libc's `syscall` and not through their functions: each function
//! that is named is one more that the dynamic loader looks up at every start of a program.
//! What the kernel takes as a `long` is passed as a word: an `i32` has no upper half.

#[cfg(any(feature = "trace", feature = "watch", feature = "integrity"))]
pub mod action;
pub(crate) mod append;
#[cfg(feature = "watch")]
pub(crate) mod breakpoint;
pub(crate) mod clock;
#[cfg(any(feature = "watch", feature = "integrity"))]
#[cfg_attr(
    not(feature = "watch"),
    allow(dead_code, reason = "the watch uses all")
)]
pub(crate) mod contents;
pub(crate) mod environment;
#[cfg(any(feature = "trace", feature = "integrity"))]
#[cfg_attr(
    not(feature = "trace"),
    allow(dead_code, reason = "the flight recorder uses all")
)]
pub(crate) mod fatal_signal;
#[cfg(any(feature = "trace", feature = "integrity", feature = "diagnostics"))]
#[cfg_attr(
    not(feature = "trace"),
    allow(dead_code, reason = "the flight recorder uses all")
)]
pub(crate) mod file;
#[cfg(any(feature = "trace", feature = "integrity"))]
#[cfg_attr(
    not(feature = "trace"),
    allow(dead_code, reason = "the flight recorder uses all")
)]
pub(crate) mod frames;
#[cfg(feature = "integrity")]
pub(crate) mod halt;
#[cfg(any(feature = "watch", feature = "integrity"))]
#[cfg_attr(
    not(feature = "watch"),
    allow(dead_code, reason = "the watch uses all")
)]
pub(crate) mod large_stack;
#[cfg(feature = "observed")]
pub(crate) mod loader;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod once_signal;
#[cfg(feature = "integrity")]
pub(crate) mod originals;
#[cfg(feature = "integrity")]
pub(crate) mod peek;
pub(crate) mod process;
#[cfg(feature = "integrity")]
pub(crate) mod program_signal;
#[cfg(feature = "watch")]
pub(crate) mod signal;
#[cfg(feature = "observed")]
pub(crate) mod stack;
pub(crate) mod stderr;
#[cfg(feature = "watch")]
mod stopped;
#[cfg(feature = "integrity")]
pub(crate) mod stream;
#[cfg(feature = "integrity")]
mod symbols;
pub(crate) mod system_malloc;
pub(crate) mod thread;
#[cfg(feature = "trace")]
pub(crate) mod ticket;
#[cfg(feature = "trace")]
pub(crate) mod time_stamp;
#[cfg(feature = "observed")]
pub(crate) mod unwinder;
#[cfg(feature = "integrity")]
pub(crate) mod user_signal;

/// The error of a request that memory cannot serve.
pub(crate) const OUT_OF_MEMORY: i32 = libc::ENOMEM;

/// `errno` of this thread.
fn errno() -> i32 {
    // SAFETY: `__errno_location` returns this thread's errno, always valid.
    unsafe { *libc::__errno_location() }
}

/// Sets `errno` of this thread.
pub(crate) fn set_errno(value: i32) {
    // SAFETY: `__errno_location` returns this thread's errno, always valid.
    unsafe { *libc::__errno_location() = value };
}

/// Runs `call` and puts `errno` back.
fn keep_errno<T>(call: impl FnOnce() -> T) -> T {
    let before = errno();
    let result = call();
    set_errno(before);
    result
}
