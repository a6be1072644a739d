//! A SuperSlab: 2 MiB of user memory, aligned to 2 MiB, in 32 slots of 64 KiB.
//!
//! All of the 2 MiB are blocks; this record lies in metadata memory.
//!
//! 1. A slot whose `free` bit is clear belongs to whoever cleared it.
//! 2. A slot whose `free` and `clean` bits are set reads as zero.
//! 3. `base` changes only while no `free` bit is set.
//! 4. Single slots are taken from the bottom and runs from the top, so that runs stay
//!    possible; dirty slots go before clean ones.

use crate::counters::{self, Counter};
use crate::name::{Name, name};
use crate::shared_pool::SharedMeta;
use crate::size_class::{SLOT_BYTES, SLOT_SHIFT};
use crate::slab::Site;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Bytes of a SuperSlab.
pub(crate) const SUPERSLAB_BYTES: usize = 1 << SUPERSLAB_SHIFT;
/// Base-two logarithm of [`SUPERSLAB_BYTES`].
pub(crate) const SUPERSLAB_SHIFT: u32 = 21;
/// Slots of a SuperSlab.
pub(crate) const SLOTS: usize = SUPERSLAB_BYTES / SLOT_BYTES;
/// Every slot.
pub(crate) const ALL: u32 = u32::MAX;

const _: () = assert!(SLOTS == u32::BITS as usize);

/// The record of a SuperSlab. The memory of records is never used for anything else,
/// so a hint to a SuperSlab that is gone finds a record without free slots, or another
/// SuperSlab.
#[repr(C, align(128))]
pub(crate) struct SuperSlab {
    base: AtomicUsize,
    /// A bit per slot that nobody holds. Cleared with Acquire by who claims, set with
    /// Release by who gives back: all use of the slot lies between.
    free: AtomicU32,
    /// A bit per slot that reads as zero. Changed by the slot's holder only; published
    /// by `free`.
    clean: AtomicU32,
    /// The shared pool's record, null until the pool sets it, under its lock.
    shared_meta: AtomicPtr<SharedMeta>,
    /// A bit per slot that may be in memory as part of a huge page without the program
    /// having had all of it. Relaxed: only its sum over all SuperSlabs is read, and that is
    /// the counter's, which follows each change.
    unfilled: AtomicU32,
}

/// The bits of the `slots` slots from `first` on.
const fn run(first: u32, slots: usize) -> u32 {
    (ALL >> (SLOTS - slots)) << first
}

/// The first of `slots` consecutive slots of those in `mask`.
fn find_run(mask: u32, slots: usize) -> Option<u32> {
    if mask == 0 {
        return None;
    }
    if slots == 1 {
        return Some(mask.trailing_zeros());
    }
    // Bit i of `starts` stays set while the run from i on is in the mask.
    let mut starts = mask;
    let mut have = 1;
    while have < slots {
        let step = have.min(slots - have);
        starts &= starts >> step;
        have += step;
    }
    (starts != 0).then(|| u32::BITS - 1 - starts.leading_zeros())
}

impl SuperSlab {
    pub(crate) const OFFSETS: [(Name, usize); 4] = [
        (
            name("superslab.base"),
            core::mem::offset_of!(SuperSlab, base),
        ),
        (
            name("superslab.free"),
            core::mem::offset_of!(SuperSlab, free),
        ),
        (
            name("superslab.clean"),
            core::mem::offset_of!(SuperSlab, clean),
        ),
        (
            name("superslab.shared_meta"),
            core::mem::offset_of!(SuperSlab, shared_meta),
        ),
    ];

    /// The record that manages the 2 MiB at `base`, held by the caller whole; `clean` if
    /// they read as zero.
    pub(crate) fn set_base(&self, base: usize, clean: bool) {
        debug_assert!(self.free.load(Ordering::Relaxed) == 0);
        self.base.store(base, Ordering::Relaxed);
        self.clean
            .store(if clean { ALL } else { 0 }, Ordering::Relaxed);
    }

    pub(crate) fn base(&self) -> usize {
        self.base.load(Ordering::Relaxed)
    }

    pub(crate) fn shared_meta(&self) -> &AtomicPtr<SharedMeta> {
        &self.shared_meta
    }

    /// Slots that nobody holds.
    pub(crate) fn free(&self) -> u32 {
        self.free.load(Ordering::Relaxed)
    }

    /// Slots that nobody holds and that do not read as zero.
    pub(crate) fn dirty(&self) -> u32 {
        self.free() & !self.clean.load(Ordering::Relaxed)
    }

    /// Of the slots in `mask`, which the caller holds, those that do not read as zero.
    pub(crate) fn dirty_among(&self, mask: u32) -> u32 {
        mask & !self.clean.load(Ordering::Relaxed)
    }

