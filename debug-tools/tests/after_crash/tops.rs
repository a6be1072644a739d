//! The ends of fronts in a core file of a release build, moved by some entries: each is found but
//! where what is said then is a heap that can be.
//!
//! A front is an array of free blocks up to its end. A block that is handed out stays written there,
//! just above the end, until another one is put in its place, and nothing counts what a thread has
//! handed out. So the end may be lower, and may be higher by as many entries as are of blocks that
//! were handed out from there last and are with the program still. Everything else contradicts the
//! slabs.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hakmem_debug_tools::heap::{Cache, Front, Heap, State};
use hakmem_debug_tools::image::Image;

use crate::states::blocks_in_every_state;

/// Whether an address is a live block of this class, of a slab that this cache has.
fn is_out(heap: &Heap<'_>, cache: &Cache, class: u8, block: u64) -> bool {
    let Some(slab) = heap.slab_at(block).map(|number| &heap.slabs[number]) else {
        return false;
    };
    let is_own = heap
        .owner(slab)
        .is_some_and(|owner| owner.address == cache.address);
    is_own
        && !slab.is_large()
        && slab.class == class
        && slab.index_of(block).is_some_and(|(index, offset)| {
            offset == 0 && heap.state(slab, index, &heap.bits(slab)) == State::Live
        })
}

/// An end: where its word stands in the file, its value, and whether one so many entries on can be.
struct End {
    offset: u64,
    value: u64,
    what: String,
    /// Of each number of entries above, whether all of them are blocks that are out.
    can_be: Vec<bool>,
}

fn end_of(image: &Image, heap: &Heap<'_>, cache: &Cache, front: &Front) -> Option<End> {
    let layout = &heap.layout;
    let bin = cache.address + layout.bins + u64::from(front.class) * layout.bin_bytes;
    let at = bin + layout.bin_top;
    let segment = image.memory.segment(at)?;
    let value = heap.memory().word(at)?;
    let end = heap.memory().word(bin + layout.bin_end?)?;
    let above = end.checked_sub(value)? / 8;
    let (mut seen, mut all_out) = (HashSet::new(), true);
    let can_be = (0..above.min(4)).map(|entry| {
        let block = heap.memory().word(value + 8 * entry).unwrap_or(0);
        all_out &= seen.insert(block) && is_out(heap, cache, front.class, block);
        all_out
    });
    Some(End {
        offset: segment.offset + (at - segment.start),
        value,
        what: format!("the front of class {} of {}", front.class, cache.whose()),
        can_be: can_be.collect(),
    })
}

/// What `verify` finds with the end at this place.
fn findings(core: &Path, file: &File, end: &End, value: u64) -> usize {
    file.write_all_at(&value.to_le_bytes(), end.offset).unwrap();
    let image = Image::of_core(core).unwrap();
    let count = Heap::open(&image).unwrap().verify().findings.len();
    file.write_all_at(&end.value.to_le_bytes(), end.offset)
        .unwrap();
    count
}

#[test]
fn an_end_that_is_off_is_found_unless_the_heap_can_be_so() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    let image = Image::of_core(&left.core).unwrap();
    let heap = Heap::open(&image).unwrap();
    let file = OpenOptions::new().write(true).open(&left.core).unwrap();
    let (mut found, mut unseen) = (0, 0);
    for cache in heap.caches.iter().filter(|cache| !cache.is_busy) {
        for front in &cache.fronts {
            let Some(end) = end_of(&image, &heap, cache, front) else {
                continue;
            };
            let of = |value| findings(&left.core, &file, &end, value);
            // No entry is half.
            assert!(of(end.value + 4) > 0, "{}, half an entry up", end.what);
            for (entries, can_be) in end.can_be.iter().enumerate() {
                let is_found = of(end.value + 8 * (entries as u64 + 1)) > 0;
                let up = entries + 1;
                assert!(
                    is_found != *can_be,
                    "{}, {up} up: found {is_found}",
                    end.what
                );
                found += usize::from(is_found);
                unseen += usize::from(!is_found);
            }
        }
    }
    assert!(found > 20, "{found} found, {unseen} not");
    println!("{found} ends are found, {unseen} are such as can be");
}
