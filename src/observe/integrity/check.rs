//! The checks of each call, as long as nothing is wrong: what is looked at, and what is written
//! around and into blocks.
//!
//! 1. Nothing is written but behind what was asked for, and into what the program does not have.

use super::kind::{Family, is_same_form, is_zeroing};
use super::pattern::{self, FREED, FRESH, FRONT, LINK};
use super::policy::{self, Level};
use super::quarantine::Entry;
use super::record::{Asked, BlockRecord, Moment, State};
use super::thread::{Local, Thread};
use super::{damage, guard, stacks, untouched, wrong};
use crate::observe::caller::Caller;
use crate::observe::kept::Kept;
use crate::observe::{Block, LARGE, Release, Request, Resize};
use crate::size_class::MIN_ALIGN;
use crate::sys::memory::PAGE;
use crate::walk;
use core::ptr::{self, NonNull};
use core::sync::atomic::{Ordering, compiler_fence};

/// Whether a block has its place in a slab, with others around it.
#[inline(always)]
fn is_in_slab(block: &Block<'_, BlockRecord>) -> bool {
    block.class != LARGE
}

/// Where the pattern behind a block ends: of a large one on a page, for the rest of it may never
/// have been touched.
#[inline(always)]
fn end_of_tail(start: usize, size: usize, bytes: usize, is_in_slab: bool) -> usize {
    if is_in_slab {
        return start + bytes;
    }
    let end = (start + size + policy::tail()).next_multiple_of(PAGE);
    end.min(start + bytes)
}

/// What was asked for, as a record has it.
#[inline(always)]
pub(super) fn asked(request: &Request) -> Asked {
    let align = match request.caller.told_align() {
        Some(log2) => log2,
        None => request.align.trailing_zeros(),
    };
    Asked::new(request.size, align, request.caller.api())
}

#[inline(always)]
pub(super) fn moment(thread: &Thread, caller: Caller) -> Moment {
    Moment {
        stack: stacks::id(thread, caller),
        thread: thread.number.get(),
    }
}

pub(super) const UNKNOWN: Moment = Moment {
    stack: 0,
    thread: 0,
};

/// Bytes in front of a block that hold the pattern: the link of a free block below may take the
/// rest.
#[inline(always)]
fn front_bytes(bytes: usize) -> usize {
    policy::tail().min(bytes - LINK).min(FRONT)
}

/// Writes the pattern in front of a block, if the place below has never had one.
#[inline(always)]
fn guard_front(block: &Block<'_, BlockRecord>, record: Kept<'_, BlockRecord>) {
    // SAFETY: a block in a slab, whose first one is never handed out.
    let below = unsafe { record.below() };
    if below.asked().state() == State::New {
        guard_front_slow(block.address.as_ptr() as usize, block.bytes, below.get());
    }
}

/// What is below the first block of a slab is nobody's: once all of it has the pattern, no more has
/// to be done.
#[cold]
#[inline(never)]
fn guard_front_slow(start: usize, place: usize, below: &BlockRecord) {
    let is_first = walk::first_above(start - place).is_some();
    let bytes = if is_first {
        below.set_state(State::Freed);
        place.min(PAGE)
    } else {
        front_bytes(place)
    };
    // SAFETY: the end of the place below, which is the pattern's, whoever has it.
    unsafe { pattern::fill(start - bytes, bytes, FREED) };
}

#[inline(always)]
fn guard_tail(block: &Block<'_, BlockRecord>, size: usize) {
    let start = block.address.as_ptr() as usize;
    let end = end_of_tail(start, size, block.bytes, is_in_slab(block));
    // SAFETY: behind what was asked for, in the block's place.
    unsafe { pattern::fill(start + size, end.saturating_sub(start + size), FREED) };
}

#[inline(always)]
pub(super) fn allocated(local: &Local, block: &Block<'_, BlockRecord>, request: &Request) {
    let Some(record) = block.record else {
        return;
    };
    let start = block.address.as_ptr() as usize;
    let was = match record.asked().state() {
        State::Untouched => untouched::handed_out(block, &record),
        was => was,
    };
    if was == State::Filled {
        // SAFETY: the block's place.
        let is_whole = unsafe { pattern::is_whole(start + LINK, block.bytes - LINK) };
        if !is_whole {
            let when = b"the reuse of its place";
            damage::written_after_free(&block.copy(), &record, LINK, when, None);
        }
    }
    if is_in_slab(block) {
        guard_front(block, record);
        if !is_zeroing(request.caller.api()) {
            if was == State::Filled {
                // It is not any more, for a scan that a signal begins in the middle.
                record.set_state(State::Freed);
                compiler_fence(Ordering::Release);
            }
            // SAFETY: the program has not seen the block yet, and asked for so many bytes.
            unsafe { pattern::fill(start, request.size, FRESH) };
        }
    }
    if was == State::Filled {
        // What was looked at above stands there still, but for the link.
        let short = LINK.saturating_sub(request.size);
        // SAFETY: behind what was asked for, in the block's place.
        unsafe { pattern::fill(start + request.size, short, FREED) };
    } else {
        guard_tail(block, request.size);
    }
    let moment = match local.thread() {
        Some(thread) => moment(thread, request.caller),
        None => UNKNOWN,
    };
    record.begin(asked(request), moment);
}

