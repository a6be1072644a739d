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

mod contradiction;
pub(crate) mod front;
mod learning;
pub(crate) mod parked;
mod pool_arena;
mod remote_buffer;
mod shelf;
mod view;
mod waiting;

use crate::block::{self, FreeList};
use crate::config;
use crate::counters::{self, Counter};
use crate::fault::{self, Call, Fault};
use crate::inbox::Inbox;
use crate::metadata;
use crate::name::{Name, name};
use crate::observe::{Event, Observed, Observer, Occasion, Path, Wish};
use crate::registry::REGISTRY;
use crate::shared_pool::{self, Found};
use crate::size_class::{CLASSES, SizeClass, TINY_CLASSES, Tier};
use crate::slab::{Kind, Run, Site, Slab};
use crate::sys::memory;
use crate::sys::thread;
use core::cell::Cell;
use core::mem::offset_of;
use core::ops::RangeInclusive;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering, compiler_fence};
use front::{Bin, Front, Quiet};
use learning::Learning;
use pool_arena::PoolArena;
use remote_buffer::RemoteBuffer;
pub(crate) use shelf::{Counts, Shelf};
use waiting::Waiting;

/// Words of a TINY class's built-in array, with the null below its bottom.
const TINY_WORDS: usize = 32;
/// Words of a POOL or MID class's.
const OTHER_WORDS: usize = 16;
const WORDS: usize = TINY_CLASSES * TINY_WORDS + (CLASSES - TINY_CLASSES) * OTHER_WORDS;
/// Bytes of blocks that a built-in array of TINY may hold, and one of POOL or MID.
const TINY_BYTES: usize = 16 << 10;
const OTHER_BYTES: usize = 64 << 10;
/// Bytes of blocks that a hot class's array may hold, of TINY and of POOL and MID.
const HOT_TINY_BYTES: usize = 64 << 10;
const HOT_OTHER_BYTES: usize = 192 << 10;
/// The largest blocks of which a hot class gets more than the built-in array, bytes: what is kept of
/// larger ones is a good part of a small program's peak, and little time.
const HOT_BLOCK_MAX: usize = 16 << 10;
/// Bytes of blocks that a list may hold.
const LIST_BYTES: usize = 16 << 10;
/// Refills and spills after which a class is hot.
const HOT_AFTER: u16 = 4;
/// Changes between empty and full after which a hot class gets twice the array.
const GROW_AFTER: u8 = 16;
/// Entries from which on an array is long.
const LONG: usize = 256;
/// Slabs of POOL or MID among which one with a free block that has its pages is looked for.
const PARTIALS_LOOKED_AT: usize = 8;
/// Bytes of free blocks of a class that an ended thread's cache may keep for the next thread.
const KEPT_WARM: usize = 32 << 10;
/// Bytes of blocks that refills fetch from another processor's cache: a line, or little more.
const FETCHED: RangeInclusive<usize> = 64..=128;
/// Most blocks that a refill brings.
const BATCH_MAX: u32 = 128;

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

/// The right to change a cache, taken by its own thread: nothing else of this thread is in
/// the middle of a change, and no signal handler will see it so. Ends when dropped.
pub(crate) struct Busy {
    cache: &'static ThreadCache,
    _quiet: Quiet,
}

/// Why a thread has no cache to use.
pub(crate) enum NoCache {
    /// It is ending, and has given its cache up.
    Exited(#[expect(dead_code, reason = "held for its end")] Quiet),
    /// A signal handler runs in the middle of a change.
    Interrupted,
    /// There is no memory for one.
    OutOfMemory,
}

impl Drop for Busy {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.cache.busy.set(0);
    }
}

