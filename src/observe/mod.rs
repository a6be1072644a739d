//! What watches the allocator: one trait, whose hooks default to nothing, and one
//! alias that says what is compiled in.
//!
//! The release build compiles [`Silent`], and the compiler removes every call: nothing
//! of the hooks is left in the binary. Observers record here and translate elsewhere: a
//! hook must not allocate, lock, or call the dynamic loader.
//!
//! 1. Hooks of a block run where the thread has a real cache, and the call came through a
//!    function that is observed while anything is switched on.
//! 2. A hook may be interrupted by a signal handler that allocates, and so by another hook.

// What nothing observes in this build is passed to hooks and read by none.
#![allow(dead_code)]

pub(crate) mod api;
mod cache;
#[cfg(feature = "observed")]
pub(crate) mod caller;
#[cfg(not(feature = "observed"))]
#[path = "unseen.rs"]
pub(crate) mod caller;
#[cfg(feature = "diagnostics")]
mod diagnostics;
#[cfg(feature = "integrity")]
pub(crate) mod integrity;
pub(crate) mod kept;
#[cfg(feature = "trace")]
mod known_stacks;
#[cfg(any(feature = "diagnostics", feature = "integrity", feature = "trace"))]
mod line_file;
#[cfg(feature = "integrity")]
pub(crate) use integrity::ranges as memory;
#[cfg(not(feature = "integrity"))]
#[path = "unchecked.rs"]
pub(crate) mod memory;
#[cfg(feature = "observed")]
pub(crate) mod modules;
#[cfg(any(feature = "trace", feature = "integrity", feature = "pump"))]
mod own_memory;
#[cfg(any(feature = "watch", feature = "integrity"))]
pub(crate) mod report;
#[cfg(feature = "observed")]
pub(crate) mod settings;
#[cfg(not(feature = "observed"))]
#[path = "unset.rs"]
pub(crate) mod settings;
#[cfg(any(feature = "watch", feature = "integrity"))]
mod site;
#[cfg(feature = "observed")]
pub(crate) mod stack;
#[cfg(any(feature = "trace", feature = "integrity"))]
mod stack_ids;
#[cfg(feature = "trace")]
mod trace;
#[cfg(any(feature = "diagnostics", feature = "trace"))]
mod trace_lines;
#[cfg(any(feature = "trace", feature = "watch", feature = "pump"))]
mod used;
#[cfg(feature = "watch")]
pub(crate) mod watch;
pub(crate) mod watch_error;

#[cfg(feature = "pump")]
extern crate std;
#[cfg(feature = "pump")]
mod stream;
// The program's side of it, in a layer of its own.
#[cfg(feature = "pump")]
#[path = "../pump/mod.rs"]
pub mod pump;

/// What programs see of the observers in this build.
pub(crate) mod offered {
    #[cfg(feature = "pump")]
    pub use super::pump;
}

use crate::fault::{Call, Fault};
pub(crate) use cache::{Cache, ClassState, Occasion, Place, SlabCounts};
use caller::Caller;
use core::ptr::NonNull;
use kept::{Keep, Kept};
use watch_error::WatchError;

/// A request for memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Bytes asked for.
    pub(crate) size: usize,
    /// At least 16.
    pub(crate) align: usize,
    /// Its [`Caller::other`] is the block that is resized into this one.
    pub(crate) caller: Caller,
}

/// The end of a block's use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    /// Its [`Caller::other`] is the block that this one is resized into by a copy.
    pub(crate) caller: Caller,
    /// The block goes home to another thread's slab.
    pub(crate) is_remote: bool,
}

impl Request {
    /// As [`Caller::copy`].
    #[inline(always)]
    fn copy(&self) -> Request {
        Request {
            size: self.size,
            align: self.align,
            caller: self.caller.copy(),
        }
    }
}

impl Release {
    /// As [`Caller::copy`].
    #[inline(always)]
    fn copy(&self) -> Release {
        Release {
            caller: self.caller.copy(),
            is_remote: self.is_remote,
        }
    }
}

/// A block, as hooks see it.
pub(crate) struct Block<'a, R> {
    pub(crate) address: NonNull<u8>,
    /// Bytes that it has.
    pub(crate) bytes: usize,
    /// Its size class; [`LARGE`] if it has none.
    pub(crate) class: usize,
    /// What observers keep of it; `None` where there was no memory for that.
    pub(crate) record: Option<Kept<'a, R>>,
}

