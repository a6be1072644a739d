//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Puts a String together with more capacity than its block has.

use hakmem_corpus::{defect, seen};
use std::mem::ManuallyDrop;

fn main() {
    let mut text = ManuallyDrop::new("a text of some size, and no larger".to_owned());
    let room = text.capacity() + defect(64, 0);
    // SAFETY: none: there is less room.
    let again = unsafe { String::from_raw_parts(seen(text.as_mut_ptr()), text.len(), room) };
    println!("{}", again.len());
}
