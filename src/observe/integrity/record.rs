//! What is kept of each block, beside its slab's bitmap: out of the program's reach.
//!
//! ```text
//! asked      state 4 │ API 8 │ alignment 6 │ size 46            ┐
//! life       how often the place was handed out since its slab  │ a record
//!            was opened                                         │
//! freed_by   API 8                                              ┘
//! allocated  stack 32 │ thread 32    ┐ the moments
//! freed      stack 32 │ thread 32    ┘
//!
//! 4 blocks   ┌ record │ record │ record │ record ┐ a cache line
//!            └ moments│ moments│ moments│ moments┘ the next one
//! ```
//!
//! What each call has to read stands in a line that four blocks share: who waits for it waits less
//! often. The moments are written only, which nobody waits for.
//!
//! 1. `asked` is written last when a block is handed out, with Release. Of two threads that do not
//!    own its slab and free it at a time one finds it freed; where the other one is the owner the
//!    slab's own checks may have to find it.

use super::policy;
use crate::observe::kept::{Keep, Part, STRIDE};
use crate::sys::memory::PAGE;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

const STATE_SHIFT: u32 = 60;
const API_SHIFT: u32 = 52;
const ALIGN_SHIFT: u32 = 46;
const SIZE: u64 = (1 << ALIGN_SHIFT) - 1;

/// See the head of this file. All bytes zero: a place of which nothing is known.
pub(crate) struct BlockRecord {
    /// Released by who hands the block out; read Acquire by who looks at all blocks.
    asked: AtomicU64,
    /// Relaxed, as the others: who hands a block over orders its record as well.
    life: AtomicU32,
    freed_by: AtomicU8,
}

/// The rest of a record, [`MOMENTS`] bytes on.
pub(super) struct Moments {
    allocated: AtomicU64,
    freed: AtomicU64,
}

/// Bytes of the records of [`SET`] blocks, and from a record to its moments.
pub(super) const MOMENTS: usize = 64;
/// Blocks whose records share a cache line.
const SET: usize = MOMENTS / size_of::<BlockRecord>();

const _: () = assert!(size_of::<BlockRecord>() == size_of::<Moments>());
const _: () = assert!(2 * size_of::<BlockRecord>() == STRIDE);
const _: () = assert!(SET * STRIDE == 2 * MOMENTS);

impl Keep for BlockRecord {
    const LANES: usize = 1;

    unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
        // Of blocks in slabs none is written then.
        if policy::is_light() && blocks > 1 {
            return;
        }
        // SAFETY: the caller's clause; sets are whole.
        unsafe { start.write_bytes(0, blocks.div_ceil(SET) * 2 * MOMENTS) };
    }
}

impl Part for BlockRecord {
    /// Half of how far the place is from the start of its set, which is on a multiple of its bytes.
    #[inline(always)]
    fn ahead_of(place: usize) -> usize {
        place % (SET * STRIDE) / 2
    }
}

/// The record of a block that is in no slab; it stands where a set would begin. All bytes zero: a place
/// of which nothing is known.
#[repr(C)]
pub(super) struct RecordApart {
    record: BlockRecord,
    unused: [u64; (MOMENTS - size_of::<BlockRecord>()) / 8],
    moments: Moments,
}

impl Deref for RecordApart {
    type Target = BlockRecord;

    #[inline(always)]
    fn deref(&self) -> &BlockRecord {
        &self.record
    }
}

/// What a place is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum State {
    /// Nothing that was seen.
    New = 0,
    /// The program has it.
    Live = 1,
    /// The program has freed it, and it is kept from being used again; filled.
    Quarantined = 2,
    /// It is the allocator's again; filled, but for its link.
    Filled = 3,
    /// It is the allocator's, or on its way there; not filled.
    Freed = 4,
    /// Nobody has had it since its slab was opened; filled, as `untouched.rs` says.
    Untouched = 5,
    /// Unknown: the word of the level `light` that said it has been overwritten.
    Overwritten = 6,
}

