//! Statistics: counted on slow paths and by walking the structures, never on a fast path.
//!
//! What other threads do meanwhile shows as it happens to be read: sums are exact while the
//! program's other threads are quiet, and an impression otherwise.

mod areas;
mod text;
mod writing;

pub(crate) use areas::Areas;
pub(crate) use text::Text;

use crate::counters::{self, Counter};
use crate::metadata;
use crate::registry::REGISTRY;
use crate::shared_pool;
use crate::size_class::{CLASSES, SLOT_BYTES, SizeClass, Tier};
use crate::slab::{Kind, Slab};
use crate::superslab::SUPERSLAB_BYTES;
use crate::sys::{memory, stderr};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::front::Quiet;
use crate::unit_stock;

/// Counts of one size class. Blocks that are `cached` are free for the program and held by
/// a thread: in its front, on its list, or on their way home.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClassStatistics {
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Slabs open now.
    pub slabs: usize,
    /// Blocks in those slabs.
    pub blocks: usize,
    /// Blocks that the program holds.
    pub live: usize,
    /// Blocks that threads hold free.
    pub cached: usize,
    /// Blocks that are free in their slabs, those that other threads returned included.
    pub free: usize,
    /// Requests that a thread's front did not serve.
    pub misses: u64,
    /// Times that blocks were taken from slabs.
    pub refills: u64,
    /// Blocks taken then.
    pub refilled: u64,
    /// Times that blocks were taken from a thread's list.
    pub list_hits: u64,
    /// Times that a full front was drained.
    pub drains: u64,
    /// Blocks that went back to slabs then.
    pub drained: u64,
    /// Frees of other threads' blocks.
    pub remote_freed: u64,
    /// Times that such blocks were sent home, per slab.
    pub remote_published: u64,
    /// Blocks that came home.
    pub collected: u64,
}

