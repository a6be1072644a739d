//! CWE: 590
//! Kinds: invalid-free
//! Found: default
//!
//! Makes a box of a local variable.

use hakmem_corpus::{seen, wrong};

fn main() {
    let mut local = [8_u64; 5];
    let copy = if wrong() {
        // SAFETY: none: it is on the stack.
        unsafe { Box::from_raw(seen(&raw mut local)) }
    } else {
        Box::new(local)
    };
    println!("{}", copy[4]);
    drop(copy);
}
