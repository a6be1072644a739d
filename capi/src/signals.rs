//! `sigaction` and `signal`, in whose place the library stands: its handlers of SIGSEGV and SIGBUS stay in
//! front of the program's, and what the program asks for is what it has set.

use core::ffi::c_int;
use core::ptr;
use hakmem_alloc::c_abi::{self as heap, Action};

// libc's functions, by names that it has for them as well.
unsafe extern "C" {
    fn ssignal(signal: c_int, handler: usize) -> usize;
    fn __sysv_signal(signal: c_int, handler: usize) -> usize;
}

/// POSIX `sigaction`.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    // SAFETY: the caller's clause.
    unsafe { heap::set_action(signal, new, old) }
}

/// C11 `signal`, as BSD has it: the handler stays, and system calls go on behind it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signal(signal: c_int, handler: usize) -> usize {
    match is_fault(signal, handler) {
        true => set(signal, handler, libc::SA_RESTART),
        // SAFETY: the caller's clause.
        false => unsafe { ssignal(signal, handler) },
    }
}

/// The same.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bsd_signal(number: c_int, handler: usize) -> usize {
    // SAFETY: the caller's clause.
    unsafe { signal(number, handler) }
}

/// `signal` as System V has it: the handler is called once.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sysv_signal(signal: c_int, handler: usize) -> usize {
    match is_fault(signal, handler) {
        true => set(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER),
        // SAFETY: the caller's clause.
        false => unsafe { __sysv_signal(signal, handler) },
    }
}

fn is_fault(signal: c_int, handler: usize) -> bool {
    matches!(signal, libc::SIGSEGV | libc::SIGBUS) && handler != libc::SIG_ERR
}

fn set(signal: c_int, handler: usize, flags: c_int) -> usize {
    // SAFETY: all zero bytes are a valid action.
    let mut new: Action = unsafe { core::mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    let mut old = new;
    // SAFETY: the first word of a set of signals, which has more; both are valid places.
    unsafe {
        if flags & libc::SA_NODEFER == 0 {
            ptr::from_mut(&mut new.sa_mask).cast::<u64>().write(1 << (signal - 1));
        }
        match heap::set_action(signal, &new, &mut old) {
            0 => old.sa_sigaction,
            _ => libc::SIG_ERR,
        }
    }
}
