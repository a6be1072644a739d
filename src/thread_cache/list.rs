//! The list behind a front (SLL). Each block on it is noted as listed in its slab, so that one which is
//! freed twice is found, and a link that the program has overwritten is not followed.

use super::ThreadCache;
use crate::block::FreeList;
use crate::fault::{self, Call, Fault};
use crate::observe::{Event, Observed, Observer};
use crate::registry::REGISTRY;
use crate::size_class::SizeClass;
use crate::slab::{Kind, Slab};
use core::cell::Cell;

impl ThreadCache {
    /// Puts a free block on a list.
    pub(super) fn put_on(&self, list: &FreeList, block: *mut u8) {
        match self.place_of(block) {
            Ok((slab, index)) if slab.set_listed(index) => {
                // SAFETY: a block of a slab of ours, of at least 16 bytes, that the program
                // gave back, and that was not on the list.
                unsafe { list.push(block) };
            }
            Ok(_) => fault::abort(Call::Free, block, Fault::DoubleFree),
            Err(fault) => fault::abort(Call::Free, block, fault),
        }
    }

    /// Takes `block`, the newest one, off a list, and sees to it that the next one is on it
    /// as well: what was written into a free block may have made its link one to nowhere.
    pub(super) fn take_off(&self, list: &FreeList, block: *mut u8) {
        list.pop();
        self.no_longer_listed(block);
        let next_is_sound = match list.first() {
            Some(next) => list.len() > 0 && self.place_of(next).is_ok(),
            None => list.len() == 0,
        };
        if !next_is_sound {
            fault::abort(Call::Free, block, Fault::BrokenLink);
        }
    }

    fn no_longer_listed(&self, block: *mut u8) {
        match self.place_of(block) {
            Ok((slab, index)) if slab.clear_listed(index) => {}
            _ => fault::abort(Call::Free, block, Fault::BrokenLink),
        }
    }

    /// Gives the blocks of a list back to their slabs, but for the `keep` newest.
    pub(super) fn cut(&self, list: &FreeList, keep: u32) -> u64 {
        let mut count = 0;
        list.cut(keep, |block| {
            self.no_longer_listed(block);
            self.give_back(&[Cell::new(block)]);
            count += 1;
        });
        count
    }

    /// The slab of a block and the block's index in it, if it is the start of one of ours.
    fn place_of(&self, block: *mut u8) -> Result<(&'static Slab, usize), Fault> {
        let slab = REGISTRY.slab_of(block as usize).ok_or(Fault::Foreign)?;
        if slab.kind() != Kind::Blocks || !self.owns(slab) {
            return Err(Fault::Foreign);
        }
        Ok((slab, slab.index_of(block as usize)?))
    }

    /// Blocks of `class` have come off its list.
    #[inline(always)]
    pub(super) fn came_from_list(&self, class: SizeClass) {
        let event = Event::FromList {
            class: class.index(),
        };
        Observed::event(&self.local, event);
        self.notice_list(class);
    }

    #[inline(always)]
    pub(super) fn notice_list(&self, class: SizeClass) {
        let (class, cache) = (class.index(), self);
        Observed::event(&self.local, Event::Listed { class, cache });
    }
}
