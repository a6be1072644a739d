//! Functions that write what comes from outside, as many bytes as there are: `read`, `fgets` and their
//! kin.

use super::around::{Done, around};
use super::plain;
use core::ffi::c_void;
use hakmem_alloc::c_abi::UNLIMITED;

/// The bytes of a line that came, with its end.
fn line(result: usize) -> usize {
    if result == 0 {
        return 0;
    }
    let start = (result as *const c_void).cast();
    // SAFETY: libc has written a string there.
    unsafe { plain::find(start, UNLIMITED, 0, 0) }.map_or(0, |len| len + 1)
}

/// A datagram that came, of which there may be more than there was room for.
fn packet(done: Done, address: usize, room: usize) {
    let came = if done.is_failed() { 0 } else { done.result.min(room) };
    done.wrote(address, came, room);
}

/// Elements that came; where there are fewer the kernel may have refused to write them.
fn elements(done: Done, address: usize, size: usize, count: usize) {
    let came = done.result.saturating_mul(size);
    let room = size.saturating_mul(count);
    if came < room && done.is_unreachable() {
        done.call.was_to_write(address, room);
    } else {
        done.call.has_written(address, came);
    }
}

around! {
    /// POSIX `read`.
    fn read of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// POSIX `pread`.
    fn pread of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// The same.
    fn pread64 of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// POSIX `recv`.
    fn recv of 2 |call, passed| (), |done| packet(done, passed[1], passed[2]);

    /// C11 `fread`.
    fn fread of 1 |call, passed| (), |done| elements(done, passed[0], passed[1], passed[2]);

    /// C11 `fgets`.
    fn fgets of 1 |call, passed| (), |done| done.call.has_written(passed[0], line(done.result));

    /// `read` with `_FORTIFY_SOURCE`.
    fn __read_chk of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// `pread` with `_FORTIFY_SOURCE`.
    fn __pread_chk of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// The same.
    fn __pread64_chk of 2 |call, passed| (), |done| done.came(passed[1], passed[2]);

    /// `recv` with `_FORTIFY_SOURCE`.
    fn __recv_chk of 2 |call, passed| (), |done| packet(done, passed[1], passed[2]);

    /// `fread` with `_FORTIFY_SOURCE`.
    fn __fread_chk of 1 |call, passed| (), |done| elements(done, passed[0], passed[2], passed[3]);

    /// `fgets` with `_FORTIFY_SOURCE`.
    fn __fgets_chk of 1 |call, passed| (), |done| done.call.has_written(passed[0], line(done.result));

    /// `getrandom` of Linux.
    fn getrandom of 1 |call, passed| (), |done| done.came(passed[0], passed[1]);

    /// `getentropy` of BSD.
    fn getentropy of 1 |call, passed| (), |done| done.filled(passed[0], passed[1]);
}
