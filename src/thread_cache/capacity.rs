//! How many blocks a cache holds of each class: the arrays of its fronts, and the bounds of its lists.
//!
//! Every class has a built-in array. One that is refilled and spilled again and again is *hot*, and gets an
//! array of its own; while it still swings between empty and full, one twice as long.

use super::{ThreadCache, learning};
use crate::config;
use crate::metadata;
use crate::size_class::{CLASSES, SizeClass, TINY_CLASSES, Tier};
use core::ptr;

/// Words of a TINY class's built-in array, with the null below its bottom.
const TINY_WORDS: usize = 32;
/// Words of a POOL or MID class's.
const OTHER_WORDS: usize = 16;
/// Words of all of them.
pub(super) const WORDS: usize = TINY_CLASSES * TINY_WORDS + (CLASSES - TINY_CLASSES) * OTHER_WORDS;
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
/// Most blocks that a refill brings.
const BATCH_MAX: u32 = 128;

impl ThreadCache {
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

    /// What every slow path sees to first: the environment, if it could not be read yet,
    /// and the registry's growth.
    pub(super) fn keep_up(&self) {
        if !self.is_configured.get() && config::read_environment() {
            for class in SizeClass::all() {
                self.flush_class(class);
            }
            self.send_home();
            self.configure();
            self.refresh_view();
        }
    }

    /// The array of a class that is built in, and how many entries of it are used.
    pub(super) fn built_in(&self, class: SizeClass) -> (*mut *mut u8, usize) {
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

    /// Counts that the front was found full or empty, and gives it a larger array when it is
    /// time.
    pub(super) fn grow_warm(&self, class: SizeClass, is_full: bool) {
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
    pub(super) fn enlarge(&self, class: SizeClass, capacity: u32) -> bool {
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
}
