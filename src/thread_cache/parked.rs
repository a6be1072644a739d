//! Caches of ended threads, and the one for threads that have none.
//!
//! A parked cache is the lock holder's: a new thread adopts it, and a thread that would have to grow
//! the heap takes slabs from it. A few keep the blocks that their threads had at hand, so that
//! threads that begin where others have ended find them: they are *warm*. Before a slab is made in
//! new memory these are flushed. After a fork the child finds here the caches of the threads that it
//! does not have; those are not flushed.

use super::front::Quiet;
use super::{NoCache, State, ThreadCache};
use crate::counters::{self, Counter};
use crate::registry::REGISTRY;
use crate::size_class::SizeClass;
use crate::slab::Slab;
use crate::slab::contradiction::Contradiction;
use crate::sys::lock::{Guard, Lock};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::Ordering;

/// Parked caches that a thread looks through before the heap grows.
const LOOKED_THROUGH: usize = 4;

/// Caches that may be warm.
const WARM_MAX: u32 = 4;

struct Parked {
    top: *const ThreadCache,
    /// Caches that are warm, or about to be parked so.
    warm: u32,
    /// Where the next search begins; null is the top.
    search: *const ThreadCache,
}

// SAFETY: parked caches are reached under the lock alone.
unsafe impl Send for Parked {}

static PARKED: Lock<Parked> = Lock::new(Parked {
    top: ptr::null(),
    warm: 0,
    search: ptr::null(),
});

/// The cache of threads that have none: those that have ended, and signal handlers that
/// came in the middle of a change. Null until needed.
static ORPHANS: Lock<Orphans> = Lock::new(Orphans(Cell::new(ptr::null())));

/// See [`ORPHANS`].
pub(crate) struct Orphans(Cell<*const ThreadCache>);

// SAFETY: reached under the lock alone.
unsafe impl Send for Orphans {}

impl Orphans {
    /// The cache, made if need be.
    pub(crate) fn cache(&self) -> Option<&'static ThreadCache> {
        if self.0.get().is_null() {
            let cache = ThreadCache::make()?;
            cache.refresh_view();
            self.0.set(cache);
        }
        counters::add(Counter::OrphanAllocations, 1);
        // SAFETY: caches are never unmapped.
        unsafe { self.0.get().as_ref() }
    }
}

/// The cache of threads without one, if `why` allows to wait for it: a signal handler may
/// have interrupted the very holder of the lock.
pub(crate) fn orphans(why: &NoCache) -> Option<Guard<'static, Orphans>> {
    match why {
        NoCache::Exited(_) => Some(ORPHANS.lock()),
        NoCache::Interrupted | NoCache::OutOfMemory => None,
    }
}

impl Parked {
    /// Notes that a cache is warm no longer; says whether it was.
    fn cools(&mut self, cache: &ThreadCache) -> bool {
        let was_warm = cache.is_warm.replace(false);
        self.warm -= u32::from(was_warm);
        was_warm
    }
}

/// Whether a cache that is to be parked may be warm.
pub(super) fn stays_warm(cache: &ThreadCache) -> bool {
    let mut parked = PARKED.lock();
    if parked.warm >= WARM_MAX {
        return false;
    }
    parked.warm += 1;
    cache.is_warm.set(true);
    true
}

/// Parks a cache.
pub(super) fn put(cache: &'static ThreadCache) {
    let mut parked = PARKED.lock();
    cache.state.store(State::Parked as u32, Ordering::Relaxed);
    cache.parked_below.set(parked.top);
    parked.top = cache;
}

/// Takes the cache that was parked last.
pub(super) fn take() -> Option<&'static ThreadCache> {
    let mut parked = PARKED.lock();
    // SAFETY: caches are never unmapped.
    let cache = unsafe { parked.top.as_ref() }?;
    parked.top = cache.parked_below.get();
    if ptr::eq(parked.search, cache) {
        parked.search = ptr::null();
    }
    parked.cools(cache);
    cache.state.store(State::Live as u32, Ordering::Relaxed);
    counters::add(Counter::CachesAdopted, 1);
    Some(cache)
}

/// Flushes the caches that are warm; says whether there were any. What they had is in the shared
/// pool then.
pub(super) fn cool() -> bool {
    // Held by somebody who does the same, or searches: growing is quicker than waiting.
    let Some(mut parked) = PARKED.try_lock() else {
        return false;
    };
    let mut at = parked.top;
    let mut any = false;
    while parked.warm > 0 {
        // SAFETY: caches are never unmapped.
        let Some(cache) = (unsafe { at.as_ref() }) else {
            break;
        };
        if parked.cools(cache) {
            cache.flush();
            any = true;
        }
        at = cache.parked_below.get();
    }
    any
}

