//! Fields of a thread's cache: its fronts, its partial slabs, its buffers.

use hakmem_debug_tools::heap::Cache;

use super::{Flips, OWN};

impl Flips<'_> {
    pub(super) fn caches(&mut self) {
        let layout = self.layout().clone();
        let cache = self
            .heap
            .caches
            .iter()
            .find(|c| !c.fronts.is_empty() && c.state == 1)
            .unwrap();
        let at = |offset: u64| cache.address + offset;
        self.add("cache.state", at(layout.cache_state), 4, 9, OWN);
        // Nobody is in the library: the program has called abort, and waits.
        self.add("cache.busy", at(layout.cache_busy), 4, 1, OWN);
        self.add("cache.thread", at(layout.cache_thread), 4, 1, OWN);
        self.add(
            "cache.made_before",
            at(layout.made_before),
            8,
            cache.address,
            OWN,
        );
        self.add(
            "cache.inbox",
            at(layout.inbox.unwrap()),
            8,
            cache.address,
            OWN,
        );
        self.add("caches", layout.caches, 8, 64, &["cache.made_before"]);
        self.fronts(cache);
        self.partial_slabs();
        self.buffers();
    }

    /// The front of a class that has blocks in it.
    fn fronts(&mut self, cache: &Cache) {
        let layout = self.layout().clone();
        let at = |offset: u64| cache.address + offset;
        let front = cache
            .fronts
            .iter()
            .find(|front| front.blocks.len() > 1)
            .unwrap();
        let class = u64::from(front.class);
        let bin = at(layout.bins + class * layout.bin_bytes);
        let shelf = at(layout.shelves + class * layout.shelf_bytes);
        self.flip("bin.top", bin + layout.bin_top, 8, 1 << 40, OWN);
        self.flip("bin.end", bin + layout.bin_end.unwrap(), 8, 8, OWN);
        self.flip(
            "shelf.bottom",
            shelf + layout.shelf_bottom,
            8,
            1 << 40,
            &["bin.end"],
        );
        self.flip(
            "shelf.capacity",
            shelf + layout.shelf_capacity.unwrap(),
            4,
            1 << 20,
            &["bin.end"],
        );
        self.flip(
            "shelf.current",
            shelf + layout.shelf_current.unwrap(),
            8,
            1 << 40,
            OWN,
        );
        self.add(
            "shelf.partial",
            shelf + layout.shelf_partial.unwrap(),
            8,
            64,
            OWN,
        );
        self.flip("entry of a front", front.bottom, 8, 1 << 3, &["front"]);
        self.add(
            "entry of a front, twice",
            front.bottom,
            8,
            front.blocks[1],
            &["front"],
        );
        self.add(
            "the null below a front",
            front.bottom - 8,
            8,
            front.blocks[0],
            &["shelf.bottom"],
        );
    }

    fn partial_slabs(&mut self) {
        let layout = self.layout().clone();
        let partial = self
            .heap
            .slabs
            .iter()
            .find(|slab| slab.partial && !slab.is_large());
        let Some(slab) = partial else { return };
        let header = slab.header;
        self.flip(
            "slab.before",
            header + layout.slab_before.unwrap(),
            8,
            1 << 40,
            OWN,
        );
        self.flip(
            "slab.after",
            header + layout.slab_after.unwrap(),
            8,
            1 << 40,
            &["shelf.partial"],
        );
    }

    fn buffers(&mut self) {
        let layout = self.layout().clone();
        let mut buffers = self.heap.caches.iter().flat_map(|cache| &cache.buffers);
        let Some(buffer) = buffers.next() else { return };
        let entry = buffer.entry;
        self.flip(
            "remote_entry.slab",
            entry + layout.remote_slab,
            8,
            1 << 40,
            OWN,
        );
        self.flip(
            "remote_entry.words",
            entry + layout.remote_words,
            8,
            1 << 9,
            &["remote_entry.count", "remote_entry.words"],
        );
        self.flip(
            "remote_entry.count",
            entry + layout.entry_count.unwrap(),
            4,
            1,
            OWN,
        );
    }
}
