//! Functions that write what comes from outside: `read`, `fgets` and their kin.
//!
//! How much that is shows afterwards, and a smaller request would be another one. So libc's function
//! is called with what the program passes, and what it has written is checked then. Threads are
//! cancelled in there: between libc's function and the program is a frame that can be unwound, and
//! nothing of Rust's.

use super::before::{Passed, find};
use super::{load_arguments, make_frame, plain, save_arguments};
use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, Function, UNLIMITED};

/// Defines functions. The body says where memory was written to and how many bytes, of what was
/// passed and what came back.
macro_rules! received {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt |$passed:ident, $result:ident| $body:expr;
    )*) => {$(
        const _: () = {
            static WAY: crate::memory::way::Way = crate::memory::way::way_of!(look);

            extern "C" fn seen($passed: &Passed, $result: usize, frame: *const usize) -> usize {
                // SAFETY: the function below makes the frame and waits.
                let call = unsafe { Call::new(frame, Function::$name) };
                let (address, len): (usize, usize) = $body;
                call.has_written(address, len);
                $result
            }

            #[unsafe(naked)]
            unsafe extern "C" fn look() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    look!($count),
                    make_frame!(),
                    "sub rsp, 48",
                    save_arguments!(),
                    "cmp qword ptr [rip + {originals} + {index}], 0",
                    "jne 3f",
                    "call {find}",
                    load_arguments!(),
                    "3:",
                    "call qword ptr [rip + {originals} + {index}]",
                    "mov rdi, rsp",
                    "mov rsi, rax",
                    "mov rdx, rbp",
                    "call {seen}",
                    "leave",
                    ".cfi_def_cfa rsp, 8",
                    "ret",
                    ".cfi_endproc",
                    bounds = sym hakmem_alloc::c_abi::BOUNDS,
                    originals = sym hakmem_alloc::c_abi::ORIGINALS,
                    index = const Function::$name as usize * 8,
                    find = sym find,
                    way = sym WAY,
                    seen = sym seen,
                )
            }

            $(#[$attribute])*
            ///
            /// # Safety
            /// As libc's.
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            #[unsafe(link_section = ".text.hot.hakmem")]
            pub unsafe extern "C" fn $name() {
                crate::memory::way::go_way!(WAY)
            }
        };
    )*};
}

/// The bytes of a count that is negative where nothing came.
fn bytes(result: usize) -> usize {
    if (result as isize) < 0 { 0 } else { result }
}

/// The bytes of a line that came, with its end.
fn line(result: usize) -> usize {
    if result == 0 {
        return 0;
    }
    let start = (result as *const c_void).cast();
    // SAFETY: libc has written a string there.
    unsafe { plain::find(start, UNLIMITED, 0, 0) }.map_or(0, |len| len + 1)
}

received! {
    /// POSIX `read`.
    fn read of 2 |passed, result| (passed[1], bytes(result));

    /// POSIX `recv`.
    fn recv of 2 |passed, result| (passed[1], bytes(result).min(passed[2]));

    /// POSIX `recvfrom`.
    fn recvfrom of 2 |passed, result| (passed[1], bytes(result).min(passed[2]));

    /// C11 `fread`.
    fn fread of 1 |passed, result| (passed[0], result.saturating_mul(passed[1]));

    /// C11 `fgets`.
    fn fgets of 1 |passed, result| (passed[0], line(result));

    /// `read` with `_FORTIFY_SOURCE`.
    fn __read_chk of 2 |passed, result| (passed[1], bytes(result));

    /// `recv` with `_FORTIFY_SOURCE`.
    fn __recv_chk of 2 |passed, result| (passed[1], bytes(result).min(passed[2]));

    /// `fread` with `_FORTIFY_SOURCE`.
    fn __fread_chk of 1 |passed, result| (passed[0], result.saturating_mul(passed[2]));

    /// `fgets` with `_FORTIFY_SOURCE`.
    fn __fgets_chk of 1 |passed, result| (passed[0], line(result));
}
