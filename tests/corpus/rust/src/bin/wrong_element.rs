//! CWE: 762
//! Kinds: align-mismatch
//! Found: default
//!
//! Turns a vector of bytes into one of words of the same size in all.

use hakmem_corpus::{seen, wrong};
use std::mem::ManuallyDrop;

fn main() {
    let bytes = vec![1_u8; 800];
    let words: Vec<u64> = if wrong() {
        let mut bytes = ManuallyDrop::new(bytes);
        // SAFETY: none: the alignment of the elements is another one.
        unsafe { Vec::from_raw_parts(seen(bytes.as_mut_ptr()).cast(), 100, 100) }
    } else {
        bytes.chunks(8).map(|chunk| u64::from(chunk[0])).collect()
    };
    println!("{}", words.len());
}
