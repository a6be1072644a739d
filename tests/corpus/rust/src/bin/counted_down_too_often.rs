//! CWE: 415
//! Kinds: double-free, write-after-free, use-after-free
//! Found: default
//!
//! Takes one reference too many from the count of an Arc, which drops it while another one has
//! it.

use hakmem_corpus::{seen, wrong};
use std::sync::Arc;

struct Shared {
    text: String,
}

fn main() {
    let first = Arc::new(Shared {
        text: "shared by two".repeat(4),
    });
    let second = Arc::clone(&first);
    seen(Arc::as_ptr(&second).cast_mut());
    println!("{}", second.text.len());
    if wrong() {
        // SAFETY: none: this reference is `first`'s.
        unsafe { Arc::decrement_strong_count(Arc::as_ptr(&first)) };
    }
    drop(first);
    drop(second);
}
