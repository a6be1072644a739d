//! CWE: 122
//! Kinds: heap-overflow
//! Found: default
//!
//! Copies a slice over a block by a count of bytes in the place of one of elements.

use hakmem_corpus::{defect, seen};

fn main() {
    let source = vec![1.5_f32; 400];
    let mut target = vec![0.0_f32; 90];
    let count = defect(90 * size_of::<f32>(), 90);
    // SAFETY: none: `target` has 90.
    unsafe { seen(target.as_mut_ptr()).copy_from_nonoverlapping(source.as_ptr(), count) };
    println!("{}", target[89]);
}
