//! Freed blocks that are kept from being used again, so that a late write shows: of each thread a
//! queue, the oldest first.
//!
//! ```text
//!            oldest                                next
//!              │                                     │
//!   ┌───┬───┬──▼──┬─────┬─────┬─ … ─┬─────┬─────┬────▼┬───┐
//!   │   │   │     │     │     │     │     │     │     │   │   an entry: bytes 16 │ address 48
//!   └───┴───┴──┬──┴─────┴──┬──┴─ … ─┴─────┴─────┴─────┴───┘             record
//!              └ leaves    └ its memory is fetched already
//! ```
//!
//! 1. The queue is its thread's alone. Whoever pushes in the middle of a push (a signal handler)
//!    is turned away.
//! 2. It holds at most [`ENTRIES`] blocks, and as many bytes as it is told, or one block.

use super::record::BlockRecord;
use crate::size_class::MID_MAX;
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use core::cell::Cell;
use core::mem::offset_of;

/// Blocks that a queue may hold, a power of two.
pub(super) const ENTRIES: usize = 4096;

/// How many frees before it leaves a block is fetched: it has lain there until the processor's
/// nearest cache has forgotten it.
const AHEAD: usize = 8;

const BYTES_SHIFT: u32 = 48;
const ADDRESS: usize = (1 << BYTES_SHIFT) - 1;
const _: () = assert!(MID_MAX < 1 << (usize::BITS - BYTES_SHIFT));

/// A block in quarantine.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// The address, and in the upper bits the bytes of its place.
    what: usize,
    record: *const BlockRecord,
}

impl Entry {
    /// Of a block of at most [`MID_MAX`] bytes.
    #[inline(always)]
    pub(super) fn new(address: usize, bytes: usize, record: &'static BlockRecord) -> Entry {
        Entry {
            what: address & ADDRESS | bytes << BYTES_SHIFT,
            record,
        }
    }

    #[inline(always)]
    pub(super) fn address(self) -> usize {
        self.what & ADDRESS
    }

    /// Bytes of its place.
    #[inline(always)]
    pub(super) fn bytes(self) -> usize {
        self.what >> BYTES_SHIFT
    }

    #[inline(always)]
    pub(super) fn record(self) -> &'static BlockRecord {
        // SAFETY: `new` was given one, and nothing but what it made gets out of a queue.
        unsafe { &*self.record }
    }

    /// Has the processor fetch what is looked at when the block leaves.
    #[inline(always)]
    fn fetch(self) {
        // SAFETY: a hint, whatever the addresses are.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(self.address() as *const i8);
            _mm_prefetch::<_MM_HINT_T0>(self.record.cast());
        }
    }
}

/// See the head of this file. All bytes zero: empty.
pub(super) struct Quarantine {
    /// Numbers of the oldest entry and of the next one; their places are these modulo
    /// [`ENTRIES`].
    oldest: Cell<usize>,
    next: Cell<usize>,
    /// Bytes of all.
    bytes: Cell<usize>,
    is_busy: Cell<bool>,
    entries: [Cell<Entry>; ENTRIES],
}

impl Quarantine {
    /// Where a reader of a core file finds what; the address is the lower bits of a word.
    pub(super) const OFFSETS: [(&'static str, usize); 8] = [
        ("quarantine.oldest", offset_of!(Quarantine, oldest)),
        ("quarantine.next", offset_of!(Quarantine, next)),
        ("quarantine.entries", offset_of!(Quarantine, entries)),
        ("quarantine.capacity", ENTRIES),
        ("quarantine_entry.size", size_of::<Entry>()),
        ("quarantine_entry.address", offset_of!(Entry, what)),
        ("quarantine_entry.address_bits", BYTES_SHIFT as usize),
        ("quarantine_entry.record", offset_of!(Entry, record)),
    ];

    /// Takes a block in; false if it cannot now.
    #[inline(always)]
    pub(super) fn push(&self, entry: Entry) -> bool {
        let next = self.next.get();
        if self.is_busy.get() || next - self.oldest.get() >= ENTRIES {
            return false;
        }
        self.is_busy.set(true);
        self.entries[next % ENTRIES].set(entry);
        self.next.set(next + 1);
        self.bytes.set(self.bytes.get() + entry.bytes());
        self.is_busy.set(false);
        true
    }

    /// The oldest block, if there are more than `bytes` or no place is left: it is the caller's.
    #[inline(always)]
    pub(super) fn pop_over(&self, bytes: usize) -> Option<Entry> {
        let (oldest, next) = (self.oldest.get(), self.next.get());
        let is_over = self.bytes.get() > bytes || next - oldest >= ENTRIES;
        if !is_over || self.is_busy.get() || oldest == next {
            return None;
        }
        self.is_busy.set(true);
        let entry = self.entries[oldest % ENTRIES].get();
        self.oldest.set(oldest + 1);
        self.bytes.set(self.bytes.get() - entry.bytes());
        self.is_busy.set(false);
        self.entries[(oldest + AHEAD) % ENTRIES].get().fetch();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::integrity::record::RecordApart;
    use std::boxed::Box;

    #[test]
    fn the_quarantine_keeps_what_it_is_told() {
        static RECORD: RecordApart = RecordApart::new();
        // SAFETY: all bytes zero are an empty one.
        let quarantine: Box<Quarantine> = unsafe { Box::new(core::mem::zeroed()) };
        let entry = |address| Entry::new(address, 100, &RECORD);
        assert!(quarantine.pop_over(0).is_none());
        for number in 0..10 {
            assert!(quarantine.push(entry(number)));
        }
        // The oldest leave, until no more than 700 bytes are left.
        let out = || quarantine.pop_over(700).map(Entry::address);
        assert_eq!(
            [out(), out(), out(), out()],
            [Some(0), Some(1), Some(2), None]
        );
        while quarantine.push(entry(0)) {}
        assert_eq!(quarantine.pop_over(usize::MAX).map(Entry::address), Some(3));
        assert!(quarantine.push(entry(0)));
    }
}
