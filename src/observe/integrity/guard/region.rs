//! The address space that guarded blocks lie in: runs of pages, handed out in a circle, so that the
//! pages of a freed block stay inaccessible for as long as there are others.
//!
//! ```text
//! REGION   ┊ run ┊ run ┊ run ┊ …  ▲ next            ▲ end, moved as blocks need it ┊ reserved
//! entries  a word for each page: the number of the first page of the run that covers it; 0: none
//! slots    a [`Slot`] for each three pages: a run has at least three, so each has one of its own,
//!          by its first page
//! ```
//!
//! 1. Who has [`TURN`] hands out runs; nothing else takes it, and who does not get it has no
//!    guarded block. A run is given back without it.
//! 2. An entry counts if the slot that it leads to says that its run begins and ends around the
//!    page: what is left of a run whose beginning was used again still leads to its slot, for as
//!    long as that one says the same.
//! 3. Entries and slots can be read up to [`Tables::readable`], which goes on with the pages that are
//!    handed out.

use super::slot::Slot;
use crate::observe::report::turn::Turn;
use crate::observe::{own_memory, settings};
use crate::sys::file;
use crate::sys::memory::{self, PAGE};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Bytes of address space: what is asked for first, and last.
const LARGEST: usize = 256 << 30;
const SMALLEST: usize = 64 << 20;
/// The share of a limited address space that the region may take.
const LIMIT_SHARE: usize = 8;
/// Where the region lies with fixed addresses: far from where the system puts anything by itself.
const FIXED_BASE: usize = 0x2800_0000_0000;
/// Pages of a slot's place.
const STRIDE: usize = 3;
/// Pages that blocks go round in, at first; and the share of them that live ones may have before
/// there are twice as many.
const FIRST_ROUND: usize = (4 << 30) / PAGE;
const LIVE_SHARE: usize = 4;
/// The share of all pages that one run may have.
const RUN_SHARE: usize = 64;
/// Pages whose entries and slots are made readable at a time.
const STEP: usize = 1 << 18;
/// Runs that are looked at for one request, beside its own pages.
const LOOKS: usize = 1 << 14;
/// The share of the mappings that a process may have for live blocks, each of which takes two.
const MAPPINGS_SHARE: usize = 3;
const MAPPINGS: usize = 65530;

/// What leads from an address to a slot, here and in the memory functions. Written once by the
/// set-up, `base` last, but for `readable`. Relaxed: what leads here has come through it.
#[repr(C)]
pub struct Tables {
    base: AtomicUsize,
    /// Pages whose entries and slots can be read: released when they can; read Acquire.
    readable: AtomicUsize,
    entries: AtomicUsize,
    slots: AtomicUsize,
}

/// Those of the region.
pub(super) static TABLES: Tables = Tables {
    base: AtomicUsize::new(0),
    readable: AtomicUsize::new(0),
    entries: AtomicUsize::new(0),
    slots: AtomicUsize::new(0),
};
/// Pages in all; 0 if there is no region. Written by the set-up, as above.
static PAGES: AtomicUsize = AtomicUsize::new(0);
/// Blocks that there may be at a time.
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Blocks that there are, and the pages of their runs. Relaxed: sums.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static LIVE_PAGES: AtomicUsize = AtomicUsize::new(0);

static TURN: Turn = Turn::new();
/// The next page to hand out, and the one behind the last of this round. Written by who has the
/// turn.
static NEXT: AtomicUsize = AtomicUsize::new(1);
static END: AtomicUsize = AtomicUsize::new(0);
/// The page behind the highest that was ever handed out. As above.
static TOP: AtomicUsize = AtomicUsize::new(1);

