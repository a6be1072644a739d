//! The shared pool: slabs and SuperSlabs that no thread owns.
//!
//! A slab is acquired in stages, each cheaper than the next:
//!
//! ```text
//! hint      the SuperSlab that served this class last; one CAS, no lock
//! reuse     a whole slab of the class that became empty (HAKMEM_SUPERSLAB_REUSE)
//! in use    SuperSlabs with free slots, the fullest first
//! (parked   a slab of an ended thread's cache: the thread cache's business)
//! cached    an empty SuperSlab of the cache, the newest first
//! new       2 MiB more of the arena
//! ```
//!
//! Dirty slots go before clean ones: their pages are there. Where more than a slack
//! ([`DIRTY_SLACK`]) lie dirty, those of other SuperSlabs go before clean ones of the hint, and who
//! takes clean ones all the same has as many dirty ones given back.
//!
//! When a SuperSlab is full, all the hints to it move on together to the one that served
//! next: else each class would miss once for every SuperSlab.
//!
//! Free slots stay dirty. Pages are given back, oldest first and in whole runs, when the
//! heap grows although as much lies dirty (so that the dirty memory adds nothing to the
//! peak), or little by little when more than [`dirty_bound`] has been dirty for
//! `HAKMEM_PURGE_DELAY_MS`.
//!
//! 1. A SuperSlab is in one place: on a list by the number of its free slots, in the cache,
//!    or nowhere (no slot free, or held by someone). [`Pool::settle`] alone moves it.
//! 2. All lists are under one lock. No system call is made while it is held, but for an
//!    observer's line: what is to be purged or unmapped is claimed first.

use crate::arena;
use crate::config;
use crate::counters::{self, Counter};
use crate::huge_pages;
use crate::metadata;
use crate::observe::{Event, Observed, Observer};
use crate::registry::REGISTRY;
use crate::size_class::{CLASSES, SLOT_BYTES, SizeClass};
use crate::slab::{Site, Slab};
use crate::superslab::{ALL, SLOTS, SUPERSLAB_BYTES, SuperSlab};
use crate::superslab_cache::SuperSlabCache;
use crate::sys::clock;
use crate::sys::lock::{Guard, Lock};
use crate::sys::memory;
use crate::tuning;
use crate::unit_stock;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

/// Milliseconds between two purges of what has been dirty for too long, and how much one may
/// take: a part of what is dirty, or that many slots.
const PURGE_EVERY_MS: u64 = 50;
const PURGE_SHARE: usize = 16;
const PURGE_LEAST: usize = 4;
/// Dirty slots that stay where they are although clean ones are taken: 512 KiB. What was freed
/// just now is not somebody else's at once, so that a second free of it is noticed.
const DIRTY_SLACK: usize = (512 << 10) / SLOT_BYTES;
/// SuperSlabs of one list that a claim looks at before it goes on.
const LOOKED_AT: usize = 16;
/// Lists of SuperSlabs by free slots: 1, 2-3, 4-7, 8-15, 16-32.
const LISTS: usize = 5;
/// The hint of requests that are of no class: runs for LARGE and arenas.
const RUN_HINT: usize = CLASSES;

/// What the shared pool knows of a SuperSlab. Reached under the pool's lock alone.
#[repr(C, align(128))]
pub(crate) struct SharedMeta {
    superslab: Cell<*const SuperSlab>,
    links: [Link; 2],
    pub(crate) place: Cell<Place>,
    /// It is on the list of those with dirty free slots, since this time.
    dirty_listed: Cell<bool>,
    dirty_since: Cell<u64>,
    pub(crate) cached_at: Cell<u64>,
    /// Its number among all that ever went into the cache.
    pub(crate) cached_as: Cell<u64>,
}

struct Link {
    before: Cell<*const SharedMeta>,
    after: Cell<*const SharedMeta>,
}

/// Where a SuperSlab stands in the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On no list.
    Nowhere,
    /// On the list with this number.
    InUse(u8),
    /// In the cache.
    Cached,
}

/// A list of records through one of their two pairs of links, `LINK`. Empty, it is zero.
pub(crate) struct List<const LINK: usize = 0> {
    front: *const SharedMeta,
    back: *const SharedMeta,
}