impl State {
    /// Whether the program had it and has freed it.
    pub(super) fn is_freed(self) -> bool {
        matches!(self, State::Quarantined | State::Filled | State::Freed)
    }
}

/// What was asked for, and what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Asked(u64);

/// Who did something: where from, and on which thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    /// The number of the stack in the table; 0 if there is none.
    pub(super) stack: u32,
    /// The kernel's number of the thread; 0 if it is not known.
    pub(super) thread: u32,
}

impl Moment {
    fn bits(self) -> u64 {
        u64::from(self.stack) << 32 | u64::from(self.thread)
    }

    fn from_bits(bits: u64) -> Moment {
        Moment {
            stack: (bits >> 32) as u32,
            thread: bits as u32,
        }
    }
}

impl Asked {
    /// Of a live block.
    #[inline(always)]
    pub(super) fn new(size: usize, align_log2: u32, api: u8) -> Asked {
        Asked(
            (State::Live as u64) << STATE_SHIFT
                | u64::from(api) << API_SHIFT
                | u64::from(align_log2 & 63) << ALIGN_SHIFT
                | (size as u64).min(SIZE),
        )
    }

    #[inline(always)]
    pub(super) fn state(self) -> State {
        match self.0 >> STATE_SHIFT {
            1 => State::Live,
            2 => State::Quarantined,
            3 => State::Filled,
            4 => State::Freed,
            5 => State::Untouched,
            6 => State::Overwritten,
            _ => State::New,
        }
    }

    /// The bytes of a live block.
    #[inline(always)]
    pub(super) fn live_size(self) -> Option<usize> {
        (self.0 >> STATE_SHIFT == State::Live as u64).then_some(self.size())
    }

    #[inline(always)]
    pub(super) fn with_state(self, state: State) -> Asked {
        Asked(self.0 & !(0xf << STATE_SHIFT) | (state as u64) << STATE_SHIFT)
    }

    /// The function that was called, as a number of `Api`.
    #[inline(always)]
    pub(super) fn api(self) -> u8 {
        (self.0 >> API_SHIFT) as u8
    }

    #[inline(always)]
    pub(super) fn align_log2(self) -> u32 {
        (self.0 >> ALIGN_SHIFT) as u32 & 63
    }

    /// Bytes.
    #[inline(always)]
    pub(super) fn size(self) -> usize {
        (self.0 & SIZE) as usize
    }
}

