//! What the shared pool knows of a SuperSlab.

use super::list::Link;
use crate::metadata;
use crate::observe::{Event, Observed, Observer};
use crate::superslab::{ALL, SuperSlab};
use core::cell::Cell;
use core::sync::atomic::Ordering;

/// A SuperSlab in the shared pool. Reached under the pool's lock alone, but for `superslab`;
/// never unmapped.
#[repr(C, align(128))]
pub(crate) struct SharedMeta {
    superslab: &'static SuperSlab,
    pub(super) links: [Link; 2],
    pub(super) place: Cell<Place>,
    /// It is on the list of those with dirty free slots.
    pub(super) dirty_listed: Cell<bool>,
    /// Since when it is, milliseconds.
    pub(super) dirty_since: Cell<u64>,
    /// When it went into the cache, milliseconds.
    pub(super) cached_at: Cell<u64>,
    /// Its number among all that ever went into the cache.
    pub(super) cached_as: Cell<u64>,
}

/// Where a SuperSlab stands in the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On no list.
    Nowhere,
    /// On the list with this number.
    InUse(u8),
    /// In the cache.
    Cached,
}

impl SharedMeta {
    /// A record for a new SuperSlab, in new memory; it is nowhere.
    pub(super) fn make() -> Option<&'static SharedMeta> {
        let superslab = metadata::allocate(size_of::<SuperSlab>())?.cast::<SuperSlab>();
        let meta = metadata::allocate(size_of::<SharedMeta>())?.cast::<SharedMeta>();
        // SAFETY: zeroed memory, for good, is a SuperSlab that nobody has a slot of: its fields
        // are all atomics of integers and a null pointer.
        let superslab: &'static SuperSlab = unsafe { superslab.as_ref() };
        let new = SharedMeta {
            superslab,
            links: [const { Link::new() }; 2],
            place: Cell::new(Place::Nowhere),
            dirty_listed: Cell::new(false),
            dirty_since: Cell::new(0),
            cached_at: Cell::new(0),
            cached_as: Cell::new(0),
        };
        // SAFETY: new memory of that size and alignment, for good.
        let meta = unsafe {
            meta.write(new);
            meta.as_ref()
        };
        // Pairs with the load in `of`.
        let known = core::ptr::from_ref(meta).cast_mut();
        superslab.shared_meta().store(known, Ordering::Release);
        Some(meta)
    }

    /// The record of a SuperSlab, in one load.
    pub(super) fn of(superslab: &SuperSlab) -> &'static SharedMeta {
        // Pairs with the store in `make`.
        let known = superslab.shared_meta().load(Ordering::Acquire);
        // SAFETY: set when the SuperSlab's record was made, which is before its base became
        // known to anybody; records are never unmapped.
        unsafe { &*known }
    }

    pub(super) fn superslab(&self) -> &'static SuperSlab {
        self.superslab
    }

    /// Tells observers what happens to the SuperSlab at this base.
    #[inline(always)]
    pub(super) fn notice(&self, event: impl FnOnce(usize) -> Event<'static>) {
        if Observed::ACTIVE {
            Observed::notice(event(self.superslab().base()));
        }
    }

    /// Whether a SuperSlab that is held whole has pages to give back.
    pub(super) fn is_dirty(&self) -> bool {
        self.superslab().dirty_among(ALL) != 0
    }
}