impl SharedMeta {
    pub(crate) fn superslab(&self) -> &'static SuperSlab {
        // SAFETY: set once when the record was made; records are never unmapped.
        unsafe { &*self.superslab.get() }
    }

    /// Tells observers what happens to the SuperSlab at this base.
    #[inline(always)]
    pub(crate) fn notice(&self, event: impl FnOnce(usize) -> Event<'static>) {
        if Observed::ACTIVE {
            Observed::notice(event(self.superslab().base()));
        }
    }

    /// Whether a SuperSlab that is held whole has pages to give back.
    pub(crate) fn is_dirty(&self) -> bool {
        self.superslab().dirty_among(ALL) != 0
    }
}

impl<const LINK: usize> List<LINK> {
    /// A list of places.
    pub(crate) const fn new() -> Self {
        List {
            front: ptr::null(),
            back: ptr::null(),
        }
    }

    pub(crate) fn front(&self) -> Option<NonNull<SharedMeta>> {
        NonNull::new(self.front.cast_mut())
    }

    pub(crate) fn back(&self) -> Option<NonNull<SharedMeta>> {
        NonNull::new(self.back.cast_mut())
    }

    fn link_of<'a>(&self, meta: *const SharedMeta) -> Option<&'a Link> {
        // SAFETY: records are never unmapped.
        unsafe { meta.as_ref() }.map(|meta| &meta.links[LINK])
    }

    pub(crate) fn push_front(&mut self, meta: &SharedMeta) {
        let link = &meta.links[LINK];
        link.before.set(ptr::null());
        link.after.set(self.front);
        match self.link_of(self.front) {
            Some(front) => front.before.set(meta),
            None => self.back = meta,
        }
        self.front = meta;
    }

    pub(crate) fn push_back(&mut self, meta: &SharedMeta) {
        let link = &meta.links[LINK];
        link.after.set(ptr::null());
        link.before.set(self.back);
        match self.link_of(self.back) {
            Some(back) => back.after.set(meta),
            None => self.front = meta,
        }
        self.back = meta;
    }

    /// Puts a record behind another, nearer to the back.
    pub(crate) fn insert_behind(&mut self, before: &SharedMeta, meta: &SharedMeta) {
        let after = before.links[LINK].after.get();
        let Some(next) = self.link_of(after) else {
            return self.push_back(meta);
        };
        let link = &meta.links[LINK];
        link.before.set(before);
        link.after.set(after);
        next.before.set(meta);
        before.links[LINK].after.set(meta);
    }

    pub(crate) fn remove(&mut self, meta: &SharedMeta) {
        let link = &meta.links[LINK];
        match self.link_of(link.before.get()) {
            Some(before) => before.after.set(link.after.get()),
            None => self.front = link.after.get(),
        }
        match self.link_of(link.after.get()) {
            Some(after) => after.before.set(link.before.get()),
            None => self.back = link.before.get(),
        }
    }

    /// The records as they stand; the list may be changed once the iteration has ended.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = NonNull<SharedMeta>> + use<LINK> {
        let mut at = self.front;
        core::iter::from_fn(move || {
            let meta = NonNull::new(at.cast_mut())?;
            // SAFETY: records are never unmapped.
            at = unsafe { meta.as_ref() }.links[LINK].after.get();
            Some(meta)
        })
    }

    /// As [`List::newest_first`], from the other end.
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = NonNull<SharedMeta>> + use<LINK> {
        let mut at = self.back;
        core::iter::from_fn(move || {
            let meta = NonNull::new(at.cast_mut())?;
            // SAFETY: records are never unmapped.
            at = unsafe { meta.as_ref() }.links[LINK].before.get();
            Some(meta)
        })
    }
}

struct Pool {
    in_use: [List; LISTS],
    cache: SuperSlabCache,
    /// SuperSlabs with dirty free slots, the longest so at the front.
    dirty: List<1>,
    /// Records whose SuperSlab was unmapped, to be used again.
    spare: List,
    /// Empty slabs that keep their class, linked by `after`.
    reuse: [*const Slab; CLASSES],
}

// SAFETY: the records are reached under the pool's lock alone.
unsafe impl Send for Pool {}

static POOL: Lock<Pool> = Lock::new(Pool {
    in_use: [const { List::new() }; LISTS],
    cache: SuperSlabCache::new(),
    dirty: List::new(),
    spare: List::new(),
    reuse: [ptr::null(); CLASSES],
});

