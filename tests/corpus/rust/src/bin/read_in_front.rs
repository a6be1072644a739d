//! CWE: 127
//! Kinds: heap-underflow
//! Found: guards
//!
//! Reads the word in front of a box.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut block = Box::new([6_u64; 10]);
    let start = seen(block.as_mut_ptr());
    // SAFETY: none: nothing is there.
    let word = unsafe { start.wrapping_sub(defect(1, 0)).read_volatile() };
    println!("{}", word != 12345);
}
