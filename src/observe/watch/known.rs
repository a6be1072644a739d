//! What is kept of the blocks that rules selected: who allocated and who freed them.
//!
//! A table by address, of four places for each hash: the block that was not seen for longest
//! leaves for a new one.
//!
//! 1. An entry is read and written by the thread whose turn it is alone.

use crate::metadata;
use crate::observe::report::turn::Turn;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

const ENTRIES: usize = 1024;
const WAYS: usize = 4;
/// Return addresses that are kept.
pub(super) const FRAMES: usize = 12;

/// Who did something, and when.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// The kernel's number of the thread; 0 if nothing is known.
    pub(super) thread: u32,
    /// The function of ours that was called.
    pub(super) api: u8,
    count: u8,
    frames: [u64; FRAMES],
}

impl Moment {
    pub(super) const NONE: Moment = Moment {
        thread: 0,
        api: 0,
        count: 0,
        frames: [0; FRAMES],
    };

    pub(super) fn new(thread: u32, api: u8, stack: &[u64]) -> Moment {
        let mut moment = Moment {
            thread,
            api,
            ..Moment::NONE
        };
        for (place, frame) in moment.frames.iter_mut().zip(stack) {
            *place = *frame;
            moment.count += 1;
        }
        moment
    }

    pub(super) fn frames(&self) -> &[u64] {
        &self.frames[..usize::from(self.count)]
    }
}

/// What is known of a block.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) address: usize,
    pub(super) bytes: usize,
    pub(super) class: usize,
    /// Bytes asked for.
    pub(super) size: usize,
    pub(super) life: u32,
    /// The rules that selected it.
    pub(super) slots: u32,
    pub(super) allocated: Moment,
    pub(super) freed: Moment,
}

struct Entry {
    turn: Turn,
    /// The address in `known`: looked at without the turn. Relaxed.
    address: AtomicUsize,
    /// When it was last written: a count.
    seen: AtomicU32,
    known: UnsafeCell<Known>,
}

/// Set once; released with the table's memory, which is zero.
static TABLE: AtomicPtr<Entry> = AtomicPtr::new(core::ptr::null_mut());
static WRITES: AtomicU32 = AtomicU32::new(1);

/// Makes the table; false without memory.
pub(super) fn set_up() -> bool {
    if !TABLE.load(Ordering::Acquire).is_null() {
        return true;
    }
    let Some(memory) = metadata::allocate(ENTRIES * size_of::<Entry>()) else {
        return false;
    };
    let made = memory.as_ptr().cast();
    // Of two at a time one's memory stays unused.
    let _ = TABLE.compare_exchange(
        core::ptr::null_mut(),
        made,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    true
}

fn places(address: usize) -> &'static [Entry] {
    let table = TABLE.load(Ordering::Acquire);
    if table.is_null() {
        return &[];
    }
    let hash = (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let first = hash % (ENTRIES / WAYS) * WAYS;
    // SAFETY: the table has `ENTRIES` entries, for which zero bytes are valid, and is never
    // unmapped.
    unsafe { core::slice::from_raw_parts(table.add(first), WAYS) }
}

/// Lets `change` see to what is known of the block at `address`: what was, or zeroes.
pub(super) fn note(address: usize, change: impl FnOnce(&mut Known)) {
    let places = places(address);
    let has = |entry: &&Entry| entry.is_of(address);
    let oldest = |entry: &&Entry| entry.seen.load(Ordering::Relaxed);
    let place = places.iter().find(has);
    let Some(entry) = place.or_else(|| places.iter().min_by_key(oldest)) else {
        return;
    };
    let Some(_turn) = entry.turn.take() else {
        return;
    };
    // SAFETY: it is this thread's turn.
    let known = unsafe { &mut *entry.known.get() };
    if known.address != address {
        entry.address.store(address, Ordering::Relaxed);
        *known = Known {
            address,
            bytes: 0,
            class: 0,
            size: 0,
            life: 0,
            slots: 0,
            allocated: Moment::NONE,
            freed: Moment::NONE,
        };
    }
    change(known);
    entry
        .seen
        .store(WRITES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
}

impl Entry {
    fn is_of(&self, address: usize) -> bool {
        self.address.load(Ordering::Relaxed) == address
    }
}

fn read(entry: &Entry) -> Option<Known> {
    let _turn = entry.turn.take()?;
    // SAFETY: it is this thread's turn.
    Some(unsafe { *entry.known.get() })
}

/// What is known of the block at `address`.
pub(super) fn of(address: usize) -> Option<Known> {
    places(address)
        .iter()
        .filter(|entry| entry.is_of(address))
        .filter_map(read)
        .find(|known| known.address == address)
}

/// The one thread of a fork's child.
pub(super) fn forked() {
    let table = TABLE.load(Ordering::Acquire);
    if !table.is_null() {
        // SAFETY: as in `places`.
        let entries = unsafe { core::slice::from_raw_parts(table, ENTRIES) };
        entries.iter().for_each(|entry| entry.turn.reset());
    }
}
