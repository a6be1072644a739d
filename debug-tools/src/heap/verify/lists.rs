//! What caches hold: that each entry is a block of a slab of theirs, and of the right class.

use std::collections::HashSet;

use super::Checked;
use crate::heap::{Cache, Front, Heap, List, ListEnd, Slab};

impl Heap<'_> {
    pub(super) fn verify_lists(&self, checked: &mut Checked) {
        let mut fronts = HashSet::new();
        for cache in &self.caches {
            for front in &cache.fronts {
                self.verify_front(cache, front, &mut fronts, checked);
            }
            for list in &cache.lists {
                self.verify_list(cache, list, checked);
            }
            self.verify_buffers(cache, checked);
            self.verify_shelves(cache, checked);
        }
    }

    /// Whether an address is a block of this class in a slab of this cache; why not.
    fn misplaced(&self, cache: &Cache, class: u8, block: u64) -> Option<String> {
        let Some(number) = self.slab_at(block) else {
            return Some(format!("{block:#x} is in no slab"));
        };
        let slab = &self.slabs[number];
        if slab.is_large() || slab.class != class {
            return Some(format!("{block:#x} is in a slab of {} bytes", slab.bytes));
        }
        if !matches!(slab.index_of(block), Some((_, 0))) {
            return Some(format!(
                "{block:#x} is inside a block of the slab at {:#x}",
                slab.start
            ));
        }
        let owner = self.owner(slab)?;
        (owner.address != cache.address)
            .then(|| format!("{block:#x} is of a slab that {} has", owner.whose()))
    }

    fn verify_front(
        &self,
        cache: &Cache,
        front: &Front,
        seen: &mut HashSet<u64>,
        checked: &mut Checked,
    ) {
        let bytes = self.layout.bytes_of(front.class).unwrap_or(0);
        let place = format!("the front of {bytes} bytes of {}", cache.whose());
        checked.counters += 1;
        if front.is_clipped {
            let what = format!(
                "{place} has an end that does not fit its array at {:#x}",
                front.bottom
            );
            checked.found("bin.top", cache.address, what);
        }
        let below = self.memory().word(front.bottom.wrapping_sub(8));
        if below.is_some_and(|below| below != 0) {
            let what = format!("below {place} stands {:#x}, not null", below.unwrap_or(0));
            checked.found("shelf.bottom", front.bottom, what);
        }
        for (index, block) in front.blocks.iter().enumerate() {
            checked.fronts += 1;
            if let Some(why) = self.misplaced(cache, front.class, *block) {
                let what = format!("entry {index} of {place}: {why}");
                checked.found_unless(
                    cache.is_busy,
                    "front",
                    front.bottom + 8 * index as u64,
                    what,
                );
            }
            if !seen.insert(*block) {
                let what = format!("entry {index} of {place}: {block:#x} is in a front twice");
                checked.found_unless(
                    cache.is_busy,
                    "front",
                    front.bottom + 8 * index as u64,
                    what,
                );
            }
        }
    }

    fn verify_list(&self, cache: &Cache, list: &List, checked: &mut Checked) {
        let bytes = self.layout.bytes_of(list.class).unwrap_or(0);
        let place = format!("the list of {bytes} bytes of {}", cache.whose());
        checked.links += list.blocks.len() as u64;
        for (index, block) in list.blocks.iter().enumerate() {
            if let Some(why) = self.misplaced(cache, list.class, *block) {
                let what = format!("link {index} of {place}: {why}");
                checked.found_unless(cache.is_busy, "list.link", *block, what);
            }
        }
        let behind = list.blocks.len();
        let last = list.blocks.last().copied();
        let (check, what) = match list.end {
            ListEnd::Whole => return,
            ListEnd::NotNull(next) => (
                "list.len",
                format!(
                    "{place} has {behind} blocks, and the last one's link is {next:#x}, not null"
                ),
            ),
            ListEnd::Early => (
                "list.len",
                format!(
                    "{place} says {} blocks, and ends behind {behind}",
                    list.length
                ),
            ),
            ListEnd::NoBlock(next) if last.is_none() => (
                "list.head",
                format!("{place} begins with {next:#x}, which is no block"),
            ),
            ListEnd::NoBlock(next) => (
                "list.link",
                format!(
                    "{place} leads to {next:#x} behind {behind} of {} blocks, which is no block: block {:#x} was written to after it was freed",
                    list.length,
                    last.unwrap_or(0)
                ),
            ),
            ListEnd::Loop(block) => (
                "list.link",
                format!(
                    "{place} comes back to {block:#x} behind {behind} of {} blocks",
                    list.length
                ),
            ),
            ListEnd::Unknown => (
                "list.link",
                format!("{place}: the link behind {behind} blocks is not in the image"),
            ),
        };
        checked.found_unless(cache.is_busy, check, last.unwrap_or(cache.address), what);
    }

    fn verify_buffers(&self, cache: &Cache, checked: &mut Checked) {
        for buffer in &cache.buffers {
            checked.buffered += buffer.blocks.len() as u64;
            let place = format!("the remote buffer of {}", cache.whose());
            let busy = cache.is_busy;
            if buffer.index.is_none() {
                let what = format!("{place} names {:#x}, which is no slab", buffer.slab);
                checked.found_unless(busy, "remote_entry.slab", buffer.entry, what);
                continue;
            }
            if buffer.beyond > 0 {
                let what = format!(
                    "{place} has {} bits of blocks that there are not",
                    buffer.beyond
                );
                checked.found_unless(busy, "remote_entry.words", buffer.entry, what);
            }
            checked.counters += 1;
            let blocks = buffer.blocks.len() as u64;
            if buffer.count.is_some_and(|count| u64::from(count) != blocks) {
                let count = buffer.count.unwrap_or(0);
                let what = format!("{place} says {count}, and its bitmap has {blocks}");
                checked.found_unless(busy, "remote_entry.count", buffer.entry, what);
            }
        }
    }

    /// The slabs that refills take from: that they are the cache's, and have free blocks.
    fn verify_shelves(&self, cache: &Cache, checked: &mut Checked) {
        let (memory, layout) = (self.memory(), &self.layout);
        let (Some(current), Some(partial)) = (layout.shelf_current, layout.shelf_partial) else {
            return;
        };
        self.verify_arrays_of(cache, checked);
        let mut on_lists = HashSet::new();
        for class in 0..layout.classes as u8 {
            let shelf = cache
                .address
                .wrapping_add(layout.shelves + u64::from(class) * layout.shelf_bytes);
            let bytes = layout.bytes_of(class).unwrap_or(0);
            let header = memory.word(shelf.wrapping_add(current)).unwrap_or(0);
            if header != 0
                && let Some(why) = self.not_of(cache, class, header)
            {
                let what = format!(
                    "the current slab of {bytes} bytes of {} {why}",
                    cache.whose()
                );
                checked.found_unless(cache.is_busy, "shelf.current", shelf, what);
            }
            let head = memory.word(shelf.wrapping_add(partial)).unwrap_or(0);
            self.verify_list_of_slabs(cache, class, (shelf, head), &mut on_lists, checked);
        }
        self.verify_partial(cache, &on_lists, checked);
    }

    /// A cache's list of slabs of a class: the shelf that has it, and the first slab's header. Notes
    /// those that are on it.
    fn verify_list_of_slabs(
        &self,
        cache: &Cache,
        class: u8,
        (shelf, mut header): (u64, u64),
        on_lists: &mut HashSet<u64>,
        checked: &mut Checked,
    ) {
        let bytes = self.layout.bytes_of(class).unwrap_or(0);
        let (mut seen, mut before) = (HashSet::new(), 0);
        while header != 0 {
            checked.links += 1;
            let why = match self.not_of(cache, class, header) {
                None if !seen.insert(header) => Some("comes back to itself".into()),
                why => why,
            };
            if let Some(why) = why {
                let what = format!(
                    "the list of slabs of {bytes} bytes of {} leads to {header:#x}, which {why}",
                    cache.whose()
                );
                checked.found_unless(cache.is_busy, "shelf.partial", shelf, what);
                break;
            }
            let Some(slab) = self.slab_of_header(header) else {
                break;
            };
            self.verify_listed_slab(cache, slab, before, checked);
            (before, header) = (header, slab.after);
            on_lists.insert(before);
        }
    }

    /// A slab on its owner's list, behind `before`.
    fn verify_listed_slab(&self, cache: &Cache, slab: &Slab, before: u64, checked: &mut Checked) {
        if !slab.partial {
            let what = format!(
                "the slab at {:#x} is on its owner's list of slabs, and not noted so",
                slab.start
            );
            checked.found_unless(cache.is_busy, "slab.partial", slab.header, what);
        }
        let place = self.layout.slab_before;
        let back = place.and_then(|o| self.memory().word(slab.header.wrapping_add(o)));
        if let Some(back) = back.filter(|back| *back != before) {
            let what = format!(
                "the slab at {:#x} says that {back:#x} is before it on its owner's list, and {before:#x} is",
                slab.start
            );
            checked.found_unless(cache.is_busy, "slab.before", slab.header, what);
        }
    }

    /// Slabs that are noted as on their owner's list are on it.
    fn verify_partial(&self, cache: &Cache, on_lists: &HashSet<u64>, checked: &mut Checked) {
        let of_cache = |slab: &&Slab| self.owner(slab).is_some_and(|o| o.address == cache.address);
        let noted = self
            .slabs
            .iter()
            .filter(|slab| slab.partial && !slab.is_large());
        for slab in noted.filter(of_cache) {
            if !on_lists.contains(&slab.header) {
                let what = format!(
                    "the slab at {:#x} is noted as on its owner's list of slabs, and is not on it",
                    slab.start
                );
                checked.found_unless(cache.is_busy, "slab.partial", slab.header, what);
            }
        }
    }

    /// The arrays of fronts: that their ends fit their capacities.
    fn verify_arrays_of(&self, cache: &Cache, checked: &mut Checked) {
        let (memory, layout) = (self.memory(), &self.layout);
        let (Some(end), Some(capacity)) = (layout.bin_end, layout.shelf_capacity) else {
            return;
        };
        for class in 0..layout.classes {
            let bin = cache
                .address
                .wrapping_add(layout.bins + class * layout.bin_bytes);
            let shelf = cache
                .address
                .wrapping_add(layout.shelves + class * layout.shelf_bytes);
            let word = |at: u64| memory.word(at).unwrap_or(0);
            let bottom = word(shelf.wrapping_add(layout.shelf_bottom));
            let end = word(bin.wrapping_add(end));
            let capacity = memory.half(shelf.wrapping_add(capacity)).unwrap_or(0);
            checked.counters += 1;
            if bottom.wrapping_add(8 * u64::from(capacity)) != end {
                let what = format!(
                    "the front of class {class} of {} begins at {bottom:#x}, ends at {end:#x}, and has {capacity} entries",
                    cache.whose()
                );
                checked.found_unless(cache.is_busy, "bin.end", bin, what);
            }
        }
    }

    pub(super) fn slab_of_header(&self, header: u64) -> Option<&Slab> {
        let start = self
            .memory()
            .word(header.wrapping_add(self.layout.slab_start))?;
        let slab = &self.slabs[self.slab_at(start)?];
        (slab.header == header).then_some(slab)
    }

    /// Why a header is not that of a slab of this cache and class.
    fn not_of(&self, cache: &Cache, class: u8, header: u64) -> Option<String> {
        let Some(slab) = self.slab_of_header(header) else {
            return Some("is no slab".into());
        };
        if slab.is_large() || slab.class != class {
            return Some(format!("has blocks of {} bytes", slab.bytes));
        }
        let owner = self.owner(slab)?;
        (owner.address != cache.address).then(|| format!("is {}'s", owner.whose()))
    }
}
