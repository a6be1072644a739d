//! CWE: 762
//! Kinds: align-mismatch
//! Found: default
//!
//! Grows a page by realloc as if it had no alignment.

use hakmem_corpus::{defect, seen};
use std::alloc::{Layout, alloc, dealloc, realloc};

fn main() {
    let page = Layout::from_size_align(4096, 4096).expect("a layout");
    let told = defect(Layout::from_size_align(4096, 8).expect("a layout"), page);
    // SAFETY: none: the layouts differ.
    unsafe {
        let block = seen(alloc(page));
        block.write_bytes(3, 4096);
        let block = realloc(block, told, 9000);
        println!("{}", *block.add(4095));
        let now = Layout::from_size_align(9000, told.align()).expect("a layout");
        dealloc(block, now);
    }
}
