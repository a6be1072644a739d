//! What observers may ask of a thread's cache, which lies above them.

use crate::block::FreeList;

/// A thread's cache, as observers see it. What another thread is changing meanwhile shows as
/// it happens to be read.
pub(crate) trait Cache {
    /// The kernel's number of its thread, or of its last one.
    fn thread(&self) -> u32;

    /// Whether it is the calling thread's, and so holds still.
    fn is_own(&self) -> bool;

    /// Whether a thread has it, or why none does.
    fn whose(&self) -> &'static str;

    /// What it has of a class.
    fn class(&self, class: usize) -> ClassState;

    /// The list of a class behind the front.
    fn list(&self, class: usize) -> &FreeList;

    /// What `block` is on the cache's list of a class.
    fn place(&self, block: *const u8, class: usize) -> Place;
}

/// What a cache has of one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassState {
    /// Bytes of a block.
    pub(crate) bytes: usize,
    /// Blocks in the front, and its capacity.
    pub(crate) front: usize,
    pub(crate) capacity: usize,
    /// Blocks on the list, and the most that it may have.
    pub(crate) list: usize,
    pub(crate) list_capacity: usize,
    /// Blocks that the next refill brings.
    pub(crate) batch: usize,
    pub(crate) heat: usize,
    pub(crate) hot: bool,
    /// The current slab's start, and its counts.
    pub(crate) current: Option<(usize, SlabCounts)>,
    /// Other slabs with free blocks, and those blocks.
    pub(crate) partial: usize,
    pub(crate) partial_free: usize,
    /// Other threads' blocks that wait to be sent home.
    pub(crate) held_back: usize,
}

/// How many of a slab's blocks are out, and how many bits of its bitmap are set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlabCounts {
    pub(crate) used: usize,
    pub(crate) free: usize,
}

/// What an address is that stands on a list of free blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// No block of the heap.
    NoBlock,
    /// A block of another class.
    OtherClass,
    /// A block of a slab that another cache has.
    OtherCache,
    /// One that is not noted as listed.
    Unlisted,
    /// A block that belongs there.
    Listed,
}

/// Why a cache is shown to the observers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occasion {
    /// Its thread ends; what it holds has not been given back yet.
    ThreadEnds,
    /// The process exits.
    Exit,
    /// Somebody asked for it.
    Demand,
    /// This process has just been forked off.
    Forked,
}
