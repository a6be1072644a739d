//! Memory for the allocator's own structures, apart from all user memory.
//!
//! 1. What is handed out is zero and aligned to 128 bytes.
//! 2. Nothing is ever unmapped: a structure's memory stays a structure of that type,
//!    so that a late reader finds stale values and never a hole.

use crate::name::{Name, name};
use crate::observe::kept::{LANE, LANE_BYTES, LANES};
use crate::sys::lock::Lock;
use crate::sys::memory::{self, PAGE};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Alignment of every structure: two cache lines, which hardware fetches in pairs.
pub(crate) const ALIGN: usize = 128;
const CHUNK: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;
const MAPPINGS: usize = 1024;

struct Bump {
    next: usize,
    end: usize,
}

const EMPTY: Bump = Bump { next: 0, end: 0 };

struct Bumps {
    all: Bump,
    /// Of the first lane of what observers keep, in builds that have some.
    kept: [Bump; (LANES != 0) as usize],
}

static BUMPS: Lock<Bumps> = Lock::new(Bumps {
    all: EMPTY,
    kept: [EMPTY; _],
});

/// What a mapping of ours is for.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum MappingKind {
    /// The reservation that user memory comes from.
    Arena = 1,
    /// Structures.
    Metadata = 2,
    /// The registry's arrays over the arena.
    PageMap = 3,
    /// A registry table over addresses outside the arena.
    OuterTable = 4,
}

/// A mapping of ours.
#[repr(C)]
pub(crate) struct Mapping {
    address: AtomicUsize,
    len: AtomicUsize,
    kind: AtomicUsize,
}

impl Mapping {
    /// Where it is and how long, if it is of this kind.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn of(&self, kind: MappingKind) -> Option<(usize, usize)> {
        let is_it = self.kind.load(Ordering::Relaxed) == kind as usize;
        is_it.then(|| {
            let address = self.address.load(Ordering::Relaxed);
            (address, self.len.load(Ordering::Relaxed))
        })
    }

    pub(crate) const OFFSETS: [(Name, usize); 4] = [
        (name("mapping.bytes"), size_of::<Mapping>()),
        (
            name("mapping.address"),
            core::mem::offset_of!(Mapping, address),
        ),
        (name("mapping.len"), core::mem::offset_of!(Mapping, len)),
        (name("mapping.kind"), core::mem::offset_of!(Mapping, kind)),
    ];
}

/// The mappings that stay, in the order in which they were made; read by tools.
pub(crate) static MAPPED: [Mapping; MAPPINGS] = [const {
    Mapping {
        address: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        kind: AtomicUsize::new(0),
    }
}; MAPPINGS];

/// Entries of [`MAPPED`] in use. Added to with Relaxed: it is read after the fact.
pub(crate) static MAPPED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Notes a mapping for the readers of the root structure.
pub(crate) fn record(address: usize, len: usize, kind: MappingKind) {
    let index = MAPPED_COUNT.fetch_add(1, Ordering::Relaxed);
    if let Some(mapping) = MAPPED.get(index) {
        mapping.len.store(len, Ordering::Relaxed);
        mapping.kind.store(kind as usize, Ordering::Relaxed);
        mapping.address.store(address, Ordering::Relaxed);
    }
}

/// Zeroed memory for a structure of `len` bytes, for good.
pub(crate) fn allocate(len: usize) -> Option<NonNull<u8>> {
    let len = len.next_multiple_of(ALIGN);
    take(len, |next| next)
}

/// Memory for what observers keep of a slab's blocks: `len` bytes in each lane, at most a lane. The
/// first lane is in huge pages, but for what is handed out at first.
pub(crate) fn allocate_kept(len: usize) -> Option<NonNull<u8>> {
    let len = len.next_multiple_of(ALIGN);
    debug_assert!(len <= LANE_BYTES && LANE_BYTES.is_multiple_of(HUGE_PAGE));
    let mut bumps = BUMPS.lock();
    let [bump] = &mut bumps.kept[..] else {
        return None;
    };
    if bump.end < bump.next + len {
        let bytes = (LANES * LANE).next_multiple_of(PAGE);
        let address = memory::map_zeroed(bytes, HUGE_PAGE)?;
        record(address, bytes, MappingKind::Metadata);
        if bump.end != 0 {
            // SAFETY: mapped just now; nothing is lost where it is refused.
            unsafe { memory::advise_huge(address, LANE_BYTES) };
        }
        bump.next = address;
        bump.end = address + LANE_BYTES;
    }
    let start = bump.next;
    bump.next = start + len;
    NonNull::new(start as *mut u8)
}

/// As [`allocate`], `offset` bytes from the start of a page, a multiple of [`ALIGN`].
pub(crate) fn allocate_at(offset: usize, len: usize) -> Option<NonNull<u8>> {
    debug_assert!(offset < PAGE && offset.is_multiple_of(ALIGN));
    let len = len.next_multiple_of(ALIGN);
    take(len, |next| next + (offset.wrapping_sub(next) & (PAGE - 1)))
}

/// `len` bytes at the place that `place` makes of the next one that is free.
fn take(len: usize, place: impl Fn(usize) -> usize) -> Option<NonNull<u8>> {
    let bump = &mut BUMPS.lock().all;
    if bump.end < place(bump.next) + len {
        let least = (len + PAGE).next_multiple_of(PAGE);
        let (address, chunk) = [CHUNK.max(least), least]
            .into_iter()
            .find_map(|chunk| Some((memory::map_zeroed(chunk, PAGE)?, chunk)))?;
        record(address, chunk, MappingKind::Metadata);
        bump.next = address;
        bump.end = address + chunk;
    }
    let start = place(bump.next);
    bump.next = start + len;
    NonNull::new(start as *mut u8)
}

/// Bytes handed out and bytes mapped.
pub(crate) fn usage() -> (usize, usize) {
    let rest = {
        let bumps = BUMPS.lock();
        let rest = |bump: &Bump| bump.end - bump.next;
        rest(&bumps.all) + bumps.kept.iter().map(rest).sum::<usize>() * LANES
    };
    let mapped = MAPPED
        .iter()
        .filter(|m| m.kind.load(Ordering::Relaxed) == MappingKind::Metadata as usize)
        .map(|m| m.len.load(Ordering::Relaxed))
        .sum::<usize>();
    (mapped - rest, mapped)
}

/// Locks and unlocks around a fork.
pub(crate) fn hold() {
    BUMPS.hold();
}

/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { BUMPS.let_go() };
}