/// The addresses of the words that lead a reader of a core file through the region, and what it
/// has to know beside.
pub(super) fn places() -> [(&'static str, usize); PLACES] {
    [
        ("guard.base", &raw const TABLES.base as usize),
        ("guard.pages", &raw const PAGES as usize),
        ("guard.entries", &raw const TABLES.entries as usize),
        ("guard.slots", &raw const TABLES.slots as usize),
        ("guard.top", &raw const TOP as usize),
        ("guard.stride", STRIDE),
    ]
}
pub(super) const PLACES: usize = 6;

/// Reserves the region: as much of it as there may be. Once, at the set-up.
pub(super) fn set_up() -> bool {
    let allowed = memory::address_space_limit().map_or(LARGEST, |limit| limit / LIMIT_SHARE);
    let mut len = LARGEST;
    while len > allowed {
        len /= 2;
    }
    while len >= SMALLEST {
        if reserve(len) {
            MOST.store(most(), Ordering::Relaxed);
            return true;
        }
        len /= 4;
    }
    false
}

fn reserve(len: usize) -> bool {
    let pages = len / PAGE;
    let entries = entries_bytes(pages);
    let beside = entries + slots_bytes(pages);
    let is_fixed = settings::arena_base() != 0 && memory::reserve_at(FIXED_BASE, len);
    let base = is_fixed
        .then_some(FIXED_BASE)
        .or_else(|| memory::reserve(len, PAGE));
    let Some(base) = base else {
        return false;
    };
    let Some(tables) = memory::reserve(beside, PAGE) else {
        // SAFETY: reserved just now, and nobody knows of it.
        unsafe { memory::unmap(base, len) };
        return false;
    };
    own_memory::note(base, len);
    own_memory::note(tables, beside);
    TABLES.entries.store(tables, Ordering::Relaxed);
    TABLES.slots.store(tables + entries, Ordering::Relaxed);
    END.store(pages.min(FIRST_ROUND), Ordering::Relaxed);
    TABLES.base.store(base, Ordering::Relaxed);
    PAGES.store(pages, Ordering::Relaxed);
    true
}

fn entries_bytes(pages: usize) -> usize {
    (pages * size_of::<u32>()).next_multiple_of(PAGE)
}

fn slots_bytes(pages: usize) -> usize {
    (pages.div_ceil(STRIDE) * size_of::<Slot>()).next_multiple_of(PAGE)
}

/// Blocks that there may be at a time: so many that the program has most of the mappings that the
/// kernel allows.
fn most() -> usize {
    let mut text = [0; 16];
    let len = file::read(c"/proc/sys/vm/max_map_count", &mut text).unwrap_or(0);
    let digits = text[..len].iter().take_while(|byte| byte.is_ascii_digit());
    let mappings = digits.fold(0usize, |sum, byte| {
        sum.saturating_mul(10) + usize::from(byte - b'0')
    });
    let mappings = if mappings == 0 { MAPPINGS } else { mappings };
    mappings / MAPPINGS_SHARE / 2
}

/// The address of a page.
pub(super) fn address_of(page: u32) -> usize {
    TABLES.base.load(Ordering::Relaxed) + page as usize * PAGE
}

/// Where the region begins, and its bytes; none if there is no region.
pub(super) fn bounds() -> (usize, usize) {
    (
        TABLES.base.load(Ordering::Relaxed),
        PAGES.load(Ordering::Relaxed) * PAGE,
    )
}

/// Whether an address lies in the region.
#[inline(always)]
pub(super) fn owns(address: usize) -> bool {
    let page = address.wrapping_sub(TABLES.base.load(Ordering::Relaxed)) / PAGE;
    page < PAGES.load(Ordering::Relaxed)
}

// What the memory functions have as numbers (`look.rs`), who go the same way.
const _: () = assert!(
    offset_of!(Tables, readable) == 8
        && offset_of!(Tables, entries) == 16
        && offset_of!(Tables, slots) == 24
        && PAGE == 1 << 12
        && STRIDE == 3
        && size_of::<Slot>() == 1 << 7
);

/// The slot whose run an address lies in, whatever it is doing. For signal handlers as well.
#[inline(always)]
pub(super) fn find(address: usize) -> Option<&'static Slot> {
    slot_over(address.wrapping_sub(TABLES.base.load(Ordering::Relaxed)) / PAGE)
}

fn entry(page: usize) -> &'static AtomicU32 {
    let entries = TABLES.entries.load(Ordering::Relaxed) as *const AtomicU32;
    // SAFETY: callers ask for pages below that.
    unsafe { &*entries.add(page) }
}

fn slot_of(first: usize) -> &'static Slot {
    let slots = TABLES.slots.load(Ordering::Relaxed) as *const Slot;
    // SAFETY: as above; zero bytes are a slot.
    unsafe { &*slots.add(first / STRIDE) }
}

