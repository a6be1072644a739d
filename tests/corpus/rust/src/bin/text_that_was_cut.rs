//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Writes a zero into the text of a CString by its raw pointer; from_raw measures it again.

use hakmem_corpus::{seen, wrong};
use std::ffi::CString;

fn main() {
    let text = CString::new("a text that goes to C and comes back").expect("no zero in it");
    let raw = seen(text.into_raw());
    // SAFETY: none: the length may not change until `from_raw`.
    unsafe {
        let kept = *raw.add(6);
        *raw.add(6) = 0;
        println!("{}", *raw);
        if !wrong() {
            *raw.add(6) = kept;
        }
        drop(CString::from_raw(raw));
    }
}
