//! CWE: 416
//! Kinds: write-after-free, use-after-free
//! Found: guards
//!
//! A thread that is not joined in time writes its result to where a vector was.

use hakmem_corpus::{seen, wrong};
use std::sync::Barrier;
use std::thread;

struct Place(*mut u32);
// SAFETY: the barrier says who may use it; of the bad one nobody may.
unsafe impl Send for Place {}

fn main() {
    let barrier = Barrier::new(2);
    let mut results = vec![0_u32; 50];
    let place = Place(seen(results.as_mut_ptr()));
    thread::scope(|scope| {
        scope.spawn(|| {
            let place = place;
            barrier.wait();
            // SAFETY: none when the vector has been dropped.
            unsafe { place.0.add(20).write_volatile(3) };
        });
        if wrong() {
            drop(std::mem::take(&mut results));
        }
        barrier.wait();
    });
    println!("{}", results.len() <= 50);
}
