//! `verify` finds each kind of field that is flipped in a copy of a core file, and names it.

mod caches;
mod registry;
mod slabs;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hakmem_debug_tools::heap::{Heap, Kind, Layout};
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

/// The check that has the field's own name.
const OWN: &[&str] = &[];

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
    let by = match flip.found_by {
        OWN => &[flip.name],
        by => by,
    };
    assert!(
        by.iter().any(|check| checks.contains(check)),
        "{}: found by {checks:?}, not by {by:?}",
        flip.name
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
        flips.flip("list.head", shelf + layout.list_head, 8, 1 << 40, OWN);
        flips.flip("list.len", shelf + layout.list_len, 4, 1, OWN);
        flips.flip(
            "list.len, absurd",
            shelf + layout.list_len,
            4,
            1 << 31,
            &["list.len"],
        );
    });
}
