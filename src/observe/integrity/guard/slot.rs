//! A guarded block: a run of pages, of which the block has some, and the others cannot be touched.
//!
//! ```text
//! left    ┊ ✕ ┊ block … pattern ┊ (✕ room to grow) ┊ ✕ ┊
//! right   ┊ ✕ ┊ pattern … block ┊ ✕ ┊
//!         first                                      first + pages
//! ```
//!
//! 1. The pages that can be touched are the block's while [`Phase::Used`]; who looks at them
//!    without having the block makes it [`Phase::Seen`] meanwhile, and closes it if it was freed.
//! 2. The pages of a slot that is not used cannot be touched.

use super::region;
use crate::observe::integrity::pattern::{self, FREED};
use crate::observe::integrity::record::{Asked, BlockRecord, RecordApart, State};
use crate::sys::memory::{self, PAGE};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};

/// Where a block lies in its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Side {
    /// At their start: what is in front cannot be touched.
    Left = 0,
    /// At their end, as far as its alignment allows.
    Right = 1,
    /// At their end to the byte, unless an alignment was asked for.
    Exact = 2,
}

/// What a slot's pages are doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Phase {
    /// Nothing: they are inaccessible, and may be used again.
    Free = 0,
    /// A block is there, or is made there, or taken away.
    Used = 1,
    /// The same, and somebody looks at it.
    Seen = 2,
    /// The same, and the block was freed meanwhile.
    Left = 3,
}

/// What a block needs of a run.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) size: usize,
    /// A power of two.
    pub(super) align: usize,
    pub(super) side: Side,
    /// Bytes behind it that it may grow by.
    pub(super) room: usize,
}

impl Shape {
    /// Pages of the block.
    fn open(&self) -> usize {
        self.size.max(1).div_ceil(PAGE)
    }

    /// Pages of the run: one more at each end, and what aligning may take.
    pub(super) fn pages(&self) -> Option<usize> {
        let aligning = (self.align / PAGE).saturating_sub(1);
        let room = self.room.div_ceil(PAGE);
        self.open()
            .checked_add(aligning)?
            .checked_add(room)?
            .checked_add(2)
    }

    /// From where on the pages of a run that begins at `run` can be touched, and the block's
    /// start.
    fn place(&self, run: usize) -> (usize, usize) {
        let from = (run + PAGE).next_multiple_of(self.align.max(PAGE));
        match self.side {
            Side::Right | Side::Exact if self.align < PAGE => {
                let bytes = self.size.max(1).next_multiple_of(self.align);
                (from, from + self.open() * PAGE - bytes)
            }
            _ => (from, from),
        }
    }
}

/// See the head of this file. All bytes zero: nothing is there.
///
/// Written by who has taken the run, before its pages lead here, but for the phase and the record;
/// Relaxed, for a slot is found through a page's entry, which is released.
#[repr(C, align(128))]
pub(super) struct Slot {
    pub(super) record: RecordApart,
    /// Pages of the run: the number of the first, and how many.
    first: AtomicU32,
    pages: AtomicU32,
    /// Pages that can be touched: from which address on, and how many.
    from: AtomicUsize,
    open: AtomicU32,
    /// A [`Phase`].
    phase: AtomicU8,
    /// A [`Side`].
    side: AtomicU8,
    start: AtomicUsize,
}

const _: () = assert!(size_of::<Slot>() == 128 && offset_of!(Slot, record) == 0);
// What the memory functions have as numbers (`look.rs`).
const _: () = assert!(
    offset_of!(Slot, start) == 104
        && State::Live as u8 == 1
        && BlockRecord::OFFSETS[4].1 == 60
        && BlockRecord::OFFSETS[6].1 == 46
);

