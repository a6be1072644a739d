//! Functions that read from several places what goes outside: `writev`, `sendmsg` and their kin.
//!
//! The list of places lies anywhere, so each call is looked at. Where a place leaves its block, the
//! kernel would send what stands there, or refuse the call where a page cannot be read.

use super::before::before;
use hakmem_alloc::c_abi::{Call, is_there};

/// Places that a list may have (`IOV_MAX`): with more of them the kernel refuses the call.
const MOST: usize = 1024;

/// Looks at each of the places, as far as the list itself is a live block's. A list that is not there
/// the kernel refuses.
fn send_each(call: Call, list: usize, count: usize) {
    let bytes = count.min(MOST) * size_of::<libc::iovec>();
    let is_list = list.is_multiple_of(align_of::<libc::iovec>()) && count <= MOST;
    if !is_list || !is_there(list, bytes) {
        return;
    }
    let count = call.readable(list, bytes) / size_of::<libc::iovec>();
    for index in 0..count {
        // SAFETY: a list of so many, which can be read.
        let place = unsafe { &*(list as *const libc::iovec).wrapping_add(index) };
        let _ = call.readable(place.iov_base as usize, place.iov_len);
    }
}

/// Looks at what a message has: its places, and the address that it is sent to.
fn send_message(call: Call, message: usize) {
    let bytes = size_of::<libc::msghdr>();
    let is_one = message.is_multiple_of(align_of::<libc::msghdr>()) && is_there(message, bytes);
    if !is_one || call.readable(message, bytes) < bytes {
        return;
    }
    // SAFETY: a message, which can be read.
    let message = unsafe { &*(message as *const libc::msghdr) };
    let _ = call.readable(message.msg_name as usize, message.msg_namelen as usize);
    send_each(call, message.msg_iov as usize, message.msg_iovlen);
}

before! {
    /// POSIX `writev`.
    fn writev of list |call, passed| send_each(call, passed[1], passed[2]);

    /// BSD `pwritev`.
    fn pwritev of list |call, passed| send_each(call, passed[1], passed[2]);

    /// The same.
    fn pwritev64 of list |call, passed| send_each(call, passed[1], passed[2]);

    /// POSIX `sendmsg`.
    fn sendmsg of list |call, passed| send_message(call, passed[1]);
}
