//! Counts of what happens off the fast path, for the statistics.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A mechanism at work. Acquires are counted by the stage that served them.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Counter {
    /// Slabs served from the class's hint.
    AcquireHint,
    /// Slabs served whole, formatted for their class (`HAKMEM_SUPERSLAB_REUSE`).
    AcquireReuse,
    /// Slabs served from SuperSlabs in use.
    AcquireInUse,
    /// Slabs taken over from the caches of ended threads.
    AcquireParked,
    /// POOL slabs cut from the thread's reservation.
    AcquireArena,
    /// Slabs served from a cached SuperSlab.
    AcquireCached,
    /// Slabs served from a new SuperSlab.
    AcquireNew,
    /// Claims of slots that lost a race and went round again.
    ClaimRetries,
    /// Slabs given back to the shared pool.
    SlabsReleased,
    /// POOL reservations of threads.
    ArenaSteps,
    /// SuperSlabs mapped.
    SuperSlabsMapped,
    /// SuperSlabs unmapped.
    SuperSlabsUnmapped,
    /// SuperSlabs put into the cache.
    CacheInserts,
    /// SuperSlabs evicted because the cache was over a capacity.
    LruEvictions,
    /// SuperSlabs evicted because of their age.
    TtlEvictions,
    /// Cached SuperSlabs whose pages were given back over the soft cap.
    SoftCapPurges,
    /// SuperSlabs made at start-up.
    Prewarmed,
    /// Bytes of pages given back.
    PurgedBytes,
    /// Thread caches made.
    CachesMade,
    /// Caches of ended threads taken up by new ones.
    CachesAdopted,
    /// Requests served without a thread cache.
    OrphanAllocations,
    /// Large blocks served with a mapping of its own.
    LargeMapped,
    /// Large blocks served from one freed earlier.
    LargeReused,
    /// Large blocks grown or shrunk where they were.
    LargeResizedInPlace,
    /// Large blocks whose pages moved without a copy.
    LargeMoved,
    /// Units of 2 MiB taken from the stock of freed ones.
    UnitsReused,
    /// Units of 2 MiB whose pages moved from that stock into a new mapping.
    UnitsMoved,
    /// Times that a SuperSlab was taken into use with huge pages.
    SuperSlabsHuge,
    /// Requests handed to the system allocator.
    SystemAllocations,
    /// Slots taken into use that had no pages.
    CleanSlotsTaken,
    /// Times that learning has decided, of threads and of memory.
    LearnWindows,
    /// Classes that learning has found cold, and that were cold too soon.
    LearnCooled,
    LearnRegretted,
    /// Fronts that learning has enlarged.
    LearnEnlarged,
    /// Numbers of memory that learning has changed.
    LearnMemory,
}

/// Number of counters.
pub(crate) const COUNTERS: usize = Counter::LearnMemory as usize + 1;

/// Relaxed: each is a sum of its own.
static COUNTS: [AtomicU64; COUNTERS] = [const { AtomicU64::new(0) }; COUNTERS];

/// Slots of SuperSlabs that somebody holds, and free ones that are not clean.
static SLOTS_HELD: AtomicUsize = AtomicUsize::new(0);
static SLOTS_DIRTY: AtomicUsize = AtomicUsize::new(0);
/// Slots of open slabs of which every block has been handed out, and slots in huge pages of
/// which that is not known; see `huge_pages.rs`.
static SLOTS_FILLED: AtomicUsize = AtomicUsize::new(0);
static SLOTS_UNFILLED: AtomicUsize = AtomicUsize::new(0);
/// Bytes of large mappings that the program holds.
static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Adds to a counter.
pub(crate) fn add(counter: Counter, n: u64) {
    COUNTS[counter as usize].fetch_add(n, Ordering::Relaxed);
}

/// What a counter stands at.
pub(crate) fn get(counter: Counter) -> u64 {
    COUNTS[counter as usize].load(Ordering::Relaxed)
}

/// Notes that `slots` were claimed, of which `dirty` were not clean.
pub(crate) fn slots_claimed(slots: usize, dirty: usize) {
    SLOTS_HELD.fetch_add(slots, Ordering::Relaxed);
    SLOTS_DIRTY.fetch_sub(dirty, Ordering::Relaxed);
    add(Counter::CleanSlotsTaken, slots.saturating_sub(dirty) as u64);
}

/// Notes that `slots` were given back, of which `dirty` are not clean.
pub(crate) fn slots_given_back(slots: usize, dirty: usize) {
    SLOTS_HELD.fetch_sub(slots, Ordering::Relaxed);
    SLOTS_DIRTY.fetch_add(dirty, Ordering::Relaxed);
}

/// Notes that `slots` slots came from elsewhere, free and not clean.
pub(crate) fn slots_came_dirty(slots: usize) {
    SLOTS_DIRTY.fetch_add(slots, Ordering::Relaxed);
}

/// Notes that `slots` free slots became clean.
pub(crate) fn slots_cleaned(slots: usize) {
    SLOTS_DIRTY.fetch_sub(slots, Ordering::Relaxed);
}

/// Slots that somebody holds.
pub(crate) fn slots_held() -> usize {
    SLOTS_HELD.load(Ordering::Relaxed)
}

/// Free slots that are not clean.
pub(crate) fn slots_dirty() -> usize {
    SLOTS_DIRTY.load(Ordering::Relaxed)
}

/// Notes a change of the filled slots.
pub(crate) fn filled_changed(before: usize, after: usize) {
    SLOTS_FILLED.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
}

/// Slots of open slabs of which every block has been handed out.
pub(crate) fn slots_filled() -> usize {
    SLOTS_FILLED.load(Ordering::Relaxed)
}

/// Notes a change of the unfilled slots in huge pages.
pub(crate) fn unfilled_changed(before: usize, after: usize) {
    SLOTS_UNFILLED.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
}

/// Slots in huge pages that are not known to have been filled.
pub(crate) fn slots_unfilled() -> usize {
    SLOTS_UNFILLED.load(Ordering::Relaxed)
}

/// Notes a change of the bytes in large mappings.
pub(crate) fn large_changed(before: usize, after: usize) {
    LARGE_BYTES.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
}

/// Bytes of large mappings that the program holds.
pub(crate) fn large_bytes() -> usize {
    LARGE_BYTES.load(Ordering::Relaxed)
}
