//! What a thread writes its records with: a ring of its own, and the ids of stacks that it knows.
//!
//! ```text
//!   0 ┌──────────────────────────────────┐
//!     │ slots, mask, next, thread, …     │ one cache line, the owner's
//! 128 ├──────────────────────────────────┤
//!     │ stack ids, by the stack's hash   │
//!     └──────────────────────────────────┘
//! ```
//!
//! 1. A writer belongs to a thread cache for good, and is written to by the cache's owner and by
//!    the signal handlers that interrupt it.
//! 2. It lies in memory that reads as zero in a forked child: a child has no ring, whatever way it
//!    was forked, until it makes its own.
//! 3. `slots` is set last, when all else is; and never changes while it is set.
//! 4. The id of a stack is known only if there is a ring.
//! 5. A number is taken in one instruction, so that a signal handler that records in the middle
//!    of a record takes the next one.

use crate::sys::memory::{self, PAGE};
use crate::sys::ticket;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use hakmem_trace_format::{Record, Slot};

/// Stacks whose ids a thread keeps at hand.
const STACKS: usize = 1024;

/// See the head of this file. All bytes zero: without a ring.
#[repr(C, align(128))]
pub(super) struct Writer {
    /// The ring's slots.
    slots: Cell<*const Slot>,
    /// One less than the slots, a power of two.
    mask: Cell<u64>,
    /// Numbers given out, which is the number of the newest record.
    next: Cell<u64>,
    /// The kernel's number of the thread.
    thread: Cell<u32>,
    /// The number in the ring's name.
    pub(super) ring: Cell<u32>,
    /// Requests that a filter has still to leave out.
    pub(super) skip: Cell<u32>,
    /// Somebody makes the ring.
    pub(super) is_making: Cell<bool>,
    /// The whole of the ring's file.
    pub(super) file: Cell<Option<NonNull<u8>>>,
    stacks: StackIds,
}

/// Bytes of the mapping that a writer lies in.
const BYTES: usize = size_of::<Writer>().next_multiple_of(PAGE);

/// The writer of a thread that has none yet: never written to.
pub(super) struct NoWriter(Writer);

// SAFETY: without slots, nothing of it is written.
unsafe impl Sync for NoWriter {}

static NO_WRITER: NoWriter = NoWriter(Writer {
    slots: Cell::new(ptr::null()),
    mask: Cell::new(0),
    next: Cell::new(0),
    thread: Cell::new(0),
    ring: Cell::new(0),
    skip: Cell::new(0),
    is_making: Cell::new(false),
    file: Cell::new(None),
    stacks: StackIds([const { Cell::new(0) }; STACKS]),
});

impl Writer {
    /// The writer of a thread that has none.
    pub(super) const NONE: *const Writer = &raw const NO_WRITER.0;