/// A block of an observer's own.
pub(crate) struct Diverted {
    pub(crate) start: NonNull<u8>,
    /// It reads as zero.
    pub(crate) zero: bool,
}

/// The class of a block that has none, as the trace format has it.
pub(crate) const LARGE: usize = 254;

/// A point in the allocator's work that is neither an allocation nor a free.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A class's front had no block for a request.
    Missed { class: usize },
    /// So many blocks came from a class's list.
    FromList { class: usize, blocks: usize },
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
    /// first; `bytes`, `class` and `freed` are those of the block.
    WatchHit {
        address: usize,
        pc: usize,
        old: u64,
        new: u64,
        block: usize,
        bytes: usize,
        class: usize,
        freed: bool,
        frames: &'a [u64],
    },
    /// Something wrong was found and told, in this text.
    Found {
        kind: u8,
        address: usize,
        text: &'a [u8],
    },
}

/// What is not done unless an observer wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// [`Event::Taken`], for which bits are counted.
    Counts,
    /// [`Observer::carved`].
    Places,
    /// It fills places that nobody has had, so none is known to be zero.
    Fillings,
}

/// A path through the allocator that can be timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Path {
    Allocate,
    Free,
    Resize,
    Refill,
    Spill,
    Acquire,
    LargeAllocate,
    LargeFree,
    SendHome,
    Collect,
}

/// What to do about a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Say so on one line and abort.
    Abort,
    /// Nothing: it has been told, and the program goes on as if it had not called.
    Ignore,
}

/// How a block is resized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resize {
    /// Where it is, if it can be.
    InPlaceAllowed,
    /// Into another block.
    Move,
    /// Not at all: it is no live block, which has been told. The program gets a new one.
    Refuse,
}

impl Resize {
    /// What two observers make of it.
    fn and(self, other: Resize) -> Resize {
        match (self, other) {
            (Resize::Refuse, _) | (_, Resize::Refuse) => Resize::Refuse,
            (Resize::Move, _) | (_, Resize::Move) => Resize::Move,
            _ => Resize::InPlaceAllowed,
        }
    }
}

/// What hooks see of blocks. Ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Sees {
    /// Nothing.
    Nothing,
    /// Those in slabs by [`Observer::handed_out`] and [`Observer::taken_back`], as long as all goes
    /// well, and the rest by the other hooks.
    Brief,
    /// All, by the other hooks alone.
    All,
}

impl Sees {
    /// All, or nothing.
    fn all_if(wanted: bool) -> Sees {
        if wanted { Sees::All } else { Sees::Nothing }
    }
}

