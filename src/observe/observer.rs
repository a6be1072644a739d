//! The trait of all that observes, and what its hooks answer with; and the observer of nothing.

use super::caller::Caller;
use super::kept::Keep;
use super::{Block, Diverted, Event, Release, Request, WatchError, settings};
use crate::fault::{Call, Fault};
use core::ptr::NonNull;

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

    /// As [`taken_back`](Observer::taken_back), of a block that is to be resized: how many bytes of it the
    /// program has.
    #[inline(always)]
    fn asked_of(_start: usize, bytes: usize, _release: &Release) -> Option<usize> {
        Some(bytes)
    }

    /// Instead of [`resized`](Observer::resized), likewise: the block has another size where it is.
    #[inline(always)]
    fn stayed(_start: usize, _bytes: usize, _request: &Request) {}

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
    fn usable(block: &Block<'_, Self::Record>, _caller: Caller) -> usize {
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

    /// Tells the newest events of the block at an address, the oldest of them first, as lines, each with the
    /// address in the code that it was called from; 0 where that is not known.
    fn recall(_address: usize, _tell: &mut dyn FnMut(&[u8], usize)) {}
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
    pub(super) fn all_if(wanted: bool) -> Sees {
        if wanted { Sees::All } else { Sees::Nothing }
    }
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
    pub(super) fn and(self, other: Resize) -> Resize {
        match (self, other) {
            (Resize::Refuse, _) | (_, Resize::Refuse) => Resize::Refuse,
            (Resize::Move, _) | (_, Resize::Move) => Resize::Move,
            _ => Resize::InPlaceAllowed,
        }
    }
}
