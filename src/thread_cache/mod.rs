//! A thread's cache: the blocks, lists and slabs that a thread uses without asking anybody.
//!
//! ```text
//! malloc ◄── front ◄─refill── list ◄──┬── current slab ◄── inbox ◄── frees by other threads
//! free ────► (SFC) ──spill──► (SLL) ──┘   partial and waiting slabs
//!                └──drain──► slabs          └── shared pool
//! ```
//!
//! 1. One thread at a time owns a cache: the one whose word points to it, or who holds the
//!    lock of the list that it was taken from. All fields but the inbox are the owner's.
//! 2. A slab of ours is current, or on `partial` or `waiting` (it has free blocks), or full and
//!    nowhere.
//! 3. Fronts and lists hold blocks of slabs of ours alone.
//! 4. `busy` is set while a slow path changes the cache, and the thread's front is a constant
//!    one meanwhile: a signal handler that comes in between leaves the cache alone, and so
//!    does a fork's child.
//! 5. Caches are never unmapped.

mod busy;
mod capacity;
mod contradiction;
mod ending;
pub(crate) mod front;
mod learning;
mod list;
pub(crate) mod parked;
mod pool_arena;
mod refill;
mod remote;
mod remote_buffer;
mod shelf;
mod slabs;
mod spill;
mod view;
mod waiting;

use crate::block::FreeList;
use crate::config;
use crate::counters::{self, Counter};
use crate::inbox::Inbox;
use crate::metadata;
use crate::name::{Name, name};
use crate::observe::{Observed, Observer};
use crate::registry::REGISTRY;
use crate::size_class::{CLASSES, SizeClass};
use crate::slab::Slab;
pub(crate) use busy::{Busy, NoCache};
use capacity::WORDS;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use front::{Bin, Front};
use learning::Learning;
use pool_arena::PoolArena;
use remote_buffer::RemoteBuffer;
pub(crate) use shelf::{Counts, Shelf};
use waiting::Waiting;

/// Who has a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum State {
    /// A thread that runs.
    Live = 1,
    /// Nobody; the next thread to begin adopts it.
    Parked = 2,
    /// Nobody, for ever: a fork copied it in the middle of a change.
    Frozen = 3,
}

/// See the head of this file.
#[repr(C, align(128))]
pub(crate) struct ThreadCache {
    front: Front,
    shelves: [Shelf; CLASSES],
    busy: Cell<u32>,
    hot_classes: Cell<u32>,
    /// Key-destructor rounds seen at the thread's end.
    rounds: Cell<u32>,
    thread: Cell<u32>,
    arena: PoolArena,
    /// Its capacities are those of the options as read, not the defaults.
    is_configured: Cell<bool>,
    /// Written by the owner, Relaxed; read by who looks at all caches.
    state: AtomicU32,
    /// The cache made before this one. Set before the cache is published, never changed.
    made_before: Cell<*const ThreadCache>,
    parked_below: Cell<*const ThreadCache>,
    /// It is one of the ended threads' caches that keep some of their free blocks.
    is_warm: Cell<bool>,
    local: <Observed as Observer>::Local,
    learning: Learning,
    inbox: Aligned<Inbox>,
    words: [Cell<*mut u8>; WORDS],
    remote: RemoteBuffer,
    /// Of each class, the slabs that wait to be whole.
    waiting: [Waiting; CLASSES],
}

/// Apart from what the owner writes.
#[repr(C, align(128))]
struct Aligned<T>(T);

/// All caches, the newest first. Pushed Release, read Acquire.
static ALL: AtomicPtr<ThreadCache> = AtomicPtr::new(ptr::null_mut());

impl ThreadCache {
    pub(crate) const OFFSETS: [(Name, usize); 22] = {
        let (list_head, list_len) = FreeList::OFFSETS;
        let (bins, top, end, bin) = Front::OFFSETS;
        let [remote_entries, remote_entry, slab, words, count] = RemoteBuffer::OFFSETS;
        let list = offset_of!(Shelf, list);
        [
            (name("cache.bins"), offset_of!(ThreadCache, front) + bins),
            (name("bin.top"), top),
            (name("bin.end"), end),
            (name("bin.bytes"), bin),
            (name("cache.shelves"), offset_of!(ThreadCache, shelves)),
            (name("shelf.bytes"), size_of::<Shelf>()),
            (name("shelf.bottom"), offset_of!(Shelf, bottom)),
            (name("shelf.capacity"), offset_of!(Shelf, capacity)),
            (name("shelf.current"), offset_of!(Shelf, current)),
            (name("shelf.partial"), offset_of!(Shelf, partial)),
            (
                name("shelf.list.capacity"),
                offset_of!(Shelf, list_capacity),
            ),
            (name("shelf.list.head"), list + list_head),
            (name("shelf.list.len"), list + list_len),
            (name("cache.busy"), offset_of!(ThreadCache, busy)),
            (name("cache.state"), offset_of!(ThreadCache, state)),
            (
                name("cache.made_before"),
                offset_of!(ThreadCache, made_before),
            ),
            (
                name("cache.remote.entries"),
                offset_of!(ThreadCache, remote) + remote_entries,
            ),
            (name("remote.entries"), RemoteBuffer::ENTRIES),
            (name("remote_entry.bytes"), remote_entry),
            (name("remote_entry.slab"), slab),
            (name("remote_entry.words"), words),
            (name("remote_entry.count"), count),
        ]
    };
    /// Where the inbox stands that a slab's `owner` points to.
    pub(crate) const INBOX_OFFSET: usize = offset_of!(ThreadCache, inbox);
    /// Where the kernel's number of the owning thread stands.
    pub(crate) const THREAD_OFFSET: usize = offset_of!(ThreadCache, thread);