/// By class, the SuperSlab that served last; the last one is for runs. Relaxed: records
/// are never unmapped, and a claim has its own ordering.
static HINTS: [AtomicPtr<SuperSlab>; CLASSES + 1] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES + 1];

/// The time before which no more pages are given back for their age. Relaxed: nothing else hangs
/// on it.
static NEXT_PURGE: AtomicU64 = AtomicU64::new(0);

/// One thread purges at a time.
static PURGING: AtomicBool = AtomicBool::new(false);

/// Slots, where they are, and the stage that served them.
type Claimed = (Site, &'static SuperSlab, Counter);

/// What an acquire found.
pub(crate) enum Found {
    /// Memory to open a slab in.
    Site(Site),
    /// A slab of the class, all of its blocks free; to be entered in the registry again.
    Slab(&'static Slab),
}

/// Free slots that may stay dirty for good: the larger of 1 MiB and a sixteenth of what
/// is in use.
fn dirty_bound() -> usize {
    let held = counters::slots_held();
    let usual = (held / 16).max((1 << 20) / SLOT_BYTES);
    tuning::dirty_bound(held, usual)
}

fn list_of(free: u32) -> u8 {
    (u32::BITS - 1 - free.count_ones().leading_zeros()).min(LISTS as u32 - 1) as u8
}

fn hint(index: usize) -> Option<&'static SuperSlab> {
    // SAFETY: records are never unmapped.
    unsafe { HINTS[index].load(Ordering::Relaxed).as_ref() }
}

/// Has the hint `index`, and all that are where it was, point to `superslab`.
fn move_hints(index: usize, superslab: &SuperSlab) {
    let new = ptr::from_ref(superslab).cast_mut();
    let old = HINTS[index].load(Ordering::Relaxed);
    for hint in &HINTS {
        if hint.load(Ordering::Relaxed) == old {
            hint.store(new, Ordering::Relaxed);
        }
    }
}

impl Pool {
    /// Puts a SuperSlab where its free slots say. A whole free one is claimed whole and
    /// goes to the cache; what is returned has to be unmapped by the caller.
    fn settle(&mut self, meta: &SharedMeta) -> Option<NonNull<SharedMeta>> {
        if meta.place.get() == Place::Cached {
            // Another thread gave back the last slot, and came first.
            return None;
        }
        let superslab = meta.superslab();
        if superslab.dirty() != 0 && !meta.dirty_listed.get() {
            meta.dirty_listed.set(true);
            meta.dirty_since.set(clock::now_ms());
            self.dirty.push_back(meta);
        }
        if superslab.claim_whole() {
            self.move_to(meta, Place::Nowhere);
            if !config::get().superslab_lazy {
                self.forget_dirty(meta);
                return Some(NonNull::from(meta));
            }
            self.cache.insert(meta);
            return None;
        }
        self.place_by_free(meta);
        None
    }

    fn place_by_free(&mut self, meta: &SharedMeta) {
        let free = meta.superslab().free();
        let place = if free == 0 {
            Place::Nowhere
        } else {
            Place::InUse(list_of(free))
        };
        self.move_to(meta, place);
    }

    fn move_to(&mut self, meta: &SharedMeta, place: Place) {
        if meta.place.get() == place {
            return;
        }
        match meta.place.get() {
            Place::InUse(list) => self.in_use[usize::from(list)].remove(meta),
            Place::Cached => self.cache.remove(meta),
            Place::Nowhere => {}
        }
        if let Place::InUse(list) = place {
            self.in_use[usize::from(list)].push_front(meta);
        }
        meta.place.set(place);
    }

    fn forget_dirty(&mut self, meta: &SharedMeta) {
        if meta.dirty_listed.replace(false) {
            self.dirty.remove(meta);
        }
    }

    /// Slots in a row that have their pages, of the fullest SuperSlab that has such, or else of
    /// an empty one.
    fn claim_used(&mut self, slots: usize) -> Option<Claimed> {
        for list in 0..LISTS {
            if (2 << list) <= slots && list + 1 < LISTS {
                continue;
            }
            for meta in self.in_use[list].newest_first().take(LOOKED_AT) {
                // SAFETY: records are never unmapped.
                let meta = unsafe { meta.as_ref() };
                if let Some(site) = meta.superslab().claim_used(slots) {
                    self.place_by_free(meta);
                    return Some((site, meta.superslab(), Counter::AcquireInUse));
                }
            }
        }
        let meta = self.cache.take_dirty(LOOKED_AT)?;
        // SAFETY: records are never unmapped.
        let meta = unsafe { meta.as_ref() };
        let superslab = meta.superslab();
        superslab.give_back(ALL);
        let site = superslab.claim_used(slots);
        self.place_by_free(meta);
        Some((site?, superslab, Counter::AcquireCached))
    }

    fn claim_in_use(&mut self, slots: usize) -> Option<(Site, &'static SuperSlab, usize)> {
        for list in 0..LISTS {
            if (2 << list) <= slots && list + 1 < LISTS {
                continue;
            }
            for _ in 0..LOOKED_AT {
                let mut tried = None;
                for meta in self.in_use[list].newest_first().take(LOOKED_AT) {
                    // SAFETY: records are never unmapped.
                    let meta = unsafe { meta.as_ref() };
                    let superslab = meta.superslab();
                    if let Some((site, clean)) = superslab.claim(slots) {
                        self.place_by_free(meta);
                        return Some((site, superslab, clean));
                    }
                    // Claims by hint do not move what they claim from.
                    let free = superslab.free();
                    if free == 0 || usize::from(list_of(free)) != list {
                        tried = Some(meta);
                        break;
                    }
                }
                match tried {
                    Some(meta) => self.place_by_free(meta),
                    None => break,
                }
            }
        }
        None
    }

    /// A record for a new SuperSlab.
    fn record(&mut self) -> Option<NonNull<SharedMeta>> {
        if let Some(meta) = self.spare.front() {
            // SAFETY: records are never unmapped.
            self.spare.remove(unsafe { meta.as_ref() });
            return Some(meta);
        }
        // Zero bytes are a SuperSlab that nobody has a slot of, and a record that is
        // nowhere.
        let superslab = metadata::allocate(size_of::<SuperSlab>())?.cast::<SuperSlab>();
        let meta = metadata::allocate(size_of::<SharedMeta>())?.cast::<SharedMeta>();
        let new = SharedMeta {
            superslab: Cell::new(superslab.as_ptr()),
            links: [const {
                Link {
                    before: Cell::new(ptr::null()),
                    after: Cell::new(ptr::null()),
                }
            }; 2],
            place: Cell::new(Place::Nowhere),
            dirty_listed: Cell::new(false),
            dirty_since: Cell::new(0),
            cached_at: Cell::new(0),
            cached_as: Cell::new(0),
        };
        // SAFETY: new memory of that size and alignment, for good.
        unsafe { meta.write(new) };
        // SAFETY: zeroed memory is a valid SuperSlab: its fields are all atomics of
        // integers and a null pointer.
        unsafe { superslab.as_ref() }
            .shared_meta()
            .store(meta.as_ptr(), Ordering::Release);
        Some(meta)
    }
}

/// The pool's record of a SuperSlab, in one load.
fn meta_of(superslab: &SuperSlab) -> &'static SharedMeta {
    // SAFETY: set when the SuperSlab's record was made, which is before its base became
    // known to anybody; records are never unmapped.
    unsafe { &*superslab.shared_meta().load(Ordering::Acquire) }
}