    /// Claims `slots` consecutive slots; lock-free. Says also how many of them were clean.
    pub(crate) fn claim(&self, slots: usize) -> Option<(Site, usize)> {
        self.claim_by(slots, Self::find)
    }

    /// As [`SuperSlab::claim`], but slots alone that are not clean.
    pub(crate) fn claim_used(&self, slots: usize) -> Option<Site> {
        self.claim_by(slots, Self::find_used).map(|(site, _)| site)
    }

    /// Claims the `more` slots behind a site, if nobody holds any of them; says how many of them
    /// were clean.
    pub(crate) fn claim_behind(&self, site: &Site, more: usize) -> Option<usize> {
        let first = (site.start - self.base()) / SLOT_BYTES + site.slots;
        if first + more > SLOTS {
            return None;
        }
        let mask = run(first as u32, more);
        let behind = |_: &Self, free: u32, _| (free & mask == mask).then_some(first as u32);
        self.claim_by(more, behind).map(|(_, clean)| clean)
    }

    fn claim_by(
        &self,
        slots: usize,
        find: impl Fn(&Self, u32, usize) -> Option<u32>,
    ) -> Option<(Site, usize)> {
        let mut free = self.free.load(Ordering::Relaxed);
        loop {
            let first = find(self, free, slots)?;
            let mask = run(first, slots);
            match self.free.compare_exchange_weak(
                free,
                free & !mask,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(self.claimed(first, slots)),
                Err(now) => {
                    counters::add(Counter::ClaimRetries, 1);
                    free = now;
                }
            }
        }
    }

    /// The first of `slots` consecutive free slots: of those that are not clean, if there are
    /// so many.
    fn find(&self, free: u32, slots: usize) -> Option<u32> {
        self.find_used(free, slots)
            .or_else(|| find_run(free, slots))
    }

    fn find_used(&self, free: u32, slots: usize) -> Option<u32> {
        find_run(free & !self.clean.load(Ordering::Relaxed), slots)
    }

    fn claimed(&self, first: u32, slots: usize) -> (Site, usize) {
        let mask = run(first, slots);
        let clean = self.clean.fetch_and(!mask, Ordering::Relaxed) & mask;
        counters::slots_claimed(slots, (mask & !clean).count_ones() as usize);
        let site = Site {
            start: self.base() + ((first as usize) << SLOT_SHIFT),
            slots,
            superslab: self,
            clean: clean == mask,
        };
        (site, clean.count_ones() as usize)
    }

    /// Whether huge pages may have brought what nobody has had yet.
    pub(crate) fn is_unfilled(&self) -> bool {
        self.unfilled.load(Ordering::Relaxed) != 0
    }

    /// Whether a huge page has brought all of it, and nobody has filled any slot.
    pub(crate) fn is_all_unfilled(&self) -> bool {
        self.unfilled.load(Ordering::Relaxed) == ALL
    }

    /// Of a SuperSlab that the caller holds whole, keeps the first `held` slots, which
    /// count as dirty from here on, and gives back the others. Returns how many of those
    /// kept were dirty before.
    pub(crate) fn take_reserved(&self, held: usize) -> usize {
        let mask = run(0, held);
        let clean = self.clean.fetch_and(!mask, Ordering::Relaxed) & mask;
        if mask != ALL {
            self.give_back(!mask);
        }
        (mask & !clean).count_ones() as usize
    }

