//! The inbox of a thread cache: slabs to which other threads have returned blocks.
//!
//! The protocol, of which [`Slab::publish`] is the other half:
//!
//! 1. *Publish*: set the blocks' bits in `remote`, then `rsum`, then as the last access
//!    add to `rcount`. Was it non-zero, somebody else holds the slab's token, and the
//!    slab is not touched again. Was it zero, the token is ours: push the slab here, on
//!    the inbox that its `owner` names.
//! 2. *Empty*: take the whole stack. Of each slab read `next` first; if another inbox
//!    owns it now, push it there and the token with it; else turn `rcount` to zero,
//!    which gives up the token, and take in the bits.
//! 3. Nobody else turns `rcount` to zero.
//!
//! There is no ABA: a slab is pushed by the holder of its one token, and the stack is
//! only ever taken whole.

use crate::fault::Fault;
use crate::slab::Slab;
use crate::sync::{AtomicPtr, Ordering};
use core::ptr;

#[cfg(all(test, loom))]
mod models;

/// A stack of slabs with returned blocks.
pub(crate) struct Inbox {
    /// Pushed Release by any thread, taken Acquire by the owner: what the pusher wrote
    /// to `next` is seen by the taker.
    head: AtomicPtr<Slab>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Inbox {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Whether something came, as far as this thread sees.
    pub(crate) fn has_mail(&self) -> bool {
        !self.head.load(Ordering::Relaxed).is_null()
    }

    /// Pushes a slab whose token the caller holds.
    pub(crate) fn push(&self, slab: &Slab) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            slab.next().set(head);
            let new = ptr::from_ref(slab).cast_mut();
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes in what came: every slab that this inbox owns is handed to `each` with
    /// the number of blocks that came back; others go on to their owner. For the inbox's
    /// owner alone. On a fault says which slab and which of its blocks.
    pub(crate) fn empty(
        &self,
        mut each: impl FnMut(&'static Slab, u32),
    ) -> Result<(), (&'static Slab, usize, Fault)> {
        let mut head: *const Slab = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        while !head.is_null() {
            // SAFETY: headers are never unmapped, and a slab with its token out is not
            // closed.
            let slab: &'static Slab = unsafe { &*head };
            head = slab.next().get();
            let owner = slab.owner();
            if ptr::eq(owner, self) {
                let count = slab
                    .collect()
                    .map_err(|(index, fault)| (slab, index, fault))?;
                each(slab, count);
            } else {
                // SAFETY: inboxes are never unmapped.
                unsafe { &*owner }.push(slab);
            }
        }
        Ok(())
    }
}
