//! CWE: 122
//! Kinds: heap-overflow
//! Found: default
//!
//! Scoped threads fill parts of one block through a raw pointer, and the last part is a whole
//! one.

use hakmem_corpus::{defect, seen};
use std::thread;

#[derive(Clone, Copy)]
struct Start(*mut u8);
// SAFETY: each thread writes its own part.
unsafe impl Send for Start {}

fn main() {
    let (size, parts) = (1000, 3);
    let mut block = vec![0_u8; size].into_boxed_slice();
    let start = Start(seen(block.as_mut_ptr()));
    thread::scope(|scope| {
        for part in 0..parts {
            scope.spawn(move || {
                let start = start;
                let each = size.div_ceil(parts);
                let end = defect((part + 1) * each, ((part + 1) * each).min(size));
                for at in part * each..end {
                    // SAFETY: none for the last part.
                    unsafe { *start.0.add(at) = 1 };
                }
            });
        }
    });
    println!("{}", block.iter().map(|&byte| u32::from(byte)).sum::<u32>());
}
