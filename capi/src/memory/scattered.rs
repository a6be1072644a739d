//! Functions that read from several places what goes outside, `writev`, `sendmsg` and their kin, and
//! those that write what comes from there into several.
//!
//! The list of places lies anywhere, so each call is looked at. Where a place leaves its block, the
//! kernel would send what stands there, or refuse the call where a page cannot be reached.

use super::around::{Done, around};
use super::before::before;
use hakmem_alloc::c_abi::{Call, is_there, left};

/// Places that a list may have (`IOV_MAX`): with more of them the kernel refuses the call.
const MOST: usize = 1024;

/// The places of a list, which is there; none of one that the kernel refuses or that leaves its block.
fn places<'a>(list: usize, count: usize) -> &'a [libc::iovec] {
    let bytes = count.min(MOST) * size_of::<libc::iovec>();
    let is_list = list.is_multiple_of(align_of::<libc::iovec>()) && count <= MOST;
    if count == 0 || !is_list || left(list) < bytes || !is_there(list, bytes) {
        return &[];
    }
    // SAFETY: a list of so many, which can be read.
    unsafe { core::slice::from_raw_parts(list as *const libc::iovec, count) }
}

/// Looks at a list itself; one that is nowhere near a block the kernel refuses.
fn list(call: Call, at: usize, count: usize) {
    if at != 0 && count <= MOST {
        let _ = call.readable(at, count * size_of::<libc::iovec>());
    }
}

/// Looks at each of the places.
fn send_each(call: Call, at: usize, count: usize) {
    list(call, at, count);
    for place in places(at, count) {
        let _ = call.readable(place.iov_base as usize, place.iov_len);
    }
}

/// Looks at each of the places that as many bytes as came were written to, one behind the other.
fn came_into_each(done: Done, at: usize, count: usize) {
    let mut left = if done.is_failed() { 0 } else { done.result };
    for place in places(at, count) {
        let here = left.min(place.iov_len);
        left -= here;
        done.wrote(place.iov_base as usize, here, place.iov_len);
    }
}

/// A message, which is there.
fn message<'a>(at: usize) -> Option<&'a libc::msghdr> {
    let bytes = size_of::<libc::msghdr>();
    let is_one = at.is_multiple_of(align_of::<libc::msghdr>());
    if at == 0 || !is_one || left(at) < bytes || !is_there(at, bytes) {
        return None;
    }
    // SAFETY: a message, which can be read.
    Some(unsafe { &*(at as *const libc::msghdr) })
}

/// Looks at a message itself.
fn head(call: Call, at: usize) {
    if at != 0 {
        let _ = call.readable(at, size_of::<libc::msghdr>());
    }
}

/// Looks at what a message has: its places, and the address that it is sent to.
fn send_message(call: Call, at: usize) {
    head(call, at);
    if let Some(message) = message(at) {
        let _ = call.readable(message.msg_name as usize, message.msg_namelen as usize);
        send_each(call, message.msg_iov as usize, message.msg_iovlen);
    }
}

/// Looks at each of some messages, which stand one behind the other.
fn send_messages(call: Call, list: usize, count: usize) {
    for index in 0..count.min(MOST) {
        send_message(call, list.wrapping_add(index * size_of::<libc::mmsghdr>()));
    }
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

    /// `sendmmsg` of Linux.
    fn sendmmsg of list |call, passed| send_messages(call, passed[1], passed[2] as u32 as usize);
}

around! {
    /// POSIX `readv`.
    fn readv of list |call, passed| list(call, passed[1], passed[2]), |done| {
        came_into_each(done, passed[1], passed[2]);
    };

    /// BSD `preadv`.
    fn preadv of list |call, passed| list(call, passed[1], passed[2]), |done| {
        came_into_each(done, passed[1], passed[2]);
    };

    /// The same.
    fn preadv64 of list |call, passed| list(call, passed[1], passed[2]), |done| {
        came_into_each(done, passed[1], passed[2]);
    };

    /// POSIX `recvmsg`.
    fn recvmsg of list |call, passed| {
        head(call, passed[1]);
        if let Some(message) = message(passed[1]) {
            list(call, message.msg_iov as usize, message.msg_iovlen);
        }
    }, |done| {
        if let Some(message) = message(passed[1]) {
            came_into_each(done, message.msg_iov as usize, message.msg_iovlen);
        }
    };
}
