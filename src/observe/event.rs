//! What happens in the allocator beside allocations and frees, for observers.

use super::{Cache, Occasion, SlabCounts};

/// A point in the allocator's work that is neither an allocation nor a free.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A class's front had no block for a request.
    Missed { class: usize },
    /// Blocks came from a class's list.
    FromList { class: usize },
    /// So many blocks came to a class from its slabs.
    Refilled { class: usize, blocks: usize },
    /// Of the blocks that a refill wanted so many were taken from a slab, whose counts were
    /// `before` and are `after`.
    Taken {
        slab: usize,
        class: usize,
        wanted: usize,
        taken: usize,
        before: SlabCounts,
        after: SlabCounts,
    },
    /// A class was full, and so many blocks went back to their slabs.
    Drained { class: usize, blocks: usize },
    /// Blocks came to a class's list or left it.
    Listed { class: usize, cache: &'a dyn Cache },
    /// This thread's cache, or each one in turn, is shown.
    Shown {
        cache: &'a dyn Cache,
        occasion: Occasion,
    },
    /// Every cache has been shown.
    AllShown { occasion: Occasion },
    /// Another thread's block was freed.
    RemoteFreed { block: usize },
    /// So many blocks came back to a slab from other threads.
    Collected { slab: usize, blocks: usize },
    /// A slab was opened at this address.
    SlabOpened { start: usize, class: usize },
    /// A slab was closed.
    SlabClosed { start: usize, class: usize },
    /// A word of a slab's bitmap of free blocks changed.
    MaskChanged {
        slab: usize,
        word: usize,
        before: u64,
        after: u64,
    },
    /// A slab was entered in the registry.
    Registered { start: usize, slots: usize },
    /// A slab was taken out of the registry.
    Unregistered { start: usize, slots: usize },
    /// A SuperSlab was entered in the registry.
    SuperSlabRegistered { base: usize },
    /// A SuperSlab was taken out of the registry.
    SuperSlabUnregistered { base: usize },
    /// The registry was asked for an address; 0 if nothing is there, else the slab's start.
    LookedUp { address: usize, found: usize },
    /// A SuperSlab was mapped.
    SuperSlabMapped { base: usize },
    /// A SuperSlab was given back to the system.
    SuperSlabFreed { base: usize },
    /// An empty SuperSlab was put in the cache, which holds so many now.
    CacheKept { base: usize, cached: usize },
    /// A SuperSlab was taken out of the cache, to be used.
    CacheTaken { base: usize, cached: usize },
    /// A SuperSlab was taken out of the cache, to be given back.
    CacheEvicted {
        base: usize,
        cached: usize,
        why: &'static str,
    },
    /// The pages of a cached SuperSlab were given back.
    CachePurged { base: usize, why: &'static str },
    /// A SuperSlab was mapped and populated ahead of need, the last but so many; for a class,
    /// or for the cache.
    Prewarmed {
        base: usize,
        class: Option<usize>,
        left: usize,
    },
    /// Learning has changed a number, of a class or of the heap.
    Learnt {
        what: &'static str,
        class: Option<usize>,
        from: usize,
        to: usize,
    },
    /// Armed memory was written to, as far as is known by the instruction that `pc` lies in; 0
    /// if it is not known. A word changed from `old` to `new`. `frames` is the stack, with `pc`
    /// first; `class` is that of the block.
    WatchHit {
        address: usize,
        pc: usize,
        old: u64,
        new: u64,
        class: usize,
        frames: &'a [u64],
    },
    /// Something wrong was found and told, in this text.
    Found {
        kind: u8,
        address: usize,
        text: &'a [u8],
    },
}
