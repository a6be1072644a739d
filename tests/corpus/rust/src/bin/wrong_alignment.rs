//! CWE: 762
//! Kinds: align-mismatch
//! Found: default
//!
//! Deallocates a block aligned to a cache line as one of bytes.

use hakmem_corpus::{defect, seen};
use std::alloc::{Layout, alloc_zeroed, dealloc};

fn main() {
    let size = 320;
    let aligned = Layout::from_size_align(size, 64).expect("a layout");
    let bytes = Layout::array::<u8>(size).expect("a layout");
    // SAFETY: none: the layouts differ.
    unsafe {
        let block = seen(alloc_zeroed(aligned));
        println!("{}", *block.add(319));
        dealloc(block, defect(bytes, aligned));
    }
}
