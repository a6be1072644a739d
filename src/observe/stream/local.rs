//! What the stream keeps in a thread's cache, and the list of all of these.

use super::channel::{self, Channel, Inside};
use super::drain;
use super::is_wanted;
use super::record::Record;
use super::tally::{Figure, Loss, Tally, lose};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// All locals, the newest first. Pushed Release, read Acquire.
static LOCALS: AtomicPtr<Local> = AtomicPtr::new(ptr::null_mut());

/// What is kept in a cache. The cells are the owner's.
pub(crate) struct Local {
    /// Set once by whoever is first, Release; read by the owner and by who drains, Acquire.
    pub(super) channel: AtomicPtr<Channel>,
    pub(super) is_listed: Cell<bool>,
    /// Written before the local is listed, never changed after.
    next: Cell<*const Local>,
    /// The word of the thread that has the cache; null if none has.
    pub(super) word: Cell<*const u8>,
    pub(super) thread: Cell<u32>,
    /// The block that is about to be resized, and its bytes.
    pub(super) resizing: Cell<(usize, usize)>,
}

impl Local {
    pub(super) const fn new() -> Local {
        Local {
            channel: AtomicPtr::new(ptr::null_mut()),
            is_listed: Cell::new(false),
            next: Cell::new(ptr::null()),
            word: Cell::new(ptr::null()),
            thread: Cell::new(0),
            resizing: Cell::new((0, 0)),
        }
    }

    pub(super) fn channel(&self) -> Option<&'static Channel> {
        // SAFETY: null, or a channel, which is never unmapped.
        unsafe { self.channel.load(Ordering::Acquire).as_ref() }
    }

    /// Whether the thread that has the cache drains.
    #[inline(always)]
    pub(super) fn drains(&self) -> bool {
        drain::is_by(self.word.get())
    }

    /// Runs `hook` inside of this cache's channel, unless it `is_own`: caused by draining. A pump
    /// is on.
    #[inline(always)]
    pub(super) fn tell(&self, is_own: bool, hook: impl FnOnce(&mut Inside<'_>)) {
        let Some(channel) = self.channel().or_else(|| self.late()) else {
            return lose(Loss::NoChannel);
        };
        // SAFETY: hooks with a local are called by the owner of its cache.
        let entered = unsafe {
            channel.enter(|inside| {
                if is_own {
                    inside.tally().add(Figure::Own, 1);
                } else {
                    hook(inside);
                }
            })
        };
        if !entered {
            lose(Loss::Interrupted);
        }
    }

    /// Counts, and tells of a record if somebody wants it. A pump is on.
    #[inline(always)]
    pub(super) fn note(&self, record: Record, count: impl FnOnce(&Tally)) {
        self.tell(self.drains(), |inside| {
            count(inside.tally());
            if is_wanted(record.detail()) {
                inside.push(record);
            }
        });
    }

    #[cold]
    pub(super) fn list(&self) {
        self.is_listed.set(true);
        let new = ptr::from_ref(self).cast_mut();
        let mut head = LOCALS.load(Ordering::Relaxed);
        loop {
            self.next.set(head);
            // SeqCst: see `ON`.
            match LOCALS.compare_exchange_weak(head, new, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// The channel of a cache that no thread has begun with: that of ended threads.
    #[cold]
    fn late(&self) -> Option<&'static Channel> {
        if self.is_listed.get() {
            return None;
        }
        self.list();
        self.provide();
        self.channel()
    }

    /// Sees that there is a channel.
    pub(super) fn provide(&self) {
        provide(&self.channel);
    }
}

#[cold]
pub(super) fn provide(place: &AtomicPtr<Channel>) {
    if !place.load(Ordering::Acquire).is_null() {
        return;
    }
    let Some(made) = Channel::make() else {
        return;
    };
    let made = ptr::from_ref(made).cast_mut();
    // Whoever is second leaves its own where it is: it is some kilobytes, and happens rarely.
    let _ = place.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
}

/// In a fork's child: has a channel begin anew.
pub(super) fn renew(place: &AtomicPtr<Channel>) {
    let channel = place.load(Ordering::Acquire);
    if !channel.is_null() {
        // SAFETY: there is no other thread, and the channel is not this thread's.
        unsafe { channel::renew(channel) };
    }
}

/// Every local there is, the newest first.
pub(super) fn locals() -> impl Iterator<Item = &'static Local> {
    let mut at: *const Local = LOCALS.load(Ordering::SeqCst);
    core::iter::from_fn(move || {
        // SAFETY: locals are part of caches, which are never unmapped.
        let local = unsafe { at.as_ref() }?;
        at = local.next.get();
        Some(local)
    })
}