/// A slab's worth of slots for `class` from the stages that take no more memory from the
/// system: hint, reuse, in use.
pub(crate) fn acquire(class: SizeClass) -> Option<Found> {
    let index = class.index();
    if let Some(site) = claim_hinted(index, class.slots()) {
        counters::add(Counter::AcquireHint, 1);
        return Some(Found::Site(site));
    }
    let mut pool = POOL.lock();
    let head = pool.reuse[index];
    // SAFETY: headers are never unmapped; this one is held by the pool.
    if let Some(slab) = unsafe { head.as_ref() } {
        pool.reuse[index] = slab.after().get();
        counters::add(Counter::AcquireReuse, 1);
        return Some(Found::Slab(slab));
    }
    let (site, superslab, stage) = claim_in_use(pool, index, class.slots())?;
    move_hints(index, superslab);
    counters::add(stage, 1);
    Some(Found::Site(site))
}

/// `slots` slots in a row that are of no class, from memory that is ours already.
pub(crate) fn acquire_run(slots: usize) -> Option<Site> {
    if let Some(site) = claim_hinted(RUN_HINT, slots) {
        return Some(site);
    }
    let (site, superslab, _) = claim_in_use(POOL.lock(), RUN_HINT, slots)?;
    HINTS[RUN_HINT].store(ptr::from_ref(superslab).cast_mut(), Ordering::Relaxed);
    Some(site)
}

