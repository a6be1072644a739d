//! CWE: 761
//! Kinds: invalid-free
//! Found: default
//!
//! Puts a vector together from where its front was skipped, with what capacity is left.

use hakmem_corpus::{defect, seen};
use std::mem::ManuallyDrop;

fn main() {
    let mut bytes = ManuallyDrop::new(vec![b' '; 20000]);
    let skipped = defect(4096, 0);
    let len = bytes.len() - skipped;
    // SAFETY: none: a block can only be freed at its start.
    let rest = unsafe { Vec::from_raw_parts(seen(bytes.as_mut_ptr()).add(skipped), len, len) };
    println!("{}", rest[100]);
}
