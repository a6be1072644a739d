//! CWE: 401
//! Kinds: leak
//! Found: leaks
//!
//! Forgets vectors of strings that a thread has made.

use hakmem_corpus::{scrub, wrong};
use std::thread;

#[inline(never)]
fn make(count: usize) -> usize {
    let list: Vec<String> = (0..count).map(|n| "s".repeat(n + 40)).collect();
    let len = list.iter().map(String::len).sum();
    if wrong() {
        std::mem::forget(list);
    }
    len
}

fn main() {
    let thread = thread::spawn(|| (1..15).map(make).sum::<usize>());
    let total = thread.join().unwrap_or(0);
    scrub();
    println!("{total}");
}
