//! `verify` finds each kind of field that is flipped in a copy of a core file, and names it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hakmem_debug_tools::heap::{Heap, Kind, Layout, Slab, State};
use hakmem_debug_tools::image::Image;
use hakmem_tests::compile;

use crate::states::blocks_in_every_state;
use crate::support::{leave_core, on};

/// A change: what it is of, where, how many bytes, their new value; and the checks of which one has
/// to find it.
struct Flip {
    name: &'static str,
    at: u64,
    bytes: usize,
    value: u64,
    found_by: &'static [&'static str],
}

/// Where an address stands in the core file.
fn offset_of(image: &Image, address: u64) -> u64 {
    let segment = image.memory.segment(address).expect("a segment");
    assert!(
        address - segment.start < segment.in_file,
        "{address:#x} is not in the file"
    );
    segment.offset + (address - segment.start)
}

/// Makes the change, asks `verify`, and takes it back.
fn try_flip(core: &Path, file: &File, offset: u64, flip: &Flip) {
    let mut before = [0; 8];
    let before = &mut before[..flip.bytes];
    file.read_exact_at(before, offset).unwrap();
    let after = &flip.value.to_le_bytes()[..flip.bytes];
    assert_ne!(before, after, "{} is so already", flip.name);
    file.write_all_at(after, offset).unwrap();
    let answer = on("verify", core, &["--json"]);
    file.write_all_at(before, offset).unwrap();
    assert_eq!(
        answer.status, 1,
        "{} is not found\n{}{}",
        flip.name, answer.stdout, answer.stderr
    );
    let findings = answer.json()["findings"].clone();
    let checks: Vec<&str> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["check"].as_str().unwrap())
        .collect();
    assert!(
        flip.found_by.iter().any(|check| checks.contains(check)),
        "{}: found by {checks:?}, not by {:?}",
        flip.name,
        flip.found_by
    );
}

/// What is flipped: the fields of one structure of each kind.
pub struct Flips<'h> {
    pub heap: &'h Heap<'h>,
    all: Vec<Flip>,
}

