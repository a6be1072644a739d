//! Whether an observer has ever kept anything of a block: where it has not, no page of its lane was
//! touched, and none need be to wipe it.

use super::kept::STRIDE;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

/// Never taken back. Relaxed: a thread sets it, or sees it set, before it writes to a record, and who wipes
/// a slab was handed that by those who wrote.
pub(super) struct Used(AtomicBool);

impl Used {
    pub(super) const fn new() -> Self {
        Used(AtomicBool::new(false))
    }

    #[inline(always)]
    pub(super) fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// To be called before a record is written to.
    #[inline(always)]
    pub(super) fn note(&self) {
        // The line stays in all processors' caches.
        if !self.is_noted() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Makes zero what is kept of `blocks` blocks in one lane, the first of which has its place at
    /// `start`.
    ///
    /// # Safety
    /// As of `Keep::wipe`.
    pub(super) unsafe fn wipe(&self, start: NonNull<u8>, blocks: usize) {
        if self.is_noted() {
            // SAFETY: the caller's clause: a lane has `STRIDE` bytes for each block of a slab.
            unsafe { start.write_bytes(0, blocks * STRIDE) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_used_is_not_touched() {
        let used = Used::new();
        let mut lane = [1u8; 3 * STRIDE];
        let wipe = |lane: &mut [u8], blocks| {
            let start = NonNull::new(lane.as_mut_ptr()).expect("it is there");
            // SAFETY: there is room for three blocks.
            unsafe { used.wipe(start, blocks) };
        };
        wipe(&mut lane, 3);
        assert_eq!(lane, [1; 3 * STRIDE]);
        used.note();
        wipe(&mut lane, 2);
        assert_eq!(lane[..2 * STRIDE], [0; 2 * STRIDE]);
        assert_eq!(lane[2 * STRIDE..], [1; STRIDE]);
    }
}