impl BlockRecord {
    /// Where a reader of a core file finds what, and where the parts of `asked` begin.
    pub(super) const OFFSETS: [(&'static str, usize); 11] = [
        ("record.set", SET),
        ("record.set.bytes", 2 * MOMENTS),
        ("record.bytes", size_of::<BlockRecord>()),
        ("record.asked", offset_of!(BlockRecord, asked)),
        ("record.asked.state", STATE_SHIFT as usize),
        ("record.asked.api", API_SHIFT as usize),
        ("record.asked.align", ALIGN_SHIFT as usize),
        ("record.allocated", MOMENTS + offset_of!(Moments, allocated)),
        ("record.freed", MOMENTS + offset_of!(Moments, freed)),
        ("record.life", offset_of!(BlockRecord, life)),
        ("record.freed_by", offset_of!(BlockRecord, freed_by)),
    ];

    /// Brings the page of a record in that is the first one there: to read it first would take a
    /// fault more.
    #[inline(always)]
    pub(super) fn fault_in(&self) {
        if ptr::from_ref(self) as usize % PAGE < MOMENTS {
            self.freed_by.fetch_or(0, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(super) fn asked(&self) -> Asked {
        Asked(self.asked.load(Ordering::Acquire))
    }

    #[inline(always)]
    fn moments(&self) -> &Moments {
        // SAFETY: they stand there, of a block in a slab as of any other.
        unsafe { &*ptr::from_ref(self).byte_add(MOMENTS).cast() }
    }

    /// A life begins, by `moment`; the block is as the pattern wants it.
    #[inline(always)]
    pub(super) fn begin(&self, asked: Asked, moment: Moment) {
        self.moments()
            .allocated
            .store(moment.bits(), Ordering::Relaxed);
        self.begin_light(asked);
    }

    /// As [`BlockRecord::begin`], where nothing is known of moments.
    #[inline(always)]
    pub(super) fn begin_light(&self, asked: Asked) {
        let life = self.life.load(Ordering::Relaxed).wrapping_add(1);
        self.life.store(life, Ordering::Relaxed);
        self.asked.store(asked.0, Ordering::Release);
    }

    /// The life goes on, as one of another size.
    pub(super) fn resize(&self, asked: Asked) {
        self.asked.store(asked.0, Ordering::Release);
    }

    /// A live block ends as `state`; what it was before, and whether that was so.
    #[inline(always)]
    pub(super) fn end(&self, state: State, is_remote: bool) -> (Asked, bool) {
        let asked = self.asked();
        if is_remote {
            return self.end_remote(state, asked);
        }
        let is_live = asked.state() == State::Live;
        if is_live {
            let ended = asked.with_state(state).0;
            self.asked.store(ended, Ordering::Release);
        }
        (asked, is_live)
    }

    #[inline(never)]
    fn end_remote(&self, state: State, mut asked: Asked) -> (Asked, bool) {
        loop {
            if asked.state() != State::Live {
                return (asked, false);
            }
            match self.asked.compare_exchange_weak(
                asked.0,
                asked.with_state(state).0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return (asked, true),
                Err(now) => asked = Asked(now),
            }
        }
    }

    /// Notes who has freed it.
    #[inline(always)]
    pub(super) fn set_freed(&self, moment: Moment, api: u8) {
        self.moments().freed.store(moment.bits(), Ordering::Relaxed);
        self.set_freed_light(api);
    }

    /// As [`BlockRecord::set_freed`], where nothing is known of moments.
    #[inline(always)]
    pub(super) fn set_freed_light(&self, api: u8) {
        self.freed_by.store(api, Ordering::Relaxed);
    }

    /// What is no longer the program's changes its state.
    #[inline(always)]
    pub(super) fn set_state(&self, state: State) {
        let asked = Asked(self.asked.load(Ordering::Relaxed));
        self.asked
            .store(asked.with_state(state).0, Ordering::Release);
    }

    pub(super) fn allocated(&self) -> Moment {
        Moment::from_bits(self.moments().allocated.load(Ordering::Relaxed))
    }

    pub(super) fn freed(&self) -> (Moment, u8) {
        let moment = Moment::from_bits(self.moments().freed.load(Ordering::Relaxed));
        (moment, self.freed_by.load(Ordering::Relaxed))
    }

    pub(super) fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl RecordApart {
    pub(super) const fn new() -> RecordApart {
        RecordApart {
            record: BlockRecord {
                asked: AtomicU64::new(0),
                life: AtomicU32::new(0),
                freed_by: AtomicU8::new(0),
            },
            unused: [0; _],
            moments: Moments {
                allocated: AtomicU64::new(0),
                freed: AtomicU64::new(0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_frees_one_finds_the_block_freed() {
        let record = RecordApart::new();
        assert_eq!(record.asked().state(), State::New);
        let moment = Moment {
            stack: 7,
            thread: 9,
        };
        record.begin(Asked::new(100, 6, 33), moment);
        let asked = record.asked();
        assert_eq!(
            (asked.size(), asked.align_log2(), asked.api()),
            (100, 6, 33)
        );
        assert_eq!(record.allocated(), moment);
        let (was, ended) = record.end(State::Quarantined, true);
        assert!(ended && was.state() == State::Live);
        let (was, ended) = record.end(State::Quarantined, false);
        assert!(!ended && was.state() == State::Quarantined && was.size() == 100);
        record.set_state(State::Filled);
        assert_eq!(
            (record.asked().state(), record.asked().api()),
            (State::Filled, 33)
        );
        assert_eq!(Asked::new(usize::MAX, 4, 16).size() as u64, SIZE);
    }
}
