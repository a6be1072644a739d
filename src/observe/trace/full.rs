//! All records, and not the newest alone: segments that follow each other (`HAKMEM_TRACE_MODE=full`).
//!
//! ```text
//!  full.NNNN.000000      full.NNNN.000001      full.NNNN.000002
//! ├────────────────────┼────────────────────┼───────▲            │
//!                                              next ┘
//! ```
//!
//! A segment is made with its space on the disk when the one before is full, and that one is
//! unmapped; the writer waits meanwhile. When all segments of the session have as many bytes as
//! they may have, the thread goes on with a ring, which keeps its newest records.
//!
//! 1. A number belongs to one segment: the first one's begin with 0, and each begins where the
//!    one before ends.
//! 2. Segments are changed while no signal handler runs, and `changes` is counted up: who reads
//!    `current` and finds `changes` as before has read one and the same.
//! 3. A segment that was left is unmapped when this thread has no record under way. `next` less
//!    `done` are under way: signal handlers come in the middle of them.

use super::session::{self, Session};
use crate::sys::fatal_signal::Blocked;
use crate::sys::file::Refusal;
use crate::sys::memory;
use crate::sys::ticket;
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, compiler_fence};
use hakmem_trace_format::{FileName, Record, RingHeader};

/// Slots of a segment: with the header 4 MiB.
const SLOTS: u64 = (4 << 20) / 64 - 64;
/// Bytes of a segment.
pub(super) const BYTES: u64 = RingHeader::file_bytes(SLOTS);
/// Segments that were left while records were under way.
const LEFT: usize = 4;

#[derive(Clone, Copy)]
struct Segment {
    file: Option<NonNull<u8>>,
    first: u64,
}

/// A thread's segments. All bytes zero: none.
pub(super) struct Segments {
    current: Cell<Segment>,
    left: [Cell<Segment>; LEFT],
    changes: Cell<u32>,
    made: Cell<u32>,
    done: Cell<u64>,
}

/// What has become of a record.
pub(super) enum Put {
    Done,
    /// There is no more room for segments: number for a ring.
    Full(u64),
    Refused(Refusal),
}

impl Segment {
    const NONE: Segment = Segment {
        file: None,
        first: 0,
    };

    /// Writes the record with this number, if it belongs here.
    fn put(self, number: u64, record: Record) -> bool {
        let Some(file) = self.file else {
            return false;
        };
        let index = number.wrapping_sub(self.first);
        if index < SLOTS {
            // SAFETY: the segment has as many slots, and is mapped (3).
            unsafe { RingHeader::slot(file, index) }.put(record, number + 1);
        }
        index < SLOTS
    }
}

impl Segments {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(super) const NONE: Segments = Segments {
        current: Cell::new(Segment::NONE),
        left: [const { Cell::new(Segment::NONE) }; LEFT],
        changes: Cell::new(0),
        made: Cell::new(0),
        done: Cell::new(0),
    };

    /// Forgets all: in a forked child.
    pub(super) fn wipe(&self) {
        self.current.set(Segment::NONE);
        for left in &self.left {
            left.set(Segment::NONE);
        }
        self.made.set(0);
        self.done.set(0);
    }

    /// The mapped segment.
    pub(super) fn file(&self) -> Option<NonNull<u8>> {
        self.current.get().file
    }

    /// Writes a record, whose number is taken from `next`, as one of ring `ring`.
    pub(super) fn put(
        &self,
        next: &Cell<u64>,
        ring: u32,
        session: &Session,
        record: Record,
    ) -> Put {
        let number = ticket::take(next);
        let result = loop {
            let changes = self.changes.get();
            compiler_fence(Ordering::SeqCst);
            let segment = self.current.get();
            compiler_fence(Ordering::SeqCst);
            if self.changes.get() != changes {
                continue;
            }
            if segment.put(number, record) {
                break Put::Done;
            }
            if number < segment.first {
                // A signal handler has gone on to the next segment.
                let left = self.left.iter().map(Cell::get);
                for segment in left {
                    segment.put(number, record);
                }
                break Put::Done;
            }
            match self.change(number, next, ring, session) {
                Ok(true) => {}
                Ok(false) => break Put::Full(number),
                Err(refusal) => break Put::Refused(refusal),
            }
        };
        ticket::take(&self.done);
        result
    }

    /// Makes the first segment; false if there may be none.
    pub(super) fn begin(
        &self,
        next: &Cell<u64>,
        ring: u32,
        session: &Session,
    ) -> Result<bool, Refusal> {
        self.change(0, next, ring, session)
    }

    /// Goes on to another segment, for a record with this number; false if there may be no more.
    #[cold]
    fn change(
        &self,
        number: u64,
        next: &Cell<u64>,
        ring: u32,
        session: &Session,
    ) -> Result<bool, Refusal> {
        let _blocked = Blocked::begin();
        let old = self.current.get();
        if old.file.is_some() && number < old.first + SLOTS {
            // A signal handler has been here.
            return Ok(true);
        }
        let first = match old.file {
            Some(_) => old.first + SLOTS,
            None => 0,
        };
        let before = session.segment_bytes.fetch_add(BYTES, Ordering::Relaxed);
        if before + BYTES > session::plan().full_bytes {
            session.segment_bytes.fetch_sub(BYTES, Ordering::Relaxed);
            return Ok(false);
        }
        let number = self.made.get();
        let file = session.make_file(FileName::Full(ring, number), BYTES)?;
        // SAFETY: mapped just now, and reads as zero.
        unsafe {
            memory::populate(file.as_ptr() as usize, BYTES as usize);
            let (id, pid) = (session.id(), session.pid());
            RingHeader::create_segment(file, id, pid, ring, number, first + 1, SLOTS);
        }
        self.made.set(number + 1);
        self.changes.set(self.changes.get().wrapping_add(1));
        self.current.set(Segment {
            file: Some(file),
            first,
        });
        self.changes.set(self.changes.get().wrapping_add(1));
        self.leave(old, next);
        Ok(true)
    }

    /// Unmaps a segment and those that wait for it, if no other record is under way.
    fn leave(&self, segment: Segment, next: &Cell<u64>) {
        if let Some(file) = segment.file {
            // SAFETY: the mapped file of a segment.
            unsafe { RingHeader::set_idle(file, segment.first + SLOTS + 1) };
        }
        let is_alone = next.get() - self.done.get() == 1;
        if !is_alone {
            if let Some(place) = self.left.iter().find(|place| place.get().file.is_none()) {
                place.set(segment);
            }
            // Without a place it stays mapped for good.
            return;
        }
        let left = self.left.iter().map(|place| place.replace(Segment::NONE));
        for file in left.chain([segment]).filter_map(|segment| segment.file) {
            // SAFETY: no record of this thread is under way in it (3).
            unsafe { memory::unmap(file.as_ptr() as usize, BYTES as usize) };
        }
    }
}
