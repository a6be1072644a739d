//! CWE: 416
//! Kinds: write-after-free, use-after-free
//! Found: guards
//!
//! Writes to a box by a raw pointer after it was dropped.

use hakmem_corpus::{seen, wrong};

fn main() {
    let mut block = Box::new([1_u64; 12]);
    let raw = seen(&raw mut *block);
    if wrong() {
        drop(block);
        // SAFETY: none: it is gone.
        unsafe { (&raw mut (*seen(raw))[4]).write_volatile(77) };
    } else {
        block[4] = 77;
        drop(block);
    }
    println!("{}", Box::new([2_u64; 12])[4]);
}
