//! What a cache that nobody has says twice, compared: that it is parked, its fronts, its lists.

use super::{State, ThreadCache};
use crate::observe::{Cache, Place};
use crate::size_class::SizeClass;
use crate::slab::contradiction::{Contradiction, differs};
use core::ptr;
use core::sync::atomic::Ordering;

impl ThreadCache {
    /// The first field of a cache on the list of parked ones that others contradict. The caller
    /// holds that list.
    #[cold]
    #[allow(dead_code, reason = "observers ask for it")]
    pub(super) fn contradiction_of_parked(&self) -> Option<Contradiction> {
        let state = self.state.load(Ordering::Relaxed) as usize;
        let by = "the list of parked caches";
        differs("cache.state", state, State::Parked as usize, by)
            .or_else(|| differs("cache.busy", self.busy.get() as usize, 0, by))
            .or_else(|| SizeClass::all().find_map(|class| self.of_front(class)))
            .or_else(|| SizeClass::all().find_map(|class| self.of_list(class)))
    }

    /// The front's array, and that its entries are blocks that this cache has.
    fn of_front(&self, class: SizeClass) -> Option<Contradiction> {
        let shelf = self.shelf(class);
        let bottom = shelf.bottom.get() as usize;
        let end = bottom + shelf.capacity.get() as usize * size_of::<*mut u8>();
        let (top, bin_end) = self.bin(class).addresses();
        let by = "its array";
        if bin_end != end {
            return differs("bin.end", bin_end, end, by);
        }
        let is_inside = (bottom..=end).contains(&top) && (top - bottom).is_multiple_of(8);
        if !is_inside {
            return differs("bin.top", top, top.clamp(bottom, end) & !7, by);
        }
        // With the null below the bottom there is always one; entries that are out of place are
        // those above what was put there.
        let entries = self.front_entries(class);
        let index = entries
            .iter()
            .position(|block| !self.has(block.get(), class))?;
        let expected = ptr::from_ref(&entries[index]) as usize;
        differs(
            "bin.top",
            top,
            expected,
            "an entry that is no block of this cache's",
        )
    }

    /// Whether a block is one of this cache's, and not free in its slab.
    fn has(&self, block: *mut u8, class: SizeClass) -> bool {
        matches!(
            self.place(block, class.index()),
            Place::Listed | Place::Unlisted
        )
    }

    /// The list's length, and that its blocks are noted as on it.
    fn of_list(&self, class: SizeClass) -> Option<Contradiction> {
        let list = self.list(class);
        let len = list.len() as usize;
        let (mut counted, mut stranger) = (0, None);
        list.walk(|block| {
            if self.place(block, class.index()) != Place::Listed {
                stranger = Some(block as usize);
                return false;
            }
            counted += 1;
            // It may bite its tail.
            counted <= len
        });
        match stranger {
            Some(head) if counted == 0 => differs("shelf.list.head", head, 0, "its slabs"),
            // A link stands in a block: who wrote there is told of by who looks at blocks.
            Some(_) => None,
            None => differs("shelf.list.len", len, counted, "its links"),
        }
    }
}
