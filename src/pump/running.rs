//! A pump with a thread of its own.

use super::{Drained, Pump};
use crate::observe::std::io;
use crate::observe::std::panic;
use crate::observe::std::sync::Arc;
use crate::observe::std::thread::{self, JoinHandle};
use crate::observe::std::time::Duration;
use crate::observe::stream;
use core::sync::atomic::{AtomicBool, Ordering};

/// A thread that drains a [`Pump`], made by [`Pump::spawn`]. Stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// `None` once it was stopped.
    thread: Option<JoinHandle<Drained>>,
    pump: Arc<Shared>,
    /// In a fork's child the thread does not exist.
    forks: u32,
}

#[derive(Debug)]
struct Shared {
    pump: Pump,
    /// Set Release by who stops it, read Acquire by the thread.
    is_stopped: AtomicBool,
}

impl Running {
    pub(super) fn begin(pump: Pump, interval: Duration) -> io::Result<Running> {
        let pump = Arc::new(Shared {
            pump,
            is_stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&pump);
        let thread = thread::Builder::new()
            .name("hakmem-pump".into())
            .spawn(move || shared.run(interval))?;
        Ok(Running {
            thread: Some(thread),
            pump,
            forks: stream::forks(),
        })
    }

    /// Drains now, on this thread; see [`Pump::drain`].
    pub fn drain(&self) -> Drained {
        self.pump.pump.drain()
    }

    /// Ends the thread after it has drained what happened until now, and switches the events off.
    /// Says what has passed through the thread in all.
    ///
    /// # Panics
    /// As the thread did, if the program's subscriber or recorder has panicked.
    pub fn stop(mut self) -> Drained {
        match self.end() {
            Ok(drained) => drained,
            Err(panicked) => panic::resume_unwind(panicked),
        }
    }

    fn end(&mut self) -> thread::Result<Drained> {
        let Some(thread) = self.thread.take() else {
            return Ok(Drained::default());
        };
        if stream::forks() != self.forks {
            // The handle is that of a thread of the parent's.
            core::mem::forget(thread);
            return Ok(self.drain());
        }
        self.pump.is_stopped.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A panic has been reported where it happened.
        let _ = self.end();
    }
}

impl Shared {
    fn run(&self, interval: Duration) -> Drained {
        let mut all = Drained::default();
        loop {
            // Read before draining: what happened before the stop is drained.
            let is_last = self.is_stopped.load(Ordering::Acquire);
            all.add(self.pump.drain());
            if is_last {
                return all;
            }
            thread::park_timeout(interval);
        }
    }
}
