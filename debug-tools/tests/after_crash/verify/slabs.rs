//! Fields of slabs, their bitmaps, and memory of theirs that was never handed out.

use hakmem_debug_tools::heap::{Slab, State};
use hakmem_debug_tools::image::Image;

use super::{Flips, OWN};

impl Flips<'_> {
    pub(super) fn slabs(&mut self, slab: &Slab, large: &Slab) {
        let layout = self.layout().clone();
        let at = |offset: u64| slab.header + offset;
        let optional = |offset: Option<u64>| slab.header + offset.unwrap();
        const ENTRY: &[&str] = &["registry.slabs"];
        self.flip("slab.start", at(layout.slab_start), 8, 1 << 16, ENTRY);
        self.add("slab.kind", at(layout.slab_kind), 1, 7, OWN);
        self.add("slab.class", at(layout.slab_class), 1, 250, OWN);
        self.flip("slab.blocks", at(layout.slab_blocks), 2, 1, OWN);
        let colour = optional(layout.slab_colour);
        self.add("slab.colour", colour, 2, 60_000, OWN);
        self.add("slab.slots", at(layout.slab_slots), 1, 0, OWN);
        self.flip("slab.free", at(layout.slab_free), 8, 1 << 45, OWN);
        self.flip(
            "slab.remote",
            at(layout.slab_remote),
            8,
            1 << 45,
            &["slab.free"],
        );
        self.flip("slab.owner", at(layout.slab_owner), 8, 1 << 7, OWN);
        self.flip(
            "slab.superslab",
            optional(layout.slab_superslab),
            8,
            1 << 7,
            OWN,
        );
        self.add("slab.words", optional(layout.slab_words), 1, 0, OWN);
        self.flip("slab.used", optional(layout.slab_used), 2, 1, OWN);
        self.add("slab.fresh", optional(layout.slab_fresh), 2, 0, OWN);
        self.flip("slab.summary", optional(layout.slab_summary), 8, 1, OWN);
        self.flip("slab.partial", optional(layout.slab_partial), 1, 1, OWN);
        // Of one that has fewer words than there can be.
        let beyond = self
            .heap
            .slabs
            .iter()
            .find(|s| !s.is_large() && s.bitmap_words() < 64);
        let summary = beyond.unwrap().header + layout.slab_remote_summary.unwrap();
        self.flip("slab.remote.summary", summary, 8, 1 << 63, OWN);
        self.flip(
            "slab.remote.count",
            optional(layout.slab_remote_count),
            4,
            1,
            &["slab.used"],
        );
        let at = |offset: u64| large.header + offset;
        self.add("slab.pages", at(layout.slab_pages), 4, 0, OWN);
        self.add(
            "slab.owner of LARGE",
            at(layout.slab_owner),
            8,
            64,
            &["slab.owner"],
        );
    }

    pub(super) fn bits(&mut self, slab: &Slab) {
        let bits = self.heap.bits(slab);
        let blocks = slab.indices();
        let find = |state: fn(&State) -> bool| {
            let found = blocks
                .clone()
                .find(|index| state(&self.heap.state(slab, *index, &bits)));
            found.expect("a block in this state")
        };
        let live = find(|state| *state == State::Live);
        let cached = find(|state| matches!(state, State::Cached(_)));
        let word = |words: u64, index: usize| words + 8 * (index as u64 / 64);
        let bit = |index: usize| 1 << (index % 64);
        let listed = slab.free + 8 * u64::from(slab.words);
        self.flip(
            "free bit of a live block",
            word(slab.free, live),
            8,
            bit(live),
            &["slab.used"],
        );
        self.flip(
            "free bit of a cached block",
            word(slab.free, cached),
            8,
            bit(cached),
            &["slab.free"],
        );
        self.flip(
            "remote bit of a live block",
            word(slab.remote, live),
            8,
            bit(live),
            &["slab.used"],
        );
        self.flip(
            "listed bit of a live block",
            word(listed, live),
            8,
            bit(live),
            &["slab.listed"],
        );
    }

    /// Memory that was never handed out.
    pub(super) fn fills(&mut self, image: &Image) {
        let is_there = |address: u64| {
            let segment = image.memory.segment(address);
            segment.is_some_and(|segment| address - segment.start < segment.in_file)
        };
        let fresh = |slab: &&Slab| {
            slab.fresh < slab.blocks && is_there(slab.block(usize::from(slab.fresh)))
        };
        let slab = self
            .heap
            .slabs
            .iter()
            .filter(|slab| !slab.is_large())
            .find(fresh)
            .unwrap();
        self.add(
            "fresh block",
            slab.block(usize::from(slab.fresh)) + 5,
            1,
            0x41,
            &["fill"],
        );
        let slots = self.layout().superslab / self.layout().slot;
        let clean = self.heap.superslabs.iter().find_map(|superslab| {
            let slot = (0..slots).find(|slot| superslab.free & superslab.clean & 1 << slot != 0)?;
            Some(superslab.base + slot * self.layout().slot).filter(|address| is_there(*address))
        });
        self.add("clean slot", clean.unwrap() + 100, 1, 0x41, &["fill"]);
    }
}