/// A slab of `class` with free blocks from a parked cache, made `thief`'s.
pub(super) fn steal(class: SizeClass, thief: &ThreadCache) -> Option<&'static Slab> {
    // Held by somebody who searches as well: growing is quicker than waiting.
    let mut parked = PARKED.try_lock()?;
    let mut at = parked.search;
    for _ in 0..LOOKED_THROUGH {
        if at.is_null() {
            at = parked.top;
        }
        // SAFETY: caches are never unmapped.
        let cache = unsafe { at.as_ref() }?;
        parked.cools(cache);
        cache.flush();
        at = cache.parked_below.get();
        if let Some(slab) = cache.give_up(class) {
            parked.search = at;
            thief.take_over(slab);
            return Some(slab);
        }
    }
    parked.search = at;
    None
}

/// Flushes all parked caches; what is empty goes back to the shared pool.
pub(crate) fn flush_all() {
    let mut parked = PARKED.lock();
    let mut at = parked.top;
    // SAFETY: caches are never unmapped.
    while let Some(cache) = unsafe { at.as_ref() } {
        parked.cools(cache);
        cache.flush();
        at = cache.parked_below.get();
    }
}

/// Looks at what a cache has while nobody changes it; `None` if somebody does, or may.
///
/// One that a thread has says itself whether it is being changed. One that nobody has is the holder's
/// of a lock, which is not waited for: a signal handler may have interrupted the holder.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn quietly<T>(cache: &ThreadCache, look: impl FnOnce() -> T) -> Option<T> {
    match cache.state() {
        State::Live if cache.thread.get() != 0 => {
            let seen = cache.is_quiet().then(look)?;
            cache.is_quiet().then_some(seen)
        }
        State::Live => {
            let _quiet = Quiet::begin();
            let orphans = ORPHANS.try_lock()?;
            ptr::eq(orphans.0.get(), cache).then(look)
        }
        State::Parked => {
            // What a signal handler does meanwhile waits for no lock of this thread's.
            let _quiet = Quiet::begin();
            let _parked = PARKED.try_lock()?;
            (cache.state() == State::Parked).then(look)
        }
        State::Frozen => None,
    }
}

/// Notes which parked caches contradict themselves or their slabs, and in what, as many as there is
/// room for.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn contradictions(found: &mut [Option<(usize, Contradiction)>]) {
    let _quiet = Quiet::begin();
    let Some(parked) = PARKED.try_lock() else {
        return;
    };
    let mut room = found.iter_mut();
    let mut at = parked.top;
    // A damaged link leads to no cache, or round in a circle.
    for _ in 0..ThreadCache::all().count() {
        let Some(cache) = ThreadCache::all().find(|cache| ptr::eq(*cache, at)) else {
            return;
        };
        if let Some(wrong) = cache.contradiction_of_parked() {
            let Some(place) = room.next() else {
                return;
            };
            *place = Some((ptr::from_ref(cache) as usize, wrong));
        }
        at = cache.parked_below.get();
    }
}

/// Locks for a fork.
pub(crate) fn hold() {
    ORPHANS.hold();
    PARKED.hold();
}

/// Ends what [`hold`] began.
///
/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { PARKED.let_go() };
    // SAFETY: the caller's clause.
    unsafe { ORPHANS.let_go() };
}

/// In a fork's child: parks the caches of the threads that it does not have, but for those
/// that were in the middle of a change. Called with the locks held for the fork.
pub(crate) fn adopt_after_fork(own: Option<&ThreadCache>) {
    let orphans = ORPHANS.address();
    // SAFETY: this thread holds the lock for the fork, and is the only one.
    let orphan = unsafe { &*orphans }.0.get();
    // SAFETY: as above; the guard's own access has ended with `hold`.
    let parked = unsafe { &mut *PARKED.address().cast_mut() };
    for cache in ThreadCache::all() {
        let is_own = own.is_some_and(|own| ptr::eq(own, cache));
        if is_own || ptr::eq(cache, orphan) || cache.state() != State::Live {
            continue;
        }
        if cache.busy.get() != 0 {
            parked.cools(cache);
            cache.state.store(State::Frozen as u32, Ordering::Relaxed);
            continue;
        }
        cache.state.store(State::Parked as u32, Ordering::Relaxed);
        cache.parked_below.set(parked.top);
        parked.top = cache;
    }
}

/// A free without a thread cache: the block goes home at once.
pub(crate) fn free_without_cache(slab: &Slab, block: *mut u8) {
    debug_assert!(REGISTRY.slab_of(block as usize).is_some());
    super::remote_buffer::publish_one(slab, block);
}