macro_rules! pool_statistics {
    ($($(#[$doc:meta])* $field:ident = $counter:ident,)*) => {
        /// Counts of what happened behind the thread caches since the start.
        #[derive(Clone, Copy, Debug, Default)]
        #[non_exhaustive]
        pub struct PoolStatistics {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl PoolStatistics {
            fn now() -> Self {
                PoolStatistics { $($field: counters::get(Counter::$counter),)* }
            }

            /// Every count by its name.
            pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }
    };
}

pool_statistics! {
    /// Slabs acquired through their class's hint.
    acquire_hint = AcquireHint,
    /// Slabs acquired whole, still formatted for their class.
    acquire_reuse = AcquireReuse,
    /// Slabs acquired from SuperSlabs in use.
    acquire_in_use = AcquireInUse,
    /// Slabs taken over from caches of ended threads.
    acquire_parked = AcquireParked,
    /// Slabs cut from the reservation of the thread (POOL).
    acquire_arena = AcquireArena,
    /// Acquires served from a cached SuperSlab.
    acquire_cached = AcquireCached,
    /// Acquires served from a new SuperSlab.
    acquire_new = AcquireNew,
    /// Claims of slots that lost a race and went round again.
    claim_retries = ClaimRetries,
    /// Slabs given back.
    slabs_released = SlabsReleased,
    /// POOL reservations of threads.
    arena_steps = ArenaSteps,
    /// SuperSlabs mapped.
    superslabs_mapped = SuperSlabsMapped,
    /// SuperSlabs unmapped.
    superslabs_unmapped = SuperSlabsUnmapped,
    /// SuperSlabs that went into the cache.
    cache_inserts = CacheInserts,
    /// SuperSlabs that the cache's capacity or memory limit evicted.
    lru_evictions = LruEvictions,
    /// SuperSlabs that the cache's time to live evicted.
    ttl_evictions = TtlEvictions,
    /// Cached SuperSlabs purged over the soft cap.
    soft_cap_purges = SoftCapPurges,
    /// SuperSlabs made at start-up.
    prewarmed = Prewarmed,
    /// Bytes of pages given back to the system while their addresses were kept.
    purged_bytes = PurgedBytes,
    /// Thread caches made.
    caches_made = CachesMade,
    /// Thread caches of ended threads that new ones took up.
    caches_adopted = CachesAdopted,
    /// Requests of threads that have no cache any more.
    orphan_allocations = OrphanAllocations,
    /// LARGE blocks with a new mapping of their own.
    large_mapped = LargeMapped,
    /// LARGE blocks served from a mapping freed earlier.
    large_reused = LargeReused,
    /// LARGE blocks resized where they were.
    large_resized_in_place = LargeResizedInPlace,
    /// LARGE blocks whose pages moved without a copy.
    large_moved = LargeMoved,
    /// Units of 2 MiB that were freed, and used again before their pages were given back.
    units_reused = UnitsReused,
    /// Units of 2 MiB whose pages went from a freed block into a new one that is elsewhere.
    units_moved = UnitsMoved,
    /// Times that a SuperSlab was taken into use with huge pages.
    superslabs_huge = SuperSlabsHuge,
    /// Requests handed to the system's allocator.
    system_allocations = SystemAllocations,
    /// Slots taken into use that had no pages.
    clean_slots_taken = CleanSlotsTaken,
    /// Times that learning has decided: for a thread's classes, or about memory.
    learn_windows = LearnWindows,
    /// Classes that learning has found cold; what their thread held of them went back.
    learn_cooled = LearnCooled,
    /// Cold classes that were wanted again at once.
    learn_regretted = LearnRegretted,
    /// Fronts that learning has enlarged.
    learn_enlarged = LearnEnlarged,
    /// Times that learning has changed how memory is kept.
    learn_memory = LearnMemory,
}

/// Counts of one tier.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TierStatistics {
    /// Blocks that the program holds.
    pub live: usize,
    /// Their bytes, as rounded up.
    pub live_bytes: usize,
    /// Bytes of blocks that threads hold free.
    pub cached_bytes: usize,
    /// Bytes of blocks that are free in their slabs.
    pub free_bytes: usize,
}

/// The state of the heap; see [`statistics`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// By size class, smallest first.
    pub classes: [ClassStatistics; CLASSES],
    /// TINY, POOL, MID and LARGE.
    pub tiers: [TierStatistics; 4],
    /// Behind the thread caches.
    pub pool: PoolStatistics,
    /// Bytes of user memory that are mapped: SuperSlabs and large mappings.
    pub mapped: usize,
    /// Bytes of it that are in memory.
    pub resident: usize,
    /// Bytes of slots that are free and not known to be zero.
    pub dirty: usize,
    /// Empty SuperSlabs in the cache.
    pub superslabs_cached: usize,
    /// Bytes of metadata in use.
    pub metadata: usize,
}

/// Names of the tiers, as in [`Statistics::tiers`].
pub const TIERS: [&str; 4] = ["tiny", "pool", "mid", "large"];

/// Counts everything there is to count now. Takes time: it walks the heap.
#[must_use]
pub fn statistics() -> Statistics {
    // Locks are taken: a signal handler must not come in between.
    let _quiet = Quiet::begin();
    let mut statistics = Statistics {
        classes: [ClassStatistics::default(); CLASSES],
        tiers: [TierStatistics::default(); 4],
        pool: PoolStatistics::now(),
        mapped: counters::large_bytes(),
        resident: 0,
        dirty: counters::slots_dirty() * SLOT_BYTES,
        superslabs_cached: shared_pool::cached(),
        metadata: metadata::usage().0,
    };
    for class in SizeClass::all() {
        count_class(class, &mut statistics.classes[class.index()]);
    }
    for slab in REGISTRY.slabs() {
        count_slab(slab, &mut statistics);
    }
    count_memory(&mut statistics);
    count_tiers(&mut statistics);
    statistics
}

fn count_class(class: SizeClass, counts: &mut ClassStatistics) {
    counts.block_bytes = class.bytes();
    for cache in ThreadCache::all() {
        counts.cached += cache.front_entries(class).len() + cache.list(class).len() as usize;
        let of_cache = cache.counts(class);
        counts.misses += of_cache.misses.get();
        counts.refills += of_cache.refills.get();
        counts.refilled += of_cache.refilled.get();
        counts.list_hits += of_cache.list_hits.get();
        counts.drains += of_cache.drains.get();
        counts.drained += of_cache.drained.get();
        counts.remote_freed += of_cache.remote_freed.get();
        counts.remote_published += of_cache.remote_published.get();
        counts.collected += of_cache.collected.get();
        let held_back = cache
            .held_back()
            .filter(|(slab, ..)| slab.kind() == Kind::Blocks && slab.class() == class)
            .map(|(_, _, bits)| bits.count_ones() as usize)
            .sum::<usize>();
        counts.cached += held_back;
        // The others were counted when they were sent home.
        counts.remote_freed += held_back as u64;
    }
}

fn count_slab(slab: &Slab, statistics: &mut Statistics) {
    match slab.kind() {
        Kind::Blocks => {
            let counts = &mut statistics.classes[slab.class().index()];
            counts.slabs += 1;
            counts.blocks += slab.blocks() - Slab::FIRST;
            counts.free += slab.count_free();
        }
        Kind::Run | Kind::Mapping => {
            let tier = &mut statistics.tiers[Tier::Large as usize];
            tier.live += 1;
            tier.live_bytes += slab.block_bytes();
            if slab.kind() == Kind::Mapping {
                // SAFETY: a registered mapping is mapped.
                let pages = unsafe { memory::resident_pages(slab.start(), slab.block_bytes()) };
                statistics.resident += pages * memory::PAGE;
            }
        }
        Kind::Closed => {}
    }
}

/// What SuperSlabs and the stock of units have.
fn count_memory(statistics: &mut Statistics) {
    REGISTRY.for_each_superslab(|superslab| {
        statistics.mapped += SUPERSLAB_BYTES;
        // SAFETY: registered SuperSlabs are mapped.
        let pages = unsafe { memory::resident_pages(superslab.base(), SUPERSLAB_BYTES) };
        statistics.resident += pages * memory::PAGE;
    });
    unit_stock::for_each(|start, bytes| {
        statistics.mapped += bytes;
        statistics.dirty += bytes;
        // SAFETY: units in stock are mapped; should they be given back meanwhile, their
        // address space is reserved still, and mincore only reads.
        let pages = unsafe { memory::resident_pages(start, bytes) };
        statistics.resident += pages * memory::PAGE;
    });
}

/// What can be said once all slabs are counted.
fn count_tiers(statistics: &mut Statistics) {
    for class in SizeClass::all() {
        let counts = &mut statistics.classes[class.index()];
        counts.live = counts.blocks.saturating_sub(counts.free + counts.cached);
        let tier = &mut statistics.tiers[class.tier() as usize];
        tier.live += counts.live;
        tier.live_bytes += counts.live * counts.block_bytes;
        tier.cached_bytes += counts.cached * counts.block_bytes;
        tier.free_bytes += counts.free * counts.block_bytes;
    }
}

/// Writes the table to standard error.
pub(crate) fn print() {
    let mut line = [0u8; 512];
    let mut len = 0;
    // A line a write, so that other writers' lines come between and not within.
    statistics().write_table(&mut |piece| {
        for &byte in piece {
            line[len] = byte;
            len += 1;
            if byte == b'\n' || len == line.len() {
                stderr::write(&line[..len]);
                len = 0;
            }
        }
    });
}
