//! Blocks of other threads' slabs, on their way home; and those of ours that others send.

use super::ThreadCache;
use crate::block;
use crate::fault::{self, Call};
use crate::observe::{Event, Observed, Observer, Path};
use crate::registry::REGISTRY;
use crate::slab::{Kind, Slab};

impl ThreadCache {
    /// Takes a block of another thread's slab, to be sent home, if that is simple; says whether
    /// it did.
    #[inline(always)]
    pub(crate) fn free_remote(&'static self, block: *mut u8) -> bool {
        let cache = self.busy();
        let is_added = cache.remote.add(block);
        if is_added {
            leave(block);
        }
        drop(cache);
        if is_added {
            self.notice_remote(block);
        }
        is_added
    }

    /// As [`ThreadCache::free_remote`], for a block that is the first one of its slot, or the
    /// last one before it is time to flush.
    #[inline(always)]
    pub(crate) fn free_remote_slow(&'static self, block: *mut u8) -> bool {
        if let Some(slab) = REGISTRY.slab_of(block as usize)
            && slab.kind() == Kind::Blocks
            && !self.owns(slab)
            && self.is_configured.get()
        {
            self.notice_remote(block);
            self.busy().push_remote(slab, block);
            return true;
        }
        false
    }

    #[inline(always)]
    fn push_remote(&self, slab: &'static Slab, block: *mut u8) {
        let is_full = self.remote.push(slab, block, |s, n| self.count_sent(s, n));
        leave(block);
        if is_full {
            self.send_home();
        }
    }

    /// Takes a block of another thread's slab, to be sent home.
    pub(crate) fn hold_back(&self, slab: &'static Slab, block: *mut u8) {
        self.keep_up();
        // The block may lie where the registry ended so far.
        self.refresh_view();
        self.notice_remote(block);
        self.push_remote(slab, block);
    }

    /// Sends home what is held back.
    #[cold]
    pub(super) fn send_home(&self) {
        let _timed = Observed::span(Path::SendHome);
        self.remote
            .flush(|slab, count| self.count_sent(slab, count));
    }

    /// Takes in what other threads have returned.
    pub(super) fn collect(&self) {
        let _timed = Observed::span(Path::Collect);
        let result = self.inbox.0.empty(|slab, count| {
            self.shelf(slab.class())
                .counts
                .collected
                .add(u64::from(count));
            Observed::event(
                &self.local,
                Event::Collected {
                    slab: slab.start(),
                    blocks: count as usize,
                },
            );
            self.has_come_home(slab, count as usize);
        });
        if let Err((slab, index, fault)) = result {
            fault::abort(Call::Free, slab.block(index), fault);
        }
    }

    #[inline(always)]
    fn notice_remote(&self, block: *mut u8) {
        let block = block as usize;
        Observed::event(&self.local, Event::RemoteFreed { block });
    }

    fn count_sent(&self, slab: &Slab, blocks: u32) {
        let counts = &self.shelf(slab.class()).counts;
        counts.remote_published.add(1);
        counts.remote_freed.add(u64::from(blocks));
    }
}

/// A block of another thread's slab waits here to be sent home. Observers may look at what the
/// program left in it, or watch it, so for them it stays as it is.
#[inline(always)]
fn leave(block: *mut u8) {
    if !Observed::ACTIVE {
        // SAFETY: a block of a slab, so of at least 16 bytes, that the program gave back.
        unsafe { block::leave(block) };
    }
}