impl core::ops::Deref for Busy {
    type Target = ThreadCache;
    fn deref(&self) -> &ThreadCache {
        self.cache
    }
}

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

    /// This thread's cache, marked as busy; made or adopted if it has none yet.
    pub(crate) fn enter() -> Result<Busy, NoCache> {
        let front = Front::current();
        if front.is_real() {
            return Ok(Self::of(front).busy());
        }
        if front.is_exited() {
            return Err(NoCache::Exited(Quiet::begin()));
        }
        if front.is_busy() {
            return Err(NoCache::Interrupted);
        }
        Self::begin()
    }

    #[inline(always)]
    fn busy(&'static self) -> Busy {
        debug_assert!(self.busy.get() == 0);
        let quiet = Quiet::begin_from(ptr::from_ref(self).cast());
        self.busy.set(1);
        compiler_fence(Ordering::SeqCst);
        Busy {
            cache: self,
            _quiet: quiet,
        }
    }

    /// Gives this thread a cache.
    #[cold]
    fn begin() -> Result<Busy, NoCache> {
        let quiet = Quiet::begin();
        let adopted = parked::take();
        let cache = match adopted {
            Some(cache) => cache,
            None => Self::make().ok_or(NoCache::OutOfMemory)?,
        };
        cache.rounds.set(0);
        cache.thread.set(thread::id());
        cache.refresh_view();
        // From here on this thread has a cache: what follows may allocate.
        quiet.end_with(ptr::from_ref(cache).cast());
        drop(quiet);
        thread::at_end(thread_ends, ptr::from_ref(cache).cast_mut().cast());
        Observed::began(&cache.local, adopted.is_some());
        Ok(cache.busy())
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

    /// Lays out the fronts and sets the capacities by the options. Called for a new cache,
    /// and once more for one that was made before the environment could be read.
    pub(crate) fn configure(&self) {
        self.is_configured.set(config::is_read());
        let options = config::get();
        self.remote.set_threshold(options.tiny_drain_thresh);
        for class in SizeClass::all() {
            let (bottom, capacity) = self.built_in(class);
            let shelf = self.shelf(class);
            if !shelf.hot.get() {
                debug_assert!(shelf.bottom.get().is_null() || self.is_front_empty(class));
                shelf.bottom.set(bottom);
                shelf.capacity.set(capacity as u32);
                // SAFETY: the built-in words of this class from `bottom` on are as many and one
                // more, and the one below is null and stays so.
                unsafe { self.bin(class).set_array(bottom, capacity) };
            }
            let most = LIST_BYTES / class.bytes();
            shelf
                .list_capacity
                .set(options.tiny_tls_cap.min(most.max(2) as u32));
            shelf.batch.set(options.tiny_tls_refill);
        }
    }

    /// The array of a class that is built in, and how many entries of it are used.
    fn built_in(&self, class: SizeClass) -> (*mut *mut u8, usize) {
        let (words, bytes) = match class.tier() {
            Tier::Tiny => (TINY_WORDS, TINY_BYTES),
            _ => (OTHER_WORDS, OTHER_BYTES),
        };
        let tiny = class.index().min(TINY_CLASSES);
        let first = tiny * TINY_WORDS + (class.index() - tiny) * OTHER_WORDS;
        let room = (bytes / class.bytes()).clamp(2, words - 1);
        let capacity = if config::get().tiny_sfc_enable {
            room
        } else {
            0
        };
        (self.words[first + 1].as_ptr(), capacity)
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

    /// The inbox of the cache that a bin is part of, if the address is one's.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn inbox_of_bin(bin: usize) -> Option<usize> {
        let has_it = |cache: &&ThreadCache| {
            bin.wrapping_sub(ptr::from_ref(*cache) as usize) < size_of::<Front>()
        };
        let cache = Self::all().find(has_it)?;
        Some(ptr::from_ref(&cache.inbox.0) as usize)
    }

    /// Whether one thread alone has a cache.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn is_alone() -> bool {
        let is_in_use =
            |cache: &&ThreadCache| cache.state() == State::Live && cache.thread.get() != 0;
        Self::all().filter(is_in_use).count() <= 1
    }

    /// Whether a slab is this cache's.
    pub(crate) fn owns(&self, slab: &Slab) -> bool {
        ptr::eq(slab.owner(), &self.inbox.0)
    }

    // Allocation.

    /// A block of `class` after the front had none: fills the front, and returns one.
    pub(crate) fn refill(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let _timed = Observed::span(Path::Refill);
        let shelf = self.shelf(class);
        shelf.counts.misses.add(1);
        self.notice_miss(class);
        self.keep_up();
        if let Some(block) = self.bin(class).pop() {
            return Some(block);
        }
        if shelf.capacity.get() > 0 {
            self.grow_warm(class, false);
            if shelf.list.len() > 0 {
                return self.refill_from_list(class);
            }
        }
        if let Some(block) = shelf.list.first() {
            shelf.counts.list_hits.add(1);
            self.take_off(&shelf.list, block);
            self.came_from_list(class, 1);
            return NonNull::new(block);
        }
        let options = config::get();
        if !options.tiny_p0_enable {
            let mut one = None;
            self.take_from_slabs(class, 1, 1, |mut run| {
                one = run.next().and_then(NonNull::new)
            });
            return one;
        }
        let room = shelf.capacity.get() as usize;
        if room == 0 {
            return self.refill_list(class);
        }
        let want = (shelf.batch.get() as usize).min(room);
        let bin = self.bin(class);
        let batch = options.tiny_p0_batch as usize;
        // Other lines than the first would stay where they are.
        let is_elsewhere = FETCHED.contains(&class.bytes()) && self.waiting(class).is_often_whole();
        self.take_from_slabs(class, want, batch, |run| {
            if is_elsewhere {
                run.clone().for_each(|block| memory::fetch_to_write(block));
            }
            // SAFETY: the bin is empty, and `want` is at most what its array holds.
            unsafe { bin.push_all(run) };
        });
        bin.pop()
    }

    /// What every slow path sees to first: the environment, if it could not be read yet,
    /// and the registry's growth.
    fn keep_up(&self) {
        if !self.is_configured.get() && config::read_environment() {
            for class in SizeClass::all() {
                self.flush_class(class);
            }
            self.send_home();
            self.configure();
            self.refresh_view();
        }
    }

    fn refill_from_list(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let shelf = self.shelf(class);
        shelf.counts.list_hits.add(1);
        let before = shelf.list.len();
        for _ in 0..(shelf.capacity.get() / 2).max(1) {
            let Some(block) = shelf.list.first() else {
                break;
            };
            self.bin(class).push(block);
            // A reader of a core finds it there, before it is gone here.
            compiler_fence(Ordering::Release);
            self.take_off(&shelf.list, block);
        }
        self.came_from_list(class, before - shelf.list.len());
        self.bin(class).pop()
    }

    /// A refill where the front is off: the list serves.
    fn refill_list(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let shelf = self.shelf(class);
        let options = config::get();
        let want = options.tiny_tls_refill.min(shelf.list_capacity.get() + 1);
        self.take_from_slabs(
            class,
            want as usize,
            options.tiny_p0_batch as usize,
            |run| run.for_each(|block| self.put_on(&shelf.list, block)),
        );
        self.notice_list(class);
        let block = shelf.list.first()?;
        self.take_off(&shelf.list, block);
        NonNull::new(block)
    }

    /// Counts that the front was found full or empty, and gives it a larger array when it is
    /// time.
    fn grow_warm(&self, class: SizeClass, is_full: bool) {
        self.learn(class);
        let shelf = self.shelf(class);
        if !shelf.hot.get() {
            shelf.heat.set(shelf.heat.get().saturating_add(1));
            if shelf.heat.get() >= HOT_AFTER {
                self.make_hot(class);
            }
            return;
        }
        let capacity = shelf.capacity.get();
        if shelf.was_full.replace(is_full) != is_full
            && shelf.swung.take() <= Self::most_entries(class)
        {
            shelf.swings.set(shelf.swings.get() + 1);
            if shelf.swings.get() >= GROW_AFTER {
                self.enlarge(class, capacity * 2);
            }
        }
        let moves = if is_full {
            Self::spilled(capacity)
        } else {
            shelf.batch.get()
        };
        shelf.swung.set(shelf.swung.get().saturating_add(moves));
        let most = (shelf.capacity.get() / 2).clamp(1, BATCH_MAX);
        shelf.batch.set((shelf.batch.get() * 2).min(most));
    }

    /// Gives a class an array of its own, if there is one more to have.
    fn make_hot(&self, class: SizeClass) {
        let options = config::get();
        let is_tiny = class.tier() == Tier::Tiny;
        if is_tiny && self.hot_classes.get() >= learning::hot_classes() {
            return;
        }
        if self.enlarge(class, options.tiny_sfc_capacity) {
            self.shelf(class).hot.set(true);
            self.hot_classes
                .set(self.hot_classes.get() + u32::from(is_tiny));
        }
    }

    /// The most entries that a class's array may have.
    fn most_entries(class: SizeClass) -> u32 {
        let bytes = match class.tier() {
            Tier::Tiny => learning::cached_bytes().unwrap_or(HOT_TINY_BYTES),
            _ if class.bytes() > HOT_BLOCK_MAX => OTHER_BYTES,
            _ => HOT_OTHER_BYTES,
        };
        (bytes / class.bytes()) as u32
    }

    /// Gives a class an array of `capacity` entries, or of fewer if their blocks were too many
    /// bytes; says whether it is larger than the one before.
    fn enlarge(&self, class: SizeClass, capacity: u32) -> bool {
        let shelf = self.shelf(class);
        shelf.swings.set(0);
        let capacity = capacity.min(Self::most_entries(class));
        if capacity <= shelf.capacity.get() {
            return false;
        }
        let (bottom, capacity) = match self.array_from_before(class, capacity) {
            Some(array) => array,
            None => {
                let bytes = (capacity as usize + 1) * size_of::<*mut u8>();
                let Some(array) = metadata::allocate(bytes) else {
                    return false;
                };
                // SAFETY: the array has `capacity + 1` words.
                (unsafe { array.as_ptr().cast::<*mut u8>().add(1) }, capacity)
            }
        };
        let entries = self.front_entries(class);
        let count = entries.len();
        // SAFETY: the new array is larger than the old one, and another one.
        unsafe { ptr::copy_nonoverlapping(entries.as_ptr().cast(), bottom, count) };
        // SAFETY: a null word, and above it `capacity` words, for this bin alone.
        unsafe { self.bin(class).set_array(bottom, capacity as usize) };
        // SAFETY: `count` words were copied.
        unsafe { self.bin(class).set_len(bottom, count) };
        shelf.bottom.set(bottom);
        shelf.capacity.set(capacity);
        true
    }

    /// Hands `want` blocks of slabs to `each`, in runs of neighbours, or as many as can be had; at most
    /// `batch` are taken from a slab at once.
    fn take_from_slabs(
        &self,
        class: SizeClass,
        want: usize,
        batch: usize,
        mut each: impl FnMut(Run),
    ) {
        let counts = &self.shelf(class).counts;
        let mut count = 0;
        while count < want {
            let Some(slab) = self.slab_with_free(class, count == 0) else {
                break;
            };
            count += self.take_from(slab, batch.min(want - count), &mut each);
            counts.refills.add(1);
        }
        counts.refilled.add(count as u64);
        Observed::event(
            &self.local,
            Event::Refilled {
                class: class.index(),
                blocks: count,
            },
        );
    }

    /// Takes blocks of a slab, as [`Slab::take`].
    #[inline(always)]
    fn take_from(&self, slab: &'static Slab, want: usize, each: impl FnMut(Run)) -> usize {
        slab.carve(want);
        let before = Observed::wants(Wish::Counts).then(|| slab.counts());
        let taken = slab.take(want, each);
        if let Some(before) = before {
            Observed::event(
                &self.local,
                Event::Taken {
                    slab: slab.start(),
                    class: slab.class().index(),
                    wanted: want,
                    taken,
                    before,
                    after: slab.counts(),
                },
            );
        }
        taken
    }

    /// A slab of `class` with a free block, made current. Without `acquire` none is
    /// asked of the shared pool.
    fn slab_with_free(&self, class: SizeClass, acquire: bool) -> Option<&'static Slab> {
        let shelf = self.shelf(class);
        if let Some(slab) = shelf.current()
            && slab.has_free()
        {
            if class.tier() == Tier::Tiny
                || shelf.partial.get().is_null()
                || !slab.has_fresh_alone()
            {
                return Some(slab);
            }
            // What has its pages goes first.
            shelf.link(slab);
            shelf.current.set(ptr::null());
        }
        if !config::get().tiny_p0_no_drain && self.inbox.0.has_mail() {
            self.collect();
            if let Some(slab) = shelf.current()
                && slab.has_free()
            {
                return Some(slab);
            }
        }
        let partial = match class.tier() {
            Tier::Tiny => shelf.first_partial(),
            _ => shelf.touched_partial(PARTIALS_LOOKED_AT),
        };
        let partial = partial.or_else(|| self.waiting(class).pop_surplus());
        let slab = match partial {
            Some(slab) => slab,
            None if acquire => self.acquire(class).or_else(|| self.waiting(class).pop())?,
            None => return None,
        };
        // The old one is full; it comes back to the list with its first returned block.
        shelf.current.set(slab);
        Some(slab)
    }

    /// A slab of `class` that becomes this cache's.
    fn acquire(&self, class: SizeClass) -> Option<&'static Slab> {
        let _timed = Observed::span(Path::Acquire);
        self.send_home();
        let found = match class.tier() {
            Tier::Pool => self.acquire_from_arena(class),
            _ => shared_pool::acquire(class),
        };
        let found = found.or_else(|| {
            parked::cool()
                .then(|| shared_pool::acquire(class))
                .flatten()
        });
        let found = match found {
            Some(found) => found,
            None => match parked::steal(class, self) {
                Some(slab) => {
                    counters::add(Counter::AcquireParked, 1);
                    return Some(slab);
                }
                None => Found::Site(self.grow(class)?),
            },
        };
        match found {
            Found::Slab(slab) => {
                self.take_over(slab);
                Some(slab)
            }
            Found::Site(site) => self.open(&site, class),
        }
    }

    fn acquire_from_arena(&self, class: SizeClass) -> Option<Found> {
        if self.arena.is_new() {
            self.arena.grow();
        }
        match self.arena.take(class.slots()) {
            Some(site) => Some(Found::Site(site)),
            None => shared_pool::acquire(class),
        }
    }

    /// Slots for a slab of `class`, from memory that is new to the heap.
    fn grow(&self, class: SizeClass) -> Option<Site> {
        if class.tier() == Tier::Pool && self.arena.grow() {
            return self.arena.take(class.slots());
        }
        shared_pool::grow(class)
    }

    fn open(&self, site: &Site, class: SizeClass) -> Option<&'static Slab> {
        let Some(slab) = Slab::open(site, class, &self.inbox.0) else {
            shared_pool::release(site);
            return None;
        };
        REGISTRY.enter(slab, ptr::from_ref(self.bin(class)) as usize);
        self.refresh_view();
        Observed::event(
            &self.local,
            Event::SlabOpened {
                start: site.start,
                class: class.index(),
            },
        );
        Some(slab)
    }

    /// Makes a slab ours that nobody runs on: the entries first, then the owner.
    fn take_over(&self, slab: &Slab) {
        REGISTRY.enter(slab, ptr::from_ref(self.bin(slab.class())) as usize);
        slab.set_owner(&self.inbox.0);
        self.refresh_view();
    }

    /// One block of `class` that reads as zero, if a slab at hand has such a one.
    pub(crate) fn take_fresh(&self, class: SizeClass) -> Option<NonNull<u8>> {
        if Observed::wants(Wish::Fillings) {
            return None;
        }
        self.notice_miss(class);
        let shelf = self.shelf(class);
        if let Some(block) = shelf.current().and_then(Slab::take_fresh) {
            return NonNull::new(block);
        }
        let slab = self.slab_with_free(class, true)?;
        slab.take_fresh().and_then(NonNull::new)
    }

    // Free.

    /// Takes back a block of a slab of ours that the fast path did not: the front is full,
    /// or frees do not go through it.
    pub(crate) fn free_own(&self, slab: &'static Slab, block: *mut u8) {
        self.keep_up();
        let class = slab.class();
        let shelf = self.shelf(class);
        if let Err(fault) = slab.index_of(block as usize) {
            fault::abort(Call::Free, block, fault);
        }
        if shelf.capacity.get() == 0 {
            // The front is off: the list takes the block, and is cut when it is full.
            self.put_on(&shelf.list, block);
            if shelf.list.len() > shelf.list_capacity.get() {
                shelf.counts.drains.add(1);
                let count = self.cut(&shelf.list, shelf.list_capacity.get() / 2);
                shelf.counts.drained.add(count);
                self.notice_drained(class, count as usize);
                self.notice_list(class);
            }
            return;
        }
        if !self.bin(class).push(block) {
            self.spill(class);
            self.bin(class).push(block);
        }
    }

    /// Makes room in a full front: part of it goes to the list while that has room, and else
    /// back to the slabs. Of a short array this is the older half. Of a long one it is the
    /// newest quarter: its entries and their blocks are still in the first-level cache, nothing
    /// moves, and while many blocks are freed in a row no more of the array is touched than
    /// that.
    #[cold]
    fn spill(&self, class: SizeClass) {
        let _timed = Observed::span(Path::Spill);
        let shelf = self.shelf(class);
        self.grow_warm(class, true);
        let entries = self.front_entries(class);
        if entries.len() < shelf.capacity.get() as usize {
            return;
        }
        shelf.counts.drains.add(1);
        let is_long = entries.len() >= LONG;
        let count = Self::spilled(entries.len() as u32) as usize;
        let spilled = if is_long {
            &entries[entries.len() - count..]
        } else {
            &entries[..count]
        };
        // In POOL and MID an array of its own holds more than the list, and costs less.
        let room = if shelf.hot.get() && class.tier() != Tier::Tiny {
            0
        } else {
            shelf.list_capacity.get().saturating_sub(shelf.list.len()) as usize
        };
        let (to_slabs, to_list) = spilled.split_at(count - room.min(count));
        for block in to_list {
            self.put_on(&shelf.list, block.get());
        }
        self.give_back(to_slabs);
        shelf.counts.drained.add(to_slabs.len() as u64);
        self.notice_drained(class, to_slabs.len());
        self.notice_list(class);
        let (bin, bottom) = (self.bin(class), shelf.bottom.get());
        if is_long {
            // SAFETY: the entries below were written; those above are elsewhere now.
            unsafe { bin.set_len(bottom, entries.len() - count) };
        } else {
            // SAFETY: the front has `count` entries and more, and they are elsewhere now.
            unsafe { bin.drop_oldest(bottom, count) };
        }
    }

    /// Entries that leave a full array of that many.
    fn spilled(capacity: u32) -> u32 {
        if capacity as usize >= LONG {
            capacity / 4
        } else {
            capacity.div_ceil(2)
        }
    }

    #[inline(always)]
    fn notice_miss(&self, class: SizeClass) {
        let class = class.index();
        Observed::event(&self.local, Event::Missed { class });
    }

    #[inline(always)]
    fn notice_drained(&self, class: SizeClass, blocks: usize) {
        let class = class.index();
        Observed::event(&self.local, Event::Drained { class, blocks });
    }

    #[inline(always)]
    fn notice_list(&self, class: SizeClass) {
        let (class, cache) = (class.index(), self);
        Observed::event(&self.local, Event::Listed { class, cache });
    }

    /// Blocks of `class` have come off its list.
    #[inline(always)]
    fn came_from_list(&self, class: SizeClass, blocks: u32) {
        let event = Event::FromList {
            class: class.index(),
            blocks: blocks as usize,
        };
        Observed::event(&self.local, event);
        self.notice_list(class);
    }

    /// The slab of a block and the block's index in it, if it is the start of one of ours.
    fn place_of(&self, block: *mut u8) -> Result<(&'static Slab, usize), Fault> {
        let slab = REGISTRY.slab_of(block as usize).ok_or(Fault::Foreign)?;
        if slab.kind() != Kind::Blocks || !self.owns(slab) {
            return Err(Fault::Foreign);
        }
        Ok((slab, slab.index_of(block as usize)?))
    }

    /// Puts a free block on a list.
    fn put_on(&self, list: &FreeList, block: *mut u8) {
        match self.place_of(block) {
            Ok((slab, index)) if slab.set_listed(index) => {
                // SAFETY: a block of a slab of ours, of at least 16 bytes, that the program
                // gave back, and that was not on the list.
                unsafe { list.push(block) };
            }
            Ok(_) => fault::abort(Call::Free, block, Fault::DoubleFree),
            Err(fault) => fault::abort(Call::Free, block, fault),
        }
    }

    /// Takes `block`, the newest one, off a list, and sees to it that the next one is on it
    /// as well: what was written into a free block may have made its link one to nowhere.
    fn take_off(&self, list: &FreeList, block: *mut u8) {
        list.pop();
        self.no_longer_listed(block);
        let next_is_sound = match list.first() {
            Some(next) => list.len() > 0 && self.place_of(next).is_ok(),
            None => list.len() == 0,
        };
        if !next_is_sound {
            fault::abort(Call::Free, block, Fault::BrokenLink);
        }
    }

    fn no_longer_listed(&self, block: *mut u8) {
        match self.place_of(block) {
            Ok((slab, index)) if slab.clear_listed(index) => {}
            _ => fault::abort(Call::Free, block, Fault::BrokenLink),
        }
    }

    /// Gives the blocks of a list back to their slabs, but for the `keep` newest.
    fn cut(&self, list: &FreeList, keep: u32) -> u64 {
        let mut count = 0;
        list.cut(keep, |block| {
            self.no_longer_listed(block);
            self.give_back(&[Cell::new(block)]);
            count += 1;
        });
        count
    }

    /// Gives blocks that this cache held back to their slabs.
    fn give_back(&self, blocks: &[Cell<*mut u8>]) {
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let block = first.get();
            let Some(slab) = REGISTRY.slab_of(block as usize) else {
                fault::abort(Call::Free, block, Fault::Foreign)
            };
            if !self.owns(slab) {
                remote_buffer::publish_one(slab, block);
                rest = &rest[1..];
                continue;
            }
            rest = &rest[slab.put_back(rest)..];
            self.has_returned(slab);
        }
    }

    /// Sees to a slab of ours to which blocks came back.
    #[inline(always)]
    fn has_returned(&self, slab: &'static Slab) {
        // Most often it has still some out, and is known to have free ones.
        if slab.used() == 0 || !slab.listed().get() {
            self.has_changed(slab);
        }
    }

    /// Sees to a slab of ours to which `count` blocks came back from other threads.
    fn has_come_home(&self, slab: &'static Slab, count: usize) {
        let class = slab.class();
        let shelf = self.shelf(class);
        if class.tier() != Tier::Tiny || slab.listed().get() {
            return self.has_returned(slab);
        }
        let is_current = ptr::eq(slab, shelf.current.get());
        if slab.used() == 0 {
            self.waiting(class).came_whole(slab);
            if is_current || shelf.current().is_some_and(Slab::has_free) {
                return self.has_changed(slab);
            }
            return shelf.current.set(slab);
        }
        let goes_on = is_current && slab.used() + count < slab.blocks() - Slab::FIRST;
        // What has come may have been taken in before it was announced, and be out again.
        if goes_on || self.waiting(class).contains(slab) || !slab.has_free() {
            return;
        }
        if !self.waiting(class).is_worth_it() {
            return self.has_returned(slab);
        }
        if is_current {
            shelf.current.set(ptr::null());
        }
        if let Some(longest) = self.waiting(class).push(slab) {
            shelf.link(longest);
        }
    }

    fn has_changed(&self, slab: &'static Slab) {
        let class = slab.class();
        let shelf = self.shelf(class);
        if ptr::eq(slab, shelf.current.get()) {
            return;
        }
        if slab.used() == 0 {
            if slab.listed().get() {
                shelf.unlink(slab);
            }
            self.waiting(class).remove(slab);
            self.release(slab);
        } else if !slab.listed().get() && slab.has_free() {
            self.waiting(class).give_up(slab);
            shelf.link(slab);
        }
    }

    /// Gives an empty slab back to the shared pool.
    fn release(&self, slab: &'static Slab) {
        debug_assert!(slab.used() == 0);
        // All of its blocks are here, so nobody can rightly be returning one.
        if let Some(index) = slab.returned_from_afar() {
            fault::abort(Call::Free, slab.block(index), Fault::DoubleFree);
        }
        Observed::event(
            &self.local,
            Event::SlabClosed {
                start: slab.start(),
                class: slab.class().index(),
            },
        );
        counters::add(Counter::SlabsReleased, 1);
        REGISTRY.clear(slab);
        if config::get().superslab_reuse {
            return shared_pool::keep(slab);
        }
        let site = slab.site();
        slab.close();
        shared_pool::release(&site);
    }

    /// Takes a block of another thread's slab, to be sent home, if that is simple; says whether
    /// it did.
    #[inline(always)]
    pub(crate) fn free_remote(&'static self, block: *mut u8) -> bool {
        let cache = self.busy();
        let is_added = cache.remote.add(block);
        if is_added {
            leave(block);
        }
        drop(cache);
        if is_added {
            self.notice_remote(block);
        }
        is_added
    }

    /// As [`ThreadCache::free_remote`], for a block that is the first one of its slot, or the
    /// last one before it is time to flush.
    #[inline(always)]
    pub(crate) fn free_remote_slow(&'static self, block: *mut u8) -> bool {
        if let Some(slab) = REGISTRY.slab_of(block as usize)
            && slab.kind() == Kind::Blocks
            && !self.owns(slab)
            && self.is_configured.get()
        {
            self.notice_remote(block);
            self.busy().push_remote(slab, block);
            return true;
        }
        false
    }

    #[inline(always)]
    fn push_remote(&self, slab: &'static Slab, block: *mut u8) {
        let is_full = self.remote.push(slab, block, |s, n| self.count_sent(s, n));
        leave(block);
        if is_full {
            self.send_home();
        }
    }

    /// Takes a block of another thread's slab, to be sent home.
    pub(crate) fn hold_back(&self, slab: &'static Slab, block: *mut u8) {
        self.keep_up();
        // The block may lie where the registry ended so far.
        self.refresh_view();
        self.notice_remote(block);
        self.push_remote(slab, block);
    }

    #[inline(always)]
    fn notice_remote(&self, block: *mut u8) {
        let block = block as usize;
        Observed::event(&self.local, Event::RemoteFreed { block });
    }

    /// Sends home what is held back.
    #[cold]
    fn send_home(&self) {
        let _timed = Observed::span(Path::SendHome);
        self.remote
            .flush(|slab, count| self.count_sent(slab, count));
    }

    fn count_sent(&self, slab: &Slab, blocks: u32) {
        let counts = &self.shelf(slab.class()).counts;
        counts.remote_published.add(1);
        counts.remote_freed.add(u64::from(blocks));
    }

    /// Takes in what other threads have returned.
    fn collect(&self) {
        let _timed = Observed::span(Path::Collect);
        let result = self.inbox.0.empty(|slab, count| {
            self.shelf(slab.class())
                .counts
                .collected
                .add(u64::from(count));
            Observed::event(
                &self.local,
                Event::Collected {
                    slab: slab.start(),
                    blocks: count as usize,
                },
            );
            self.has_come_home(slab, count as usize);
        });
        if let Err((slab, index, fault)) = result {
            fault::abort(Call::Free, slab.block(index), fault);
        }
    }

    // The thread's end.

    fn flush_class(&self, class: SizeClass) {
        let shelf = self.shelf(class);
        self.give_back(self.front_entries(class));
        // SAFETY: the bottom of the bin's array; no entry is left.
        unsafe { self.bin(class).set_len(shelf.bottom.get(), 0) };
        self.cut(&shelf.list, 0);
    }

    /// Gives back all that the cache holds and does not need; what is left are slabs with
    /// blocks that the program holds.
    pub(crate) fn flush(&self) {
        self.give_up_all_but(0);
    }

    /// As [`ThreadCache::flush`], but of each class that has at most `kept` bytes of free blocks
    /// here these stay, and its current slab.
    fn give_up_all_but(&self, kept: usize) {
        self.send_home();
        self.collect();
        for class in SizeClass::all() {
            let shelf = self.shelf(class);
            shelf.heat.set(0);
            self.waiting(class).forget();
            let blocks = self.front_entries(class).len() + shelf.list.len() as usize;
            if blocks != 0 && blocks * class.bytes() <= kept {
                continue;
            }
            self.flush_class(class);
            if let Some(slab) = shelf.current() {
                shelf.current.set(ptr::null());
                self.has_returned(slab);
            }
        }
        self.arena.give_back();
    }

    /// A partial slab of `class` is given up, for another cache to take over.
    fn give_up(&self, class: SizeClass) -> Option<&'static Slab> {
        let shelf = self.shelf(class);
        shelf.first_partial().or_else(|| self.waiting(class).pop())
    }
}