impl Flips<'_> {
    fn layout(&self) -> &Layout {
        &self.heap.layout
    }

    fn word(&self, at: u64) -> u64 {
        self.heap.memory().word(at).unwrap()
    }

    pub fn add(
        &mut self,
        name: &'static str,
        at: u64,
        bytes: usize,
        value: u64,
        by: &'static [&'static str],
    ) {
        self.all.push(Flip {
            name,
            at,
            bytes,
            value,
            found_by: by,
        });
    }

    /// Adds one that flips bits of what is there.
    pub fn flip(
        &mut self,
        name: &'static str,
        at: u64,
        bytes: usize,
        bits: u64,
        by: &'static [&'static str],
    ) {
        let value = self.word(at) ^ bits;
        self.add(name, at, bytes, value, by);
    }

    fn slabs(&mut self, slab: &Slab, large: &Slab) {
        let layout = self.layout().clone();
        let at = |offset: u64| slab.header + offset;
        let optional = |offset: Option<u64>| slab.header + offset.unwrap();
        const ENTRY: &[&str] = &["registry.slabs"];
        self.flip("slab.start", at(layout.slab_start), 8, 1 << 16, ENTRY);
        self.add("slab.kind", at(layout.slab_kind), 1, 7, &["slab.kind"]);
        self.add("slab.class", at(layout.slab_class), 1, 250, &["slab.class"]);
        self.flip(
            "slab.blocks",
            at(layout.slab_blocks),
            2,
            1,
            &["slab.blocks"],
        );
        let colour = optional(layout.slab_colour);
        self.add("slab.colour", colour, 2, 60_000, &["slab.colour"]);
        self.add("slab.slots", at(layout.slab_slots), 1, 0, &["slab.slots"]);
        self.flip(
            "slab.free",
            at(layout.slab_free),
            8,
            1 << 45,
            &["slab.free"],
        );
        self.flip(
            "slab.remote",
            at(layout.slab_remote),
            8,
            1 << 45,
            &["slab.free"],
        );
        self.flip(
            "slab.owner",
            at(layout.slab_owner),
            8,
            1 << 7,
            &["slab.owner"],
        );
        self.flip(
            "slab.superslab",
            optional(layout.slab_superslab),
            8,
            1 << 7,
            &["slab.superslab"],
        );
        self.add(
            "slab.words",
            optional(layout.slab_words),
            1,
            0,
            &["slab.words"],
        );
        self.flip(
            "slab.used",
            optional(layout.slab_used),
            2,
            1,
            &["slab.used"],
        );
        self.add(
            "slab.fresh",
            optional(layout.slab_fresh),
            2,
            0,
            &["slab.fresh"],
        );
        self.flip(
            "slab.summary",
            optional(layout.slab_summary),
            8,
            1,
            &["slab.summary"],
        );
        self.flip(
            "slab.partial",
            optional(layout.slab_partial),
            1,
            1,
            &["slab.partial"],
        );
        // Of one that has fewer words than there can be.
        let beyond = self
            .heap
            .slabs
            .iter()
            .find(|s| !s.is_large() && s.bitmap_words() < 64);
        let summary = beyond.unwrap().header + layout.slab_remote_summary.unwrap();
        self.flip(
            "slab.remote.summary",
            summary,
            8,
            1 << 63,
            &["slab.remote.summary"],
        );
        self.flip(
            "slab.remote.count",
            optional(layout.slab_remote_count),
            4,
            1,
            &["slab.used"],
        );
        let at = |offset: u64| large.header + offset;
        self.add("slab.pages", at(layout.slab_pages), 4, 0, &["slab.pages"]);
        self.add(
            "slab.owner of LARGE",
            at(layout.slab_owner),
            8,
            64,
            &["slab.owner"],
        );
    }

    fn bits(&mut self, slab: &Slab) {
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

    fn registry(&mut self, slab: &Slab) {
        let layout = self.layout().clone();
        let field = |offset: u64| layout.registry + offset;
        let slot = (slab.start - self.heap.base) / layout.slot;
        let entry = |array: u64| self.word(field(array)) + 8 * slot;
        let (slabs, owners) = (entry(layout.slabs), entry(layout.owners));
        let unit =
            self.word(field(layout.superslabs)) + 8 * (slot / (layout.superslab / layout.slot));
        self.flip("entry of a slab", slabs, 8, 1 << 7, &["registry.slabs"]);
        self.add(
            "entry of a slab, gone",
            slabs,
            8,
            0,
            &["registry.slabs", "superslab.free", "accounts"],
        );
        self.flip("entry of an owner", owners, 8, 1 << 4, &["registry.owners"]);
        self.flip("entry of a SuperSlab", unit, 8, 1 << 7, &["superslab.base"]);
        self.flip(
            "registry.base",
            field(layout.base),
            8,
            1 << 30,
            &["registry.base"],
        );
        self.add("registry.limit", field(layout.limit), 8, 0, &["accounts"]);
        self.flip(
            "registry.owners",
            field(layout.owners),
            8,
            1 << 12,
            &["registry.owners"],
        );
        self.flip(
            "registry.slabs",
            field(layout.slabs),
            8,
            1 << 12,
            &["registry.slabs"],
        );
        self.flip(
            "registry.superslabs",
            field(layout.superslabs),
            8,
            1 << 12,
            &["registry.superslabs"],
        );
        let superslab = *self.heap.superslab_at(slab.start).unwrap();
        let bit = 1 << ((slab.start - superslab.base) / layout.slot);
        let at = |offset: u64| superslab.record + offset;
        self.flip(
            "superslab.base",
            at(layout.superslab_base),
            8,
            1 << 21,
            &["superslab.base"],
        );
        self.flip(
            "superslab.free",
            at(layout.superslab_free),
            4,
            bit,
            &["superslab.free"],
        );
        self.flip(
            "superslab.clean",
            at(layout.superslab_clean),
            4,
            bit,
            &["superslab.clean"],
        );
        let mapping = |offset: u64| layout.mappings + offset;
        self.flip(
            "mapping.address",
            mapping(layout.mapping_address),
            8,
            1 << 46,
            &["mapping.len", "registry.owners", "registry.slabs"],
        );
        self.flip(
            "mapping.len",
            mapping(layout.mapping_len),
            8,
            1 << 45,
            &["mapping.len"],
        );
        self.add(
            "mapping.kind",
            mapping(layout.mapping_kind),
            8,
            9,
            &["mapping.kind"],
        );
        self.add(
            "mappings.count",
            layout.mappings_count,
            8,
            1,
            &[
                "registry.base",
                "accounts",
                "registry.slabs",
                "registry.owners",
            ],
        );
        let stock = layout.stock.unwrap() + layout.stock_len.unwrap();
        let value = self.word(stock) + 7;
        self.add("stock.len", stock, 8, value, &["accounts", "stock.ranges"]);
    }

    fn caches(&mut self) {
        let layout = self.layout().clone();
        let cache = self
            .heap
            .caches
            .iter()
            .find(|c| !c.fronts.is_empty() && c.state == 1)
            .unwrap();
        let at = |offset: u64| cache.address + offset;
        self.add(
            "cache.state",
            at(layout.cache_state),
            4,
            9,
            &["cache.state"],
        );
        // Nobody is in the library: the program has called abort, and waits.
        self.add("cache.busy", at(layout.cache_busy), 4, 1, &["cache.busy"]);
        self.add(
            "cache.thread",
            at(layout.cache_thread),
            4,
            1,
            &["cache.thread"],
        );
        self.add(
            "cache.made_before",
            at(layout.made_before),
            8,
            cache.address,
            &["cache.made_before"],
        );
        self.add(
            "cache.inbox",
            at(layout.inbox.unwrap()),
            8,
            cache.address,
            &["cache.inbox"],
        );
        self.add("caches", layout.caches, 8, 64, &["cache.made_before"]);
        let front = cache
            .fronts
            .iter()
            .find(|front| front.blocks.len() > 1)
            .unwrap();
        let class = u64::from(front.class);
        let bin = at(layout.bins + class * layout.bin_bytes);
        let shelf = at(layout.shelves + class * layout.shelf_bytes);
        self.flip("bin.top", bin + layout.bin_top, 8, 1 << 40, &["bin.top"]);
        self.flip("bin.end", bin + layout.bin_end.unwrap(), 8, 8, &["bin.end"]);
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
            &["shelf.current"],
        );
        self.add(
            "shelf.partial",
            shelf + layout.shelf_partial.unwrap(),
            8,
            64,
            &["shelf.partial"],
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
        self.partial_slabs();
        self.buffers();
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
            &["slab.before"],
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
            &["remote_entry.slab"],
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
            &["remote_entry.count"],
        );
    }

    /// Memory that was never handed out.
    fn fills(&mut self, image: &Image) {
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

pub fn check(core: &Path, least: usize, make: impl FnOnce(&mut Flips<'_>, &Image)) {
    on("verify", core, &[]).ended(0);
    let image = Image::of_core(core).unwrap();
    let heap = Heap::open(&image).unwrap();
    let mut flips = Flips {
        heap: &heap,
        all: vec![],
    };
    make(&mut flips, &image);
    assert!(flips.all.len() >= least, "{} flips", flips.all.len());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(core)
        .unwrap();
    for flip in &flips.all {
        try_flip(core, &file, offset_of(&image, flip.at), flip);
    }
    on("verify", core, &[]).ended(0);
}

#[test]
fn each_kind_of_field_that_is_flipped_is_found_and_named() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    check(&left.core, 50, |flips, image| {
        let heap = flips.heap;
        // One that has blocks in several states, of a cache that a thread has.
        let small = heap.slabs.iter().find(|slab| {
            let bits = heap.bits(slab);
            let states: Vec<&str> = slab
                .indices()
                .map(|index| heap.state(slab, index, &bits).word())
                .collect();
            !slab.is_large()
                && ["live", "cached", "free"]
                    .iter()
                    .all(|word| states.contains(word))
        });
        let small = small.expect("a slab with blocks in several states");
        let large = heap
            .slabs
            .iter()
            .find(|slab| slab.kind == Kind::Run)
            .expect("a LARGE block");
        flips.slabs(small, large);
        flips.bits(small);
        flips.registry(small);
        flips.caches();
        flips.fills(image);
    });
}

#[test]
fn links_of_lists_that_are_flipped_are_found_and_named() {
    // Its lists have blocks on them.
    let Some(left) = leave_core(&compile::program("lists.c"), &[], None) else {
        return;
    };
    check(&left.core, 5, |flips, _| {
        let heap = flips.heap;
        let layout = &heap.layout;
        let lists = heap
            .caches
            .iter()
            .flat_map(|cache| cache.lists.iter().map(move |l| (cache, l)));
        let (cache, list) = lists
            .max_by_key(|(_, list)| list.blocks.len())
            .expect("a list");
        assert!(list.blocks.len() > 3);
        let shelf = cache.address + layout.shelves + u64::from(list.class) * layout.shelf_bytes;
        let (first, second) = (list.blocks[0], list.blocks[1]);
        let link = |to: u64| to ^ layout.key;
        flips.add(
            "link to nowhere",
            first + layout.link,
            8,
            0x4141_4141_4141_4141,
            &["list.link"],
        );
        flips.add(
            "link to itself",
            second + layout.link,
            8,
            link(first),
            &["list.link"],
        );
        flips.add(
            "link that ends the list",
            first + layout.link,
            8,
            link(0),
            &["list.len"],
        );
        flips.flip(
            "list.head",
            shelf + layout.list_head,
            8,
            1 << 40,
            &["list.head"],
        );
        flips.flip("list.len", shelf + layout.list_len, 4, 1, &["list.len"]);
        flips.flip(
            "list.len, absurd",
            shelf + layout.list_len,
            4,
            1 << 31,
            &["list.len"],
        );
    });
}
