//! What watches the allocator: one trait, whose hooks default to nothing, and one
//! alias that says what is compiled in.
//!
//! The release build compiles [`Silent`](observer::Silent), and the compiler removes every call: nothing
//! of the hooks is left in the binary. Observers record here and translate elsewhere: a
//! hook must not allocate, lock, or call the dynamic loader.
//!
//! 1. Hooks of a block run where the thread has a real cache, and the call came through a
//!    function that is observed while anything is switched on.
//! 2. A hook may be interrupted by a signal handler that allocates, and so by another hook.

// What nothing observes in this build is passed to hooks and read by none.
#![allow(dead_code)]

pub(crate) mod api;
mod cache;
mod call;
#[cfg(feature = "observed")]
pub(crate) mod caller;
#[cfg(not(feature = "observed"))]
#[path = "unseen.rs"]
pub(crate) mod caller;
#[cfg(feature = "diagnostics")]
mod diagnostics;
mod event;
#[cfg(feature = "integrity")]
pub(crate) mod integrity;
pub(crate) mod kept;
#[cfg(feature = "trace")]
mod known_stacks;
#[cfg(any(feature = "diagnostics", feature = "integrity", feature = "trace"))]
mod line_file;
#[cfg(feature = "integrity")]
pub(crate) use integrity::ranges as memory;
#[cfg(not(feature = "integrity"))]
#[path = "unchecked.rs"]
pub(crate) mod memory;
#[cfg(feature = "observed")]
pub(crate) mod modules;
mod observer;
#[cfg(any(feature = "trace", feature = "integrity", feature = "pump"))]
mod own_memory;
mod pair;
#[cfg(any(feature = "watch", feature = "integrity"))]
pub(crate) mod report;
#[cfg(feature = "observed")]
pub(crate) mod settings;
#[cfg(not(feature = "observed"))]
#[path = "unset.rs"]
pub(crate) mod settings;
#[cfg(any(feature = "watch", feature = "integrity"))]
mod site;
#[cfg(feature = "observed")]
pub(crate) mod stack;
#[cfg(any(feature = "trace", feature = "integrity"))]
mod stack_ids;
#[cfg(feature = "trace")]
mod trace;
#[cfg(any(feature = "diagnostics", feature = "trace"))]
mod trace_lines;
#[cfg(any(feature = "trace", feature = "watch", feature = "pump"))]
mod used;
#[cfg(feature = "watch")]
pub(crate) mod watch;
pub(crate) mod watch_error;

#[cfg(feature = "pump")]
extern crate std;
#[cfg(feature = "pump")]
mod stream;
// The program's side of it, in a layer of its own.
#[cfg(feature = "pump")]
#[path = "../pump/mod.rs"]
pub mod pump;

/// What programs see of the observers in this build.
pub(crate) mod offered {
    #[cfg(feature = "pump")]
    pub use super::pump;
}

pub(crate) use cache::{Cache, ClassState, Occasion, Place, SlabCounts};
pub(crate) use call::{Block, Diverted, LARGE, Release, Request};
pub(crate) use event::Event;
#[cfg(feature = "integrity")]
use kept::Kept;
pub(crate) use observer::{Observer, Path, Resize, Sees, Verdict, Wish};
use watch_error::WatchError;

/// What this build observes with, in the order in which they see an event.
pub(crate) type Observed = (Recording, (Watching, (Diagnosing, (Streaming, Checking))));

#[cfg(feature = "trace")]
type Recording = trace::Recorder;
#[cfg(not(feature = "trace"))]
type Recording = observer::Silent;
#[cfg(feature = "watch")]
type Watching = watch::Watch;
#[cfg(not(feature = "watch"))]
type Watching = observer::Silent;
#[cfg(feature = "diagnostics")]
type Diagnosing = diagnostics::Diagnostics;
#[cfg(not(feature = "diagnostics"))]
type Diagnosing = observer::Silent;
#[cfg(feature = "pump")]
use stream::Streaming;
#[cfg(not(feature = "pump"))]
type Streaming = observer::Silent;

// Last, for what it puts off the others have seen.
#[cfg(feature = "integrity")]
use integrity::Checking;
#[cfg(not(feature = "integrity"))]
type Checking = observer::Silent;

/// What of it is compiled in, by feature.
#[cfg(feature = "trace")]
pub(crate) const FEATURES: [(&str, bool); 4] = [
    ("trace", cfg!(feature = "trace")),
    ("watch", cfg!(feature = "watch")),
    ("diagnostics", cfg!(feature = "diagnostics")),
    ("integrity", cfg!(feature = "integrity")),
];

/// What is kept of each block in this build.
pub(crate) type Record = <Observed as Observer>::Record;

/// A block, as integrity sees it.
#[cfg(feature = "integrity")]
#[inline(always)]
fn checked_block<'a>(block: &Block<'a, Record>) -> Block<'a, integrity::BlockRecord> {
    Block {
        address: block.address,
        bytes: block.bytes,
        class: block.class,
        record: block.record.map(checked),
    }
}

/// The part of it that integrity keeps.
#[cfg(feature = "integrity")]
#[inline(always)]
fn checked(record: Kept<'_, Record>) -> Kept<'_, integrity::BlockRecord> {
    record.second().second().second().second()
}