/// Watches the allocator.
pub(crate) trait Observer: 'static {
    /// Kept per thread, in the cold part of its cache; has no destructor.
    type Local: 'static;
    const NEW: Self::Local;
    /// Kept per block, beside the slab's bitmap.
    type Record: Keep;
    /// Lives as long as a path takes.
    type Span;
    /// Whether any hook does anything.
    const ACTIVE: bool = true;
    /// The first block of each slab stays the observer's, so that every other one has a block
    /// below it.
    const SKIPS_FIRST: bool = false;

    /// The process can read its environment now: says which hooks are wanted. Called
    /// once, from the first allocation, with no cache yet.
    fn set_up() -> Sees {
        Sees::Nothing
    }

    /// Whether requests are to be diverted; asked after the set-up. If nothing else is wanted, the
    /// other hooks see diverted blocks alone.
    fn diverts() -> bool {
        false
    }

    /// Bytes added to each request before its class is chosen. Before the set-up there may be more
    /// of them than after it, but no fewer.
    #[inline(always)]
    fn tail() -> usize {
        0
    }

    /// Where the arena is to be, a multiple of 2 MiB; 0 where it does not matter. Asked when it
    /// is reserved, which may be before the environment can be read.
    #[inline(always)]
    fn arena_base() -> usize {
        0
    }

    /// Whether a value of the production variable `name` that other builds do not understand is
    /// one that this build does.
    #[inline(always)]
    fn expects(name: &[u8]) -> bool {
        settings::expects(name)
    }

    /// Whether the observer wants what costs something.
    #[inline(always)]
    fn wants(_: Wish) -> bool {
        false
    }

    /// The process is about to exit, or this is a fork's child.
    fn exits() {}
    fn forked() {}

    /// Names that the observer adds to the root structure, at most.
    const NAMES: usize = 0;

    /// Adds to the root structure what a reader of a core file needs of the observer: calls `put`
    /// with names and numbers. Its lane begins `record` bytes from where the records of a slab do.
    #[inline(always)]
    fn describe(_put: fn(&str, usize), _record: usize) {}

    /// This thread has the cache from now on, or has given it up.
    fn began(_: &Self::Local, _adopted: bool) {}
    fn ended(_: &Self::Local) {}

    /// Asked before a request is served: a block of the observer's own for it.
    #[inline(always)]
    fn divert(_: &Self::Local, _: &Request) -> Option<Diverted> {
        None
    }

    /// The bytes of the block of the observer's own that begins at the address, or began there
    /// before it was freed.
    #[inline(always)]
    fn diverted(_: usize) -> Option<usize> {
        None
    }

    /// Whether an address lies where the observer's own blocks do.
    #[inline(always)]
    fn owns(_: usize) -> bool {
        false
    }

    /// Gives the block of the observer's own that begins at the address so many bytes, where it
    /// is; false if that cannot be.
    #[inline(always)]
    fn resize_diverted(_: usize, _: usize) -> bool {
        false
    }

    /// A place that nobody has had since its slab was opened may be handed out from now on: the
    /// block is free, or the observer's own first one. The slab's owner is in the middle of a
    /// change, so no signal handler of its thread will have the block meanwhile. Or, where the last
    /// argument is false, it is out since before anybody wanted to know.
    #[inline(always)]
    fn carved(_: &Block<'_, Self::Record>, _is_free: bool) {}

    /// A block is handed out. The thread's cache is real.
    #[inline(always)]
    fn allocated(_: &Self::Local, _: &Block<'_, Self::Record>, _: &Request) {}

    /// As [`tail`](Observer::tail) says where hooks see blocks in brief.
    const BRIEF_TAIL: usize = 0;

    /// Instead of [`allocated`](Observer::allocated) where hooks see blocks in brief: one in a slab, whose
    /// place begins at `start` and has so many bytes, and in which nobody has written yet.
    #[inline(always)]
    fn handed_out(_start: usize, _bytes: usize, _request: &Request) {}

    /// Instead of [`freeing`](Observer::freeing), likewise; false, and nothing is done, where that has to be
    /// told, or if there is no place of a block that somebody has. That `start` is a multiple of 16 in a slab
    /// of such blocks is all that is known; so there is something in front of it.
    #[inline(always)]
    fn taken_back(_start: usize, _bytes: usize, _release: &Release) -> bool {
        true
    }

    /// As [`taken_back`](Observer::taken_back), of a block that is going to be: how many bytes of it the
    /// program has.
    #[inline(always)]
    fn asked_of(_start: usize, bytes: usize, _release: &Release) -> Option<usize> {
        Some(bytes)
    }

    /// First thing in a free. Says which block goes back now: this one, an older one, or none.
    #[inline(always)]
    fn freeing(
        _: &Self::Local,
        block: &Block<'_, Self::Record>,
        _: &Release,
    ) -> Option<NonNull<u8>> {
        Some(block.address)
    }

    /// Instead of [`freeing`](Observer::freeing), where an observer that was asked before has put
    /// the free off: the program has given the block up, and it will go back without another
    /// question.
    fn put_off(_: &Self::Local, _: &Block<'_, Self::Record>, _: &Release) {}

    /// Asked on slow paths: a block whose free was put off and is due now.
    #[inline(always)]
    fn overdue(_: &Self::Local) -> Option<NonNull<u8>> {
        None
    }

    /// A block is about to be resized; says how that may be done.
    #[inline(always)]
    fn resizing(_: &Self::Local, _: &Block<'_, Self::Record>, _: &Request) -> Resize {
        Resize::InPlaceAllowed
    }

    /// A block was resized without a copy, from the address [`Caller::other`].
    #[inline(always)]
    fn resized(_: &Self::Local, _: &Block<'_, Self::Record>, _: &Request) {}

    /// A block is handed out or given back on a thread that has no cache to observe it with.
    #[inline(always)]
    fn allocated_apart(_: &Block<'_, Self::Record>, _: &Request) {}
    #[inline(always)]
    fn freeing_apart(_: &Block<'_, Self::Record>, _: &Release) {}

    /// A request is refused: there is no memory.
    #[inline(always)]
    fn refused(_: &Self::Local, _: &Request) {}

    /// The program marks this point, with a text, an address and a number.
    #[inline(always)]
    fn marked(_: &[u8], _: usize, _: u64, _: Caller) {}

    /// The allocator is about to say what it found wrong, and to end the process.
    #[inline(always)]
    fn aborting(_: Call, _: *const u8, _: Fault) {}

    /// A request or a free came through an observed function on a thread that has no cache to
    /// observe it with: one that ends, or a signal handler in the middle of a change.
    #[inline(always)]
    fn missed() {}

    /// Fills a new block of `size` bytes with zeroes, if that is to be done in another way than by
    /// `memset`, which the library may define; says whether it has.
    ///
    /// # Safety
    /// The caller alone has the block, which has so many bytes.
    #[inline(always)]
    unsafe fn clears(_block: *mut u8, _size: usize) -> bool {
        false
    }

    /// What a block offers to the program.
    #[inline(always)]
    fn usable(block: &Block<'_, Self::Record>) -> usize {
        block.bytes
    }

    /// Something else happened to this thread's cache.
    #[inline(always)]
    fn event(_: &Self::Local, _: Event<'_>) {}

    /// Something happened below the thread caches; locks may be held.
    #[inline(always)]
    fn notice(_: Event<'_>) {}

    /// Watches what a rule says, from now on; its number.
    fn watch(_rule: &[u8]) -> Result<u32, WatchError> {
        Err(WatchError::NotBuilt)
    }

    /// Ends that.
    fn unwatch(_number: u32) -> Result<(), WatchError> {
        Err(WatchError::NotBuilt)
    }

    /// Whether paths are timed: short ones ask, and have a slow twin that enters a span.
    #[inline(always)]
    fn times() -> bool {
        false
    }

    /// A path is entered; it is left when the result is dropped.
    fn span(_: Path) -> Self::Span;

    /// Something is wrong with the address that the program has passed.
    #[inline(always)]
    fn suspicious(_: Call, _: *const u8, _: Fault, _: Caller) -> Verdict {
        Verdict::Abort
    }

    /// Examines all blocks, and says how many are damaged.
    fn verify() -> usize {
        0
    }

    /// Tells which blocks the program cannot reach any more, and says how many nothing points to.
    fn leaks() -> usize {
        0
    }

    /// Tells the newest events of the block at an address, the oldest of them first, as lines.
    fn recall(_address: usize, _tell: &mut dyn FnMut(&[u8])) {}
}

/// Observes nothing.
pub(crate) struct Silent;

impl Observer for Silent {
    type Local = ();
    const NEW: () = ();
    type Record = ();
    type Span = ();
    const ACTIVE: bool = false;

    #[inline(always)]
    fn span(_: Path) {}
}

/// Both, in turn; the second sees what the first made of it.
impl<A: Observer, B: Observer> Observer for (A, B) {
    type Local = (A::Local, B::Local);
    const NEW: Self::Local = (A::NEW, B::NEW);
    type Record = (A::Record, B::Record);
    type Span = (A::Span, B::Span);
    const ACTIVE: bool = A::ACTIVE || B::ACTIVE;
    const SKIPS_FIRST: bool = A::SKIPS_FIRST || B::SKIPS_FIRST;

    fn set_up() -> Sees {
        let first = A::set_up();
        B::set_up().max(first)
    }

    fn diverts() -> bool {
        A::diverts() || B::diverts()
    }

    #[inline(always)]
    fn tail() -> usize {
        A::tail() + B::tail()
    }

    #[inline(always)]
    fn arena_base() -> usize {
        let base = A::arena_base();
        if base != 0 { base } else { B::arena_base() }
    }

    #[inline(always)]
    fn expects(name: &[u8]) -> bool {
        A::expects(name) || B::expects(name)
    }

    #[inline(always)]
    fn wants(wish: Wish) -> bool {
        A::wants(wish) || B::wants(wish)
    }

    fn exits() {
        A::exits();
        B::exits();
    }

    fn forked() {
        A::forked();
        B::forked();
    }

    const NAMES: usize = A::NAMES + B::NAMES;

    #[inline(always)]
    fn describe(put: fn(&str, usize), record: usize) {
        A::describe(put, record + <B::Record as Keep>::LANES * kept::LANE);
        B::describe(put, record);
    }

    fn began(local: &Self::Local, adopted: bool) {
        A::began(&local.0, adopted);
        B::began(&local.1, adopted);
    }

    fn ended(local: &Self::Local) {
        A::ended(&local.0);
        B::ended(&local.1);
    }

    #[inline(always)]
    fn divert(local: &Self::Local, request: &Request) -> Option<Diverted> {
        A::divert(&local.0, request).or_else(|| B::divert(&local.1, request))
    }

    #[inline(always)]
    fn diverted(address: usize) -> Option<usize> {
        A::diverted(address).or_else(|| B::diverted(address))
    }

    #[inline(always)]
    fn owns(address: usize) -> bool {
        A::owns(address) || B::owns(address)
    }

    #[inline(always)]
    fn resize_diverted(address: usize, size: usize) -> bool {
        A::resize_diverted(address, size) || B::resize_diverted(address, size)
    }

    #[inline(always)]
    fn carved(block: &Block<'_, Self::Record>, is_free: bool) {
        A::carved(&block.first(), is_free);
        B::carved(&block.second(), is_free);
    }

    #[inline(always)]
    fn allocated(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) {
        A::allocated(&local.0, &block.first(), request);
        B::allocated(&local.1, &block.second(), request);
    }

    const BRIEF_TAIL: usize = A::BRIEF_TAIL + B::BRIEF_TAIL;

    #[inline(always)]
    fn handed_out(start: usize, bytes: usize, request: &Request) {
        A::handed_out(start, bytes, request);
        B::handed_out(start, bytes, request);
    }

    #[inline(always)]
    fn taken_back(start: usize, bytes: usize, release: &Release) -> bool {
        A::taken_back(start, bytes, release) && B::taken_back(start, bytes, release)
    }

    #[inline(always)]
    fn asked_of(start: usize, bytes: usize, release: &Release) -> Option<usize> {
        let asked = A::asked_of(start, bytes, release)?;
        B::asked_of(start, bytes, release).map(|other| asked.min(other))
    }

    #[inline(always)]
    fn freeing(
        local: &Self::Local,
        block: &Block<'_, Self::Record>,
        release: &Release,
    ) -> Option<NonNull<u8>> {
        if A::freeing(&local.0, &block.first(), release).is_none() {
            // A copy: a reference would have who calls this keep it in memory.
            B::put_off(&local.1, &block.second(), &release.copy());
            return None;
        }
        B::freeing(&local.1, &block.second(), release)
    }

    #[cold]
    #[inline(never)]
    fn put_off(local: &Self::Local, block: &Block<'_, Self::Record>, release: &Release) {
        A::put_off(&local.0, &block.first(), release);
        B::put_off(&local.1, &block.second(), release);
    }

    #[inline(always)]
    fn overdue(local: &Self::Local) -> Option<NonNull<u8>> {
        A::overdue(&local.0).or_else(|| B::overdue(&local.1))
    }

    #[inline(always)]
    fn resizing(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) -> Resize {
        A::resizing(&local.0, &block.first(), request).and(B::resizing(
            &local.1,
            &block.second(),
            request,
        ))
    }

    #[inline(always)]
    fn resized(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) {
        A::resized(&local.0, &block.first(), request);
        B::resized(&local.1, &block.second(), request);
    }

    #[inline(always)]
    fn allocated_apart(block: &Block<'_, Self::Record>, request: &Request) {
        A::allocated_apart(&block.first(), request);
        B::allocated_apart(&block.second(), request);
    }

    #[inline(always)]
    fn freeing_apart(block: &Block<'_, Self::Record>, release: &Release) {
        A::freeing_apart(&block.first(), release);
        B::freeing_apart(&block.second(), release);
    }

    #[inline(always)]
    fn refused(local: &Self::Local, request: &Request) {
        A::refused(&local.0, request);
        B::refused(&local.1, request);
    }

    #[inline(always)]
    fn marked(text: &[u8], address: usize, value: u64, caller: Caller) {
        A::marked(text, address, value, caller);
        B::marked(text, address, value, caller);
    }

    #[inline(always)]
    fn aborting(call: Call, address: *const u8, fault: Fault) {
        A::aborting(call, address, fault);
        B::aborting(call, address, fault);
    }

    #[inline(always)]
    fn missed() {
        A::missed();
        B::missed();
    }

    #[inline(always)]
    unsafe fn clears(block: *mut u8, size: usize) -> bool {
        // SAFETY: the caller's clause.
        unsafe { A::clears(block, size) || B::clears(block, size) }
    }

    #[inline(always)]
    fn usable(block: &Block<'_, Self::Record>) -> usize {
        A::usable(&block.first()).min(B::usable(&block.second()))
    }

    #[inline(always)]
    fn event(local: &Self::Local, event: Event<'_>) {
        A::event(&local.0, event);
        B::event(&local.1, event);
    }

    #[inline(always)]
    fn notice(event: Event<'_>) {
        A::notice(event);
        B::notice(event);
    }

    fn watch(rule: &[u8]) -> Result<u32, WatchError> {
        match A::watch(rule) {
            Err(WatchError::NotBuilt) => B::watch(rule),
            result => result,
        }
    }

    fn unwatch(number: u32) -> Result<(), WatchError> {
        match A::unwatch(number) {
            Err(WatchError::NotBuilt) => B::unwatch(number),
            result => result,
        }
    }

    #[inline(always)]
    fn times() -> bool {
        A::times() || B::times()
    }

    #[inline(always)]
    fn span(path: Path) -> Self::Span {
        (A::span(path), B::span(path))
    }

    #[inline(always)]
    fn suspicious(call: Call, address: *const u8, fault: Fault, caller: Caller) -> Verdict {
        match A::suspicious(call, address, fault, caller) {
            Verdict::Ignore => Verdict::Ignore,
            Verdict::Abort => B::suspicious(call, address, fault, caller),
        }
    }

    fn verify() -> usize {
        A::verify() + B::verify()
    }

    #[inline(always)]
    fn leaks() -> usize {
        A::leaks() + B::leaks()
    }

    fn recall(address: usize, tell: &mut dyn FnMut(&[u8])) {
        A::recall(address, tell);
        B::recall(address, tell);
    }
}

impl<R> Block<'_, R> {
    /// By value: a reference to one that is in registers would bring it into memory.
    #[inline(always)]
    fn copy(&self) -> Self {
        Block { ..*self }
    }
}

impl<A: Keep, B: Keep> Block<'_, (A, B)> {
    /// As the first of two observers sees it.
    #[inline(always)]
    fn first(&self) -> Block<'_, A> {
        Block {
            address: self.address,
            bytes: self.bytes,
            class: self.class,
            record: self.record.map(Kept::first),
        }
    }

    /// As the second of two observers sees it.
    #[inline(always)]
    fn second(&self) -> Block<'_, B> {
        Block {
            address: self.address,
            bytes: self.bytes,
            class: self.class,
            record: self.record.map(Kept::second),
        }
    }
}

/// What this build observes with, in the order in which they see an event.
pub(crate) type Observed = (Recording, (Watching, (Diagnosing, (Streaming, Checking))));

#[cfg(feature = "trace")]
type Recording = trace::Recorder;
#[cfg(not(feature = "trace"))]
type Recording = Silent;
#[cfg(feature = "watch")]
type Watching = watch::Watch;
#[cfg(not(feature = "watch"))]
type Watching = Silent;
#[cfg(feature = "diagnostics")]
type Diagnosing = diagnostics::Diagnostics;
#[cfg(not(feature = "diagnostics"))]
type Diagnosing = Silent;
#[cfg(feature = "pump")]
use stream::Streaming;
#[cfg(not(feature = "pump"))]
type Streaming = Silent;

// Last, for what it puts off the others have seen.
#[cfg(feature = "integrity")]
use integrity::Checking;
#[cfg(not(feature = "integrity"))]
type Checking = Silent;

/// What of it is compiled in, by feature.
#[cfg(feature = "trace")]
pub(crate) const FEATURES: [(&str, bool); 4] = [
    ("trace", cfg!(feature = "trace")),
    ("watch", cfg!(feature = "watch")),
    ("diagnostics", cfg!(feature = "diagnostics")),
    ("integrity", cfg!(feature = "integrity")),
];

/// What is kept of each block in this build.
pub(crate) type Record = <Observed as Observer>::Record;

/// A block, as integrity sees it.
#[cfg(feature = "integrity")]
#[inline(always)]
fn checked_block<'a>(block: &Block<'a, Record>) -> Block<'a, integrity::BlockRecord> {
    Block {
        address: block.address,
        bytes: block.bytes,
        class: block.class,
        record: block.record.map(checked),
    }
}

/// The part of it that integrity keeps.
#[cfg(feature = "integrity")]
#[inline(always)]
fn checked(record: Kept<'_, Record>) -> Kept<'_, integrity::BlockRecord> {
    record.second().second().second().second()
}