impl Slot {
    /// Where a reader of a core file finds what.
    pub(super) const OFFSETS: [(&'static str, usize); 8] = [
        ("guard_slot.size", size_of::<Slot>()),
        ("guard_slot.record", offset_of!(Slot, record)),
        ("guard_slot.first", offset_of!(Slot, first)),
        ("guard_slot.pages", offset_of!(Slot, pages)),
        ("guard_slot.from", offset_of!(Slot, from)),
        ("guard_slot.open", offset_of!(Slot, open)),
        ("guard_slot.phase", offset_of!(Slot, phase)),
        ("guard_slot.start", offset_of!(Slot, start)),
    ];

    /// Takes the slot for a run of so many pages.
    pub(super) fn claim(&self, first: u32, pages: u32) {
        self.phase.store(Phase::Used as u8, Ordering::Relaxed);
        self.open.store(0, Ordering::Relaxed);
        self.first.store(first, Ordering::Relaxed);
        self.pages.store(pages, Ordering::Relaxed);
    }

    /// The first page of the run, and the one behind it.
    pub(super) fn run(&self) -> (u32, u32) {
        let first = self.first.load(Ordering::Relaxed);
        (first, first + self.pages.load(Ordering::Relaxed))
    }

    /// Whether its pages are not to be used for something else. Acquire: who sees that they are
    /// free sees that they cannot be touched.
    pub(super) fn is_used(&self) -> bool {
        self.phase.load(Ordering::Acquire) != Phase::Free as u8
    }

    /// Makes the block's pages accessible, with the pattern around the block; its start. `None`
    /// if the system refuses, and then the slot is free.
    pub(super) fn open(&self, shape: &Shape) -> Option<usize> {
        let (from, start) = shape.place(region::address_of(self.run().0));
        self.from.store(from, Ordering::Relaxed);
        self.start.store(start, Ordering::Relaxed);
        self.side.store(shape.side as u8, Ordering::Relaxed);
        self.open.store(shape.open() as u32, Ordering::Relaxed);
        // SAFETY: the run is this slot's, and nobody else knows of it.
        if !unsafe { memory::commit(from, shape.open() * PAGE) } {
            self.take_pages_away();
            return None;
        }
        self.guard(shape.size);
        Some(start)
    }

    /// The address of the block.
    pub(super) fn start(&self) -> usize {
        self.start.load(Ordering::Relaxed)
    }

    /// The addresses of the pages that can be touched: the first, and the one behind.
    pub(super) fn accessible(&self) -> (usize, usize) {
        let from = self.from.load(Ordering::Relaxed);
        let open = self.open.load(Ordering::Relaxed) as usize;
        (from, from + open * PAGE)
    }

    /// Whether the block lies at the start of its pages.
    pub(super) fn is_left(&self) -> bool {
        self.side.load(Ordering::Relaxed) == Side::Left as u8
    }

    /// Where the pattern stands while the block has `size` bytes: in front, and behind; addresses
    /// and lengths.
    pub(super) fn edges(&self, size: usize) -> [(usize, usize); 2] {
        let (from, to) = self.accessible();
        let start = self.start();
        let end = start + size;
        [(from, start - from), (end, to.saturating_sub(end))]
    }

    /// Writes the pattern around a block of `size` bytes.
    fn guard(&self, size: usize) {
        for (start, len) in self.edges(size) {
            // SAFETY: of the slot's pages, beside the block.
            unsafe { pattern::fill(start, len, FREED) };
        }
    }

    /// Whether the pattern stands around the block. Who asks has the block, or looks at it.
    pub(super) fn is_whole(&self, asked: Asked) -> bool {
        let [front, tail] = self.edges(asked.size());
        // SAFETY: they can be read as long as the block is used or seen.
        unsafe { pattern::is_whole(front.0, front.1) && pattern::is_whole(tail.0, tail.1) }
    }

    /// Gives the block `size` bytes where it is; false if that cannot be. Who asks has the block.
    pub(super) fn resize(&self, size: usize) -> bool {
        let (from, to) = self.accessible();
        let (_, end) = self.run();
        let last = region::address_of(end) - PAGE;
        let new = self.start().checked_add(size).filter(|new| *new <= last);
        let Some(new) = new.map(|new| new.next_multiple_of(PAGE)) else {
            return false;
        };
        if !self.is_left() || size == 0 {
            return false;
        }
        // SAFETY: pages of the run, which is this slot's.
        if new > to && !unsafe { memory::commit(to, new - to) } {
            return false;
        }
        if new < to {
            self.retire(new, to - new);
        }
        let open = (new - from) / PAGE;
        self.open.store(open as u32, Ordering::Relaxed);
        self.guard(size);
        true
    }

    fn retire(&self, from: usize, len: usize) {
        if len > 0 {
            // A new mapping in their place: the kernel joins it with what is around it.
            // SAFETY: pages of the run, which is this slot's, and whose block gives them up.
            unsafe { memory::retire(from, len) };
        }
    }

    /// Takes a freed block's pages away. Called once by who has freed it.
    pub(super) fn close(&self) {
        let mut phase = self.phase.load(Ordering::Acquire);
        while phase == Phase::Seen as u8 {
            // Whoever looks at it does the rest.
            match self.exchange(Phase::Seen, Phase::Left) {
                Ok(()) => return,
                Err(now) => phase = now,
            }
        }
        self.take_pages_away();
    }

    fn take_pages_away(&self) {
        let (from, to) = self.accessible();
        self.retire(from, to - from);
        // Its place in the order may come up now.
        let (first, end) = self.run();
        self.phase.store(Phase::Free as u8, Ordering::Release);
        region::closed(end - first);
    }

    /// Runs `look` while the pages stay as they are; `None` if somebody else looks, or there is no
    /// block.
    pub(super) fn look<T>(&self, look: impl FnOnce() -> T) -> Option<T> {
        self.exchange(Phase::Used, Phase::Seen).ok()?;
        let seen = look();
        if self.exchange(Phase::Seen, Phase::Used).is_err() {
            self.take_pages_away();
        }
        Some(seen)
    }

    fn exchange(&self, from: Phase, to: Phase) -> Result<(), u8> {
        self.phase
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }
}
