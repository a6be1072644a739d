//! Models of the remote-free protocol: [`Slab`] and [`Inbox`] as they ship, with loom's
//! atomics and cells under them, run through the interleavings and the stale reads that
//! the memory model allows.
//!
//! A model fails when an access to a plain field or to a block's content races, when a
//! block is handed out twice or lost, when a count is wrong, or when nothing ends. What
//! loom cannot hold, statics above all, is played by the models: the registry by a
//! reference to the slab, the lists of parked caches and of kept slabs by a
//! [`loom::sync::Mutex`], a thread cache by its inbox.
//!
//! `docs/CONCURRENCY.md` says what each model covers, and `scripts/check-loom-mutations`
//! shows that each would notice if the code were wrong.

mod adoption;
mod forwarding;
mod publish;
mod release;
mod theft;

use crate::inbox::Inbox;
use crate::size_class::SizeClass;
use crate::slab::{Site, Slab};
use crate::sync::Cell;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU64, Ordering};
use loom::thread::JoinHandle;
use std::boxed::Box;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::vec::Vec;

/// A class whose slabs have few blocks in two words of the bitmap.
const CLASS: SizeClass = SizeClass::of(896);
/// What a released slab's header serves next: a class with one word.
const NEXT_CLASS: SizeClass = SizeClass::of(2048);
/// Never dereferenced: to a slab, blocks are addresses.
const SITE: Site = Site {
    start: 0x10_0000,
    slots: 1,
    superslab: ptr::null(),
    clean: false,
};
/// The blocks that a model's program frees: two of each word.
const FREED: [usize; 4] = [0, 1, 64, 65];

const _: () = {
    assert!(CLASS.blocks().div_ceil(64) == 2 && NEXT_CLASS.blocks().div_ceil(64) == 1);
    assert!(FREED[3] < CLASS.blocks());
};

/// Runs a model through all of its interleavings, or through those with at most
/// `preemptions` switches away from a thread that could run on.
fn check(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    let runs = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&runs);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    std::println!("{} runs", runs.load(Ordering::Relaxed));
}

/// A header of a slab, with what its program knows of it.
struct Header {
    slab: NonNull<Slab>,
    /// What stands in the blocks of [`FREED`]: written by the program before it frees
    /// one, and by who is handed it next. Loom reports it when the two race.
    contents: [Cell<u8>; FREED.len()],
    /// Written by a flusher when it has set the bits of all of its words; see
    /// [`Header::free_remotely_and`].
    marks: [Cell<bool>; 2],
    /// What really is the case at this point of the run, unseen by loom: a bit for each
    /// block that the program has, and the threads inside of [`Slab::publish`].
    out: core::cell::Cell<u128>,
    publishing: core::cell::Cell<u32>,
}

// SAFETY: the slab is shared as the protocol says, and loom checks each access; the other
// cells are reached by loom's threads, which take turns on one thread of the system.
unsafe impl Send for Header {}
// SAFETY: as above.
unsafe impl Sync for Header {}

impl Deref for Header {
    type Target = Slab;
    fn deref(&self) -> &Slab {
        // SAFETY: initialised in `new`, and the header's until it is dropped.
        unsafe { self.slab.as_ref() }
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        // SAFETY: from `Box::leak` in `new`. Whoever reached the slab through an inbox did
        // so while it held a reference to what holds this header.
        drop(unsafe { Box::from_raw(self.slab.as_ptr()) });
    }
}

impl Header {
    /// A slab of [`CLASS`] that is `owner`'s; the program has blocks `out` of it.
    fn new(owner: &Inbox, out: &[usize]) -> Header {
        let memory = Box::leak(Box::new(MaybeUninit::<Slab>::uninit()));
        // SAFETY: memory of that type, this header's for as long as it lives.
        let slab = unsafe { Slab::make_at(NonNull::from(memory).cast()) };
        slab.set_up(&SITE, CLASS, owner);
        let header = Header {
            slab: NonNull::from(slab),
            contents: core::array::from_fn(|_| Cell::new(0)),
            marks: [Cell::new(false), Cell::new(false)],
            out: core::cell::Cell::new(0),
            publishing: core::cell::Cell::new(0),
        };
        header.hand_out(usize::MAX);
        header.put_back_all_but(out);
        header
    }

