//! Functions that read from several places what goes outside: `writev`, `sendmsg` and their kin.
//!
//! The list of places lies anywhere, so each call is looked at. Where a place leaves its block, the
//! kernel would send what stands there, or refuse the call where a page cannot be read. As in
//! `sent.rs` libc's function has the program's frame and arguments.

use super::received::{Passed, find};
use super::{load_arguments, make_frame, save_arguments};
use hakmem_alloc::c_abi::{Call, Function};

/// Places that a list may have (`IOV_MAX`): with more of them the kernel refuses the call.
const MOST: usize = 1024;

/// Defines functions. The body looks, with the [`Call`] that it names, at what was passed.
macro_rules! scattered {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident |$call:ident, $passed:ident| $body:expr;
    )*) => {$(
        $(#[$attribute])*
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            extern "C" fn seen($passed: &Passed, frame: *const usize) {
                // SAFETY: the function around makes the frame and waits.
                let $call = unsafe { Call::new(frame, Function::$name) };
                $body
            }
            core::arch::naked_asm!(
                ".cfi_startproc",
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
                originals = sym hakmem_alloc::c_abi::ORIGINALS,
                index = const Function::$name as usize * 8,
                find = sym find,
                seen = sym seen,
            )
        }
    )*};
}

/// Looks at each of the places, as far as the list itself is a live block's.
fn send_each(call: Call, list: usize, count: usize) {
    if list == 0 || !list.is_multiple_of(align_of::<libc::iovec>()) || count > MOST {
        return;
    }
    let bytes = count * size_of::<libc::iovec>();
    let count = call.readable(list, bytes) / size_of::<libc::iovec>();
    for index in 0..count {
        // SAFETY: a list of so many, which the kernel is about to read.
        let place = unsafe { &*(list as *const libc::iovec).wrapping_add(index) };
        let _ = call.readable(place.iov_base as usize, place.iov_len);
    }
}

/// Looks at what a message has: its places, and the address that it is sent to.
fn send_message(call: Call, message: usize) {
    let is_one = message != 0 && message.is_multiple_of(align_of::<libc::msghdr>());
    let bytes = size_of::<libc::msghdr>();
    if !is_one || call.readable(message, bytes) < bytes {
        return;
    }
    // SAFETY: a message, which the kernel is about to read.
    let message = unsafe { &*(message as *const libc::msghdr) };
    let _ = call.readable(message.msg_name as usize, message.msg_namelen as usize);
    send_each(call, message.msg_iov as usize, message.msg_iovlen);
}

scattered! {
    /// POSIX `writev`.
    fn writev |call, passed| send_each(call, passed[1], passed[2]);

    /// BSD `pwritev`.
    fn pwritev |call, passed| send_each(call, passed[1], passed[2]);

    /// The same.
    fn pwritev64 |call, passed| send_each(call, passed[1], passed[2]);

    /// POSIX `sendmsg`.
    fn sendmsg |call, passed| send_message(call, passed[1]);
}
