//! CWE: 122
//! Kinds: heap-overflow
//! Found: default
//!
//! Sets the length of a vector beyond its capacity and writes all elements.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut values = vec![0_u16; 40];
    // SAFETY: none: there is room for 40.
    unsafe { values.set_len(defect(44, 40)) };
    values.fill(11);
    seen(values.as_mut_ptr());
    println!("{}", values[3]);
    // SAFETY: as many as were written.
    unsafe { values.set_len(40) };
}
