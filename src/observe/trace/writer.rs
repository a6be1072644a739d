//! What a thread writes its records with: a ring of its own, and the ids of stacks that it knows.
//!
//! ```text
//!   0 ┌──────────────────────────────────┐
//!     │ slots, mask, next, thread, …     │ one cache line, the owner's
//! 128 ├──────────────────────────────────┤
//!     │ known stacks; ids by hash        │
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

use super::full;
use super::local::Local;
use super::session::Session;
use super::state;
use crate::observe::known_stacks::KnownStacks;
use crate::observe::own_memory;
use crate::observe::stack_ids::StackIds;
use crate::sys::file::Refusal;
use crate::sys::memory::{self, PAGE};
use crate::sys::ticket;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use hakmem_trace_format::{Record, Slot};

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
    skip: Cell<u32>,
    /// The whole of the ring's file.
    pub(super) file: Cell<Option<NonNull<u8>>>,
    /// Where the dump at the end has read to.
    pub(super) cursor: Cell<u64>,
    /// The block that is resized now is traced, says a filter.
    is_traced: Cell<bool>,
    pub(super) segments: full::Segments,
    pub(super) known: KnownStacks,
    ids: StackIds,
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
    file: Cell::new(None),
    cursor: Cell::new(0),
    is_traced: Cell::new(false),
    segments: full::Segments::NONE,
    known: KnownStacks::NONE,
    ids: StackIds::NONE,
});

impl Writer {
    /// The writer of a thread that has none.
    pub(super) const NONE: *const Writer = &raw const NO_WRITER.0;

    /// A writer without a ring, for good.
    pub(super) fn make() -> Option<&'static Writer> {
        let address = own_memory::map(BYTES)?;
        // SAFETY: mapped just now. Where the kernel does not know it, `forked` wipes.
        unsafe { memory::wipe_on_fork(address, BYTES) };
        // SAFETY: zeroed memory of that size and alignment, for good; all fields may be zero.
        Some(unsafe { &*(address as *const Writer) })
    }

    /// Forgets all: for a forked child.
    pub(super) fn wipe(&self) {
        self.known.forget();
        self.ids.forget();
        self.slots.set(ptr::null());
        self.next.set(0);
        self.skip.set(0);
        self.file.set(None);
        self.segments.wipe();
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

    /// Requests that a filter has still to leave out.
    pub(super) fn skip(&self) -> &Cell<u32> {
        &self.skip
    }

    /// Whether the block that is resized now is traced.
    pub(super) fn resizes_traced(&self) -> bool {
        self.is_traced.get()
    }

    /// Notes that for the block that takes its place. Nobody has the constant writer.
    pub(super) fn set_resizes_traced(&self, is_traced: bool) {
        if !core::ptr::eq(self, Writer::NONE) {
            self.is_traced.set(is_traced);
        }
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
        match self.ids.known(hash) {
            0 => find().inspect(|&id| self.ids.keep(hash, id)).unwrap_or(0),
            known => known,
        }
    }

    /// Slots of the ring; 0 without one.
    pub(super) fn slots(&self) -> u64 {
        if self.has_ring() {
            self.mask.get() + 1
        } else {
            0
        }
    }

    /// The record with this number, as far as it is there. There is a ring.
    pub(super) fn get(&self, number: u64) -> Record {
        // SAFETY: a ring has as many slots as the mask says (3).
        unsafe { &*self.slots.get().add((number & self.mask.get()) as usize) }.get()
    }

    /// Writes a record with a number that was taken before. There is a ring.
    pub(super) fn put_at(&self, number: u64, record: Record) {
        // SAFETY: a ring has as many slots as the mask says (3).
        let slot = unsafe { &*self.slots.get().add((number & self.mask.get()) as usize) };
        slot.put(record, number + 1);
    }

    /// Writes a record to this thread's segments; if there may be no more, a ring takes their
    /// place.
    #[cold]
    pub(super) fn put_in_segments(&self, local: &Local, session: &Session, record: Record) {
        let ring = self.ring.get();
        match self.segments.put(&self.next, ring, session, record) {
            full::Put::Done => {}
            full::Put::Full(number) => {
                state::say_full();
                let made = local.make_ring(session);
                if self.is_made(session, made) {
                    local.note_owner();
                    self.put_at(number, record);
                }
                return;
            }
            full::Put::Refused(refusal) => {
                self.is_made(session, Err(refusal));
            }
        }
        self.note_segment(local);
    }

    /// Makes this thread's first segment, or a ring if there may be none.
    pub(super) fn begin_segments(&self, local: &Local, session: &Session) -> Result<(), Refusal> {
        let ring = self.ring.get();
        if self.segments.begin(&self.next, ring, session)? {
            self.note_segment(local);
            return Ok(());
        }
        state::say_full();
        local.make_ring(session)
    }

    /// Notes whose segment it is, if there is a new one.
    fn note_segment(&self, local: &Local) {
        let file = self.segments.file();
        if let Some(address) = file
            && self.file.replace(file) != file
        {
            local.set_mapping(address.as_ptr() as usize, full::BYTES);
            local.note_owner();
        }
    }

    fn is_made(&self, session: &Session, made: Result<(), Refusal>) -> bool {
        if let Err(refusal) = made {
            state::complain(b"cannot write to ", session.directory().bytes(), refusal);
        }
        made.is_ok()
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
        let slots: [Slot; 8] = core::array::from_fn(|_| Slot::default());
        let writer = Writer::make().expect("memory");
        assert!(!writer.put(record(1)));
        // SAFETY: the slots are there to the end of the test.
        unsafe { writer.set_ring(slots.as_ptr(), 8) };
        for address in 1..=11 {
            assert!(writer.put(record(address)));
        }
        assert_eq!((writer.slots(), writer.next_seq()), (8, 12));
        for number in 3..11 {
            let record = writer.get(number);
            assert!(record.is_whole());
            assert_eq!((record.seq(), record.address()), (number + 1, number + 1));
        }
        writer.wipe();
        assert!(!writer.put(record(1)));
    }

    #[test]
    fn keeps_ids_of_stacks() {
        let slots: [Slot; 8] = core::array::from_fn(|_| Slot::default());
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
