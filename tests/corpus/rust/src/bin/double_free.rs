//! CWE: 415
//! Kinds: double-free
//! Found: default
//!
//! Makes two boxes of one raw pointer.

use hakmem_corpus::{seen, wrong};

fn main() {
    let raw = seen(Box::into_raw(Box::new([7_u64; 6])));
    // SAFETY: none, which is the point; the good twin makes one box.
    unsafe {
        drop(Box::from_raw(raw));
        if wrong() {
            drop(Box::from_raw(seen(raw)));
        }
    }
    println!("dropped");
}
