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
//! Nothing is done until a pump asks: [`ON`] is 0, and no cache has a channel.
//!
//! 1. A local is on the list once it was a thread's, for good; caches are never unmapped.
//! 2. Once a pump is on, each local on the list has a channel, unless there was no memory.
//! 3. [`DRAINER`] is the word of the thread that drains: hooks of that thread count that they
//!    ran, and do nothing else.
//! 4. What such a thread allocates is marked in the block's record, and its free is left out
//!    as well, whoever frees it.
//! 5. In a fork's child the channels of the threads that it does not have begin anew: such a
//!    thread may have been inside.

pub(crate) mod channel;
pub(crate) mod record;
pub(crate) mod tally;

use super::caller;
use super::{Block, Event, Observer, Release, Request};
use crate::sys::thread;
use channel::{Channel, Inside};
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use record::{ClassIndex, Detail, Record};
use tally::{ClassFigure, Figure, Sums, Tally};

/// Pumps that are on. `SeqCst` where a pump is made and where a thread begins: one of the two
/// sees the other. Relaxed in hooks: a thread that notices late begins late.
static ON: AtomicU32 = AtomicU32::new(0);
/// Whether a pump has been on, and blocks may bear marks. Relaxed, as above.
static HAS_BEEN_ON: AtomicBool = AtomicBool::new(false);
/// The greatest [`Detail`] that somebody wants. Written by who drains; Relaxed, as above.
static WANTED: AtomicU8 = AtomicU8::new(Detail::Trace as u8);
/// All locals, the newest first. Pushed Release, read Acquire.
static LOCALS: AtomicPtr<Local> = AtomicPtr::new(ptr::null_mut());
/// The channel for what happens below the caches. Set once, Release; read Acquire.
static COMMON: AtomicPtr<Channel> = AtomicPtr::new(ptr::null_mut());
/// Set while a thread is inside of that channel; who finds it set stays out. Acquire on taking
/// pairs with Release on giving back.
static COMMON_TAKEN: AtomicBool = AtomicBool::new(false);
/// The word of the thread that drains, or null. Acquire on taking pairs with Release on giving
/// back; hooks read it Relaxed, and find their own thread's word or another.
static DRAINER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The kernel's number of that thread, for hooks that have no cache at hand.
static DRAINING_THREAD: AtomicU32 = AtomicU32::new(0);
/// Forks that this process has come from since a pump was first made.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Why a hook could neither count nor tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Loss {
    /// It interrupted another one.
    Interrupted,
    /// The thread has no cache: it ends, or is in the middle of a change.
    NoCache,
    /// There is no channel: there was no memory for one, or the thread began when the pump did.
    NoChannel,
}

pub(crate) const LOSSES: usize = Loss::NoChannel as usize + 1;

/// Relaxed: each is a sum of its own.
static LOST: [AtomicU64; LOSSES] = [const { AtomicU64::new(0) }; LOSSES];

#[cold]
fn lose(loss: Loss) {
    LOST[loss as usize].fetch_add(1, Ordering::Relaxed);
}

/// Whether a thread that drained has allocated the block: 1, or 0. Written by who allocates it,
/// read by who frees it, Relaxed: the block itself has passed between them.
pub(crate) struct Mark(AtomicU8);

/// What is kept in a cache. The cells are the owner's.
pub(crate) struct Local {
    /// Set once by whoever is first, Release; read by the owner and by who drains, Acquire.
    channel: AtomicPtr<Channel>,
    is_listed: Cell<bool>,
    /// Written before the local is listed, never changed after.
    next: Cell<*const Local>,
    /// The word of the thread that has the cache; null if none has.
    word: Cell<*const u8>,
    thread: Cell<u32>,
    /// The block that is about to be resized, and its bytes.
    resizing: Cell<(usize, usize)>,
}

impl Local {
    const fn new() -> Local {
        Local {
            channel: AtomicPtr::new(ptr::null_mut()),
            is_listed: Cell::new(false),
            next: Cell::new(ptr::null()),
            word: Cell::new(ptr::null()),
            thread: Cell::new(0),
            resizing: Cell::new((0, 0)),
        }
    }

