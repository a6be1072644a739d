//! CWE: 761
//! Kinds: invalid-free
//! Found: default
//!
//! Makes a box of the second half of a block.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut halves = Box::new([[3_u8; 512]; 2]);
    let second = seen(&raw mut halves[1]);
    let whole = Box::into_raw(halves);
    // SAFETY: none for the second half.
    unsafe {
        println!("{}", (*second)[500]);
        if defect(true, false) {
            drop(Box::from_raw(second));
        } else {
            drop(Box::from_raw(whole));
        }
    }
}