/// As [`allocated`], without filling and stacks; also for threads without a cache.
pub(super) fn allocated_light(block: &Block<'_, BlockRecord>, request: &Request) {
    let Some(record) = block.record else {
        return;
    };
    record.fault_in();
    if is_in_slab(block) {
        guard_front(block, record);
    }
    guard_tail(block, request.size);
    if policy::is_light() {
        record.begin_light(asked(request));
    } else {
        record.begin(asked(request), UNKNOWN);
    }
}

/// Whether nothing is wrong with the free of a block that was live.
#[inline(always)]
fn is_sound(block: &Block<'_, BlockRecord>, asked: Asked, release: &Release) -> bool {
    is_as_asked(asked, release) && is_guarded(block, asked.size())
}

/// Whether a block is given back as it was asked for.
#[inline(always)]
pub(super) fn is_as_asked(asked: Asked, release: &Release) -> bool {
    let caller = release.caller;
    let is_of_family = Family::of(caller.api()).matches(Family::of(asked.api()))
        && is_same_form(caller.api(), asked.api());
    let is_of_size = caller.told_size().is_none_or(|size| size == asked.size());
    let is_of_align = caller
        .told_align()
        .is_none_or(|align| is_same_align(align, asked));
    is_of_family & is_of_size & is_of_align
}

/// Whether an alignment is the one that was asked for. C++ has one form for all that need none.
#[inline(always)]
pub(super) fn is_same_align(told: u32, asked: Asked) -> bool {
    const LEAST: u32 = MIN_ALIGN.trailing_zeros();
    let is_of_rust = Family::of(asked.api()) == Family::Rust;
    told == asked.align_log2() || !is_of_rust && told.max(asked.align_log2()) <= LEAST
}

/// Whether the pattern stands in front of a live block and behind it.
#[inline(always)]
pub(super) fn is_guarded(block: &Block<'_, BlockRecord>, size: usize) -> bool {
    let start = block.address.as_ptr() as usize;
    let front = if is_in_slab(block) {
        front_bytes(block.bytes)
    } else {
        0
    };
    let end = end_of_tail(start, size, block.bytes, is_in_slab(block));
    // SAFETY: the end of the place below, and the rest of the block's own.
    unsafe {
        pattern::is_whole(start - front, front)
            && pattern::is_whole(start + size, end.saturating_sub(start + size))
    }
}

/// The ranges around a live block where the pattern stands: in front, and behind.
pub(super) fn guards(block: &Block<'_, BlockRecord>, size: usize) -> [(usize, usize); 2] {
    let start = block.address.as_ptr() as usize;
    if let Some(edges) = guard::edges(start, size) {
        return edges;
    }
    let front = if is_in_slab(block) {
        front_bytes(block.bytes)
    } else {
        0
    };
    let end = end_of_tail(start, size, block.bytes, is_in_slab(block));
    [
        (start - front, front),
        (start + size, end.saturating_sub(start + size)),
    ]
}

/// The block is freed: checks that it may be; what was asked for, and whether it was seen to be
/// handed out. `None` if it is not to be freed.
#[inline(always)]
fn end(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    release: &Release,
) -> Option<(Asked, bool)> {
    let (asked, was_live) = record.end(State::Freed, release.is_remote);
    if !was_live && !wrong::freed_again(&block.copy(), record, asked, &release.copy()) {
        return None;
    }
    if was_live && !is_sound(block, asked, release) {
        wrong::freed(&block.copy(), asked, &release.copy());
    }
    Some((asked, was_live))
}