    fn channel(&self) -> Option<&'static Channel> {
        // SAFETY: null, or a channel, which is never unmapped.
        unsafe { self.channel.load(Ordering::Acquire).as_ref() }
    }

    /// Whether the thread that has the cache drains.
    #[inline(always)]
    fn drains(&self) -> bool {
        ptr::eq(DRAINER.load(Ordering::Relaxed), self.word.get())
    }

    /// Runs `hook` inside of this cache's channel, unless it `is_own`: caused by draining. A pump
    /// is on.
    #[inline(always)]
    fn tell(&self, is_own: bool, hook: impl FnOnce(&mut Inside<'_>)) {
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
    fn note(&self, record: Record, count: impl FnOnce(&Tally)) {
        self.tell(self.drains(), |inside| {
            count(inside.tally());
            if is_wanted(record.detail()) {
                inside.push(record);
            }
        });
    }

    #[cold]
    fn list(&self) {
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
    fn provide(&self) {
        provide(&self.channel);
    }
}

#[cold]
fn provide(place: &AtomicPtr<Channel>) {
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
fn renew(place: &AtomicPtr<Channel>) {
    let channel = place.load(Ordering::Acquire);
    if !channel.is_null() {
        // SAFETY: there is no other thread, and the channel is not this thread's.
        unsafe { channel::renew(channel) };
    }
}

/// Every local there is, the newest first.
fn locals() -> impl Iterator<Item = &'static Local> {
    let mut at: *const Local = LOCALS.load(Ordering::SeqCst);
    core::iter::from_fn(move || {
        // SAFETY: locals are part of caches, which are never unmapped.
        let local = unsafe { at.as_ref() }?;
        at = local.next.get();
        Some(local)
    })
}

/// Every channel there is.
fn channels() -> impl Iterator<Item = &'static Channel> {
    // SAFETY: null, or a channel, which is never unmapped.
    let common = unsafe { COMMON.load(Ordering::Acquire).as_ref() };
    common
        .into_iter()
        .chain(locals().filter_map(Local::channel))
}

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

/// Streams events to a pump, while there is one.
pub(crate) struct Streaming;

impl Observer for Streaming {
    type Local = Local;
    const NEW: Local = Local::new();
    type Record = Mark;
    type Span = ();

    fn set_up() -> bool {
        is_on()
    }

    fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        let word = thread::word();
        if !ptr::eq(DRAINER.load(Ordering::Relaxed), word) {
            DRAINER.store(ptr::null_mut(), Ordering::Release);
        }
        COMMON_TAKEN.store(false, Ordering::Release);
        renew(&COMMON);
        for lost in &LOST {
            lost.store(0, Ordering::Relaxed);
        }
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
        if is_on() {
            has_allocated(local, block, request);
        } else if HAS_BEEN_ON.load(Ordering::Relaxed) {
            mark(block, false);
        }
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Mark>, release: &Release) -> Option<NonNull<u8>> {
        if is_on() {
            has_freed(local, block, release);
        }
        Some(block.address)
    }

    #[inline(always)]
    fn resizing(local: &Local, block: &Block<'_, Mark>, _: &Request) -> bool {
        if is_on() {
            let address = block.address.as_ptr() as usize;
            local.resizing.set((address, block.bytes));
        }
        true
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
            has_happened_below(event);
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
fn has_allocated(local: &Local, block: &Block<'_, Mark>, request: &Request) {
    let class = ClassIndex::of(block.class);
    let is_own = local.drains();
    mark(block, is_own);
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
fn has_freed(local: &Local, block: &Block<'_, Mark>, release: &Release) {
    let class = ClassIndex::of(block.class);
    let is_own = local.drains() || is_marked(block);
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

/// The numbers of threads come from the system here: what is told of is as dear.
#[inline(never)]
fn has_happened_below(event: Event<'_>) {
    let id = thread::id;
    let (thread, record) = match event {
        Event::SuperSlabMapped { base: address } => {
            let thread = id();
            (thread, Record::SuperSlabMapped { thread, address })
        }
        Event::SuperSlabFreed { base: address } => {
            let thread = id();
            (thread, Record::SuperSlabFreed { thread, address })
        }
        Event::Prewarmed { base: address } => {
            let thread = id();
            (thread, Record::Prewarmed { thread, address })
        }
        Event::CachePurged { base: address } => {
            let thread = id();
            (thread, Record::CachePurged { thread, address })
        }
        Event::CacheKept {
            base: address,
            cached,
        } => {
            let thread = id();
            let record = Record::CacheKept {
                thread,
                address,
                cached,
            };
            (thread, record)
        }
        Event::CacheTaken {
            base: address,
            cached,
        } => {
            let thread = id();
            let record = Record::CacheTaken {
                thread,
                address,
                cached,
            };
            (thread, record)
        }
        Event::CacheEvicted {
            base: address, why, ..
        } => {
            let thread = id();
            let record = Record::CacheEvicted {
                thread,
                address,
                why,
            };
            (thread, record)
        }
        _ => return,
    };
    tell_below(thread, record);
}

fn tell_below(thread: u32, record: Record) {
    // SAFETY: null, or a channel, which is never unmapped.
    let Some(channel) = (unsafe { COMMON.load(Ordering::Acquire).as_ref() }) else {
        return lose(Loss::NoChannel);
    };
    if COMMON_TAKEN.swap(true, Ordering::Acquire) {
        return lose(Loss::Interrupted);
    }
    // SAFETY: the flag above was set by this thread.
    unsafe {
        channel.enter(|inside| {
            if thread == DRAINING_THREAD.load(Ordering::Relaxed) {
                inside.tally().add(Figure::Own, 1);
            } else if is_wanted(record.detail()) {
                inside.push(record);
            }
        });
    }
    COMMON_TAKEN.store(false, Ordering::Release);
}

/// Switches the hooks on, for one pump.
pub(crate) fn switch_on() {
    // Before a hook looks for them; and below those of threads that begin meanwhile.
    locals().for_each(Local::provide);
    // SeqCst: see `ON`.
    if ON.fetch_add(1, Ordering::SeqCst) == 0 {
        WANTED.store(Detail::Trace as u8, Ordering::Relaxed);
    }
    HAS_BEEN_ON.store(true, Ordering::Relaxed);
    provide(&COMMON);
    locals().for_each(Local::provide);
    caller::switch(true);
}

/// Takes back one [`switch_on`].
pub(crate) fn switch_off() {
    ON.fetch_sub(1, Ordering::SeqCst);
}

/// Forks that this process has come from.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// The right to drain; ends when dropped.
pub(crate) struct Drain {
    /// It is a thread's.
    _here: PhantomData<*const ()>,
}

/// Who drains already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Draining {
    /// This thread, further out.
    Here,
    /// Another one.
    Elsewhere,
}

impl Drain {
    /// Begins to drain; from now on hooks of this thread stay silent.
    pub(crate) fn begin() -> Result<Drain, Draining> {
        let word = thread::word().cast_mut();
        let nobody = ptr::null_mut();
        match DRAINER.compare_exchange(nobody, word, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                DRAINING_THREAD.store(thread::id(), Ordering::Relaxed);
                Ok(Drain { _here: PhantomData })
            }
            Err(other) if ptr::eq(other, word) => Err(Draining::Here),
            Err(_) => Err(Draining::Elsewhere),
        }
    }

    /// Hands the events that wait now to `sink`, each cache's in order.
    pub(crate) fn pour(&self, sink: &mut dyn FnMut(Record)) {
        if is_on() {
            locals().for_each(Local::provide);
        }
        for channel in channels() {
            // SAFETY: this thread has the right to drain.
            unsafe { channel.pour(sink) };
        }
    }

    /// What was counted since the last time.
    pub(crate) fn count(&self) -> Sums {
        let mut sums = Sums::new();
        for channel in channels() {
            // SAFETY: this thread has the right to drain.
            unsafe { channel.count(&mut sums) };
        }
        sums
    }

    /// How often each [`Loss`] has occurred since the last time.
    pub(crate) fn losses(&self) -> [u64; LOSSES] {
        [0, 1, 2].map(|loss: usize| LOST[loss].swap(0, Ordering::Relaxed))
    }

    /// Has hooks tell what is of `detail` at most.
    pub(crate) fn want(&self, detail: Detail) {
        WANTED.store(detail as u8, Ordering::Relaxed);
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        DRAINING_THREAD.store(0, Ordering::Relaxed);
        DRAINER.store(ptr::null_mut(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn poured() -> Vec<Record> {
        let drain = Drain::begin().expect("nobody else drains");
        let mut records = Vec::new();
        drain.pour(&mut |record| records.push(record));
        records
    }

    /// What happens below the caches, by threads that have none at hand.
    #[test]
    fn what_happens_below_is_told_of() {
        let evicted = Event::CacheEvicted {
            base: 4 << 20,
            cached: 1,
            why: "age",
        };
        Streaming::notice(evicted);
        switch_on();
        // What was before is not told of, nor what others look at.
        assert_eq!(poured(), []);
        Streaming::notice(Event::SuperSlabMapped { base: 2 << 20 });
        Streaming::notice(Event::LookedUp {
            address: 1,
            found: 0,
        });
        Streaming::notice(evicted);
        let thread = thread::id();
        let expected = [
            Record::SuperSlabMapped {
                thread,
                address: 2 << 20,
            },
            Record::CacheEvicted {
                thread,
                address: 4 << 20,
                why: "age",
            },
        ];
        assert_eq!(poured(), expected);

        // Who drains is not told of what it causes; who comes in between of another stays out.
        let drain = Drain::begin().expect("nobody else drains");
        assert_eq!(Drain::begin().err(), Some(Draining::Here));
        Streaming::notice(Event::Prewarmed { base: 2 << 20 });
        assert_eq!(drain.count().get(Figure::Own), 1);
        COMMON_TAKEN.store(true, Ordering::Release);
        Streaming::notice(evicted);
        COMMON_TAKEN.store(false, Ordering::Release);
        assert_eq!(drain.losses(), [1, 0, 0]);
        assert_eq!(drain.losses(), [0, 0, 0]);
        drain.want(Detail::Info);
        drop(drain);
        Streaming::notice(Event::CachePurged { base: 2 << 20 });
        Streaming::notice(Event::SuperSlabFreed { base: 2 << 20 });
        let address = 2 << 20;
        assert_eq!(poured(), [Record::SuperSlabFreed { thread, address }]);
        switch_off();
        Streaming::notice(evicted);
        assert_eq!(poured(), []);
    }
}
