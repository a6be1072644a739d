//! Functions that read what goes outside: `write`, `fwrite` and their kin.
//!
//! What is to be read is looked at before ([`before`]).

use super::before::before;
use hakmem_alloc::c_abi::Call;

/// One byte is how programs ask whether memory can be read. What is told is sent all the same: the
/// call is the program's.
pub(super) fn send_all(call: Call, address: usize, len: usize) {
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

    /// C11 `fwrite`.
    fn fwrite of 1 |call, passed| send_all(call, passed[0], passed[1].saturating_mul(passed[2]));
}
