//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Takes a vector apart, and puts it together with its length in the place of its capacity.

use hakmem_corpus::{defect, seen};
use std::mem::ManuallyDrop;

fn main() {
    let mut parts = ManuallyDrop::new(Vec::<u32>::with_capacity(100));
    parts.extend(0..60);
    let capacity = defect(parts.len(), parts.capacity());
    // SAFETY: none: it is not the capacity.
    let again = unsafe { Vec::from_raw_parts(seen(parts.as_mut_ptr()), parts.len(), capacity) };
    println!("{}", again.iter().sum::<u32>());
}
