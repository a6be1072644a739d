//! CWE: 416
//! Kinds: write-after-free, use-after-free
//! Found: guards
//!
//! Keeps a pointer to an element over pushes that move the vector.

use hakmem_corpus::{seen, wrong};

fn main() {
    let mut list = vec![1_i64; 4];
    let mut first = seen(list.as_mut_ptr());
    let fence = Box::new(0_u8);
    list.extend(0..5000);
    if !wrong() {
        first = list.as_mut_ptr();
    }
    // SAFETY: none if it has moved.
    unsafe { first.write_volatile(9) };
    println!("{} {}", list.len(), fence);
}
