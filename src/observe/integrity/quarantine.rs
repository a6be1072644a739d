//! Freed blocks that are kept from being used again, so that a late write shows: of each thread a
//! queue, the oldest first.
//!
//! 1. The queue is its thread's alone. Whoever pushes in the middle of a push (a signal handler)
//!    is turned away.
//! 2. It holds at most [`ENTRIES`] blocks, and as many bytes as it is told, or one block.

use super::record::BlockRecord;
use core::cell::Cell;

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

impl Quarantine {
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
