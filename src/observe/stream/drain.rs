//! The right to take out what the hooks have put in.

use super::channel::Channel;
use super::local::{Local, locals};
use super::record::{Detail, Record};
use super::tally::{LOSSES, Sums, take_losses};
use super::{below, is_on, want};
use crate::sys::thread;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The word of the thread that drains, or null. Acquire on taking pairs with Release on giving
/// back; hooks read it Relaxed, and find their own thread's word or another.
static DRAINER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The kernel's number of that thread, for hooks that have no cache at hand.
static DRAINING_THREAD: AtomicU32 = AtomicU32::new(0);

/// Whether the thread with this word drains.
#[inline(always)]
pub(super) fn is_by(word: *const u8) -> bool {
    ptr::eq(DRAINER.load(Ordering::Relaxed), word)
}

/// Whether the thread with the kernel's number `thread` drains.
pub(super) fn is_by_thread(thread: u32) -> bool {
    DRAINING_THREAD.load(Ordering::Relaxed) == thread
}

/// In a fork's child: a thread that it does not have drains no more.
pub(super) fn end_in_child() {
    if !is_by(thread::word()) {
        DRAINER.store(ptr::null_mut(), Ordering::Release);
    }
}

/// Every channel there is.
fn channels() -> impl Iterator<Item = &'static Channel> {
    below::channel()
        .into_iter()
        .chain(locals().filter_map(Local::channel))
}

/// The right to drain; ends when dropped.
pub(crate) struct Drain {
    /// It is a thread's.
    _here: PhantomData<*const ()>,
}

/// Who drains already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Draining {
    /// This thread, further out.
    Here,
    /// Another one.
    Elsewhere,
}

impl Drain {
    /// Begins to drain; from now on hooks of this thread stay silent.
    pub(crate) fn begin() -> Result<Drain, Draining> {
        let word = thread::word().cast_mut();
        let nobody = ptr::null_mut();
        match DRAINER.compare_exchange(nobody, word, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                DRAINING_THREAD.store(thread::id(), Ordering::Relaxed);
                Ok(Drain { _here: PhantomData })
            }
            Err(other) if ptr::eq(other, word) => Err(Draining::Here),
            Err(_) => Err(Draining::Elsewhere),
        }
    }

    /// Hands the events that wait now to `sink`, each cache's in order.
    pub(crate) fn pour(&self, sink: &mut dyn FnMut(Record)) {
        if is_on() {
            locals().for_each(Local::provide);
        }
        for channel in channels() {
            // SAFETY: this thread has the right to drain.
            unsafe { channel.pour(sink) };
        }
    }

    /// What was counted since the last time.
    pub(crate) fn count(&self) -> Sums {
        let mut sums = Sums::new();
        for channel in channels() {
            // SAFETY: this thread has the right to drain.
            unsafe { channel.count(&mut sums) };
        }
        sums
    }

    /// How often each [`Loss`](super::tally::Loss) has occurred since the last time.
    pub(crate) fn losses(&self) -> [u64; LOSSES] {
        take_losses()
    }

    /// Has hooks tell what is of `detail` at most.
    pub(crate) fn want(&self, detail: Detail) {
        want(detail);
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        DRAINING_THREAD.store(0, Ordering::Relaxed);
        DRAINER.store(ptr::null_mut(), Ordering::Release);
    }
}
