//! Functions that read what goes outside: `write`, `fwrite` and their kin; and the names of files and
//! commands, and the stream that is closed.
//!
//! What is to be read is looked at before ([`before`]).

use super::before::before;
use super::length;
use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, UNLIMITED, left};

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