#[inline(always)]
pub(super) fn freeing(
    local: &Local,
    block: &Block<'_, BlockRecord>,
    release: &Release,
) -> Option<NonNull<u8>> {
    let Some(record) = block.record else {
        return Some(block.address);
    };
    // In quarantine when it is filled, and not before: a signal may begin a scan in the middle.
    let (asked, was_live) = end(block, &record, release)?;
    let thread = local.thread();
    let moment = match thread {
        Some(thread) => moment(thread, release.caller),
        None => UNKNOWN,
    };
    record.set_freed(moment, release.caller.api());
    if !was_live || !is_in_slab(block) {
        record.set_state(State::Freed);
        return Some(block.address);
    }
    let start = block.address.as_ptr() as usize;
    // SAFETY: the program has given the block up.
    unsafe { pattern::fill(start, asked.size(), FREED) };
    compiler_fence(Ordering::Release);
    match thread {
        Some(thread) => keep(thread, block, record.get()),
        None => {
            record.set_state(State::Filled);
            Some(block.address)
        }
    }
}

/// The block is freed, and another observer holds it back: it is left as it is.
pub(super) fn put_off(
    local: &Local,
    block: &Block<'_, BlockRecord>,
    release: &Release,
    level: Level,
) {
    let Some(record) = block.record else {
        return;
    };
    if end(block, &record, release).is_none() {
        return;
    }
    let moment = match local.thread() {
        Some(thread) if level == Level::Full => moment(thread, release.caller),
        _ => UNKNOWN,
    };
    record.set_freed(moment, release.caller.api());
}

/// Takes a freed block into quarantine; says which one leaves it.
#[inline(always)]
fn keep(
    thread: &Thread,
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
) -> Option<NonNull<u8>> {
    // SAFETY: records lie in metadata memory, which is never unmapped.
    let for_good = unsafe { &*ptr::from_ref(record) };
    let entry = Entry::new(block.address.as_ptr() as usize, block.bytes, for_good);
    record.set_state(State::Quarantined);
    if !thread.quarantine.push(entry) {
        // A signal handler has come in the middle.
        record.set_state(State::Filled);
        return Some(block.address);
    }
    leave(thread.quarantine.pop_over(policy::quarantine())?)
}

/// A block leaves the quarantine: it is looked at, and is the allocator's.
#[inline(always)]
fn leave(entry: Entry) -> Option<NonNull<u8>> {
    // SAFETY: the block is in quarantine, so its place is nobody's.
    if !unsafe { pattern::is_whole(entry.address(), entry.bytes()) } {
        damage::written_in_quarantine(entry.address(), entry.record());
    }
    entry.record().set_state(State::Filled);
    NonNull::new(entry.address() as *mut u8)
}

/// A block that leaves the quarantine because there is more in it than there may be.
pub(super) fn overdue(local: &Local) -> Option<NonNull<u8>> {
    let thread = local.known_thread()?;
    leave(thread.quarantine.pop_over(policy::quarantine())?)
}

/// As [`freeing`], without filling, quarantine and stacks; also for threads without a cache.
pub(super) fn freeing_light(
    block: &Block<'_, BlockRecord>,
    release: &Release,
) -> Option<NonNull<u8>> {
    let Some(record) = block.record else {
        return Some(block.address);
    };
    end(block, &record, release)?;
    if policy::is_light() {
        record.set_freed_light(release.caller.api());
    } else {
        record.set_freed(UNKNOWN, release.caller.api());
    }
    Some(block.address)
}

pub(super) fn resizing(block: &Block<'_, BlockRecord>, request: &Request, level: Level) -> Resize {
    let Some(record) = block.record else {
        return Resize::InPlaceAllowed;
    };
    let asked = record.asked();
    if !matches!(asked.state(), State::Live | State::New) {
        wrong::resized_after_free(block, asked, request);
        return Resize::Refuse;
    }
    if level == Level::Full && is_in_slab(block) {
        // Who still holds the old address is found out then; its free checks the rest.
        return Resize::Move;
    }
    let release = Release {
        caller: request.caller,
        is_remote: false,
    };
    if asked.state() == State::Live && !is_sound(block, asked, &release) {
        wrong::freed(block, asked, &release);
    }
    Resize::InPlaceAllowed
}

pub(super) fn resized(block: &Block<'_, BlockRecord>, request: &Request) {
    let Some(record) = block.record else {
        return;
    };
    guard_tail(block, request.size);
    record.resize(asked(request));
}

pub(super) fn usable(block: &Block<'_, BlockRecord>, caller: Caller) -> usize {
    match block.record.map(|record| record.asked()) {
        Some(asked) if asked.state() == State::Live => asked.size(),
        Some(asked) if asked.state().is_freed() => {
            wrong::asked_after_free(block, asked, caller);
            asked.size()
        }
        _ => block.bytes.saturating_sub(policy::tail()),
    }
}
