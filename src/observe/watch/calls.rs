//! What rules have done about the blocks of a call: which of them select a block, and what happens then.
//!
//! Each call asks first what is quickly asked; few blocks get further than that.

use super::act::{self, Happening};
use super::rule::events;
use super::{Local, Record, guards, hit, known, rules};
use crate::fault::{self, Call, Fault};
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::report::Line;
use crate::observe::{Block, Release, Request, stack};
use crate::sys::{clock, thread};
use core::sync::atomic::Ordering;

/// Whether a rule may be about a block, or it is armed, or others are compared.
#[inline(always)]
pub(super) fn is_of_interest(block: &Block<'_, Record>) -> bool {
    let address = block.address.as_ptr() as usize;
    rules::may_cover(address, block.bytes, block.class)
        || guards::may_have(address)
        || guards::compares()
}

/// Whether an allocation is one that no rule selects, by what is quickly said of it; then it
/// counts as a life.
#[inline]
fn is_passed_over(block: &Block<'_, Record>, request: &Request) -> bool {
    let Some(record) = block.record else {
        return false;
    };
    let caller = request.caller;
    if rules::any_unknown() {
        rules::see(caller.pc());
    }
    // Behind a face of Rust's the caller is the standard library.
    let pc = (caller.api() >= Api::Malloc as u8).then(|| caller.pc());
    let selected_before = record.rules.load(Ordering::Relaxed) != 0;
    let address = block.address.as_ptr() as usize;
    if rules::may_select(request.size, pc)
        || selected_before && rules::any_about_reuse()
        || caller.other() != 0
        || guards::may_have(address)
        || guards::compares()
    {
        return false;
    }
    record.lives();
    if selected_before {
        rules::select(&record, 0);
    }
    true
}

/// The rules that are about a block in its present life.
pub(super) fn slots_of(block: &Block<'_, Record>) -> u32 {
    let address = block.address.as_ptr() as usize;
    let by_place = rules::about_places()
        .filter(|rule| rule.covers(address, block.bytes, block.class))
        .fold(0, |slots, rule| slots | 1 << rule.slot);
    by_place | block.record.map_or(0, |record| rules::selected(&record))
}

/// The stack of a caller. Few blocks are selected: theirs are worth an exact walk.
fn capture(local: &Local, caller: Caller, frames: &mut [u64; stack::FRAMES]) -> usize {
    let (pc, sp, fp) = (caller.pc(), caller.sp(), caller.fp());
    stack::capture_from(&local.stack, pc, sp, fp, frames)
}

fn happening<'a>(
    local: &Local,
    block: &Block<'_, Record>,
    caller: Caller,
    frames: &'a mut [u64; stack::FRAMES],
) -> Happening<'a> {
    let depth = capture(local, caller, frames);
    Happening {
        event: 0,
        freed: false,
        address: block.address.as_ptr() as usize,
        bytes: block.bytes,
        class: block.class,
        size: 0,
        life: block
            .record
            .map_or(0, |record| record.lives.load(Ordering::Relaxed)),
        other: caller.other(),
        thread: thread::id(),
        api: caller.api(),
        stack: &frames[..depth],
    }
}

/// Asks what is quickly asked. By value: a reference would have the hook keep in memory what it
/// has in registers.
#[inline(never)]
pub(super) fn allocated_of_interest(local: &Local, block: Block<'_, Record>, request: Request) {
    if is_of_interest(&block) && !is_passed_over(&block, &request) {
        allocated(local, &block, &request);
    }
}

/// As [`allocated_of_interest`]; says whether the block is held back.
#[inline(never)]
pub(super) fn freeing_of_interest(
    local: &Local,
    block: Block<'_, Record>,
    release: Release,
) -> bool {
    let is_selected = rules::any_about_places()
        || block
            .record
            .is_some_and(|record| record.rules.load(Ordering::Relaxed) != 0);
    let address = block.address.as_ptr() as usize;
    let concerns =
        is_selected && is_of_interest(&block) || guards::may_have(address) || guards::compares();
    concerns && freeing(local, &block, &release)
}

