//! The thread's end: what a cache gives up, and what it keeps for the next thread.

use super::front::{self, Quiet};
use super::{ThreadCache, parked};
use crate::observe::{Observed, Observer, Occasion};
use crate::size_class::SizeClass;
use crate::sys::thread;
use core::ptr;

/// Bytes of free blocks of a class that an ended thread's cache may keep for the next thread.
const KEPT_WARM: usize = 32 << 10;

/// The key's destructor. The system calls it in rounds while a destructor sets its key
/// again; others' destructors may still free and allocate, so the cache stays until the
/// last one.
pub(super) unsafe extern "C" fn thread_ends(cache: *mut core::ffi::c_void) {
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

impl ThreadCache {
    /// Gives back all that the cache holds and does not need; what is left are slabs with
    /// blocks that the program holds.
    pub(crate) fn flush(&self) {
        self.give_up_all_but(0);
    }

    /// As [`ThreadCache::flush`], but of each class that has at most `kept` bytes of free blocks
    /// here these stay, and its current slab.
    pub(super) fn give_up_all_but(&self, kept: usize) {
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

    /// Gives the blocks of a class that its front and its list hold back to their slabs.
    pub(super) fn flush_class(&self, class: SizeClass) {
        let shelf = self.shelf(class);
        self.give_back(self.front_entries(class));
        // SAFETY: the bottom of the bin's array; no entry is left.
        unsafe { self.bin(class).set_len(shelf.bottom.get(), 0) };
        self.cut(&shelf.list, 0);
    }
}
