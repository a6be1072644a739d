//! CWE: 126
//! Kinds: heap-overflow
//! Found: guards
//!
//! Reads past the end of a slice without a check.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut values = vec![2_u64; 32];
    let start = seen(values.as_mut_ptr());
    let mut total = 0;
    for at in 0..defect(33, 32) {
        // SAFETY: none for the last one.
        total ^= unsafe { start.add(at).read_volatile() };
    }
    println!("{}", total != 12345);
}
