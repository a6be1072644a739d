//! CWE: 122
//! Kinds: heap-overflow
//! Found: default
//!
//! Writes two megabytes of a table by an index that is not checked, and the place behind it.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut table = vec![0_u64; 1 << 18];
    let count = table.len() + defect(1, 0);
    for at in (0..count).step_by(64) {
        // SAFETY: none for the last one.
        unsafe { *table.get_unchecked_mut(at) = at as u64 };
    }
    seen(table.as_mut_ptr());
    println!("{}", table[64]);
}
