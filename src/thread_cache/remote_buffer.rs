//! Frees of other threads' blocks that a thread holds back, to send them home together.
//!
//! An entry has the blocks of one word of a slab's bitmap. Where an entry lies follows from
//! its slab and word; what is there already and is another's goes home first. So a burst in
//! one slab is one entry, and nothing has to be sorted.

use crate::fault::{self, Call, Fault};
use crate::slab::Slab;
use core::cell::Cell;
use core::{iter, ptr, slice};

/// Entries, a bit each in `used`.
const ENTRIES: usize = u128::BITS as usize;
/// Most bytes of blocks that are held back.
const MOST_BYTES: isize = 128 << 10;

/// See the head of this file.
#[repr(C)]
pub(crate) struct RemoteBuffer {
    /// Room left, and all of it. A block takes `threshold` times its bytes, and at least
    /// [`MOST_BYTES`]: so it is full with `threshold` blocks, or that many bytes of larger ones.
    room: Cell<isize>,
    all: Cell<isize>,
    threshold: Cell<isize>,
    /// The entries with bits, for the flush.
    used: Cell<u128>,
    entries: [Entry; ENTRIES],
}

/// Blocks of one word of a slab's bitmap; unused while it has no bits.
#[repr(C)]
struct Entry {
    slab: Cell<*const Slab>,
    word: Cell<usize>,
    bits: Cell<u64>,
}

impl RemoteBuffer {
    /// Where a reader of a core file finds what, from the buffer on; and how many entries
    /// there are.
    pub(crate) const OFFSETS: [usize; 5] = [
        core::mem::offset_of!(RemoteBuffer, entries),
        size_of::<Entry>(),
        core::mem::offset_of!(Entry, slab),
        core::mem::offset_of!(Entry, word),
        core::mem::offset_of!(Entry, bits),
    ];
    pub(crate) const ENTRIES: usize = ENTRIES;

    /// What is held back: slabs, a word of the bitmap, and the blocks in it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static Slab, usize, u64)> {
        self.entries.iter().filter_map(|entry| {
            // SAFETY: headers are never unmapped.
            let slab = unsafe { entry.slab.get().as_ref() }?;
            (entry.bits.get() != 0).then(|| (slab, entry.word.get(), entry.bits.get()))
        })
    }

    /// Has it be time to flush at `blocks` blocks. Nothing is held back now.
    pub(crate) fn set_threshold(&self, blocks: u32) {
        debug_assert!(self.used.get() == 0);
        let threshold = blocks.max(1) as isize;
        self.threshold.set(threshold);
        self.all.set(threshold * MOST_BYTES);
        self.room.set(threshold * MOST_BYTES);
    }

    fn weight(&self, slab: &Slab) -> isize {
        (slab.class().bytes() as isize * self.threshold.get()).max(MOST_BYTES)
    }

    /// Where the entry of a slab's word is: headers are some 384 bytes apart, and a slab's
    /// words follow each other.
    #[inline(always)]
    fn place(slab: &Slab, word: usize) -> usize {
        ((ptr::from_ref(slab) as usize >> 7).wrapping_mul(5) + word) % ENTRIES
    }

    /// Holds back a block of a slab, if its word has an entry and there is room; says whether
    /// it did.
    #[inline(always)]
    pub(crate) fn add(&self, slab: &Slab, block: *mut u8) -> bool {
        let Ok(index) = slab.index_of(block as usize) else {
            return false;
        };
        let (word, bit) = (index / 64, 1 << (index % 64));
        let entry = &self.entries[Self::place(slab, word)];
        let bits = entry.bits.get();
        let room = self.room.get() - self.weight(slab);
        let fits = ptr::eq(entry.slab.get(), slab) && entry.word.get() == word && room > 0;
        if !fits || bits & bit != 0 {
            return false;
        }
        entry.bits.set(bits | bit);
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
        let index = match slab.index_of(block as usize) {
            Ok(index) => index,
            Err(fault) => fault::abort(Call::Free, block, fault),
        };
        let (word, bit) = (index / 64, 1 << (index % 64));
        let place = Self::place(slab, word);
        let entry = &self.entries[place];
        let bits = entry.bits.get();
        if !ptr::eq(entry.slab.get(), slab) || entry.word.get() != word {
            if bits != 0 {
                self.send(slice::from_ref(entry), sent);
            }
            entry.slab.set(slab);
            entry.word.set(word);
            entry.bits.set(bit);
            self.used.set(self.used.get() | 1 << place);
        } else if bits & bit == 0 {
            entry.bits.set(bits | bit);
        } else {
            fault::abort(Call::Free, block, Fault::DoubleFree)
        }
        self.room.set(self.room.get() - self.weight(slab));
        self.room.get() <= 0
    }

    /// Sends home what entries of one slab have. `sent` is told of the slab and the number of
    /// blocks before: afterwards it may be closed already.
    fn send(&self, entries: &[Entry], mut sent: impl FnMut(&Slab, u32)) {
        // SAFETY: headers are never unmapped, and this slab's blocks are held here.
        let Some(slab) = (unsafe { entries[0].slab.get().as_ref() }) else {
            return;
        };
        let count = entries.iter().map(|entry| entry.bits.get().count_ones());
        let count = count.sum();
        sent(slab, count);
        self.room
            .set(self.room.get() + count as isize * self.weight(slab));
        let words = entries
            .iter()
            .map(|entry| (entry.word.get(), entry.bits.get()));
        publish(slab, words, count);
        // A reader of a core finds the blocks there, before they are gone here.
        for entry in entries {
            entry.bits.set(0);
            entry.slab.set(ptr::null());
        }
    }

    /// Sends all home. `sent` is told of each slab.
    pub(crate) fn flush(&self, mut sent: impl FnMut(&Slab, u32)) {
        if self.room.get() == self.all.get() {
            return;
        }
        let mut used = self.used.get();
        while used != 0 {
            let first = used.trailing_zeros() as usize;
            let neighbours = &self.entries[first..][..(!(used >> first)).trailing_zeros() as usize];
            let slab = neighbours[0].slab.get();
            let of_slab = |entry: &&Entry| ptr::eq(entry.slab.get(), slab);
            let count = neighbours.iter().take_while(of_slab).count();
            self.send(&neighbours[..count], &mut sent);
            used &= !((u128::MAX >> (ENTRIES - count)) << first);
        }
        self.used.set(0);
        self.room.set(self.all.get());
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
