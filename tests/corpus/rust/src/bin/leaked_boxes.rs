//! CWE: 401
//! Kinds: leak
//! Found: leaks
//!
//! Turns boxes into raw pointers, and loses those.

use hakmem_corpus::{scrub, seen, wrong};

#[inline(never)]
fn lose(value: u64) -> u64 {
    let raw = seen(Box::into_raw(Box::new([value; 30])));
    // SAFETY: it comes from a box.
    unsafe {
        let read = (*raw)[2];
        if !wrong() {
            drop(Box::from_raw(raw));
        }
        read
    }
}

fn main() {
    let total: u64 = (0..20).map(lose).sum();
    scrub();
    println!("{total}");
}