    /// The owner hands out up to `want` blocks, none of which may be out already; a bit
    /// for each.
    fn hand_out(&self, want: usize) -> u128 {
        let mut bits = 0;
        self.take(want, |run| {
            run.for_each(|block| {
                let index = self.index_of(block as usize).unwrap();
                bits |= 1 << index;
                assert_eq!(self.out.get() & bits, 0, "a block is handed out twice");
                self.write_to(index);
            });
        });
        self.out.set(self.out.get() | bits);
        bits
    }

    /// The program gives back to the owner what it has, but for `kept`.
    fn put_back_all_but(&self, kept: &[usize]) {
        let kept = kept.iter().fold(0u128, |bits, index| bits | 1 << index);
        let blocks: Vec<_> = (0..self.blocks())
            .filter(|index| self.out.get() & !kept & 1 << index != 0)
            .map(|index| core::cell::Cell::new(self.block(index)))
            .collect();
        assert_eq!(self.put_back(&blocks), blocks.len());
        self.out.set(self.out.get() & kept);
    }

    /// Writes to a block, as who has it may.
    fn write_to(&self, index: usize) {
        if let Some(at) = FREED.iter().position(|&freed| freed == index) {
            let content = &self.contents[at];
            content.set(content.get().wrapping_add(1));
        }
    }

    /// The program is through with the blocks, and a thread that is not the owner's sends
    /// them home together, as a thread cache's buffer does.
    fn free_remotely(&self, indices: &[usize]) {
        self.free_remotely_and(indices, || ());
    }

    /// As [`Header::free_remotely`], with something to do between the bits of the words
    /// and those of the summary.
    fn free_remotely_and(&self, indices: &[usize], action: impl FnOnce()) {
        let mut words = [0; 2];
        for &index in indices {
            self.write_to(index);
            assert!(self.out.get() & 1 << index != 0);
            self.out.set(self.out.get() & !(1 << index));
            // By way of the address: this reads the fields that opening a slab writes.
            let index = self.index_of(self.block(index) as usize).unwrap();
            words[index / 64] |= 1u64 << (index % 64);
        }
        let batch = words.into_iter().enumerate().filter(|(_, bits)| *bits != 0);
        let mut action = Some(action);
        let at_end = core::iter::from_fn(|| {
            if let Some(action) = action.take() {
                action();
            }
            None
        });
        self.publishing.set(self.publishing.get() + 1);
        self.publish(batch.chain(at_end), indices.len() as u32)
            .unwrap();
        self.publishing.set(self.publishing.get() - 1);
    }

    /// Whether the owner may release the slab, by its count. Then nothing is out, and
    /// nobody is on the way.
    fn may_be_released(&self) -> bool {
        if self.used() != 0 {
            return false;
        }
        assert_eq!(self.out.get(), 0, "released with blocks out");
        assert_eq!(self.publishing.get(), 0, "released with a flusher inside");
        true
    }

    /// Nobody runs any more and the inboxes are empty: every block is free once or out
    /// once, and the count is right.
    fn check_at_rest(&self) {
        assert_eq!(self.used(), self.out.get().count_ones() as usize);
        self.put_back_all_but(&[]);
        assert_eq!(self.used(), 0);
        assert_eq!(
            self.hand_out(usize::MAX).count_ones() as usize,
            self.blocks()
        );
        assert!(!self.has_free());
        assert_eq!(self.used(), self.blocks());
    }
}

/// Empties an inbox for its owner, who is told of each slab of its own.
fn empty(inbox: &Inbox, mut each: impl FnMut(&'static Slab)) {
    let result = inbox.empty(|slab, count| {
        assert!(count > 0, "a slab was sent without a block");
        each(slab);
    });
    assert_eq!(result.map_err(|(_, index, fault)| (index, fault)), Ok(()));
}

/// Nobody runs any more: empties the inboxes until each slab is with its owner.
fn settle(inboxes: &[&Inbox]) {
    while inboxes.iter().any(|inbox| inbox.has_mail()) {
        inboxes.iter().for_each(|inbox| empty(inbox, |_| ()));
    }
}

/// Runs `action` on `world` in a thread of its own.
fn spawn<W: Send + Sync + 'static, T: 'static>(
    world: &Arc<W>,
    action: impl FnOnce(&W) -> T + 'static,
) -> JoinHandle<T> {
    let world = Arc::clone(world);
    loom::thread::spawn(move || action(&world))
}
