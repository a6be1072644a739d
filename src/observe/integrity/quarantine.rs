//! Freed blocks that are kept from being used again, so that a late write shows: of each thread a
//! queue, the oldest first.
//!
//! 1. The queue is its thread's alone. Whoever pushes in the middle of a push (a signal handler)
//!    is turned away.
//! 2. It holds at most [`ENTRIES`] blocks, and as many bytes as it is told, or one block.

use super::record::BlockRecord;
use core::cell::Cell;
use core::mem::offset_of;

/// Blocks that a queue may hold, a power of two.
pub(super) const ENTRIES: usize = 4096;

/// A block in quarantine.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) address: usize,
    /// Bytes of its place.
    pub(super) bytes: usize,
    pub(super) record: &'static BlockRecord,
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
    entries: [Cell<Option<Entry>>; ENTRIES],
}

// As long as one that is there: without a record it is none.
const _: () = assert!(size_of::<Option<Entry>>() == size_of::<Entry>());

impl Quarantine {
    /// Where a reader of a core file finds what; of an entry that is none the record is null.
    pub(super) const OFFSETS: [(&'static str, usize); 7] = [
        ("quarantine.oldest", offset_of!(Quarantine, oldest)),
        ("quarantine.next", offset_of!(Quarantine, next)),
        ("quarantine.entries", offset_of!(Quarantine, entries)),
        ("quarantine.capacity", ENTRIES),
        ("quarantine_entry.size", size_of::<Entry>()),
        ("quarantine_entry.address", offset_of!(Entry, address)),
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
        self.entries[next % ENTRIES].set(Some(entry));
        self.next.set(next + 1);
        self.bytes.set(self.bytes.get() + entry.bytes);
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
        let entry = self.entries[oldest % ENTRIES].take();
        self.oldest.set(oldest + 1);
        if let Some(entry) = entry {
            self.bytes.set(self.bytes.get() - entry.bytes);
        }
        self.is_busy.set(false);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn the_quarantine_keeps_what_it_is_told() {
        static RECORD: BlockRecord = BlockRecord::new();
        // SAFETY: all bytes zero are an empty one.
        let quarantine: Box<Quarantine> = unsafe { Box::new(core::mem::zeroed()) };
        let entry = |address| Entry {
            address,
            bytes: 100,
            record: &RECORD,
        };
        assert!(quarantine.pop_over(0).is_none());
        for number in 0..10 {
            assert!(quarantine.push(entry(number)));
        }
        // The oldest leave, until no more than 700 bytes are left.
        let out = || quarantine.pop_over(700).map(|entry| entry.address);
        assert_eq!(
            [out(), out(), out(), out()],
            [Some(0), Some(1), Some(2), None]
        );
        while quarantine.push(entry(0)) {}
        assert_eq!(quarantine.pop_over(usize::MAX).map(|e| e.address), Some(3));
        assert!(quarantine.push(entry(0)));
    }
}
