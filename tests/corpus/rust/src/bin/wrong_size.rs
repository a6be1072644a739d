//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Deallocates with the layout of a smaller type.

use hakmem_corpus::{defect, seen};
use std::alloc::{Layout, alloc, dealloc};

fn main() {
    let layout = Layout::new::<[u64; 9]>();
    let other = defect(Layout::new::<[u64; 8]>(), layout);
    // SAFETY: none: the layouts differ.
    unsafe {
        let block = seen(alloc(layout));
        block.write_bytes(1, layout.size());
        println!("{}", *block);
        dealloc(seen(block), other);
    }
}
