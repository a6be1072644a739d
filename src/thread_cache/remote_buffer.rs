//! Frees of other threads' blocks that a thread holds back, to send them home together.
//!
//! ```text
//!  0 ┌──────────────────────────────────────┐
//!    │ a slot of 64 KiB, the slab it is of, │ entry `slot % 64`
//!    │ what makes an index of an address    │
//! 64 ├──────────────────────────────────────┤
//!    │ the blocks: a bitmap as the slab's   │
//!    └──────────────────────────────────────┘
//! ```
//!
//! Where the entry of a block lies follows from its address alone, and it has all that a free
//! needs: no other memory is touched. What is there already and is another slot's goes home
//! first. So a burst in one slab is one entry, and nothing has to be sorted.
//!
//! 1. An entry with blocks is right: a slab whose blocks are out stays what it is.
//! 2. An entry without blocks is nobody's: its slot is 0, and its words are zero.

use crate::fault::{self, Call, Fault};
use crate::size_class::{MAX_BLOCKS, Reciprocal, SLOT_SHIFT};
use crate::slab::Slab;
use core::cell::Cell;
use core::{iter, ptr};

/// Entries, a bit each in `used`.
const ENTRIES: usize = u64::BITS as usize;
/// Words of the largest slab's bitmap, a bit each in `touched`.
const WORDS: usize = MAX_BLOCKS / 64;
/// Most bytes of blocks that are held back.
const MOST_BYTES: isize = 256 << 10;

const _: () = assert!(WORDS == u64::BITS as usize);

/// See the head of this file.
#[repr(C)]
pub(crate) struct RemoteBuffer {
    /// Room left; below 0 it is time to flush. A block takes `threshold` times its bytes, and at least
    /// [`MOST_BYTES`]: so it is full with `threshold` blocks, or that many bytes of larger ones.
    room: Cell<isize>,
    threshold: Cell<isize>,
    /// The entries with blocks, for the flush.
    used: Cell<u64>,
    entries: [Entry; ENTRIES],
}

/// What is held back of one slot.
#[repr(C, align(64))]
struct Entry {
    /// The address of the slot, in slots.
    slot: Cell<usize>,
    /// The slab's start, and the size of its blocks.
    start: Cell<usize>,
    reciprocal: Cell<Reciprocal>,
    bytes: Cell<u32>,
    blocks: Cell<u32>,
    /// Room that a block takes.
    weight: Cell<isize>,
    /// The words with bits.
    touched: Cell<u64>,
    /// Blocks held back.
    count: Cell<u32>,
    slab: Cell<*const Slab>,
    words: [Cell<u64>; WORDS],
}

impl Entry {
    /// The index of a block of this slot; `None` if it is none.
    #[inline(always)]
    fn index_of(&self, block: *mut u8) -> Option<usize> {
        let offset = (block as usize).wrapping_sub(self.start.get());
        let index = self.reciprocal.get().quotient(offset);
        let is_block =
            index * self.bytes.get() as usize == offset && index < self.blocks.get() as usize;
        is_block.then_some(index)
    }
}

impl RemoteBuffer {
    /// Where a reader of a core file finds what: the entries, an entry's bytes, and what is in
    /// it.
    pub(crate) const OFFSETS: [usize; 5] = [
        core::mem::offset_of!(RemoteBuffer, entries),
        size_of::<Entry>(),
        core::mem::offset_of!(Entry, slab),
        core::mem::offset_of!(Entry, words),
        core::mem::offset_of!(Entry, count),
    ];
    pub(crate) const ENTRIES: usize = ENTRIES;

