//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Tells realloc an old size that the block has not.

use hakmem_corpus::{defect, seen};
use std::alloc::{Layout, alloc, dealloc, realloc};

fn main() {
    let old = Layout::array::<u16>(200).expect("a layout");
    let told = defect(Layout::array::<u16>(150).expect("a layout"), old);
    let new = Layout::array::<u16>(5000).expect("a layout");
    // SAFETY: none: the layouts differ.
    unsafe {
        let block = seen(alloc(old));
        block.write_bytes(2, old.size());
        let block = realloc(block, told, new.size());
        println!("{}", *block);
        dealloc(block, new);
    }
}
