//! Guarded blocks: each has pages of its own, between pages that cannot be touched, and so has its
//! place after it was freed. The processor stops the program at the first access that is wrong.
//!
//! ```text
//! request ──► plan     whether it is to have one, and where it lies in its pages
//!               └────► region  a run of pages ──► slot   record, pages, pattern around the block
//! SIGSEGV ──► access ────► region ──► slot
//! ```
//!
//! What cannot be had is no guarded block: the request is served as any other.
//!
//! 1. Hooks see a guarded block as one without a record; its record is in its slot.

mod access;
mod plan;
mod region;
mod slot;

use super::check;
use super::kind::is_zeroing;
use super::pattern::{self, FRESH};
use super::record::{BlockRecord, Moment, State};
use super::signals;
use super::thread::{Local, Thread};
use super::wrong;
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::{Block, Diverted, Release, Request, Resize};
use crate::size_class::{MID_MAX, MIN_ALIGN};
pub(super) use access::{How, explain};
use core::ptr::NonNull;
pub(super) use region::Tables;
use slot::{Shape, Side, Slot};

/// The largest alignment that is served.
const ALIGN_MAX: usize = 2 << 20;

/// The alignment of a block that is smaller than [`MIN_ALIGN`]: no object in it needs more.
const SMALL_ALIGN: usize = MIN_ALIGN / 2;

/// Reads what is to be guarded, and makes ready; says whether anything is. `large` says whether
/// large blocks are.
pub(super) fn set_up(large: bool) -> bool {
    plan::read(large) && region::set_up()
}

/// From here on blocks are guarded.
pub(super) fn start() {
    plan::start();
}

/// Whether any block is guarded.
pub(super) fn is_on() -> bool {
    plan::is_on()
}

/// Whether all large blocks are to be guarded.
pub(super) fn takes_large_ones() -> bool {
    plan::takes_large_ones() && bounds().1 != 0
}

/// The program ends.
pub(super) fn at_exit() {
    plan::at_exit();
}

/// This is a forked child.
pub(super) fn forked() {
    plan::forked();
    region::forked();
}

/// Names that [`describe`] adds.
pub(super) const NAMES: usize = region::PLACES + Slot::OFFSETS.len();

/// Adds to the root structure where guarded blocks and their records are.
pub(super) fn describe(put: fn(&str, usize)) {
    for (name, number) in region::places().into_iter().chain(Slot::OFFSETS) {
        put(name, number);
    }
}

/// Where guarded blocks lie, and so many bytes; none if there are none.
pub(super) fn bounds() -> (usize, usize) {
    region::bounds()
}

/// What leads from an address to a guarded block.
pub(super) const TABLES: &Tables = &region::TABLES;

/// Whether an address lies among guarded blocks.
#[inline(always)]
pub(super) fn owns(address: usize) -> bool {
    region::owns(address)
}

/// Bytes from an address to the end of what it may be used for; `None` where there is no block.
pub(super) fn left(address: usize) -> Option<usize> {
    let slot = region::find(address)?;
    let asked = slot.record.asked();
    match asked.state() {
        State::New => None,
        State::Live if address >= slot.start() => {
            Some((slot.start() + asked.size()).saturating_sub(address))
        }
        _ => Some(0),
    }
}

/// The bytes asked for of the block that begins at the address, or began there.
pub(super) fn bytes(address: usize) -> Option<usize> {
    let slot = starting_at(address)?;
    Some(slot.record.asked().size())
}

fn starting_at(address: usize) -> Option<&'static Slot> {
    let slot = region::find(address)?;
    let is_block = slot.record.asked().state() != State::New;
    (is_block && slot.start() == address).then_some(slot)
}

/// A guarded block for a request, if it is to have one.
#[inline(always)]
pub(super) fn divert(local: &Local, request: &Request) -> Option<Diverted> {
    if !plan::may_want(request.size) {
        return None;
    }
    divert_slow(local, request.copy())
}

#[inline(never)]
fn divert_slow(local: &Local, request: Request) -> Option<Diverted> {
    let side = plan::side(local, &request)?;
    allocate(local, &request, side)
}

#[cold]
fn allocate(local: &Local, request: &Request, side: Side) -> Option<Diverted> {
    signals::insist();
    let shape = shape(request, side);
    if shape.align > ALIGN_MAX {
        return None;
    }
    let slot = region::take(shape.pages()?)?;
    let start = slot.open(&shape)?;
    let is_filled = request.size <= MID_MAX && !is_zeroing(request.caller.api());
    if is_filled {
        // SAFETY: the program has not seen the block yet, and asked for so many bytes.
        unsafe { pattern::fill(start, request.size, FRESH) };
    }
    let moment = moment(local.thread(), request.caller);
    slot.record.begin(check::asked(request), moment);
    Some(Diverted {
        start: NonNull::new(start as *mut u8)?,
        zero: !is_filled,
    })
}

