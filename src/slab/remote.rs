//! The blocks of a slab that other threads have returned: how they are published, and how the owner
//! takes them in.
//!
//! `src/inbox.rs` has the other half of the protocol, and says how the two fit.

use super::{INLINE_WORDS, Slab};
use crate::fault::Fault;
use crate::inbox::Inbox;
use crate::sync::{AtomicU32, AtomicU64, Cell, Ordering};
use core::ptr;

/// The part that other threads write; 128 bytes away from the owner's.
#[repr(C, align(128))]
pub(super) struct Remote {
    /// A bit per remote word that may be non-zero. Set Release after the word; taken
    /// Acquire by the owner.
    pub(super) rsum: AtomicU64,
    /// Announced returns that the owner has not counted. AcqRel both ways: it hands
    /// the token, and with it `next`, from one holder to the next one.
    pub(super) rcount: AtomicU32,
    next: Cell<*const Slab>,
    pub(super) inline: [AtomicU64; INLINE_WORDS],
}

impl Remote {
    pub(super) fn new() -> Remote {
        Remote {
            rsum: AtomicU64::new(0),
            rcount: AtomicU32::new(0),
            next: Cell::new(ptr::null()),
            inline: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Slab {
    /// Returns `count` blocks to the slab's owner: `batch` has for each a bit in a
    /// word. The blocks are the caller's; after the call nothing of the slab is.
    pub(crate) fn publish(
        &self,
        batch: impl Iterator<Item = (usize, u64)>,
        count: u32,
    ) -> Result<(), (usize, Fault)> {
        let mut words = 0;
        for (word, bits) in batch {
            let before = self.remote_word(word).fetch_or(bits, Ordering::Release);
            if before & bits != 0 {
                let index = word * 64 + (before & bits).trailing_zeros() as usize;
                return Err((index, Fault::DoubleFree));
            }
            words |= 1 << word;
        }
        self.remote.rsum.fetch_or(words, Ordering::Release);
        if self.remote.rcount.fetch_add(count, Ordering::AcqRel) == 0 {
            let owner = self.owner();
            // SAFETY: a slab of blocks always has an owner, and inboxes are never
            // unmapped.
            unsafe { &*owner }.push(self);
        }
        Ok(())
    }

    /// Takes in what other threads have returned. Called by the owner alone, from
    /// [`Inbox::empty`]; on a fault says which block.
    pub(crate) fn collect(&self) -> Result<u32, (usize, Fault)> {
        let announced = self.remote.rcount.swap(0, Ordering::AcqRel);
        let mut words = self.remote.rsum.swap(0, Ordering::Acquire);
        self.summary.set(self.summary.get() | words);
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let bits = self.remote_word(word).swap(0, Ordering::Acquire);
            let cell = self.free_word(word);
            let twice = (cell.get() | self.listed_word(word).get()) & bits;
            if twice != 0 {
                let index = word * 64 + twice.trailing_zeros() as usize;
                return Err((index, Fault::DoubleFree));
            }
            self.set_free(word, cell.get() | bits);
            if cell.get() == 0 {
                self.summary.set(self.summary.get() & !(1 << word));
            }
        }
        // More have come back than were out.
        let Some(used) = self.used.get().checked_sub(announced as u16) else {
            return Err((0, Fault::DoubleFree));
        };
        self.used.set(used);
        Ok(announced)
    }

    /// A block that another thread has returned and that is not collected yet.
    pub(crate) fn returned_from_afar(&self) -> Option<usize> {
        if self.remote.rsum.load(Ordering::Relaxed) == 0 {
            return None;
        }
        (0..self.blocks().div_ceil(64)).find_map(|word| {
            let bits = self.remote_word(word).load(Ordering::Relaxed);
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    /// The inbox of the slab's owner; null for LARGE.
    pub(crate) fn owner(&self) -> *const Inbox {
        self.constant.owner.load(Ordering::Acquire)
    }

    /// Gives the slab to another owner. Neither the old one nor the new one runs on it
    /// meanwhile: its cache is parked and the caller holds it.
    pub(crate) fn set_owner(&self, owner: &Inbox) {
        self.constant
            .owner
            .store(ptr::from_ref(owner).cast_mut(), Ordering::Release);
    }

    /// The link of the inbox's stack; the token's holder's alone.
    pub(crate) fn next(&self) -> &Cell<*const Slab> {
        &self.remote.next
    }

    /// Marks a LARGE block as freed; false if it was already.
    pub(crate) fn mark_freed(&self) -> bool {
        self.remote_word(0).swap(1, Ordering::AcqRel) == 0
    }
}