#[inline(never)]
fn allocated(local: &Local, block: &Block<'_, Record>, request: &Request) {
    let address = block.address.as_ptr() as usize;
    if guards::compares() {
        hit::compare(b"an allocation", request.caller.pc());
    }
    guards::reused(address);
    let before = block.record.map_or(0, |record| rules::selected(&record));
    let api = request.caller.api();
    let pc = request.caller.pc() as u64;
    let mut slots = if rules::depth_for(api) > 1 {
        let mut frames = [0; stack::FRAMES];
        let depth = capture(local, request.caller, &mut frames);
        rules::selecting(block, request, &frames[..depth])
    } else {
        rules::selecting(block, request, &[pc])
    };
    let (from, moved) = local.moving.get();
    if from != 0 && from == request.caller.other() {
        // What rules know by its contents and not by its place has moved here.
        slots |= rules::of(moved)
            .filter(|rule| rule.addresses.is_none())
            .fold(0, |slots, rule| slots | 1 << rule.slot);
    }
    if let Some(record) = block.record {
        record.lives();
        if before | slots != 0 {
            rules::select(&record, slots);
        }
    }
    // Rotating rules have nothing to do here, nor have those that do not wait for a reuse.
    let wants = |slots: u32, event: u8| {
        rules::of(slots).any(|rule| rule.rotate.is_none() || rule.on & event != 0)
    };
    let before = rules::of(before)
        .filter(|rule| rule.on & events::REUSE != 0)
        .fold(0, |slots, rule| slots | 1 << rule.slot);
    if before != 0 || wants(slots, events::ALLOC) {
        happened(local, block, request, before, slots);
    }
}

/// An allocation that rules selected, in the block's last life or now.
#[cold]
#[inline(never)]
fn happened(local: &Local, block: &Block<'_, Record>, request: &Request, before: u32, slots: u32) {
    let mut frames = [0; stack::FRAMES];
    let mut happening = happening(local, block, request.caller, &mut frames);
    happening.size = request.size;
    act::remember_allocation(&happening, slots);
    happening.event = events::REUSE;
    act::on(&happening, before);
    happening.event = events::ALLOC;
    act::on(&happening, slots);
}

/// Says whether the block is held back.
#[inline(never)]
fn freeing(local: &Local, block: &Block<'_, Record>, release: &Release) -> bool {
    let address = block.address.as_ptr() as usize;
    let pc = release.caller.pc();
    if guards::compares() {
        hit::compare(b"a free", pc);
    }
    let slots = slots_of(block);
    if guards::may_have(address) {
        if guards::is_held(address) {
            Line::new()
                .text(b"watch: a block that is armed since its free is freed again, from ")
                .function(pc, true)
                .write();
            fault::abort(Call::Free, block.address.as_ptr(), Fault::DoubleFree);
        }
        guards::disarm(address);
    }
    if slots == 0 {
        return false;
    }
    let now = clock::now_ms();
    if rules::of(slots).all(|rule| !rule.may_be_due(now)) {
        return false;
    }
    freed(local, block, release, slots)
}

/// A free of a block that rules selected.
#[cold]
#[inline(never)]
fn freed(local: &Local, block: &Block<'_, Record>, release: &Release, slots: u32) -> bool {
    let address = block.address.as_ptr() as usize;
    let mut frames = [0; stack::FRAMES];
    let mut happening = happening(local, block, release.caller, &mut frames);
    happening.event = events::FREE;
    happening.freed = true;
    happening.size = known::of(address).map_or(0, |known| known.size);
    act::remember_free(&happening, slots);
    act::on(&happening, slots)
}

#[inline(never)]
pub(super) fn resized(local: &Local, block: &Block<'_, Record>, request: &Request) {
    let (from, moved) = local.moving.replace((0, 0));
    let address = block.address.as_ptr() as usize;
    let mut slots = slots_of(block);
    if from != address && from != 0 {
        guards::disarm(from);
        slots |= moved;
    }
    if slots == 0 {
        return;
    }
    let mut frames = [0; stack::FRAMES];
    let mut happening = happening(local, block, request.caller, &mut frames);
    happening.size = request.size;
    happening.event = events::REALLOC;
    if happening.other == address {
        happening.other = 0;
    }
    known::note(address, |known| {
        known.size = request.size;
        known.bytes = block.bytes;
    });
    act::on(&happening, slots);
}