    /// Claims every slot, if nobody holds one.
    pub(crate) fn claim_whole(&self) -> bool {
        self.free
            .compare_exchange(ALL, 0, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Claims all free slots that are not clean, and says which.
    pub(crate) fn claim_dirty(&self) -> u32 {
        self.claim_free(self.clean.load(Ordering::Relaxed))
    }

    /// Claims all free slots but those in `kept`, and says which.
    pub(crate) fn claim_free(&self, kept: u32) -> u32 {
        self.free.fetch_and(kept, Ordering::Acquire) & !kept
    }

    /// Notes that slots which the caller holds read as zero.
    pub(crate) fn set_clean(&self, mask: u32) {
        self.clean.fetch_or(mask, Ordering::Relaxed);
    }

    /// Notes that slots which the caller holds lie in huge pages.
    pub(crate) fn note_unfilled(&self, mask: u32) {
        let before = self.unfilled.fetch_or(mask, Ordering::Relaxed);
        counters::unfilled_changed(0, (mask & !before).count_ones() as usize);
    }

    /// Notes that slots which the caller holds have been handed out to the last block, or
    /// that they have no pages any more.
    pub(crate) fn forget_unfilled(&self, mask: u32) {
        if self.unfilled.load(Ordering::Relaxed) & mask != 0 {
            let before = self.unfilled.fetch_and(!mask, Ordering::Relaxed);
            counters::unfilled_changed((mask & before).count_ones() as usize, 0);
        }
    }

    /// Gives back slots that the caller holds.
    pub(crate) fn give_back(&self, mask: u32) {
        self.free.fetch_or(mask, Ordering::Release);
    }

    /// The bits of a site's slots.
    pub(crate) fn mask_of(&self, site: &Site) -> u32 {
        run(
            ((site.start - self.base()) >> SLOT_SHIFT) as u32,
            site.slots,
        )
    }

    /// The slots in `mask` as `(address, bytes)` of each run of neighbours.
    pub(crate) fn runs(&self, mask: u32) -> impl Iterator<Item = (usize, usize)> {
        let base = self.base();
        let mut rest = mask;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let first = rest.trailing_zeros();
            let len = (!(rest >> first)).trailing_zeros().min(u32::BITS - first);
            rest &= !run(first, len as usize);
            Some((
                base + ((first as usize) << SLOT_SHIFT),
                (len as usize) << SLOT_SHIFT,
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superslab(free: u32, clean: u32) -> SuperSlab {
        SuperSlab {
            base: AtomicUsize::new(4 * SUPERSLAB_BYTES),
            free: AtomicU32::new(free),
            clean: AtomicU32::new(clean),
            shared_meta: AtomicPtr::new(core::ptr::null_mut()),
            unfilled: AtomicU32::new(0),
        }
    }

    #[test]
    fn singles_come_from_the_bottom_dirty_ones_first() {
        let s = superslab(ALL, !0b100);
        assert_eq!(s.claim(1).unwrap().0.start, s.base() + 2 * SLOT_BYTES);
        let (second, clean) = s.claim(1).unwrap();
        assert_eq!(clean, 1);
        assert!(second.clean && second.start == s.base());
    }

    #[test]
    fn runs_come_from_the_top_and_must_be_whole() {
        let s = superslab(ALL & !(1 << 30), ALL);
        let (site, _) = s.claim(16).unwrap();
        assert_eq!(site.start, s.base() + 14 * SLOT_BYTES);
        assert!(s.claim(16).is_none());
        assert_eq!(s.claim(4).unwrap().0.start, s.base() + 10 * SLOT_BYTES);
        let whole = superslab(ALL, ALL);
        assert_eq!(whole.claim(SLOTS).unwrap().0.start, whole.base());
        assert_eq!(whole.free(), 0);
    }

    #[test]
    fn what_lies_behind_is_claimed_whole_or_not_at_all() {
        // Free are 4..=7 and 30..=31, and of those 6 is dirty.
        let s = superslab(0b1111 << 4 | 0b11 << 30, !(1 << 6));
        let site = |first: usize, slots| Site {
            start: s.base() + first * SLOT_BYTES,
            slots,
            superslab: &s,
            clean: false,
        };
        assert_eq!(s.claim_behind(&site(2, 2), 5), None);
        assert_eq!(s.claim_behind(&site(2, 2), 3), Some(2));
        assert_eq!(s.free(), 1 << 7 | 0b11 << 30);
        assert_eq!(s.claim_behind(&site(2, 2), 1), None);
        assert_eq!(s.claim_behind(&site(28, 2), 3), None);
        assert_eq!(s.claim_behind(&site(28, 2), 2), Some(2));
        assert_eq!(s.free(), 1 << 7);
    }

    #[test]
    fn what_has_pages_goes_first() {
        // Dirty are 0..=3 and 8..=11.
        let s = superslab(ALL, !0xf0f);
        let (site, clean) = s.claim(4).unwrap();
        assert_eq!((site.start, clean), (s.base() + 8 * SLOT_BYTES, 0));
        assert!(s.claim_used(5).is_none());
        assert_eq!(s.claim_used(4).unwrap().start, s.base());
        let (site, clean) = s.claim(2).unwrap();
        assert_eq!((site.start, clean), (s.base() + 30 * SLOT_BYTES, 2));
        assert!(s.claim_used(1).is_none());
    }

    #[test]
    fn masks_and_runs_agree() {
        let s = superslab(0, 0);
        let mask = 0b1000_0000_0000_0000_0000_0001_1100_0110;
        let runs: std::vec::Vec<_> = s
            .runs(mask)
            .map(|(a, l)| ((a - s.base()) >> SLOT_SHIFT, l >> SLOT_SHIFT))
            .collect();
        assert_eq!(runs, [(1, 2), (6, 3), (31, 1)]);
        assert_eq!(s.runs(ALL).count(), 1);
    }
}