/// A block of another thread's slab waits here to be sent home. Observers may look at what the
/// program left in it, or watch it, so for them it stays as it is.
#[inline(always)]
fn leave(block: *mut u8) {
    if !Observed::ACTIVE {
        // SAFETY: a block of a slab, so of at least 16 bytes, that the program gave back.
        unsafe { block::leave(block) };
    }
}

/// The key's destructor. The system calls it in rounds while a destructor sets its key
/// again; others' destructors may still free and allocate, so the cache stays until the
/// last one.
unsafe extern "C" fn thread_ends(cache: *mut core::ffi::c_void) {
    // PTHREAD_DESTRUCTOR_ITERATIONS of glibc.
    const LAST_ROUND: u32 = 4;
    // SAFETY: the key's value is the address of this thread's cache, never unmapped.
    let cache: &'static ThreadCache = unsafe { &*cache.cast::<ThreadCache>() };
    let round = cache.rounds.get() + 1;
    cache.rounds.set(round);
    if round < LAST_ROUND {
        return thread::at_end(thread_ends, ptr::from_ref(cache).cast_mut().cast());
    }
    let quiet = Quiet::begin();
    quiet.end_with(ptr::from_ref(&front::EXITED).cast());
    cache.busy.set(1);
    cache.show(Occasion::ThreadEnds);
    cache.give_up_all_but(if parked::stays_warm(cache) {
        KEPT_WARM
    } else {
        0
    });
    Observed::ended(&cache.local);
    // Once it is parked it may be another thread's.
    cache.busy.set(0);
    parked::put(cache);
}
