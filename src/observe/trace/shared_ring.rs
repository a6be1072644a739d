//! A ring that several threads write to: of rare events, and of those of threads that have no
//! cache.
//!
//! A writer takes numbers with one atomic addition, and the slots that belong to them are its own
//! until the ring has gone round: who writes for so long that others come by tears a record, and
//! the reader sees by its check that it is torn.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use hakmem_trace_format::{CONTINUATION_BYTES, Flags, Kind, Record, RingHeader};

/// See the head of this file. All bytes zero: none.
pub(super) struct SharedRing {
    file: Cell<Option<NonNull<u8>>>,
    /// One less than the slots, a power of two.
    mask: Cell<u64>,
    /// Numbers given out. Relaxed: they order nothing.
    next: AtomicU64,
}

/// The longest text of a record, bytes.
pub(super) const LONGEST: usize = 16 * CONTINUATION_BYTES;

impl SharedRing {
    /// Takes the mapped file of a ring with so many slots.
    pub(super) fn set(&self, file: NonNull<u8>, slots: u64) {
        self.mask.set(slots - 1);
        self.file.set(Some(file));
    }

    /// Numbers given out.
    pub(super) fn next_seq(&self) -> u64 {
        self.next.load(Ordering::Relaxed) + 1
    }

    pub(super) fn file(&self) -> Option<NonNull<u8>> {
        self.file.get()
    }

    /// Slots.
    pub(super) fn slots(&self) -> u64 {
        self.mask.get() + 1
    }

    /// The record with this number, as far as it is there.
    pub(super) fn get(&self, number: u64) -> Record {
        match self.file.get() {
            // SAFETY: the file has as many slots as the mask says, and stays mapped.
            Some(file) => unsafe { RingHeader::slot(file, number & self.mask.get()) }.get(),
            None => Record::from_words([0; 8]),
        }
    }

    /// Writes a record.
    pub(super) fn put(&self, record: Record) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.put_at(number, record);
    }

    /// Writes a record with the text that belongs to it, of which [`LONGEST`] bytes are kept.
    pub(super) fn put_with_text(&self, record: Record, text: &[u8]) {
        let kept = &text[..text.len().min(LONGEST)];
        let flags = match kept.len() < text.len() {
            true => record.flags().with(Flags::CUT),
            false => record.flags(),
        };
        let pieces = kept.chunks(CONTINUATION_BYTES);
        let number = self
            .next
            .fetch_add(1 + pieces.len() as u64, Ordering::Relaxed);
        let record = match record.kind() {
            // Its size is the block's.
            Some(Kind::Fault) => record,
            _ => record.with_size(kept.len() as u64),
        };
        let record = record.with_flags(flags);
        self.put_at(number, record);
        for (index, piece) in (1..).zip(pieces) {
            let piece = Record::continuation(record.time(), number + 1, index, piece);
            self.put_at(number + u64::from(index), piece);
        }
    }

    fn put_at(&self, number: u64, record: Record) {
        if let Some(file) = self.file.get() {
            // SAFETY: the file has as many slots as the mask says, and stays mapped.
            let slot = unsafe { RingHeader::slot(file, number & self.mask.get()) };
            slot.put(record, number + 1);
        }
    }
}
