//! Copies behind the end of a vector's block, as a wrong length in unsafe code does.

use std::hint::black_box;

#[inline(never)]
fn copy_too_much(from: &[u8], to: &mut Vec<u8>, len: usize) {
    // SAFETY: unsound for a `len` that is larger than the vector: that is what the test is for.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), len) };
}

fn main() {
    let len = std::env::args().count() + 39;
    let from = black_box([7u8; 64]);
    let mut to = vec![0u8; 40];
    copy_too_much(&from, &mut to, black_box(len));
    println!("{}", black_box(&to)[39]);
}
