//! CWE: 762
//! Kinds: mismatched-free, invalid-free
//! Found: default
//!
//! Gives the block of a box to the system's free, which aborts: it knows nothing of the block.

use hakmem_corpus::{seen, wrong};

unsafe extern "C" {
    fn free(block: *mut u8);
}

fn main() {
    let block = seen(Box::into_raw(Box::new([4_u8; 72])));
    // SAFETY: only the good twin gives it back where it came from.
    unsafe {
        println!("{}", (*block)[71]);
        if wrong() {
            free(block.cast());
        } else {
            drop(Box::from_raw(block));
        }
    }
}
