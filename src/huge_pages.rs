//! Huge pages: which SuperSlabs take them.
//!
//! The first touch of a huge page brings all of its 2 MiB, for a small part of what its 512
//! pages cost one by one, and whether the program wants the rest or not. So a SuperSlab gets
//! one when 2 MiB are small change to the heap, and while little was brought in vain:
//!
//! ```text
//! filled     slots of TINY slabs of which every block has been handed out
//! unfilled   slots in huge pages of which that is not known
//!
//! huge, if filled >= FLOOR and unfilled <= filled / 8
//! ```
//!
//! All of `filled` is in memory if the program writes to the blocks that it asks for, as none of
//! such a slab is larger than half a page. So huge pages add at most one SuperSlab and an
//! eighth of what was filled to the resident set.
//! LARGE mappings get none. What is brought in ahead because a variable says so (prewarming) is in
//! huge pages always: all of it is there then, either way.
//!
//! A SuperSlab of which a part is given back takes small pages from there on, until it is
//! empty and its pages are chosen anew.
//!
//! 1. What huge pages have brought and the program may never have had lies in slots whose
//!    `unfilled` bit is set.
//! 2. A SuperSlab's pages are chosen while it is held whole and reads as zero.

use crate::arena::{self, Pages};
use crate::config;
use crate::counters::{self, Counter};
use crate::superslab::{ALL, SLOTS, SuperSlab};
use crate::tuning;

/// Slots that are filled before the first huge page: 16 MiB.
const FLOOR: usize = 8 * SLOTS;

fn are_wanted() -> bool {
    let filled = counters::slots_filled();
    config::get().huge_pages
        && filled >= FLOOR
        && tuning::allows_huge(filled, counters::slots_unfilled())
}

/// Has a new SuperSlab that is to be brought in at once, all of it, be in a huge page.
pub(crate) fn choose_ahead(superslab: &SuperSlab) {
    if config::get().huge_pages && arena::advise(superslab.base(), Pages::Huge) {
        superslab.note_unfilled(ALL);
        counters::add(Counter::SuperSlabsHuge, 1);
    }
}

/// Chooses the pages of a SuperSlab that the caller holds whole and that reads as zero.
pub(crate) fn choose(superslab: &SuperSlab) {
    let base = superslab.base();
    // It is there already.
    if has(superslab) && superslab.is_all_unfilled() {
        return;
    }
    if are_wanted() && arena::advise(base, Pages::Huge) {
        superslab.note_unfilled(ALL);
        counters::add(Counter::SuperSlabsHuge, 1);
    } else if has(superslab) {
        arena::advise(base, Pages::Small);
    }
}

/// Whether a SuperSlab takes huge pages.
pub(crate) fn has(superslab: &SuperSlab) -> bool {
    arena::pages_of(superslab.base()) == Pages::Huge
}

/// Has a SuperSlab take small pages: a part of it is to be given back. What is in memory
/// stays there.
pub(crate) fn end(superslab: &SuperSlab) {
    arena::advise(superslab.base(), Pages::Small);
}
