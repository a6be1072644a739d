//! The slabs of a cache: which one is current, where the next one comes from, and where one goes whose
//! blocks come back.

use super::{ThreadCache, parked, remote_buffer};
use crate::config;
use crate::counters::{self, Counter};
use crate::fault::{self, Call, Fault};
use crate::observe::{Event, Observed, Observer, Path};
use crate::registry::REGISTRY;
use crate::shared_pool::{self, Found};
use crate::size_class::{SizeClass, Tier};
use crate::slab::{Site, Slab};
use core::cell::Cell;
use core::ptr;

/// Slabs of POOL or MID among which one with a free block that has its pages is looked for.
const PARTIALS_LOOKED_AT: usize = 8;

impl ThreadCache {
    /// A slab of `class` with a free block, made current. Without `acquire` none is
    /// asked of the shared pool.
    pub(super) fn slab_with_free(&self, class: SizeClass, acquire: bool) -> Option<&'static Slab> {
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
    pub(super) fn take_over(&self, slab: &Slab) {
        REGISTRY.enter(slab, ptr::from_ref(self.bin(slab.class())) as usize);
        slab.set_owner(&self.inbox.0);
        self.refresh_view();
    }

    /// Gives blocks that this cache held back to their slabs.
    pub(super) fn give_back(&self, blocks: &[Cell<*mut u8>]) {
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
    pub(super) fn has_returned(&self, slab: &'static Slab) {
        // Most often it has still some out, and is known to have free ones.
        if slab.used() == 0 || !slab.listed().get() {
            self.has_changed(slab);
        }
    }

    /// Sees to a slab of ours to which `count` blocks came back from other threads.
    pub(super) fn has_come_home(&self, slab: &'static Slab, count: usize) {
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

    /// A partial slab of `class` is given up, for another cache to take over.
    pub(super) fn give_up(&self, class: SizeClass) -> Option<&'static Slab> {
        let shelf = self.shelf(class);
        shelf.first_partial().or_else(|| self.waiting(class).pop())
    }
}
