//! The hook side of the pump: hooks count, and put events into a stream of their cache's, from
//! which the program's own thread takes them. See `src/pump/` for that side.
//!
//! ```text
//!   LOCALS ──► local (in a cache) ──► local ──► … every cache that a thread has had
//!                │
//!                └──► channel: ring of events, tally
//!   COMMON ─────────► channel, for what happens below the caches
//! ```
//!
//! Nothing is done until a pump asks: `ON` is 0, and no cache has a channel.
//!
//! 1. A local is on the list once it was a thread's, for good; caches are never unmapped.
//! 2. Once a pump is on, each local on the list has a channel, unless there was no memory.
//! 3. `DRAINER` is the word of the thread that drains: hooks of that thread count that they
//!    ran, and do nothing else.
//! 4. What such a thread allocates is marked in the block's record, and its free is left out
//!    as well, whoever frees it.
//! 5. In a fork's child the channels of the threads that it does not have begin anew: such a
//!    thread may have been inside.

mod below;
pub(crate) mod channel;
pub(crate) mod drain;
mod local;
pub(crate) mod record;
pub(crate) mod tally;

use super::caller;
use super::kept::{Keep, Part};
use super::used::Used;
use super::{Block, Event, Observer, Release, Request, Resize, Sees};
use crate::sys::thread;
use core::ptr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use local::{Local, locals, renew};
use record::{ClassIndex, Detail, Record};
use tally::{ClassFigure, Figure, Loss, lose, take_losses};

/// Pumps that are on. `SeqCst` where a pump is made and where a thread begins: one of the two
/// sees the other. Relaxed in hooks: a thread that notices late begins late.
static ON: AtomicU32 = AtomicU32::new(0);
/// Noted when a pump is first made: from then on blocks may bear marks. What hooks ask first; one that
/// notices late begins late.
static MARKS: Used = Used::new();
/// The greatest [`Detail`] that somebody wants. Written by who drains; Relaxed, as above.
static WANTED: AtomicU8 = AtomicU8::new(Detail::Trace as u8);
/// Forks that this process has come from since a pump was first made.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether a thread that drained has allocated the block: 1, or 0. Written by who allocates it,
/// read by who frees it, Relaxed: the block itself has passed between them.
pub(crate) struct Mark(AtomicU8);

impl Keep for Mark {
    const LANES: usize = 1;

    unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
        // SAFETY: the caller's clause.
        unsafe { MARKS.wipe(start, blocks) };
    }
}

impl Part for Mark {}

/// Whether a pump is on.
#[inline(always)]
fn is_on() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// Whether somebody wants events of so much detail.
#[inline(always)]
fn is_wanted(detail: Detail) -> bool {
    WANTED.load(Ordering::Relaxed) >= detail as u8
}

/// Has hooks tell what is of `detail` at most.
fn want(detail: Detail) {
    WANTED.store(detail as u8, Ordering::Relaxed);
}

/// Streams events to a pump, while there is one.
pub(crate) struct Streaming;

impl Observer for Streaming {
    type Local = Local;
    const NEW: Local = Local::new();
    type Record = Mark;
    type Span = ();

    fn set_up() -> Sees {
        Sees::all_if(is_on())
    }

    fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        drain::end_in_child();
        below::begin_anew();
        take_losses();
        let word = thread::word();
        for local in locals() {
            if ptr::eq(local.word.get(), word) {
                local.thread.set(thread::id());
                if let Some(channel) = local.channel() {
                    // SAFETY: there is no other thread.
                    unsafe { channel.clear() };
                }
            } else {
                local.word.set(ptr::null());
                local.thread.set(0);
                renew(&local.channel);
            }
        }
    }

    fn began(local: &Local, _adopted: bool) {
        local.word.set(thread::word());
        local.thread.set(thread::id());
        if !local.is_listed.get() {
            local.list();
        }
        // SeqCst: see `ON`.
        if ON.load(Ordering::SeqCst) != 0 {
            local.provide();
        }
    }

    fn ended(local: &Local) {
        local.word.set(ptr::null());
        local.thread.set(0);
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, Mark>, request: &Request) {
        if MARKS.is_noted() {
            has_allocated(local, block.copy(), request.copy());
        }
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Mark>, release: &Release) -> Option<NonNull<u8>> {
        if MARKS.is_noted() {
            has_freed(local, block.copy(), release.copy());
        }
        Some(block.address)
    }

    fn put_off(local: &Local, block: &Block<'_, Mark>, release: &Release) {
        Self::freeing(local, block, release);
    }

    #[inline(always)]
    fn resizing(local: &Local, block: &Block<'_, Mark>, _: &Request) -> Resize {
        if is_on() {
            let address = block.address.as_ptr() as usize;
            local.resizing.set((address, block.bytes));
        }
        Resize::InPlaceAllowed
    }

    #[inline(always)]
    fn resized(local: &Local, block: &Block<'_, Mark>, request: &Request) {
        if is_on() {
            has_resized(local, block, request);
        }
    }

    #[inline(always)]
    fn missed() {
        if is_on() {
            lose(Loss::NoCache);
        }
    }

    #[inline(always)]
    fn event(local: &Local, event: Event<'_>) {
        if is_on() {
            has_happened(local, event);
        }
    }

    #[inline(always)]
    fn notice(event: Event<'_>) {
        if is_on() {
            below::has_happened_below(event);
        }
    }

    #[inline(always)]
    fn span(_: super::Path) {}
}