    /// A writer without a ring, for good.
    pub(super) fn make() -> Option<&'static Writer> {
        let address = memory::map_zeroed(BYTES, PAGE)?;
        // SAFETY: mapped just now. Where the kernel does not know it, `forked` wipes.
        unsafe { memory::wipe_on_fork(address, BYTES) };
        // SAFETY: zeroed memory of that size and alignment, for good; all fields may be zero.
        Some(unsafe { &*(address as *const Writer) })
    }

    /// Forgets all: for a forked child.
    pub(super) fn wipe(&self) {
        for entry in &self.stacks.0 {
            entry.set(0);
        }
        self.slots.set(ptr::null());
        self.next.set(0);
        self.skip.set(0);
        self.is_making.set(false);
        self.file.set(None);
    }

    /// Whether there is a ring.
    pub(super) fn has_ring(&self) -> bool {
        !self.slots.get().is_null()
    }

    /// Takes a ring of `count` slots, a power of two.
    ///
    /// # Safety
    /// The slots are mapped as long as they are in use here.
    pub(super) unsafe fn set_ring(&self, slots: *const Slot, count: u64) {
        self.mask.set(count - 1);
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::Release);
        self.slots.set(slots);
    }

    pub(super) fn set_thread(&self, thread: u32) {
        self.thread.set(thread);
    }

    #[inline(always)]
    pub(super) fn thread(&self) -> u32 {
        self.thread.get()
    }

    /// The number that the next record gets.
    pub(super) fn next_seq(&self) -> u64 {
        self.next.get() + 1
    }

    /// Writes a record; false if there is no ring.
    #[inline(always)]
    pub(super) fn put(&self, record: Record) -> bool {
        let slots = self.slots.get();
        if slots.is_null() {
            return false;
        }
        self.put_in(slots, record);
        true
    }

    /// The id of a stack with this hash; 0 if it is not known here, or if there is no ring.
    #[inline(always)]
    pub(super) fn known(&self, hash: u64) -> u32 {
        self.stacks.known(hash)
    }

    /// Writes a record of which the stack's id was known here (4).
    #[inline(always)]
    pub(super) fn put_known(&self, record: Record) {
        self.put_in(self.slots.get(), record);
    }

    #[inline(always)]
    fn put_in(&self, slots: *const Slot, record: Record) {
        let number = ticket::take(&self.next);
        // SAFETY: a ring has as many slots as the mask says (3).
        let slot = unsafe { &*slots.add((number & self.mask.get()) as usize) };
        slot.put(record, number + 1);
    }

    /// The id of a stack with this hash, or else what `find` says, which is kept.
    pub(super) fn stack_id(&self, hash: u64, find: impl FnOnce() -> Option<u32>) -> u32 {
        if !self.has_ring() {
            return 0;
        }
        match self.stacks.known(hash) {
            0 => find()
                .inspect(|&id| self.stacks.keep(hash, id))
                .unwrap_or(0),
            known => known,
        }
    }

    /// The newest records, the oldest of them first; at most `count`.
    pub(super) fn newest(&self, count: u64) -> impl Iterator<Item = Record> {
        let end = self.next.get();
        let slots = self.slots.get();
        let held = match slots.is_null() {
            true => 0,
            false => end.min(self.mask.get() + 1),
        };
        (end - held.min(count)..end).map(move |number| {
            // SAFETY: a ring has as many slots as the mask says (3).
            unsafe { &*slots.add((number & self.mask.get()) as usize) }.get()
        })
    }
}

/// The ids of stacks, by their hash. An entry is the upper half of the hash and the id: written at
/// once, so that a signal handler finds a whole one.
struct StackIds([Cell<u64>; STACKS]);

const _: () = assert!(STACKS.is_power_of_two());

impl StackIds {
    /// The id of a stack with this hash; 0 if it is not known here.
    #[inline(always)]
    fn known(&self, hash: u64) -> u32 {
        let entry = self.0[hash as usize % STACKS].get();
        match (entry ^ hash) >> 32 {
            0 => entry as u32,
            _ => 0,
        }
    }

    fn keep(&self, hash: u64, id: u32) {
        self.0[hash as usize % STACKS].set(hash >> 32 << 32 | u64::from(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hakmem_trace_format::{Api, Kind};

    fn record(address: u64) -> Record {
        Record::new(Kind::Allocate, Api::Malloc, 1, address)
    }

    #[test]
    fn overwrites_the_oldest() {
        let slots = [Slot::EMPTY; 8];
        let writer = Writer::make().expect("memory");
        assert!(!writer.put(record(1)));
        // SAFETY: the slots are there to the end of the test.
        unsafe { writer.set_ring(slots.as_ptr(), 8) };
        for address in 1..=11 {
            assert!(writer.put(record(address)));
        }
        let newest: std::vec::Vec<_> = writer.newest(100).collect();
        assert_eq!(newest.len(), 8);
        for (record, expected) in newest.iter().zip(4..) {
            assert!(record.is_whole());
            assert_eq!((record.seq(), record.address()), (expected, expected));
        }
        assert_eq!(writer.newest(2).count(), 2);
        writer.wipe();
        assert!(!writer.put(record(1)));
    }

    #[test]
    fn keeps_ids_of_stacks() {
        let slots = [Slot::EMPTY; 8];
        let writer = Writer::make().expect("memory");
        assert_eq!(writer.stack_id(0x1_0000_0001, || unreachable!()), 0);
        // SAFETY: the slots are there to the end of the test.
        unsafe { writer.set_ring(slots.as_ptr(), 8) };
        assert_eq!(writer.stack_id(0x1_0000_0001, || Some(7)), 7);
        assert_eq!(writer.stack_id(0x1_0000_0001, || unreachable!()), 7);
        // Another hash of the same place.
        assert_eq!(writer.stack_id(0x2_0000_0001, || Some(8)), 8);
        assert_eq!(writer.stack_id(0x1_0000_0001, || Some(7)), 7);
        assert_eq!(writer.stack_id(5, || None), 0);
        assert_eq!(writer.stack_id(5, || Some(9)), 9);
    }
}
