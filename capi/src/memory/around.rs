//! How a function is looked at before libc's own begins and after it: what it reads of the program's
//! memory before, what it has written afterwards.
//!
//! How much that is shows afterwards, and a smaller request would be another one. So libc's function
//! is called with what the program passes. Threads are cancelled in there: between libc's function
//! and the program is a frame that can be unwound, and nothing of Rust's.
//!
//! Where the memory is a guarded block's, and its pages cannot be written, the kernel refuses the
//! call or stops at the page: [`Done`] tells that as what the program has asked for.

use super::plain;
use core::ffi::{c_int, c_void};
use hakmem_alloc::c_abi::{Call, is_guarded, left};

/// A call that has come back.
#[derive(Clone, Copy)]
pub(super) struct Done {
    pub(super) call: Call,
    pub(super) result: usize,
}

impl Done {
    /// Whether the kernel could not reach memory of the program.
    fn is_refused(self) -> bool {
        self.is_failed() && self.is_unreachable()
    }

    /// Whether that is the last error.
    pub(super) fn is_unreachable(self) -> bool {
        // SAFETY: this thread's errno, always valid.
        unsafe { *libc::__errno_location() == libc::EFAULT }
    }

    /// Whether -1 came back, as a word or as an `int`.
    pub(super) fn is_failed(self) -> bool {
        self.result as isize == -1 || self.result as c_int == -1
    }

    /// It has written as many bytes as came back, of `room`.
    pub(super) fn came(self, address: usize, room: usize) {
        let came = if self.is_failed() { 0 } else { self.result };
        self.wrote(address, came, room);
    }

    /// It has written `len` bytes, of `room`.
    pub(super) fn wrote(self, address: usize, len: usize, room: usize) {
        // Of more the kernel has come as far as the pages go.
        let is_cut = len < room && len == left(address) && is_guarded(address);
        if is_cut || self.is_refused() {
            self.call.was_to_write(address, room);
        } else {
            self.call.has_written(address, len);
        }
    }

    /// As [`came`](Done::came), of elements of `size` bytes.
    pub(super) fn came_of(self, address: usize, size: usize, room: usize) {
        let came = if self.is_failed() { 0 } else { self.result as u32 as usize };
        // Where more are said to fit than there is memory for, it is seen if they come.
        self.wrote(address, came * size, room.max(came) * size);
    }

    /// It has written the path that it returns, of `room`.
    pub(super) fn path(self, address: usize, room: usize) {
        if address == 0 {
            return;
        }
        if self.result == address {
            // SAFETY: libc has written a string there.
            let len = unsafe { plain::find((address as *const c_void).cast(), room, 0, 0) };
            self.call.has_written(address, len.map_or(room, |len| len + 1));
        } else if self.result == 0 && self.is_unreachable() {
            self.call.was_to_write(address, room);
        }
    }

    /// It has filled in `len` bytes, unless it failed; null is nowhere.
    pub(super) fn filled(self, address: usize, len: usize) {
        match address {
            0 => {}
            _ if !self.is_failed() => self.call.has_written(address, len),
            _ if self.is_refused() => self.call.was_to_write(address, len),
            _ => {}
        }
    }
}

/// Defines functions. The first body looks at what was passed and may change that, the second one
/// at what was done.
macro_rules! around {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt |$call:ident, $passed:ident| $before:expr, |$done:ident| $after:expr;
    )*) => {$(
        const _: () = {
            #[allow(unused_variables, reason = "some look before, some after")]
            extern "C" fn looked($passed: &mut crate::memory::before::Passed, frame: *const usize) {
                // SAFETY: the function below makes the frame and waits.
                let $call = unsafe {
                    hakmem_alloc::c_abi::Call::new(frame, hakmem_alloc::c_abi::Function::$name)
                };
                let () = $before;
            }
            #[allow(unused_variables, reason = "as above")]
            extern "C" fn seen(
                $passed: &crate::memory::before::Passed,
                result: usize,
                frame: *const usize,
            ) -> usize {
                // SAFETY: as above.
                let call = unsafe {
                    hakmem_alloc::c_abi::Call::new(frame, hakmem_alloc::c_abi::Function::$name)
                };
                let $done = crate::memory::around::Done { call, result };
                let () = $after;
                result
            }

            crate::memory::begin::function! {
                $(#[$attribute])*
                $name of $count (),
                [
                    crate::memory::before::keep_passed!(),
                    "call {looked}",
                    crate::memory::load_arguments!(),
                    "call qword ptr [rip + {originals} + {index}]",
                    "mov rdi, rsp",
                    "mov rsi, rax",
                    "mov rdx, rbp",
                    "call {seen}",
                    "leave",
                    ".cfi_def_cfa rsp, 8",
                    "ret",
                ],
                find = crate::memory::before::find,
                looked = looked,
                seen = seen,
            }
        };
    )*};
}
pub(super) use around;
