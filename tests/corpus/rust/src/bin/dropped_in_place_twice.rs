//! CWE: 415
//! Kinds: double-free
//! Found: default
//!
//! Drops the elements of a slice in place, and then the vector with them.

use hakmem_corpus::{seen, wrong};

fn main() {
    let mut names: Vec<String> = (0..5)
        .map(|n| format!("name number {n} of several"))
        .collect();
    if wrong() {
        // SAFETY: none: the vector drops them again.
        unsafe { std::ptr::drop_in_place(seen(&raw mut names[1..3])) };
    } else {
        names.drain(1..3);
    }
    println!("{}", names.len() >= 3);
    drop(names);
}