/// Slots in a row of the SuperSlab that the hint `index` points to: clean ones only while there
/// are none elsewhere that have their pages.
fn claim_hinted(index: usize, slots: usize) -> Option<Site> {
    let superslab = hint(index)?;
    if counters::slots_dirty() > DIRTY_SLACK {
        return superslab.claim_used(slots);
    }
    superslab.claim(slots).map(|(site, _)| site)
}

/// Slots in a row of SuperSlabs in use: such that have their pages, or else of the hint
/// `index`, or of any.
fn claim_in_use(mut pool: Guard<'static, Pool>, index: usize, slots: usize) -> Option<Claimed> {
    if counters::slots_dirty() > DIRTY_SLACK
        && let Some(claimed) = pool.claim_used(slots)
    {
        drop(pool);
        if let Counter::AcquireCached = claimed.2 {
            enforce_limits();
        }
        return Some(claimed);
    }
    let hinted = hint(index).and_then(|superslab| {
        let (site, clean) = superslab.claim(slots)?;
        Some((site, superslab, clean, Counter::AcquireHint))
    });
    let (site, superslab, clean, stage) = match hinted {
        Some(claimed) => claimed,
        None => {
            let (site, superslab, clean) = pool.claim_in_use(slots)?;
            (site, superslab, clean, Counter::AcquireInUse)
        }
    };
    drop(pool);
    pay_for(clean, superslab);
    Some((site, superslab, stage))
}

/// When `clean` slots of a SuperSlab are taken into use: gives back as much of what lies dirty,
/// beyond what a change of sizes needs.
fn pay_for(clean: usize, superslab: &SuperSlab) {
    // In a huge page they have their memory.
    if clean > 0 && !superslab.is_unfilled() {
        purge_while(|_, purged| purged < clean && counters::slots_dirty() > DIRTY_SLACK);
    }
}

/// A slab's worth of slots for `class` from an empty SuperSlab, cached or new.
pub(crate) fn grow(class: SizeClass) -> Option<Site> {
    let (site, superslab, stage) = claim_from_empty(class.slots())?;
    counters::add(stage, 1);
    move_hints(class.index(), superslab);
    Some(site)
}

/// As [`grow`], for slots that are of no class.
pub(crate) fn grow_run(slots: usize) -> Option<Site> {
    let (site, superslab, _) = claim_from_empty(slots)?;
    HINTS[RUN_HINT].store(ptr::from_ref(superslab).cast_mut(), Ordering::Relaxed);
    Some(site)
}

fn claim_from_empty(slots: usize) -> Option<Claimed> {
    debug_assert!(slots <= SLOTS);
    loop {
        let cached = POOL.lock().cache.take();
        let (meta, stage) = match cached {
            Some(meta) => (meta, Counter::AcquireCached),
            None => (map_new(1)?, Counter::AcquireNew),
        };
        // SAFETY: records are never unmapped.
        let meta = unsafe { meta.as_ref() };
        let superslab = meta.superslab();
        if !meta.is_dirty() {
            huge_pages::choose(superslab);
        }
        superslab.give_back(ALL);
        let site = superslab.claim(slots);
        settle(meta);
        // Hints may still point to a SuperSlab that was cached, and others be faster.
        if let Some((site, clean)) = site {
            pay_for(clean, superslab);
            return Some((site, superslab, stage));
        }
    }
}