    /// The cache that a front is part of.
    #[inline(always)]
    pub(crate) fn of(front: &'static Front) -> &'static ThreadCache {
        debug_assert!(front.is_real());
        // SAFETY: a real front is the first member of a cache, which is never unmapped.
        unsafe { &*ptr::from_ref(front).cast::<ThreadCache>() }
    }

    /// A new cache that no thread has; `None` without memory.
    pub(crate) fn make() -> Option<&'static ThreadCache> {
        let memory =
            metadata::allocate_at(front::OFFSET, size_of::<ThreadCache>())?.cast::<ThreadCache>();
        // SAFETY: zeroed memory of that size and alignment, for good. Zero bytes are valid
        // for every field: cells of integers and of null pointers, and an inbox without
        // mail; the front's table is set up, and the observers' part is written.
        unsafe {
            Front::set_up(memory.cast());
            (&raw mut (*memory.as_ptr()).local).write(Observed::NEW);
            (&raw mut (*memory.as_ptr()).inbox.0).write(Inbox::new());
        }
        // SAFETY: initialised above; caches are never unmapped.
        let cache = unsafe { memory.as_ref() };
        cache.configure();
        cache.state.store(State::Live as u32, Ordering::Relaxed);
        let new = memory.as_ptr();
        let mut head = ALL.load(Ordering::Relaxed);
        loop {
            cache.made_before.set(head);
            match ALL.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        counters::add(Counter::CachesMade, 1);
        Some(cache)
    }

    /// Every cache there is, the newest first.
    pub(crate) fn all() -> impl Iterator<Item = &'static ThreadCache> {
        let mut at: *const ThreadCache = ALL.load(Ordering::Acquire);
        core::iter::from_fn(move || {
            // SAFETY: caches are never unmapped.
            let cache = unsafe { at.as_ref() }?;
            at = cache.made_before.get();
            Some(cache)
        })
    }

    /// The address of the head of the list of all caches, for readers of a core file.
    pub(crate) fn all_address() -> usize {
        ptr::from_ref(&ALL) as usize
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            2 => State::Parked,
            3 => State::Frozen,
            _ => State::Live,
        }
    }

    pub(crate) fn counts(&self, class: SizeClass) -> &Counts {
        &self.shelf(class).counts
    }

    pub(crate) fn local(&self) -> &<Observed as Observer>::Local {
        &self.local
    }

    fn shelf(&self, class: SizeClass) -> &Shelf {
        &self.shelves[class.index()]
    }

    /// The slabs of a class that wait to be whole.
    fn waiting(&self, class: SizeClass) -> &Waiting {
        &self.waiting[class.index()]
    }

    fn bin(&self, class: SizeClass) -> &Bin {
        self.front.bin(class)
    }

    fn is_front_empty(&self, class: SizeClass) -> bool {
        self.front_entries(class).is_empty()
    }

    /// The blocks in the front of a class, the oldest first.
    pub(crate) fn front_entries(&self, class: SizeClass) -> &[Cell<*mut u8>] {
        // SAFETY: the shelf has the bottom of its bin's array.
        unsafe {
            self.bin(class).entries(
                self.shelf(class).bottom.get(),
                self.shelf(class).capacity.get() as usize,
            )
        }
    }

    /// The blocks on the list of a class.
    pub(crate) fn list(&self, class: SizeClass) -> &FreeList {
        &self.shelf(class).list
    }

    /// The blocks of others that wait to be sent home: a slab, a word of its bitmap, and the
    /// blocks in it.
    pub(crate) fn held_back(&self) -> impl Iterator<Item = (&'static Slab, usize, u64)> {
        self.remote.entries()
    }

    /// Takes over what the registry has grown by.
    fn refresh_view(&self) {
        let view = REGISTRY.view();
        let limit = if config::get().tiny_header_classidx {
            view.limit
        } else {
            0
        };
        self.front.set_view(view.base, limit, view.owners);
    }

    /// Whether its thread is not in the middle of a change of the cache, or of its slabs.
    fn is_quiet(&self) -> bool {
        self.state() == State::Live && self.thread.get() != 0 && self.busy.get() == 0
    }

    /// Whether a slab is this cache's.
    pub(crate) fn owns(&self, slab: &Slab) -> bool {
        ptr::eq(slab.owner(), &self.inbox.0)
    }
}
