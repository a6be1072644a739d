//! A thread's reservation of slots for its POOL slabs.
//!
//! Each reservation is a row of slots of which none is used yet. The first has
//! `HAKMEM_POOL_TLS_ARENA_MB_INIT` MB, and each next one double the last, up to
//! `…_GROWTH_LEVELS` doublings and to `…_MB_MAX`. A reservation costs address space
//! alone: pages come with their first use.

use crate::config;
use crate::counters::{self, Counter};
use crate::shared_pool;
use crate::size_class::SLOT_BYTES;
use crate::slab::Site;
use core::cell::Cell;

const SLOTS_PER_MB: usize = (1 << 20) / SLOT_BYTES;

/// See the head of this file.
#[repr(C)]
pub(crate) struct PoolArena {
    next: Cell<usize>,
    end: Cell<usize>,
    clean: Cell<bool>,
    /// Reservations made.
    steps: Cell<u32>,
}

impl PoolArena {
    /// The next `slots` slots of the reservation.
    pub(crate) fn take(&self, slots: usize) -> Option<Site> {
        let start = self.next.get();
        let end = start + slots * SLOT_BYTES;
        if start == 0 || end > self.end.get() {
            return None;
        }
        self.next.set(end);
        counters::add(Counter::AcquireArena, 1);
        Some(Site {
            start,
            slots,
            superslab: crate::registry::REGISTRY
                .superslab_of(start)
                .map_or(core::ptr::null(), core::ptr::from_ref),
            clean: self.clean.get(),
        })
    }

    /// Whether there has been no reservation yet.
    pub(crate) fn is_new(&self) -> bool {
        self.steps.get() == 0
    }

    /// Makes the next reservation; false when the system has no more.
    pub(crate) fn grow(&self) -> bool {
        self.give_back();
        let options = config::get();
        let doublings = self.steps.get().min(options.pool_tls_arena_growth_levels);
        let mb = (options.pool_tls_arena_mb_init as usize) << doublings;
        let mb = mb.min(options.pool_tls_arena_mb_max as usize);
        let Some(site) = shared_pool::reserve(mb * SLOTS_PER_MB) else {
            return false;
        };
        self.next.set(site.start);
        self.end.set(site.start + site.slots * SLOT_BYTES);
        self.clean.set(site.clean);
        self.steps.set(self.steps.get() + 1);
        counters::add(Counter::ArenaSteps, 1);
        true
    }

    /// Gives what is left of the reservation back to the shared pool.
    pub(crate) fn give_back(&self) {
        let start = self.next.replace(0);
        if start != 0 && start < self.end.get() {
            shared_pool::give_back_unused(&Site {
                start,
                slots: (self.end.get() - start) / SLOT_BYTES,
                superslab: core::ptr::null(),
                clean: self.clean.get(),
            });
        }
    }
}