fn slot_over(page: usize) -> Option<&'static Slot> {
    if page >= TABLES.readable.load(Ordering::Acquire) {
        return None;
    }
    let first = entry(page).load(Ordering::Acquire);
    if first == 0 {
        return None;
    }
    let slot = slot_of(first as usize);
    let (begin, end) = slot.run();
    (begin == first && (begin as usize..end as usize).contains(&page)).then_some(slot)
}

/// Calls `each` with every slot.
pub(super) fn each(mut each: impl FnMut(&'static Slot)) {
    let top = TOP.load(Ordering::Relaxed);
    let mut page = 1;
    while page < top {
        match slot_over(page) {
            Some(slot) => {
                each(slot);
                page = slot.run().1.max(page as u32 + 1) as usize;
            }
            None => page += 1,
        }
    }
}

/// A run of so many pages, for a block; `None` if there is none, or if it is not this thread's
/// turn.
pub(super) fn take(pages: usize) -> Option<&'static Slot> {
    if pages > PAGES.load(Ordering::Relaxed) / RUN_SHARE
        || LIVE.load(Ordering::Relaxed) >= MOST.load(Ordering::Relaxed)
    {
        return None;
    }
    let _turn = TURN.take()?;
    let first = search(pages)?;
    let end = first + pages;
    if !make_readable(end) {
        return None;
    }
    let slot = slot_of(first);
    slot.claim(first as u32, pages as u32);
    for page in first..end {
        entry(page).store(first as u32, Ordering::Release);
    }
    NEXT.store(end, Ordering::Relaxed);
    TOP.fetch_max(end, Ordering::Relaxed);
    LIVE.fetch_add(1, Ordering::Relaxed);
    LIVE_PAGES.fetch_add(pages, Ordering::Relaxed);
    Some(slot)
}

/// The first of so many pages that are nobody's, from where the last search ended.
fn search(pages: usize) -> Option<usize> {
    let top = TOP.load(Ordering::Relaxed);
    let mut first = NEXT.load(Ordering::Relaxed);
    let mut at = first;
    let mut rounds = 0;
    for _ in 0..LOOKS + pages {
        if first + pages > END.load(Ordering::Relaxed) {
            if !go_on(pages, rounds) {
                // From the start again, or there is nothing.
                if rounds > 0 {
                    return None;
                }
                (first, at, rounds) = (1, 1, 1);
            }
            continue;
        }
        if at >= first + pages || at >= top {
            return Some(first);
        }
        match slot_over(at) {
            Some(slot) => {
                at = slot.run().1 as usize;
                if slot.is_used() {
                    first = at;
                }
            }
            None => at += 1,
        }
    }
    NEXT.store(first, Ordering::Relaxed);
    None
}

/// Makes the round longer, if live blocks have much of it, or nothing was found in it; false if it
/// stays as it is.
fn go_on(pages: usize, rounds: usize) -> bool {
    let (end, all) = (END.load(Ordering::Relaxed), PAGES.load(Ordering::Relaxed));
    let live = LIVE_PAGES.load(Ordering::Relaxed) + pages;
    if end >= all || rounds == 0 && live * LIVE_SHARE <= end {
        return false;
    }
    END.store((end * 2).min(all), Ordering::Relaxed);
    true
}

/// Makes the entries and slots of all pages below `end` readable.
fn make_readable(end: usize) -> bool {
    let readable = TABLES.readable.load(Ordering::Relaxed);
    if end <= readable {
        return true;
    }
    let new = end
        .next_multiple_of(STEP)
        .min(PAGES.load(Ordering::Relaxed));
    let tables = [
        (&TABLES.entries, entries_bytes(readable), entries_bytes(new)),
        (&TABLES.slots, slots_bytes(readable), slots_bytes(new)),
    ];
    for (table, from, to) in tables {
        let start = table.load(Ordering::Relaxed);
        // A page that two steps share is committed twice.
        let from = from.saturating_sub(PAGE);
        // SAFETY: of the tables, which are this module's, and only become readable.
        if !unsafe { memory::commit(start + from, to - from) } {
            return false;
        }
    }
    TABLES.readable.store(new, Ordering::Release);
    true
}

/// A run of so many pages is nobody's any more.
pub(super) fn closed(pages: u32) {
    LIVE.fetch_sub(1, Ordering::Relaxed);
    LIVE_PAGES.fetch_sub(pages as usize, Ordering::Relaxed);
}

/// In a fork's child, whose one thread does not have the turn.
pub(super) fn forked() {
    TURN.reset();
}
