//! CWE: 590
//! Kinds: invalid-free
//! Found: default
//!
//! Deallocates a static table, which was the default in the place of an allocated one.

use hakmem_corpus::{defect, seen};
use std::alloc::{Layout, alloc_zeroed, dealloc};

static mut DEFAULTS: [u32; 64] = [1; 64];

fn main() {
    let layout = Layout::new::<[u32; 64]>();
    // SAFETY: the good twin has an allocated one.
    unsafe {
        let own = alloc_zeroed(layout);
        let table = defect((&raw mut DEFAULTS).cast(), own);
        println!("{}", *seen(table.cast::<u32>()) < 2);
        dealloc(table, layout);
    }
}
