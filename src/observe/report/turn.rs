//! A turn: one thread at a time, where a hook may be interrupted by another hook of its own
//! thread, and a fork may leave a turn behind whose thread is gone.
//!
//! A thread that waits gives up in the end: who has the turn may have been interrupted by a
//! handler of the program's that waits for something of ours in turn.

use crate::sys::process;
use crate::sys::thread;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Looks before a waiting thread sleeps, and sleeps before it gives up: some tenths of a second.
const SPINS: usize = 200;
const NAPS: usize = 4000;

/// Which thread's turn it is; 0 for nobody's.
pub(crate) struct Turn {
    /// Acquire on taking pairs with Release on giving back.
    thread: AtomicUsize,
}

/// It is this thread's turn until this is dropped.
pub(crate) struct Taken<'a>(&'a Turn);

impl Turn {
    pub(crate) const fn new() -> Turn {
        Turn {
            thread: AtomicUsize::new(0),
        }
    }

    /// Waits for the turn; `None` if it is this thread's already, or does not come.
    pub(crate) fn take(&self) -> Option<Taken<'_>> {
        let this = thread::identity();
        let mut looks = 0;
        loop {
            match self
                .thread
                .compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Some(Taken(self)),
                Err(holder) if holder == this => return None,
                Err(_) => {}
            }
            looks += 1;
            if looks < SPINS {
                core::hint::spin_loop();
            } else if looks < SPINS + NAPS {
                process::nap();
            } else {
                return None;
            }
        }
    }

    /// In a fork's child, whose one thread does not have it.
    pub(crate) fn reset(&self) {
        self.thread.store(0, Ordering::Release);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.thread.store(0, Ordering::Release);
    }
}