/// Maps `units` SuperSlabs in a row, registered, and held whole by the caller. Returns
/// the first one's record.
fn map_new(units: usize) -> Option<NonNull<SharedMeta>> {
    let reused = unit_stock::take(units);
    let clean = reused.is_none();
    let base = match reused {
        Some(base) => base,
        None => arena::allocate(units)?,
    };
    // SAFETY: the units are ours as of now.
    let committed = !clean || unsafe { memory::commit(base, units * SUPERSLAB_BYTES) };
    let mut first = None;
    for unit in 0..units {
        let record = committed.then(|| POOL.lock().record()).flatten();
        let Some(record) = record else {
            unmap_from(base, unit, units);
            return None;
        };
        // SAFETY: records are never unmapped.
        let superslab = unsafe { record.as_ref() }.superslab();
        let at = base + unit * SUPERSLAB_BYTES;
        superslab.set_base(at, clean);
        REGISTRY.set_superslab(at, Some(superslab));
        Observed::notice(Event::SuperSlabMapped { base: at });
        first = first.or(Some(record));
    }
    counters::add(Counter::SuperSlabsMapped, units as u64);
    if clean {
        make_room(units);
    } else {
        counters::slots_came_dirty(units * SLOTS);
    }
    first
}

/// Takes back the first `made` of `units` SuperSlabs that [`map_new`] could not finish.
#[cold]
fn unmap_from(base: usize, made: usize, units: usize) {
    for unit in 0..made {
        let at = base + unit * SUPERSLAB_BYTES;
        if let Some(superslab) = REGISTRY.superslab_of(at) {
            REGISTRY.set_superslab(at, None);
            POOL.lock().spare.push_front(meta_of(superslab));
        }
    }
    // SAFETY: `map_new` has just allocated the units, and nobody else knows of them.
    unsafe { arena::release(base, units) };
}

/// A reservation of `slots` slots in a row of which none is in use, over as many
/// SuperSlabs as it takes; `None` when the system has no more.
pub(crate) fn reserve(slots: usize) -> Option<Site> {
    if slots <= SLOTS {
        return acquire_run(slots).or_else(|| grow_run(slots));
    }
    let units = slots.div_ceil(SLOTS);
    let first = map_new(units)?;
    // SAFETY: records are never unmapped.
    let start = unsafe { first.as_ref() }.superslab().base();
    let mut dirty = 0;
    for unit in 0..units {
        let held = (slots - unit * SLOTS).min(SLOTS);
        if let Some(superslab) = REGISTRY.superslab_of(start + unit * SUPERSLAB_BYTES) {
            if superslab.dirty_among(ALL) == 0 {
                huge_pages::choose(superslab);
            }
            dirty += superslab.take_reserved(held);
            if held < SLOTS {
                settle(meta_of(superslab));
            }
        }
    }
    counters::slots_claimed(slots, dirty);
    Some(Site {
        start,
        slots,
        superslab: ptr::null(),
        clean: dirty == 0,
    })
}

/// Gives back part of a reservation that was never used; it may span SuperSlabs.
pub(crate) fn give_back_unused(site: &Site) {
    let mut start = site.start;
    let end = site.start + site.slots * SLOT_BYTES;
    while start < end {
        let Some(superslab) = REGISTRY.superslab_of(start) else {
            return;
        };
        let stop = end.min(superslab.base() + SUPERSLAB_BYTES);
        let mask = superslab.mask_of(&Site {
            start,
            slots: (stop - start) / SLOT_BYTES,
            superslab,
            clean: site.clean,
        });
        if site.clean {
            superslab.set_clean(mask);
        }
        return_slots(superslab, mask);
        start = stop;
    }
}

/// Gives back the memory of a slab that has been taken out of the registry.
pub(crate) fn release(site: &Site) {
    let Some(superslab) = REGISTRY.superslab_of(site.start) else {
        return;
    };
    return_slots(superslab, superslab.mask_of(site));
}

fn return_slots(superslab: &'static SuperSlab, mask: u32) {
    counters::slots_given_back(
        mask.count_ones() as usize,
        superslab.dirty_among(mask).count_ones() as usize,
    );
    // What the SuperSlab is in the pool has to be read before the slots are given back:
    // afterwards another thread may unmap it.
    let meta = meta_of(superslab);
    superslab.give_back(mask);
    settle(meta);
    purge_overdue();
}

/// Keeps an empty slab, which has been taken out of the registry, for its class.
pub(crate) fn keep(slab: &'static Slab) {
    let index = slab.class().index();
    let mut pool = POOL.lock();
    slab.after().set(pool.reuse[index]);
    pool.reuse[index] = slab;
}

