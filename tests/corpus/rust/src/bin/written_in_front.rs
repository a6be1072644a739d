//! CWE: 124
//! Kinds: heap-underflow
//! Found: default
//!
//! Writes the element in front of a slice, by a pointer that goes back.

use hakmem_corpus::{defect, seen};

fn main() {
    let mut stack = vec![0_u32; 25];
    let mut top = seen(stack.as_mut_ptr()).wrapping_add(3);
    for value in 0..defect(4, 3) {
        top = top.wrapping_sub(1);
        // SAFETY: none for the fourth one.
        unsafe { top.write_volatile(value) };
    }
    println!("{}", stack[1]);
}
