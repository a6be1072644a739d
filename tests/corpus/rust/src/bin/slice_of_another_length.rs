//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Makes a boxed slice again of its pointer and the number of elements that are used.

use hakmem_corpus::{defect, seen};

fn main() {
    let slice = vec![0.5_f64; 300].into_boxed_slice();
    let used = defect(120, slice.len());
    let start = seen(Box::into_raw(slice).cast::<f64>());
    // SAFETY: none: the slice is longer.
    let again = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, used)) };
    println!("{}", again[7]);
}