    /// What is held back: slabs, a word of the bitmap, and the blocks in it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static Slab, usize, u64)> {
        let held = self.entries.iter().filter_map(|entry| {
            // SAFETY: headers are never unmapped.
            Some((unsafe { entry.slab.get().as_ref() }?, &entry.words))
        });
        held.flat_map(|(slab, words)| {
            let words = words.iter().map(Cell::get).enumerate();
            words
                .filter(|&(_, bits)| bits != 0)
                .map(move |(word, bits)| (slab, word, bits))
        })
    }

    /// Has it be time to flush at `blocks` blocks. Nothing is held back now.
    pub(crate) fn set_threshold(&self, blocks: u32) {
        debug_assert!(self.used.get() == 0);
        let threshold = blocks.max(1) as isize;
        self.threshold.set(threshold);
        self.room.set(threshold * MOST_BYTES - 1);
    }

    fn weight(&self, slab: &Slab) -> isize {
        (slab.class().bytes() as isize * self.threshold.get()).max(MOST_BYTES)
    }

    /// Holds back a block, if its slot has an entry and there is room; says whether it did.
    #[inline(always)]
    pub(crate) fn add(&self, block: *mut u8) -> bool {
        let slot = block as usize >> SLOT_SHIFT;
        let entry = &self.entries[slot % ENTRIES];
        if entry.slot.get() != slot {
            return false;
        }
        let Some(index) = entry.index_of(block) else {
            return false;
        };
        let (word, bit) = (index / 64 % WORDS, 1 << (index % 64));
        let cell = &entry.words[word];
        let bits = cell.get() | bit;
        let room = self.room.get() - entry.weight.get();
        if room < 0 || bits == cell.get() {
            return false;
        }
        cell.set(bits);
        entry.touched.set(entry.touched.get() | 1 << word);
        entry.count.set(entry.count.get() + 1);
        self.room.set(room);
        true
    }

    /// Holds back a block of a slab for which [`RemoteBuffer::add`] has no place; says whether
    /// it is time to flush. `sent` is told when other blocks had to go home first.
    pub(crate) fn push(
        &self,
        slab: &'static Slab,
        block: *mut u8,
        sent: impl FnMut(&Slab, u32),
    ) -> bool {
        let slot = block as usize >> SLOT_SHIFT;
        let place = slot % ENTRIES;
        let entry = &self.entries[place];
        if entry.slot.get() != slot {
            if entry.count.get() != 0 {
                self.send(place, sent);
            }
            let class = slab.class();
            entry.slot.set(slot);
            entry.start.set(slab.first_block());
            entry.reciprocal.set(class.reciprocal());
            entry.bytes.set(class.bytes() as u32);
            entry.blocks.set(slab.blocks() as u32);
            entry.weight.set(self.weight(slab));
            entry.slab.set(slab);
            self.used.set(self.used.get() | 1 << place);
        }
        let Some(index) = entry.index_of(block) else {
            fault::abort(Call::Free, block, Fault::Interior)
        };
        let (word, bit) = (index / 64 % WORDS, 1 << (index % 64));
        let cell = &entry.words[word];
        if cell.get() & bit != 0 {
            fault::abort(Call::Free, block, Fault::DoubleFree)
        }
        cell.set(cell.get() | bit);
        entry.touched.set(entry.touched.get() | 1 << word);
        entry.count.set(entry.count.get() + 1);
        self.room.set(self.room.get() - entry.weight.get());
        self.room.get() < 0
    }

    /// Sends home what an entry has. `sent` is told of the slab and the number of blocks
    /// before: afterwards it may be closed already.
    #[inline(always)]
    fn send(&self, place: usize, mut sent: impl FnMut(&Slab, u32)) {
        let entry = &self.entries[place];
        let words = &entry.words;
        // SAFETY: headers are never unmapped, and this slab's blocks are held here.
        let Some(slab) = (unsafe { entry.slab.get().as_ref() }) else {
            return;
        };
        let count = entry.count.take();
        sent(slab, count);
        self.room
            .set(self.room.get() + count as isize * entry.weight.get());
        publish(
            slab,
            Touched(entry.touched.get()).map(|word| (word, words[word].get())),
            count,
        );
        // A reader of a core finds the blocks there, before they are gone here.
        for word in Touched(entry.touched.take()) {
            words[word].set(0);
        }
        entry.slot.set(0);
        entry.slab.set(ptr::null());
    }

    /// Sends all home. `sent` is told of each slab.
    pub(crate) fn flush(&self, mut sent: impl FnMut(&Slab, u32)) {
        for place in Touched(self.used.take()) {
            self.send(place, &mut sent);
        }
    }
}

/// The bits that are set in a word, the lowest first.
struct Touched(u64);

impl Iterator for Touched {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0;
        self.0 &= bit.wrapping_sub(1);
        (bit != 0).then(|| bit.trailing_zeros() as usize)
    }
}

/// Sends blocks of a slab home: words of its bitmap, and the blocks in each.
fn publish(slab: &Slab, words: impl Iterator<Item = (usize, u64)>, count: u32) {
    if let Err((index, fault)) = slab.publish(words, count) {
        fault::abort(Call::Free, slab.block(index), fault);
    }
}

/// Sends one block of a slab home.
pub(super) fn publish_one(slab: &Slab, block: *mut u8) {
    match slab.index_of(block as usize) {
        Ok(index) => publish(slab, iter::once((index / 64, 1 << (index % 64))), 1),
        Err(fault) => fault::abort(Call::Free, block, fault),
    }
}
