//! Caches that are marked as being changed: a thread has to be there that changes them.
//!
//! What is marked is doubted, and so a mark that is wrong would hide what is wrong elsewhere. It is set by
//! the library's slow paths alone: a thread none of whose calls is one of the library's changes nothing.

use super::Checked;
use crate::heap::{Cache, Heap};
use crate::image::Thread;

impl Heap<'_> {
    pub(super) fn verify_busy(&self, checked: &mut Checked) {
        // Threads of a process that runs are elsewhere by now.
        let is_still = !self.image.is_process;
        for cache in self.caches.iter().filter(|cache| cache.is_busy && is_still) {
            checked.counters += 1;
            let mut threads = self.image.threads.iter();
            let whose = threads.find(|thread| thread.tid == cache.thread);
            let is_idle = match whose {
                Some(thread) if cache.state == Cache::RUNS => self.is_outside(thread),
                // Of one that nobody has, any thread may be the one.
                _ if cache.state == Cache::PARKED => {
                    !self.image.threads.is_empty()
                        && self
                            .image
                            .threads
                            .iter()
                            .all(|thread| self.is_outside(thread))
                }
                _ => false,
            };
            if is_idle {
                let what = format!(
                    "the cache of {} is marked as being changed, and no call that is under way is one of the library's",
                    cache.whose()
                );
                checked.found("cache.busy", cache.address, what);
            }
        }
    }

    /// Whether some thread may be in the library, and change what is looked at.
    pub(super) fn is_any_inside(&self) -> bool {
        self.image.is_process
            || !self
                .image
                .threads
                .iter()
                .all(|thread| self.is_outside(thread))
    }

    /// Whether a thread is known to be in no function of the library. Nothing is known of a library
    /// that is linked into the program, or of a stack that could not be followed to its end.
    fn is_outside(&self, thread: &Thread) -> bool {
        let Some(library) = self.image.module(self.root.address) else {
            return false;
        };
        if self.image.exe.as_ref() == Some(&library.path) {
            return false;
        }
        let stack = self.image.stack(thread);
        let inside = |pc: u64| library.range.contains(&pc);
        stack.is_whole && !stack.frames.iter().any(|frame| inside(frame.pc))
    }
}
