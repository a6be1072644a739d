//! Freed blocks that were armed and are so no longer: their frees were put off, and are due.
//!
//! 1. A block is here once, until it is taken out to be freed.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

const PLACES: usize = 64;

/// Their addresses; 0 for none. Relaxed: who frees a block has not to know what was in it.
static DUE: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];
/// How many they are.
static ARE_DUE: AtomicU32 = AtomicU32::new(0);

/// Puts a block here.
pub(super) fn put(block: usize) {
    for place in &DUE {
        if place
            .compare_exchange(0, block, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            ARE_DUE.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
    // No thread has come by to free one of so many: this one stays held back for good.
}

/// A block that was held back and is to be freed now.
#[inline(always)]
pub(super) fn due() -> Option<NonNull<u8>> {
    if ARE_DUE.load(Ordering::Relaxed) == 0 {
        return None;
    }
    due_slow()
}

#[cold]
fn due_slow() -> Option<NonNull<u8>> {
    let block = DUE
        .iter()
        .map(|place| place.swap(0, Ordering::Relaxed))
        .find(|&block| block != 0)?;
    ARE_DUE.fetch_sub(1, Ordering::Relaxed);
    NonNull::new(block as *mut u8)
}
