//! Functions that put an array in order: `qsort` and `qsort_r`.
//!
//! All of it is read and written, though what is in its place already is not seen to change. They
//! are given as many elements as there are; what they call then is the program's, and nothing of
//! ours is on the stack.

use super::before::{Passed, before};
use hakmem_alloc::c_abi::Call;

/// Leaves of the array what may be used. Of one element none is touched.
fn cut(call: Call, passed: &mut Passed) {
    let [start, count, bytes, ..] = *passed;
    let len = count.saturating_mul(bytes);
    if count < 2 || bytes == 0 {
        return;
    }
    let usable = call.writable(start, len);
    if usable < len {
        passed[1] = usable / bytes;
    }
}

before! {
    /// C11 `qsort`.
    fn qsort of 1 |call, passed| cut(call, passed);

    /// GNU `qsort_r`.
    fn qsort_r of 1 |call, passed| cut(call, passed);
}
