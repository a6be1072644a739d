//! Functions that read what goes outside: `write`, `fwrite` and their kin.
//!
//! What is to be read is looked at before, and then libc's function has the program's frame and
//! arguments: threads are cancelled in there, and nothing of ours is on the stack.

use super::{load_arguments, make_frame, save_arguments};
use super::received::{Passed, find};
use hakmem_alloc::c_abi::{Call, Function};

/// Defines functions. The body looks, with the [`Call`] that it names, at what was passed, and may
/// change that.
macro_rules! before {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt |$call:ident, $passed:ident| $body:expr;
    )*) => {$(
        $(#[$attribute])*
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            extern "C" fn seen($passed: &mut Passed, frame: *const usize) {
                // SAFETY: the function around makes the frame and waits.
                let $call = unsafe { Call::new(frame, Function::$name) };
                $body
            }
            core::arch::naked_asm!(
                ".cfi_startproc",
                look!($count),
                make_frame!(),
                "sub rsp, 48",
                save_arguments!(),
                "cmp qword ptr [rip + {originals} + {index}], 0",
                "jne 3f",
                "call {find}",
                "3:",
                "mov rdi, rsp",
                "mov rsi, rbp",
                "call {seen}",
                load_arguments!(),
                "leave",
                ".cfi_def_cfa rsp, 8",
                "jmp qword ptr [rip + {originals} + {index}]",
                ".cfi_endproc",
                bounds = sym hakmem_alloc::c_abi::BOUNDS,
                originals = sym hakmem_alloc::c_abi::ORIGINALS,
                index = const Function::$name as usize * 8,
                find = sym find,
                seen = sym seen,
            )
        }
    )*};
}
pub(super) use before;

/// One byte is how programs ask whether memory can be read. What is told is sent all the same: the
/// call is the program's.
fn send_all(call: Call, address: usize, len: usize) {
    if len > 1 {
        let _ = call.readable(address, len);
    }
}

before! {
    /// POSIX `write`.
    fn write of 2 |call, passed| send_all(call, passed[1], passed[2]);

    /// POSIX `pwrite`.
    fn pwrite of 2 |call, passed| send_all(call, passed[1], passed[2]);

    /// The same.
    fn pwrite64 of 2 |call, passed| send_all(call, passed[1], passed[2]);

    /// POSIX `send`.
    fn send of 2 |call, passed| send_all(call, passed[1], passed[2]);

    /// POSIX `sendto`.
    fn sendto of 2 |call, passed| send_all(call, passed[1], passed[2]);

    /// C11 `fwrite`.
    fn fwrite of 1 |call, passed| send_all(call, passed[0], passed[1].saturating_mul(passed[2]));
}
