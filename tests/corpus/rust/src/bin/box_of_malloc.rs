//! CWE: 762
//! Kinds: mismatched-free, invalid-free, size-mismatch
//! Found: default
//!
//! Makes a box of a block of the system's malloc.

use hakmem_corpus::{seen, wrong};

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
}

fn main() {
    // SAFETY: the good twin frees as it has allocated.
    unsafe {
        let block = seen(malloc(64)).cast::<[u8; 64]>();
        block.write([9; 64]);
        if wrong() {
            println!("{}", Box::from_raw(block)[63]);
        } else {
            println!("{}", (*block)[63]);
            free(block.cast());
        }
    }
}
