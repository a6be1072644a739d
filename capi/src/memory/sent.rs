//! Functions that read what goes outside: `write`, `fwrite` and their kin; and the names of files and
//! commands, and the stream that is closed.
//!
//! What is to be read is looked at before, and then libc's function has the program's frame and
//! arguments: threads are cancelled in there, and nothing of ours is on the stack.

use super::received::{Passed, find};
use super::{length, load_arguments, make_frame, save_arguments};
use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, Function, UNLIMITED, left};

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

/// A name, which the kernel reads: one that lies in no block it looks at itself.
fn name(call: Call, address: usize) {
    if left(address) != UNLIMITED {
        // SAFETY: in a block, whose end stops it.
        let _ = unsafe { length(call, (address as *const c_void).cast()) };
    }
}

/// A stream, of which libc reads the first word at least.
fn stream(call: Call, address: usize) {
    let _ = call.readable(address, size_of::<usize>());
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

    /// POSIX `open`.
    fn open of 1 |call, passed| name(call, passed[0]);

    /// The same.
    fn open64 of 1 |call, passed| name(call, passed[0]);

    /// POSIX `openat`.
    fn openat of 2 |call, passed| name(call, passed[1]);

    /// The same.
    fn openat64 of 2 |call, passed| name(call, passed[1]);

    /// C11 `fopen`.
    fn fopen of 1 |call, passed| name(call, passed[0]);

    /// The same.
    fn fopen64 of 1 |call, passed| name(call, passed[0]);

    /// POSIX `opendir`.
    fn opendir of 1 |call, passed| name(call, passed[0]);

    /// POSIX `popen`.
    fn popen of 1 |call, passed| name(call, passed[0]);

    /// C11 `system`.
    fn system of 1 |call, passed| name(call, passed[0]);

    /// C11 `fclose`: of a stream that was closed before glibc would end the program by itself.
    fn fclose of 1 |call, passed| stream(call, passed[0]);

    /// POSIX `pclose`.
    fn pclose of 1 |call, passed| stream(call, passed[0]);
}
