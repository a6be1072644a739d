//! Functions that take pages away: those of the heap are given back by `free`.

use super::before::before;
use hakmem_alloc::c_abi::Call;

/// Tells of pages of the heap; the kernel refuses a mapping of no bytes, and so they stay.
fn taken_away(call: Call, address: usize, len: &mut usize) {
    if call.takes_from_heap(address, *len) {
        *len = 0;
    }
}

before! {
    /// POSIX `munmap`.
    fn munmap of list |call, passed| {
        let [address, len, ..] = passed;
        taken_away(call, *address, len);
    };

    /// `mremap` of Linux: where to is its fifth argument.
    fn mremap of list |call, passed| {
        let [address, _, len, ..] = passed;
        taken_away(call, *address, len);
    };
}
