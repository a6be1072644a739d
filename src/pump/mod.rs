//! What the allocator does, as `tracing` events and `metrics` of the program's own.
//!
//! ```
//! use hakmem_alloc::{Hakmem, pump::Pump};
//! use std::time::Duration;
//!
//! #[global_allocator]
//! static HAKMEM: Hakmem = Hakmem;
//!
//! fn main() -> std::io::Result<()> {
//!     // Here the program installs its `tracing` subscriber and its `metrics` recorder.
//!     let pump = Pump::spawn(Duration::from_millis(100))?;
//!     let words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
//!     drop(words);
//!     println!("{:?}", pump.stop());
//!     Ok(())
//! }
//! ```
//!
//! A subscriber and a recorder allocate and lock, so nothing in the middle of an allocation may
//! call them. The allocator's hooks count, and put events of fixed size into a stream of their
//! thread's; a pump takes them out, on a thread of its own ([`Pump::spawn`]) or where the program
//! says ([`Pump::drain`]). What a thread allocates while it drains, and when that is freed, is not
//! told of: it would never end.
//!
//! Events have the target `hakmem`. Their fields, the metrics with their units and labels, what is
//! lost when, and what it costs: `docs/OBSERVABILITY.md` in the repository.

mod events;
mod figures;
mod running;

use crate::observe::std::boxed::Box;
use crate::observe::std::hint::black_box;
use crate::observe::std::thread;
use crate::observe::std::time::Duration;
use crate::observe::stream;
use crate::observe::stream::drain::{Drain, Draining};
use crate::observe::stream::tally::Figure;
pub use running::Running;

/// Switches the allocator's events on while it exists, and takes them out.
#[derive(Debug)]
pub struct Pump {
    _made: (),
}

/// What passed through a pump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Events that were handed to `tracing`.
    pub events: u64,
    /// Events that were not: nothing took them out in time, or they came from a signal handler in
    /// the middle of another, from a thread that was ending, or where no memory was for a stream.
    pub lost: u64,
    /// Events that were caused by draining, and left out.
    pub skipped: u64,
}

impl Drained {
    fn add(&mut self, more: Drained) {
        self.events += more.events;
        self.lost += more.lost;
        self.skipped += more.skipped;
    }
}

impl Pump {
    /// Switches the allocator's events on. All that this process's threads allocate and free from
    /// now on is counted, and told of by the next [`Pump::drain`].
    #[must_use]
    pub fn new() -> Pump {
        stream::switch_on();
        Pump { _made: () }
    }

    /// As [`Pump::new`], with a thread that drains again and again, with a pause of `interval`.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(interval: Duration) -> crate::observe::std::io::Result<Running> {
        Running::begin(Pump::new(), interval)
    }

    /// Hands what has happened until now to this thread's `tracing` subscriber and `metrics`
    /// recorder. Waits while another thread drains. Called by a subscriber or recorder from
    /// within, it does nothing.
    pub fn drain(&self) -> Drained {
        // The thread is known by its cache, and so has to have one.
        drop(black_box(Box::new(0u8)));
        let drain = loop {
            match Drain::begin() {
                Ok(drain) => break drain,
                Err(Draining::Here) => return Drained::default(),
                Err(Draining::Elsewhere) => thread::sleep(Duration::from_micros(50)),
            }
        };
        let mut drained = Drained::default();
        drain.pour(&mut |record| {
            drained.events += 1;
            events::emit(&record);
        });
        let sums = drain.count();
        let losses = figures::Losses::new(sums.get(Figure::Full), drain.losses());
        drained.lost = losses.total();
        drained.skipped = sums.get(Figure::Own);
        events::emit_losses(&losses);
        figures::record(&sums, &losses);
        drain.want(events::wanted());
        drained
    }
}

impl Default for Pump {
    fn default() -> Self {
        Pump::new()
    }
}

impl Drop for Pump {
    /// Switches the events off, unless there is another pump. What was not drained stays for it,
    /// or for one that is made later.
    fn drop(&mut self) {
        stream::switch_off();
    }
}
