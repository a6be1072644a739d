//! CWE: 762
//! Kinds: size-mismatch, align-mismatch
//! Found: default
//!
//! Casts the pointer in a box to a smaller type, and drops it as that.

use hakmem_corpus::{seen, wrong};

struct Large {
    values: [u64; 40],
}

struct Header {
    kind: u32,
}

fn main() {
    let large = Box::into_raw(Box::new(Large { values: [5; 40] }));
    // SAFETY: none: the box was one of `Large`.
    unsafe {
        println!(
            "{} {}",
            (*large).values[3],
            (*seen(large.cast::<Header>())).kind
        );
        if wrong() {
            drop(Box::from_raw(large.cast::<Header>()));
        } else {
            drop(Box::from_raw(large));
        }
    }
}
