//! Boxes and vectors on the allocator as a Rust program has it, to be counted:
//! `boxes ROUNDS`. Each function allocates and frees once.

use std::hint::black_box;

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn box_16() {
    drop(black_box(Box::new([1u64; 2])));
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn box_64() {
    drop(black_box(Box::new([1u64; 8])));
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn vec_of_1024() {
    drop(black_box(Vec::<u8>::with_capacity(black_box(1024))));
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn zeroed_64() {
    drop(black_box(vec![0u8; black_box(64)]));
}

fn main() {
    let rounds: usize = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(1);
    for _ in 0..rounds {
        box_16();
        box_64();
        vec_of_1024();
        zeroed_64();
    }
}
