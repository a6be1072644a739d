//! Headers that no slab uses, and where new ones come from.
//!
//! A header comes with bitmaps of one of four sizes: the smallest are in the header itself, larger ones lie
//! behind it.

use super::{INLINE_WORDS, Slab};
use crate::metadata;
use crate::sys::lock::Lock;
use core::ptr::{self, NonNull};

/// Bitmap sizes that headers come in, words.
const WORD_STEPS: [usize; 4] = [INLINE_WORDS, 16, 32, 64];

/// Headers that no slab uses, by bitmap size; linked by `after`.
static STOCK: Lock<Stock> = Lock::new(Stock([ptr::null(); WORD_STEPS.len()]));

struct Stock([*const Slab; WORD_STEPS.len()]);

impl Stock {
    fn take(&mut self, step: usize) -> Option<&'static Slab> {
        // SAFETY: headers are never unmapped; this one is in stock, so ours.
        let slab = unsafe { self.0[step].as_ref() }?;
        self.0[step] = slab.after.get();
        Some(slab)
    }
}

// SAFETY: the headers in stock are reached through the lock alone.
unsafe impl Send for Stock {}

impl Slab {
    /// A header of `words` words that no slab uses yet, with its words zero; in stock
    /// or new. `None` without memory.
    pub(super) fn from_stock(words: usize) -> Option<&'static Slab> {
        let step = WORD_STEPS.iter().position(|&step| words <= step)?;
        if let Some(slab) = Slab::take_from_stock(step) {
            return Some(slab);
        }
        // Without memory for a new one a larger one will do.
        Slab::make(step).or_else(|| (step + 1..WORD_STEPS.len()).find_map(Slab::take_from_stock))
    }

    /// As [`Slab::from_stock`] for one of the smallest size, if there is one that can be had without
    /// waiting for the lock.
    pub(super) fn from_stock_at_once() -> Option<&'static Slab> {
        STOCK.try_lock().and_then(|mut stock| stock.take(0))
    }

    fn take_from_stock(step: usize) -> Option<&'static Slab> {
        STOCK.lock().take(step)
    }

    fn make(step: usize) -> Option<&'static Slab> {
        let words = WORD_STEPS[step];
        let owners = (2 * words * 8).next_multiple_of(metadata::ALIGN);
        let remotes = (words * 8).next_multiple_of(metadata::ALIGN);
        let tail = if words == INLINE_WORDS {
            0
        } else {
            owners + remotes
        };
        let memory = metadata::allocate(size_of::<Slab>() + tail)?;
        // SAFETY: new zeroed memory of that size and alignment, for good.
        let slab = unsafe { Slab::make_at(memory) };
        if words != INLINE_WORDS {
            // SAFETY: `tail` bytes of zero lie behind the header: `words` free words, as many
            // listed ones, and on the next multiple of 128 as many remote words.
            let behind = unsafe { memory.add(size_of::<Slab>()) };
            slab.constant.free.set(behind.as_ptr().cast());
            // SAFETY: as above.
            let remote = unsafe { behind.add(owners) };
            slab.constant.remote.set(remote.as_ptr().cast());
            slab.constant.words.set(words as u8);
        }
        slab.add_records(words * 64);
        Some(slab)
    }

    /// A closed header with its inline words.
    ///
    /// # Safety
    /// `memory` has the size and alignment of a header and is the caller's, for good.
    pub(crate) unsafe fn make_at(memory: NonNull<u8>) -> &'static Slab {
        let slab = memory.cast::<Slab>();
        // SAFETY: the caller's clause.
        unsafe { slab.write(Slab::new()) };
        // SAFETY: initialised just now; headers are never unmapped.
        let slab = unsafe { slab.as_ref() };
        slab.constant.free.set(slab.inline_free.0.as_ptr());
        slab.constant.remote.set(slab.remote.inline.as_ptr());
        slab
    }

    /// Puts a closed header in stock.
    pub(super) fn put_in_stock(&self) {
        let step = WORD_STEPS
            .iter()
            .position(|&step| step == usize::from(self.constant.words.get()))
            .unwrap_or(0);
        let mut stock = STOCK.lock();
        self.after.set(stock.0[step]);
        stock.0[step] = self;
    }

    /// Takes the stock's lock for a fork.
    pub(crate) fn hold_stock() {
        STOCK.hold();
    }

    /// # Safety
    /// [`Slab::hold_stock`] was called by this thread, or by the one that this process
    /// was forked from.
    pub(crate) unsafe fn let_go_stock() {
        // SAFETY: the caller's clause.
        unsafe { STOCK.let_go() };
    }
}
