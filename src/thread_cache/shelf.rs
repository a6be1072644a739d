//! What a thread cache keeps of one class behind the front.

use crate::block::FreeList;
use crate::slab::Slab;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

/// See the head of this file. Written by the cache's owner alone.
#[repr(C)]
pub(crate) struct Shelf {
    /// The first entry of the front's array.
    pub(crate) bottom: Cell<*mut *mut u8>,
    /// Entries that the array has.
    pub(crate) capacity: Cell<u32>,
    /// Most blocks on the list.
    pub(crate) list_capacity: Cell<u32>,
    /// The list behind the front (SLL).
    pub(crate) list: FreeList,
    /// Where refills take blocks.
    pub(crate) current: Cell<*const Slab>,
    /// Other slabs of ours with free blocks.
    pub(crate) partial: Cell<*const Slab>,
    /// Blocks that the next refill brings.
    pub(crate) batch: Cell<u32>,
    /// Refills and drains since the array was attached.
    pub(crate) heat: Cell<u16>,
    pub(crate) hot: Cell<bool>,
    /// Whether the front was last found full, and not empty; how many blocks it has taken or
    /// given since that changed; and how often it has, since the array was attached, after no
    /// more blocks than a larger array could hold.
    pub(crate) was_full: Cell<bool>,
    pub(crate) swung: Cell<u32>,
    pub(crate) swings: Cell<u8>,
    pub(crate) counts: Counts,
}

/// Counts of one class in one cache.
#[repr(C)]
pub(crate) struct Counts {
    /// Requests that the front did not serve.
    pub(crate) misses: Count,
    /// Times that blocks were taken from slabs, and how many.
    pub(crate) refills: Count,
    pub(crate) refilled: Count,
    /// Times that blocks were taken from the list.
    pub(crate) list_hits: Count,
    /// Times that the front was full, and blocks that went back to slabs.
    pub(crate) drains: Count,
    pub(crate) drained: Count,
    /// Blocks of other threads that this one has sent home, and in how many batches.
    pub(crate) remote_freed: Count,
    pub(crate) remote_published: Count,
    /// Blocks that other threads freed and that came back.
    pub(crate) collected: Count,
}

/// A count that one thread writes and others may read.
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds; for the owner alone. No read-modify-write is needed: there is one writer.
    pub(crate) fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Shelf {
    /// Puts a slab on the list of those with free blocks.
    pub(crate) fn link(&self, slab: &Slab) {
        debug_assert!(!slab.listed().get());
        let head = self.partial.get();
        slab.before().set(ptr::null());
        slab.after().set(head);
        // SAFETY: listed slabs are open, and headers are never unmapped.
        if let Some(head) = unsafe { head.as_ref() } {
            head.before().set(slab);
        }
        self.partial.set(slab);
        slab.listed().set(true);
    }

    /// Takes a slab off that list.
    pub(crate) fn unlink(&self, slab: &Slab) {
        debug_assert!(slab.listed().get());
        // SAFETY: listed slabs are open, and headers are never unmapped.
        match unsafe { slab.before().get().as_ref() } {
            Some(before) => before.after().set(slab.after().get()),
            None => self.partial.set(slab.after().get()),
        }
        // SAFETY: as above.
        if let Some(after) = unsafe { slab.after().get().as_ref() } {
            after.before().set(slab.before().get());
        }
        slab.listed().set(false);
    }

    /// Takes the first slab off that list.
    pub(crate) fn first_partial(&self) -> Option<&'static Slab> {
        // SAFETY: listed slabs are open, and headers are never unmapped.
        let slab = unsafe { self.partial.get().as_ref() }?;
        self.unlink(slab);
        Some(slab)
    }

    /// Takes off that list, of the first `looked_at`, the first slab with a free block that has
    /// its pages, or else the first of all.
    pub(crate) fn touched_partial(&self, looked_at: usize) -> Option<&'static Slab> {
        let mut at = self.partial.get();
        for _ in 0..looked_at {
            // SAFETY: listed slabs are open, and headers are never unmapped.
            let Some(slab) = (unsafe { at.as_ref() }) else {
                break;
            };
            if !slab.has_fresh_alone() {
                self.unlink(slab);
                return Some(slab);
            }
            at = slab.after().get();
        }
        self.first_partial()
    }

    pub(crate) fn current(&self) -> Option<&'static Slab> {
        // SAFETY: the current slab is open, and headers are never unmapped.
        unsafe { self.current.get().as_ref() }
    }
}