#[inline(always)]
fn mark(block: &Block<'_, Mark>, is_own: bool) {
    if let Some(mark) = block.record {
        mark.0.store(u8::from(is_own), Ordering::Relaxed);
    }
}

#[inline(always)]
fn is_marked(block: &Block<'_, Mark>) -> bool {
    block
        .record
        .is_some_and(|mark| mark.0.load(Ordering::Relaxed) != 0)
}

#[inline(never)]
fn has_allocated(local: &Local, block: Block<'_, Mark>, request: Request) {
    if !is_on() {
        return mark(&block, false);
    }
    let class = ClassIndex::of(block.class);
    let is_own = local.drains();
    mark(&block, is_own);
    local.tell(is_own, |inside| {
        let tally = inside.tally();
        tally.add_of_class(ClassFigure::Allocations, usize::from(class.0), 1);
        tally.add(Figure::AllocatedBytes, block.bytes);
        tally.add(Figure::RequestedBytes, request.size);
        if is_wanted(Detail::Trace) {
            inside.push(Record::Allocated {
                thread: local.thread.get(),
                api: request.caller.api(),
                class,
                address: block.address.as_ptr() as usize,
                size: request.size,
                bytes: block.bytes,
            });
        }
    });
}

#[inline(never)]
fn has_freed(local: &Local, block: Block<'_, Mark>, release: Release) {
    if !is_on() {
        return;
    }
    let class = ClassIndex::of(block.class);
    let is_own = local.drains() || is_marked(&block);
    local.tell(is_own, |inside| {
        let tally = inside.tally();
        tally.add_of_class(ClassFigure::Frees, usize::from(class.0), 1);
        tally.add(Figure::FreedBytes, block.bytes);
        if is_wanted(Detail::Trace) {
            inside.push(Record::Freed {
                thread: local.thread.get(),
                api: release.caller.api(),
                class,
                address: block.address.as_ptr() as usize,
                bytes: block.bytes,
            });
        }
    });
}

#[cold]
fn has_resized(local: &Local, block: &Block<'_, Mark>, request: &Request) {
    let from = request.caller.other();
    let (address, before) = local.resizing.get();
    // A signal handler that resized in between has left its own.
    let before = if address == from { before } else { block.bytes };
    let is_own = local.drains() || is_marked(block);
    local.tell(is_own, |inside| {
        let tally = inside.tally();
        tally.add(Figure::Resizes, 1);
        tally.add(Figure::AllocatedBytes, block.bytes.saturating_sub(before));
        tally.add(Figure::FreedBytes, before.saturating_sub(block.bytes));
        if is_wanted(Detail::Trace) {
            inside.push(Record::Resized {
                thread: local.thread.get(),
                class: ClassIndex::of(block.class),
                address: block.address.as_ptr() as usize,
                from,
                size: request.size,
            });
        }
    });
}

#[inline(never)]
fn has_happened(local: &Local, event: Event<'_>) {
    let thread = local.thread.get();
    let index = ClassIndex::of;
    match event {
        Event::Refilled { class, blocks } => local.note(
            Record::Refilled {
                thread,
                class: index(class),
                blocks,
            },
            |tally| tally.add_of_class(ClassFigure::Refills, class, 1),
        ),
        Event::Drained { class, blocks } => local.note(
            Record::Drained {
                thread,
                class: index(class),
                blocks,
            },
            |tally| tally.add_of_class(ClassFigure::Drains, class, 1),
        ),
        Event::SlabOpened { start, class } => local.note(
            Record::SlabOpened {
                thread,
                class: index(class),
                slab: start,
            },
            |tally| tally.add(Figure::SlabsOpened, 1),
        ),
        Event::SlabClosed { start, class } => local.note(
            Record::SlabClosed {
                thread,
                class: index(class),
                slab: start,
            },
            |tally| tally.add(Figure::SlabsClosed, 1),
        ),
        Event::RemoteFreed { block } => local.note(
            Record::RemoteFreed {
                thread,
                address: block,
            },
            |tally| tally.add(Figure::RemoteFrees, 1),
        ),
        Event::Collected { slab, blocks } => local.note(
            Record::Collected {
                thread,
                slab,
                blocks,
            },
            |tally| tally.add(Figure::Collected, blocks),
        ),
        _ => {}
    }
}

/// Switches the hooks on, for one pump.
pub(crate) fn switch_on() {
    // Before a hook looks for them; and below those of threads that begin meanwhile.
    locals().for_each(Local::provide);
    MARKS.note();
    // SeqCst: see `ON`.
    if ON.fetch_add(1, Ordering::SeqCst) == 0 {
        want(Detail::Trace);
    }
    below::begin();
    locals().for_each(Local::provide);
    caller::switch(Sees::All, true);
}

/// Takes back one [`switch_on`].
pub(crate) fn switch_off() {
    ON.fetch_sub(1, Ordering::SeqCst);
}

/// Forks that this process has come from.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}
