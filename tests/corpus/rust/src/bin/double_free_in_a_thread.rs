//! CWE: 415
//! Kinds: double-free
//! Found: default
//!
//! A thread drops a vector that was read out of its place by ptr::read, and main drops it as
//! well.

use hakmem_corpus::{seen, wrong};
use std::mem::ManuallyDrop;
use std::thread;

fn main() {
    let mut list = ManuallyDrop::new(vec![3_u32; 100]);
    seen(list.as_mut_ptr());
    // SAFETY: of two owners only the good twin drops just one.
    let copy = unsafe { std::ptr::read(&*list) };
    let first = thread::spawn(move || copy.len()).join();
    if wrong() {
        // SAFETY: see above.
        unsafe { ManuallyDrop::drop(&mut list) };
    }
    println!("{}", first.unwrap_or(0));
}
