//! Functions that are passed addresses and options of sockets, with their lengths.

use super::around::{Done, around};
use super::before::{Passed, before};
use super::sent::send_all;
use hakmem_alloc::c_abi::{Call, is_there, left};

/// More bytes no address has: the kernel refuses it unread.
const MOST: usize = size_of::<libc::sockaddr_storage>();

/// What the kernel copies of an address, of an `int` of bytes.
fn address(call: Call, at: usize, len: usize) {
    let len = len as u32 as usize;
    if at != 0 && len <= MOST {
        let _ = call.readable(at, len);
    }
}

/// An option.
fn option(call: Call, at: usize, len: usize) {
    if at != 0 && len as i32 > 0 {
        let _ = call.readable(at, len as u32 as usize);
    }
}

/// How many bytes there is room for, which the kernel will overwrite; an `int` that is not there it
/// refuses. Kept in the last word that was passed, which these functions do not have.
fn room(call: Call, passed: &mut Passed, at: usize) {
    let place = passed[at];
    let is_aligned = place.is_multiple_of(align_of::<u32>());
    passed[5] = if !is_aligned || left(place) < 4 || !is_there(place & !7, 8) {
        let _ = call.readable(place, if place == 0 { 0 } else { 4 });
        0
    } else {
        // SAFETY: asked just now.
        unsafe { *(place as *const u32) as usize }
    };
}

/// An address was written, with its length at `len`.
fn address_came(done: Done, at: usize, len: usize, room: usize) {
    if at == 0 || room == 0 {
        return;
    }
    // SAFETY: the kernel has just written there, unless it refused.
    let all = if done.is_failed() { room } else { unsafe { *(len as *const u32) as usize } };
    done.filled(at, all.min(room));
}

before! {
    /// POSIX `connect`.
    fn connect of list |call, passed| address(call, passed[1], passed[2]);

    /// POSIX `bind`.
    fn bind of list |call, passed| address(call, passed[1], passed[2]);

    /// POSIX `sendto`.
    fn sendto of list |call, passed| {
        send_all(call, passed[1], passed[2]);
        address(call, passed[4], passed[5]);
    };

    /// POSIX `setsockopt`.
    fn setsockopt of list |call, passed| option(call, passed[3], passed[4]);
}

around! {
    /// POSIX `accept`.
    fn accept of list |call, passed| room(call, passed, 2), |done| {
        address_came(done, passed[1], passed[2], passed[5]);
    };

    /// `accept4` of Linux.
    fn accept4 of list |call, passed| room(call, passed, 2), |done| {
        address_came(done, passed[1], passed[2], passed[5]);
    };

    /// POSIX `getsockname`.
    fn getsockname of list |call, passed| room(call, passed, 2), |done| {
        address_came(done, passed[1], passed[2], passed[5]);
    };

    /// POSIX `getpeername`.
    fn getpeername of list |call, passed| room(call, passed, 2), |done| {
        address_came(done, passed[1], passed[2], passed[5]);
    };

    /// POSIX `getsockopt`.
    fn getsockopt of list |call, passed| room(call, passed, 4), |done| {
        address_came(done, passed[3], passed[4], passed[5]);
    };

    /// POSIX `recvfrom`: an address without an `int` behind it is none.
    fn recvfrom of list |call, passed| (), |done| received_from(done, passed);

    /// POSIX `socketpair`.
    fn socketpair of list |call, passed| (), |done| done.filled(passed[3], 8);
}

/// What came, and from where; of that the length alone is known, which is what the kernel has of it.
fn received_from(done: Done, passed: &Passed) {
    let came = if done.is_failed() { 0 } else { done.result.min(passed[2]) };
    done.wrote(passed[1], came, passed[2]);
    let is_freed = passed[4] != 0 && left(passed[4]) == 0;
    if is_freed {
        done.filled(passed[4], 1);
    }
}
