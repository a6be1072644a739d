//! The atomics and cells of the parts that loom models.
//!
//! [`Slab`](crate::slab::Slab) and [`Inbox`](crate::inbox::Inbox) take every
//! shared or owner-private field from here, so that the models in
//! `src/inbox/models.rs` run the code that ships. Statics, which loom cannot
//! hold, use `core::sync::atomic` directly.

#[cfg(not(loom))]
mod imp {
    pub(crate) use core::cell::Cell;
    pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

    pub(crate) const IS_CORE: bool = true;
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

    pub(crate) const IS_CORE: bool = false;

    /// A `Cell` whose every access loom checks for races.
    #[derive(Debug)]
    pub(crate) struct Cell<T>(loom::cell::UnsafeCell<T>);

    impl<T: Copy> Cell<T> {
        pub(crate) fn new(value: T) -> Self {
            Cell(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn get(&self) -> T {
            // SAFETY: loom reports an access that races with this one.
            self.0.with(|value| unsafe { *value })
        }

        pub(crate) fn set(&self, value: T) {
            // SAFETY: loom reports an access that races with this one.
            self.0.with_mut(|slot| unsafe { *slot = value })
        }
    }
}

/// Whether these are core's, which have the size of what they hold.
pub(crate) use imp::IS_CORE;
pub(crate) use imp::{AtomicPtr, AtomicU32, AtomicU64, Cell, Ordering};
