//! Learning of allocation: which classes of a thread are hot, and how long their fronts are.
//!
//! ```text
//!              refills, drains                    none for `patience` windows
//! built-in ───────────────────► hot: an array ───────────────────────────────► cold: all goes
//!  front                        of its own ◄──┐                                back to the slabs,
//!    ▲                              └─────────┘ an eighth of a window's events  the array waits
//!    └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Without learning a class that was hot once stays so, the places for hot classes are taken by
//! those that came first, and what a thread holds of a class that it does not use any more
//! stays and keeps slabs from becoming empty. With it classes are looked at a window apart,
//! which is so many refills and drains of the thread; between them nothing is done but to count
//! down. A class that finds its blocks in the front looks as idle as one that is not used, and
//! is taken for cold once: one that is wanted again soon gets twice the patience.
//!
//! 1. All of it is the cache's owner's.
//! 2. An array that a class has had stays its own, so that to be hot again costs nothing.

use super::ThreadCache;
use crate::config;
use crate::counters::{self, Counter};
use crate::observe::{Event, Observed, Observer};
use crate::size_class::{CLASSES, SizeClass, Tier};
use crate::tuning;
use core::cell::Cell;
use core::ptr;

/// Windows without an event after which a class is cold, at first; and at most.
const PATIENCE: u8 = 2;
const PATIENCE_MOST: u8 = 64;
/// Classes of TINY that may be hot at once.
const HOT_CLASSES: u32 = 16;
/// Of a window's events so many hundredths make a class worth a larger front.
const BUSY: u32 = 12;

/// What is learnt of a cache's classes. Zero bytes are one that has learnt nothing.
#[repr(C)]
pub(super) struct Learning {
    /// Events until the window ends.
    left: Cell<u32>,
    of_classes: [OfClass; CLASSES],
    /// The most classes of TINY that were hot at once.
    most_hot: Cell<u32>,
}

#[repr(C)]
struct OfClass {
    /// Its misses and drains when the window began.
    seen: Cell<u64>,
    /// Windows without one.
    idle: Cell<u8>,
    /// After how many of those it is cold; 0 for [`PATIENCE`].
    patience: Cell<u8>,
    /// Windows that are left in which it is regretted that it was found cold.
    regretted: Cell<u8>,
    /// The array that it had, with its entries.
    bottom: Cell<*mut *mut u8>,
    entries: Cell<u32>,
}

/// Whether this process learns what its threads need.
#[inline(always)]
pub(super) fn is_on() -> bool {
    config::get().alloc_learn && tuning::is_learning()
}

/// Classes of TINY that may be hot at once.
pub(super) fn hot_classes() -> u32 {
    let asked = config::get().tiny_sfc_hot_classes;
    if is_on() {
        asked.max(HOT_CLASSES)
    } else {
        asked
    }
}

/// Bytes of blocks that a front of TINY may hold, if that is learnt.
pub(super) fn cached_bytes() -> Option<usize> {
    let asked = config::get().learn_cached_kb?;
    is_on().then_some((asked as usize) << 10)
}

impl ThreadCache {
    /// A front was found full or empty: decides anew at a window's end. Called before blocks are
    /// moved, with the cache busy.
    #[inline(always)]
    pub(super) fn learn(&self, class: SizeClass) {
        if is_on() {
            self.learn_slow(class);
        }
    }

    #[cold]
    #[inline(never)]
    fn learn_slow(&self, class: SizeClass) {
        let learning = &self.learning;
        learning
            .most_hot
            .set(learning.most_hot.get().max(self.hot_classes.get()));
        self.note_regret(class);
        match learning.left.get() {
            0 => {}
            1 => self.end_window(class),
            left => return learning.left.set(left - 1),
        }
        learning.left.set(config::get().alloc_learn_window);
    }

    /// A class that was taken for cold is wanted again.
    fn note_regret(&self, class: SizeClass) {
        let of_class = &self.learning.of_classes[class.index()];
        if of_class.regretted.take() > 0 {
            let patience = of_class.patience.get().max(PATIENCE);
            of_class.patience.set((patience * 2).min(PATIENCE_MOST));
            counters::add(Counter::LearnRegretted, 1);
        }
    }

