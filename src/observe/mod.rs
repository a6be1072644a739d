//! What watches the allocator: one trait, whose hooks default to nothing, and one
//! alias that says what is compiled in.
//!
//! The release build compiles [`Silent`], and the compiler removes every call: nothing
//! of the hooks is left in the binary. Observers record here and translate elsewhere: a
//! hook must not allocate, lock, or call the dynamic loader.

// What nothing observes in this build is passed to hooks and read by none.
#![allow(dead_code)]

use crate::fault::Fault;
use core::ptr::NonNull;

/// The function family through which a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Api {
    /// Sizes and alignments without a family: `malloc`, `GlobalAlloc`, `operator new`.
    Plain,
    /// Memory that has to read as zero.
    Zeroed,
    /// An alignment above that of every block.
    Aligned,
}

/// A request for memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) api: Api,
}

/// A point in the allocator's work that is neither an allocation nor a free.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A class's front was filled with so many blocks.
    Refilled { class: usize, blocks: usize },
    /// So many blocks went back from a class's front to their slabs.
    Drained { class: usize, blocks: usize },
    /// Another thread's block was freed.
    RemoteFreed { block: usize },
    /// So many blocks came back to a slab from other threads.
    Collected { slab: usize, blocks: usize },
    /// A slab was opened at this address.
    SlabOpened { start: usize, class: usize },
    /// A slab was closed.
    SlabClosed { start: usize, class: usize },
    /// A thread took a cache, one of an ended thread's or a new one.
    ThreadBegan { adopted: bool },
    /// A thread parked its cache.
    ThreadEnded,
}

/// What to do about a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Say so on one line and abort.
    Abort,
}

/// Watches the allocator.
pub(crate) trait Observer: 'static {
    /// Kept per thread, in the cold part of its cache; has no destructor.
    type Local: 'static;
    const NEW: Self::Local;
    /// Kept per slab, at the end of its header.
    type PerSlab: 'static;
    const SLAB: Self::PerSlab;
    /// Whether any hook does anything.
    const ACTIVE: bool = true;
    /// Bytes added to each request before its class is chosen.
    const TAIL: usize = 0;
    /// The observer writes into fresh memory, so none is known to be zero.
    const DIRTIES: bool = false;

    /// A block is handed out. The thread's cache is real.
    #[inline(always)]
    fn allocated(_: &Self::Local, _: NonNull<u8>, _: &Request) {}

    /// First thing in a free. Says which block goes back now: this one, an older one, or none.
    #[inline(always)]
    fn freeing(_: &Self::Local, block: NonNull<u8>) -> Option<NonNull<u8>> {
        Some(block)
    }

    /// Asked on slow paths: a block whose free was put off and is due now.
    #[inline(always)]
    fn overdue(_: &Self::Local) -> Option<NonNull<u8>> {
        None
    }

    /// A block is about to be resized; says whether it may stay where it is.
    #[inline(always)]
    fn resizing(_: &Self::Local, _: NonNull<u8>, _: &Request) -> bool {
        true
    }

    /// What a block of `class_bytes` offers to the program.
    #[inline(always)]
    fn usable(_: NonNull<u8>, class_bytes: usize) -> usize {
        class_bytes
    }

    /// Something else happened.
    #[inline(always)]
    fn event(_: &Self::Local, _: Event) {}

    /// Something is wrong.
    #[inline(always)]
    fn suspicious(_: Fault, _: *const u8) -> Verdict {
        Verdict::Abort
    }
}

/// Observes nothing.
pub(crate) struct Silent;

impl Observer for Silent {
    type Local = ();
    const NEW: () = ();
    type PerSlab = ();
    const SLAB: () = ();
    const ACTIVE: bool = false;
}

/// Both, in turn; the second sees what the first made of it.
impl<A: Observer, B: Observer> Observer for (A, B) {
    type Local = (A::Local, B::Local);
    const NEW: Self::Local = (A::NEW, B::NEW);
    type PerSlab = (A::PerSlab, B::PerSlab);
    const SLAB: Self::PerSlab = (A::SLAB, B::SLAB);
    const ACTIVE: bool = A::ACTIVE || B::ACTIVE;
    const TAIL: usize = A::TAIL + B::TAIL;
    const DIRTIES: bool = A::DIRTIES || B::DIRTIES;

    #[inline(always)]
    fn allocated(local: &Self::Local, block: NonNull<u8>, request: &Request) {
        A::allocated(&local.0, block, request);
        B::allocated(&local.1, block, request);
    }

    #[inline(always)]
    fn freeing(local: &Self::Local, block: NonNull<u8>) -> Option<NonNull<u8>> {
        B::freeing(&local.1, A::freeing(&local.0, block)?)
    }

    #[inline(always)]
    fn overdue(local: &Self::Local) -> Option<NonNull<u8>> {
        A::overdue(&local.0).or_else(|| B::overdue(&local.1))
    }

    #[inline(always)]
    fn resizing(local: &Self::Local, block: NonNull<u8>, request: &Request) -> bool {
        A::resizing(&local.0, block, request) && B::resizing(&local.1, block, request)
    }

    #[inline(always)]
    fn usable(block: NonNull<u8>, class_bytes: usize) -> usize {
        B::usable(block, A::usable(block, class_bytes))
    }

    #[inline(always)]
    fn event(local: &Self::Local, event: Event) {
        A::event(&local.0, event);
        B::event(&local.1, event);
    }

    #[inline(always)]
    fn suspicious(fault: Fault, address: *const u8) -> Verdict {
        A::suspicious(fault, address);
        B::suspicious(fault, address)
    }
}

/// What this build observes with.
pub(crate) type Observed = Silent;
