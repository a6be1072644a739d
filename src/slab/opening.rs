//! How a slab begins and ends: what its header says of a run of slots, or of one LARGE block, and the
//! way back to stock.

use super::{INLINE_WORDS, Kind, Site, Slab};
use crate::counters;
use crate::inbox::Inbox;
use crate::metadata::{self, MappingKind};
use crate::size_class::SizeClass;
use crate::sync::Ordering;
use crate::sys::memory::{self, PAGE};
use core::ptr::{self, NonNull};

impl Slab {
    /// A slab of `class` at `site`, all of its blocks free, owned by `owner`. The
    /// caller enters it in the registry. `None` without memory for its header.
    pub(crate) fn open(site: &Site, class: SizeClass, owner: &Inbox) -> Option<&'static Slab> {
        let slab = Slab::from_stock(class.blocks().div_ceil(64))?;
        slab.set_up(site, class, owner);
        Some(slab)
    }

    /// Opens a closed slab; see [`Slab::open`].
    pub(crate) fn set_up(&self, site: &Site, class: SizeClass, owner: &Inbox) {
        let blocks = class.blocks();
        self.constant.start.set(site.start);
        self.constant.colour.set(class.colour(site.start) as u16);
        self.constant.superslab.set(site.superslab);
        self.constant.slots.set(site.slots as u8);
        self.constant.class.set(class.index() as u8);
        self.constant.blocks.set(blocks as u16);
        self.used.set(0);
        let fresh = if site.clean { Slab::FIRST } else { blocks };
        self.fresh.set(fresh as u16);
        if !site.clean && self.fills_pages() {
            counters::filled_changed(0, self.slots());
        }
        let words = blocks.div_ceil(64);
        for word in 0..words {
            let bits = (blocks - word * 64).min(64);
            let first = if word == 0 { Slab::FIRST } else { 0 };
            self.set_free(word, (u64::MAX >> (64 - bits)) & (u64::MAX << first));
        }
        self.summary.set(u64::MAX >> (64 - words));
        self.constant
            .owner
            .store(ptr::from_ref(owner).cast_mut(), Ordering::Release);
        self.constant.kind.set(Kind::Blocks as u8);
    }

    /// The slab of one LARGE block of `pages` pages.
    pub(crate) fn open_large(site: &Site, kind: Kind, pages: usize) -> Option<&'static Slab> {
        let slab = Slab::from_stock(INLINE_WORDS)?;
        slab.set_up_large(site, kind, pages)
    }

    /// As [`Slab::open_large`] for a mapping, without waiting for a lock: without a header
    /// in stock that can be had at once, one is made in a page of its own.
    pub(crate) fn open_large_at_once(site: &Site, pages: usize) -> Option<&'static Slab> {
        let slab = match Slab::from_stock_at_once() {
            Some(slab) => slab,
            None => {
                let page = memory::map_zeroed(PAGE, PAGE)?;
                metadata::record(page, PAGE, MappingKind::Metadata);
                // SAFETY: a page of ours, for good.
                unsafe { Slab::make_at(NonNull::new(page as *mut u8)?) }
            }
        };
        slab.set_up_large(site, Kind::Mapping, pages)
    }

    fn set_up_large(&'static self, site: &Site, kind: Kind, pages: usize) -> Option<&'static Slab> {
        self.constant.start.set(site.start);
        self.constant.colour.set(0);
        self.constant.superslab.set(site.superslab);
        self.constant.slots.set(site.slots as u8);
        self.constant.pages.set(u32::try_from(pages).ok()?);
        self.constant.blocks.set(1);
        self.used.set(1);
        self.fresh.set(if site.clean { 0 } else { 1 });
        self.constant
            .owner
            .store(ptr::null_mut(), Ordering::Release);
        self.constant.kind.set(kind as u8);
        Some(self)
    }

    /// Puts the header back in stock. The caller has taken the slab out of the
    /// registry and holds its memory.
    pub(crate) fn close(&self) {
        self.wipe();
        self.put_in_stock();
    }

    /// Makes the slab a closed one, whose words are zero.
    pub(crate) fn wipe(&self) {
        debug_assert!(self.remote.rcount.load(Ordering::Relaxed) == 0);
        if self.kind() == Kind::Blocks
            && usize::from(self.fresh.get()) == self.blocks()
            && self.fills_pages()
        {
            counters::filled_changed(self.slots(), 0);
        }
        self.constant.kind.set(Kind::Closed as u8);
        let used_words = usize::from(self.constant.blocks.get()).div_ceil(64);
        for word in 0..used_words {
            self.set_free(word, 0);
            self.remote_word(word).store(0, Ordering::Relaxed);
        }
        self.summary.set(0);
        self.remote.rsum.store(0, Ordering::Relaxed);
        self.wipe_records();
    }
}