/// Who calls, if anything is kept of the thread.
fn moment(thread: Option<&Thread>, caller: Caller) -> Moment {
    thread.map_or(check::UNKNOWN, |thread| check::moment(thread, caller))
}

/// What a request's block is to be like in its pages.
fn shape(request: &Request, side: Side) -> Shape {
    let caller = request.caller;
    // Rust says what it needs, and so do some functions of C and C++.
    let align = match caller.told_align() {
        Some(log2) if caller.is_of_rust() => 1 << log2,
        _ if Api::takes_align(caller.api()) => request.align,
        _ if side == Side::Exact => 1,
        _ if request.size < MIN_ALIGN => SMALL_ALIGN,
        _ => request.align,
    };
    // A large block that grew once is likely to grow again, and then it is not copied.
    let grows = caller.other() != 0 && request.size > MID_MAX;
    Shape {
        size: request.size,
        align,
        side: if grows { Side::Left } else { side },
        room: if grows { request.size } else { 0 },
    }
}

/// A block is freed: its pages are taken away.
#[cold]
#[inline(never)]
pub(super) fn freeing(local: Option<&Local>, block: &Block<'_, BlockRecord>, release: &Release) {
    let Some(slot) = starting_at(block.address.as_ptr() as usize) else {
        return;
    };
    let record = &slot.record;
    let (asked, was_live) = record.end(State::Freed, true);
    if !was_live {
        wrong::freed_again(block, record, asked, release);
        return;
    }
    if !check::is_as_asked(asked, release) || !slot.is_whole(asked) {
        wrong::freed(block, asked, release);
    }
    let thread = local.and_then(Local::thread);
    record.set_freed(moment(thread, release.caller), release.caller.api());
    slot.close();
}

/// A block is about to be resized; says how.
#[cold]
#[inline(never)]
pub(super) fn resizing(block: &Block<'_, BlockRecord>, request: &Request) -> Resize {
    let Some(slot) = starting_at(block.address.as_ptr() as usize) else {
        return Resize::Refuse;
    };
    let asked = slot.record.asked();
    if asked.state() != State::Live {
        wrong::resized_after_free(block, asked, request);
        return Resize::Refuse;
    }
    let release = Release {
        caller: request.caller,
        is_remote: false,
    };
    if !check::is_as_asked(asked, &release) || slot.look(|| slot.is_whole(asked)) == Some(false) {
        wrong::freed(block, asked, &release);
    }
    // Of a small block, who still holds the old address is found out.
    if request.size > MID_MAX && asked.size() > MID_MAX {
        Resize::InPlaceAllowed
    } else {
        Resize::Move
    }
}

/// Resizes a block where it is, if that can be.
pub(super) fn resize(address: usize, size: usize) -> bool {
    starting_at(address).is_some_and(|slot| slot.resize(size))
}

/// A block was resized where it is.
pub(super) fn resized(address: usize, request: &Request) {
    if let Some(slot) = starting_at(address) {
        slot.record.resize(check::asked(request));
    }
}

/// The bytes that the program may use of a block.
pub(super) fn usable(block: &Block<'_, BlockRecord>, caller: Caller) -> usize {
    let slot = starting_at(block.address.as_ptr() as usize);
    let Some(asked) = slot.map(|slot| slot.record.asked()) else {
        return 0;
    };
    if asked.state().is_freed() {
        wrong::asked_after_free(block, asked, caller);
    }
    asked.size()
}

/// Where the pattern stands around a live block: in front and behind, addresses and lengths.
pub(super) fn edges(address: usize, size: usize) -> Option<[(usize, usize); 2]> {
    Some(starting_at(address)?.edges(size))
}

/// A guarded block, as reports tell of it.
pub(super) struct Guarded {
    pub(super) address: usize,
    /// Bytes from its start to the end of its pages.
    pub(super) bytes: usize,
    pub(super) record: &'static BlockRecord,
}

/// The block that an address belongs to: in it, or in the pages around it.
pub(super) fn around(address: usize) -> Option<Guarded> {
    let slot = region::find(address)?;
    if slot.record.asked().state() == State::New {
        return None;
    }
    Some(Guarded {
        address: slot.start(),
        bytes: slot.accessible().1.saturating_sub(slot.start()),
        record: &slot.record,
    })
}

/// Runs `look` for each live block, which stays as it is meanwhile.
pub(super) fn each_live(mut look: impl FnMut(&Guarded)) {
    region::each(|slot| {
        if slot.record.asked().state() != State::Live {
            return;
        }
        slot.look(|| {
            let record = &slot.record;
            let live = around(slot.start()).filter(|_| record.asked().state() == State::Live);
            live.iter().for_each(&mut look);
        });
    });
}
