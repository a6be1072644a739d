//! A stack that is large enough for what handles signals; one thread at a time runs on it.
//!
//! 1. The large stack is used by the thread alone whose number stands in `HOLDER`.

#[cfg(feature = "integrity")]
use super::keep_errno;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Bytes of the large stack.
const LARGE_BYTES: usize = 128 << 10;
/// Where it begins; 0 until it is mapped. Set once with Release, read Acquire.
static LARGE: AtomicUsize = AtomicUsize::new(0);
/// The thread that runs on it; 0 for none. Acquire on taking pairs with Release on giving back.
static HOLDER: AtomicU32 = AtomicU32::new(0);

/// Maps the large stack, once: its lowest address, and its bytes; `None` without memory.
pub(crate) fn make() -> Option<(usize, usize)> {
    let there = LARGE.load(Ordering::Acquire);
    if there != 0 {
        return Some((there, LARGE_BYTES));
    }
    let made = super::memory::map_zeroed(LARGE_BYTES, super::memory::PAGE)?;
    // Of two at a time one stays unused.
    let first = LARGE.compare_exchange(0, made, Ordering::AcqRel, Ordering::Acquire);
    Some((first.map_or_else(|other| other, |_| made), LARGE_BYTES))
}

/// Calls `f(argument)` on the large stack when no other thread uses it; not at all if this one
/// does already, or another one does not come back.
pub(super) fn run(f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    const TRIES: usize = 20_000;
    let this = super::thread::id();
    for _ in 0..TRIES {
        match HOLDER.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                let top = LARGE.load(Ordering::Acquire) + LARGE_BYTES;
                // SAFETY: the top of a mapped stack that is this thread's; aligned to a page.
                unsafe { call_on(top, f, argument) };
                HOLDER.store(0, Ordering::Release);
                return;
            }
            Err(holder) if holder == this => return,
            Err(_) => super::process::nap(),
        }
    }
}

/// As [`run`], from a handler of another module; where there is no such stack, on this
/// one.
#[cfg(feature = "integrity")]
pub(crate) fn run_if_made(f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    if LARGE.load(Ordering::Acquire) == 0 {
        return f(argument);
    }
    keep_errno(|| run(f, argument));
}

/// The one thread of a fork's child has the large stack for itself.
pub(crate) fn forked() {
    HOLDER.store(0, Ordering::Release);
}

/// Calls `f(argument)` with the stack pointer at `top`.
///
/// # Safety
/// `top` is the aligned end of memory that nobody else uses meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn call_on(top: usize, f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
