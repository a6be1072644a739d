//! The right to change a cache, and how a thread comes by a cache at all.

use super::ending::thread_ends;
use super::front::{Front, Quiet};
use super::{ThreadCache, parked};
use crate::observe::{Observed, Observer};
use crate::sys::thread;
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

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
    pub(super) fn busy(&'static self) -> Busy {
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
}