    /// Looks at all classes but the one that is in the middle of a refill or drain.
    fn end_window(&self, current: SizeClass) {
        if tuning::is_time_up() {
            tuning::freeze();
            return;
        }
        counters::add(Counter::LearnWindows, 1);
        let window = u64::from(config::get().alloc_learn_window);
        for class in SizeClass::all() {
            let of_class = &self.learning.of_classes[class.index()];
            let counts = &self.shelf(class).counts;
            let count = counts.misses.get() + counts.drains.get();
            let events = count - of_class.seen.replace(count);
            let regretted = &of_class.regretted;
            regretted.set(regretted.get().saturating_sub(1));
            if events > 0 || class == current {
                of_class.idle.set(0);
            } else if self.holds(class) {
                self.rest(class, of_class);
            }
            if events * 100 >= window * u64::from(BUSY) && self.shelf(class).hot.get() {
                self.widen(class);
            }
        }
    }

    /// Whether the cache has blocks of the class, or a slab of it at hand.
    fn holds(&self, class: SizeClass) -> bool {
        let shelf = self.shelf(class);
        shelf.list.len() > 0 || shelf.current().is_some() || !self.is_front_empty(class)
    }

    /// A class has done nothing for one more window.
    fn rest(&self, class: SizeClass, of_class: &OfClass) {
        let asked = config::get().learn_patience.map_or(PATIENCE, |n| n as u8);
        let patience = of_class.patience.get().max(asked);
        let idle = of_class.idle.get() + 1;
        of_class.idle.set(idle);
        if idle < patience {
            return;
        }
        of_class.idle.set(0);
        of_class.regretted.set(PATIENCE);
        self.cool(class);
    }

    /// Gives back all that the cache holds of a class, and its place among the hot ones.
    fn cool(&self, class: SizeClass) {
        let shelf = self.shelf(class);
        let before = shelf.capacity.get();
        self.flush_class(class);
        if let Some(slab) = shelf.current() {
            shelf.current.set(ptr::null());
            self.has_returned(slab);
        }
        if shelf.hot.replace(false) {
            let of_class = &self.learning.of_classes[class.index()];
            of_class.bottom.set(shelf.bottom.get());
            of_class.entries.set(shelf.capacity.get());
            if class.tier() == Tier::Tiny {
                self.hot_classes.set(self.hot_classes.get() - 1);
            }
            let (bottom, capacity) = self.built_in(class);
            shelf.bottom.set(bottom);
            shelf.capacity.set(capacity as u32);
            // SAFETY: the built-in words of this class, of which none is in use.
            unsafe { self.bin(class).set_array(bottom, capacity) };
        }
        shelf.heat.set(0);
        shelf.swings.set(0);
        shelf.batch.set(config::get().tiny_tls_refill);
        counters::add(Counter::LearnCooled, 1);
        self.tell("front", class, before, shelf.capacity.get());
    }

    /// The array that a class has had, if it is as long as that, to be used again.
    pub(super) fn array_from_before(
        &self,
        class: SizeClass,
        capacity: u32,
    ) -> Option<(*mut *mut u8, u32)> {
        let of_class = &self.learning.of_classes[class.index()];
        let entries = of_class.entries.get();
        (entries >= capacity && entries > 0).then(|| (of_class.bottom.get(), entries))
    }

    /// Gives a busy class a longer front and a larger batch.
    fn widen(&self, class: SizeClass) {
        let before = self.shelf(class).capacity.get();
        let more = before * config::get().alloc_learn_rate / 100;
        if self.enlarge(class, before + more.max(1)) {
            counters::add(Counter::LearnEnlarged, 1);
            self.tell("front", class, before, self.shelf(class).capacity.get());
        }
    }

    fn tell(&self, what: &'static str, class: SizeClass, from: u32, to: u32) {
        let event = Event::Learnt {
            what,
            class: Some(class.index()),
            from: from as usize,
            to: to as usize,
        };
        Observed::event(&self.local, event);
    }

    /// What was learnt of all threads, as values of variables: how many classes are hot, and the
    /// longest front and batch.
    pub(crate) fn learnt() -> (u32, u32, u32) {
        let options = config::get();
        let (mut hot, mut capacity, mut batch) = (1, 0, options.tiny_tls_refill);
        for cache in Self::all() {
            hot = hot.max(cache.learning.most_hot.get());
            for class in SizeClass::all().filter(|class| class.tier() == Tier::Tiny) {
                let shelf = cache.shelf(class);
                let had = cache.learning.of_classes[class.index()].entries.get();
                if shelf.hot.get() {
                    capacity = capacity.max(shelf.capacity.get());
                    batch = batch.max(shelf.batch.get());
                }
                capacity = capacity.max(had);
            }
        }
        if capacity == 0 {
            capacity = options.tiny_sfc_capacity;
        }
        (hot, capacity, batch)
    }
}
