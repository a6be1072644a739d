//! A handler for one signal, by the system call itself: libc's function would be one more that
//! the loader looks up at every start of a program.

use super::keep_errno;
use core::arch::global_asm;

// How a handler returns. The bytes are those by which debuggers and unwinders know it.
global_asm!(
    ".hidden __hakmem_return_from_signal",
    ".globl __hakmem_return_from_signal",
    ".type __hakmem_return_from_signal,@function",
    "nop",
    "__hakmem_return_from_signal:",
    ".byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00",
    "syscall",
    ".size __hakmem_return_from_signal, . - __hakmem_return_from_signal",
);

unsafe extern "C" {
    fn __hakmem_return_from_signal();
}

/// The kernel's `struct sigaction`.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Has `handler` called when the signal comes, on the stack of the thread that it comes to, with
/// that signal held back meanwhile. A signal that the program has an action for already, or that
/// cannot be handled, stays as it is.
pub(crate) fn handle(signal: i32, handler: extern "C" fn(i32)) {
    const RESTORER: u64 = 0x0400_0000;
    const MASK_BYTES: usize = 8;
    let mut now = Action {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let action = Action {
        handler: handler as usize,
        flags: RESTORER | libc::SA_RESTART as u64,
        restorer: __hakmem_return_from_signal as *const () as usize,
        mask: 0,
    };
    let none = core::ptr::null_mut::<Action>();
    // SAFETY: `now` is a valid place for what the kernel writes; `action` is read alone.
    keep_errno(|| unsafe {
        let asked = libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            none.cast_const(),
            &raw mut now,
            MASK_BYTES,
        );
        if asked == 0 && now.handler == libc::SIG_DFL {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const action,
                none,
                MASK_BYTES,
            );
        }
    });
}