/// Puts a SuperSlab where it belongs, then sees to the cache's limits.
fn settle(meta: &SharedMeta) {
    let victim = POOL.lock().settle(meta);
    if let Some(victim) = victim {
        unmap(victim);
    }
    enforce_limits();
}

/// Unmaps and purges what the cache holds over its limits.
fn enforce_limits() {
    loop {
        let mut pool = POOL.lock();
        if let Some(victim) = pool.cache.overdue() {
            // SAFETY: records are never unmapped.
            pool.forget_dirty(unsafe { victim.as_ref() });
            drop(pool);
            unmap(victim);
        } else if let Some(meta) = pool.cache.over_soft_cap() {
            // SAFETY: records are never unmapped.
            let meta = unsafe { meta.as_ref() };
            pool.forget_dirty(meta);
            drop(pool);
            purge_whole(meta, "over the soft cap");
            POOL.lock().cache.put_back(meta);
        } else {
            return;
        }
    }
}

/// Unmaps a SuperSlab that the caller holds whole and that is on no list.
fn unmap(meta: NonNull<SharedMeta>) {
    // SAFETY: records are never unmapped.
    let meta = unsafe { meta.as_ref() };
    let superslab = meta.superslab();
    counters::slots_cleaned(superslab.dirty_among(ALL).count_ones() as usize);
    superslab.forget_unfilled(ALL);
    REGISTRY.set_superslab(superslab.base(), None);
    meta.notice(|base| Event::SuperSlabFreed { base });
    // SAFETY: all of its slots are held, so nobody uses it.
    unsafe { arena::release(superslab.base(), 1) };
    counters::add(Counter::SuperSlabsUnmapped, 1);
    POOL.lock().spare.push_front(meta);
}

/// Gives back the pages of free slots that the caller has claimed; how many were dirty.
fn purge(meta: &SharedMeta, mask: u32) -> usize {
    let superslab = meta.superslab();
    let mut bytes = 0;
    for (address, len) in superslab.runs(mask) {
        // SAFETY: the slots are claimed by us, so nobody uses them.
        unsafe { memory::purge(address, len) };
        bytes += len;
    }
    let dirty = superslab.dirty_among(mask).count_ones() as usize;
    superslab.set_clean(mask);
    superslab.forget_unfilled(mask);
    counters::slots_cleaned(dirty);
    counters::add(Counter::PurgedBytes, bytes as u64);
    dirty
}

/// Gives back the pages of a cached SuperSlab that the caller holds whole; how many slots were
/// dirty.
fn purge_whole(meta: &SharedMeta, why: &'static str) -> usize {
    let superslab = meta.superslab();
    meta.notice(|base| Event::CachePurged { base, why });
    // In part, a huge page would only be split.
    let mask = if huge_pages::has(superslab) {
        ALL
    } else {
        superslab.dirty_among(ALL)
    };
    purge(meta, mask)
}

/// Gives back the slots `dirty`, which the caller has claimed of a SuperSlab in use, and their
/// pages; how many there are.
fn purge_part(meta: &SharedMeta, dirty: u32) -> usize {
    let superslab = meta.superslab();
    let mut mask = dirty;
    // Nobody can unmap it while we hold some of it.
    if dirty != 0 && huge_pages::has(superslab) {
        huge_pages::end(superslab);
        mask |= superslab.claim_free(0);
    }
    let dirty = purge(meta, mask);
    superslab.give_back(mask);
    settle(meta);
    dirty
}

/// Gives back pages, the longest dirty first, while `wanted` says so of the time that
/// the next ones have been dirty and of the slots purged so far. Returns those.
fn purge_while(mut wanted: impl FnMut(u64, usize) -> bool) -> usize {
    if PURGING.swap(true, Ordering::Acquire) {
        return 0;
    }
    let mut purged = 0;
    loop {
        let mut pool = POOL.lock();
        let Some(meta) = pool.dirty.front() else {
            break;
        };
        // SAFETY: records are never unmapped.
        let meta = unsafe { meta.as_ref() };
        if !wanted(meta.dirty_since.get(), purged) {
            break;
        }
        pool.forget_dirty(meta);
        if meta.place.get() == Place::Cached {
            pool.cache.remove(meta);
            drop(pool);
            purged += purge_whole(meta, "dirty for longest");
            POOL.lock().cache.put_back(meta);
        } else {
            let dirty = meta.superslab().claim_dirty();
            drop(pool);
            purged += purge_part(meta, dirty);
        }
    }
    PURGING.store(false, Ordering::Release);
    purged
}

