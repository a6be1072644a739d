//! Memory that observers map for themselves, for good, so that it can be told from the program's:
//! what they remember of blocks holds no block.

use crate::sys::memory::{self, PAGE};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Mappings that are remembered; of those beyond nobody knows whose they are.
const MOST: usize = 4096;

/// Where one begins, and how long it is. The length is written first; Release and Acquire on the
/// start.
static KNOWN: [[AtomicUsize; 2]; MOST] = [const { [const { AtomicUsize::new(0) }; 2] }; MOST];
/// How many were noted, those included that are not remembered. Relaxed: a place in [`KNOWN`] says
/// itself whether it has one.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The root structure has the names. Relaxed: one thread fills it.
static IS_DESCRIBED: AtomicBool = AtomicBool::new(false);

/// Names that [`describe`] adds.
pub(crate) const NAMES: usize = 3;

/// Adds to the root structure where this is kept, so that a reader of a core file can leave it out as
/// well; once, whoever of the observers asks.
pub(crate) fn describe(put: fn(&str, usize)) {
    if !IS_DESCRIBED.swap(true, Ordering::Relaxed) {
        put("observers.memory", &raw const KNOWN as usize);
        put("observers.memory.count", &raw const COUNT as usize);
        put("observers.memory.capacity", MOST);
    }
}

/// Maps zero bytes, whole pages, that are never unmapped.
pub(crate) fn map(bytes: usize) -> Option<usize> {
    let start = memory::map_zeroed(bytes, PAGE)?;
    note(start, bytes);
    Some(start)
}

/// Notes what was mapped otherwise, or only reserved.
pub(crate) fn note(start: usize, bytes: usize) {
    if let Some([place, len]) = KNOWN.get(COUNT.fetch_add(1, Ordering::Relaxed)) {
        len.store(bytes, Ordering::Relaxed);
        place.store(start, Ordering::Release);
    }
}

/// Calls `each` with where every mapping begins and ends.
pub(crate) fn each(mut each: impl FnMut(usize, usize)) {
    for [place, len] in KNOWN.iter().take(COUNT.load(Ordering::Relaxed)) {
        let start = place.load(Ordering::Acquire);
        if start != 0 {
            each(start, start + len.load(Ordering::Relaxed));
        }
    }
}
