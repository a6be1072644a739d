//! CWE: 416
//! Kinds: use-after-free
//! Found: guards
//!
//! Reads a string by a slice that has outlived it.

use hakmem_corpus::{seen, wrong};

fn main() {
    let mut text = String::from("a string that goes away in a moment");
    let start = seen(text.as_mut_ptr());
    if wrong() {
        drop(text);
        // SAFETY: none: it is gone.
        println!("{}", unsafe { seen(start).add(9).read_volatile() } != 1);
    } else {
        // SAFETY: it is still there.
        println!("{}", unsafe { start.add(9).read_volatile() } != 1);
        drop(text);
    }
}