/// Gives back pages beyond the bound that have been dirty for long enough, little by little: a
/// program that frees much and soon wants it again keeps most of it. All of it at once where the
/// delay is none, or memory learning has said how much may lie there.
fn purge_overdue() {
    tuning::tick();
    if counters::slots_dirty() <= dirty_bound() {
        return;
    }
    let (now, delay) = (clock::now_ms(), tuning::purge_delay_ms());
    let most = if delay == 0 || config::get().mem_learn {
        usize::MAX
    } else if now < NEXT_PURGE.load(Ordering::Relaxed) {
        return;
    } else {
        (counters::slots_dirty() / PURGE_SHARE).max(PURGE_LEAST)
    };
    let purged = purge_while(|since, purged| {
        purged < most
            && counters::slots_dirty() > dirty_bound()
            && now.saturating_sub(since) >= delay
    });
    if purged > 0 {
        NEXT_PURGE.store(now + PURGE_EVERY_MS, Ordering::Relaxed);
    }
}

/// When the heap grows by `units` units: gives back as much of what lies dirty.
pub(crate) fn make_room(units: usize) {
    unit_stock::give_back(units);
    if counters::slots_dirty() > 0 {
        purge_while(|_, purged| purged < units * SLOTS);
    }
}

/// Gives back everything that is free: the pages of all dirty slots, and all cached
/// SuperSlabs. Says whether there was something.
pub(crate) fn trim() -> bool {
    release_kept();
    let mut any = purge_while(|_, _| true) > 0;
    any |= unit_stock::give_back(usize::MAX);
    loop {
        let mut pool = POOL.lock();
        let Some(meta) = pool.cache.evict() else {
            return any;
        };
        // SAFETY: records are never unmapped.
        pool.forget_dirty(unsafe { meta.as_ref() });
        drop(pool);
        unmap(meta);
        any = true;
    }
}

/// Gives back the slabs that are kept for their classes.
fn release_kept() {
    for index in 0..CLASSES {
        loop {
            let mut pool = POOL.lock();
            // SAFETY: headers are never unmapped; this one is held by the pool.
            let Some(slab) = (unsafe { pool.reuse[index].as_ref() }) else {
                break;
            };
            pool.reuse[index] = slab.after().get();
            drop(pool);
            let site = slab.site();
            slab.close();
            release(&site);
        }
    }
}

/// Maps and populates SuperSlabs ahead of use, as the options say.
pub(crate) fn prewarm() {
    let options = config::get();
    let per_class = options.prewarm_superslabs as usize * crate::size_class::TINY_CLASSES;
    let total = match options.superslab_prewarm as usize {
        0 => per_class,
        total if per_class == 0 => total,
        total => total.min(per_class),
    };
    for made in 0..total {
        let Some(meta) = map_new(1) else { return };
        // SAFETY: records are never unmapped.
        let meta = unsafe { meta.as_ref() };
        let superslab = meta.superslab();
        huge_pages::choose_ahead(superslab);
        // SAFETY: mapped just now, and held by us.
        unsafe { memory::populate(superslab.base(), SUPERSLAB_BYTES) };
        counters::add(Counter::Prewarmed, 1);
        let class = made % crate::size_class::TINY_CLASSES;
        meta.notice(|base| Event::Prewarmed {
            base,
            class: (per_class > 0).then_some(class),
            left: total - made - 1,
        });
        if per_class > 0 {
            HINTS[class].store(ptr::from_ref(superslab).cast_mut(), Ordering::Relaxed);
            superslab.give_back(ALL);
            POOL.lock().place_by_free(meta);
        } else {
            POOL.lock().cache.insert(meta);
        }
    }
}

/// SuperSlabs in the cache.
pub(crate) fn cached() -> usize {
    POOL.lock().cache.len()
}

/// Locks and unlocks around a fork.
pub(crate) fn hold() {
    POOL.hold();
}

/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { POOL.let_go() };
}

/// In a fork's child: another thread may have been purging, and is not here.
pub(crate) fn forget_purger() {
    PURGING.store(false, Ordering::Release);
}
