//! Watches blocks: rules say which, and what is to be done when something happens to them.
//!
//! ```text
//! HAKMEM_WATCH ──parse──► Rule ──► rules    which are in force, and what they are about
//!                                    │
//! hook ──► select, happen ───────────┴──► act ──► report    lines on standard error
//!              │                           ├────► known     who allocated, who freed
//!              └── record: lives, rules    └────► guards ─► registers, pages, copies
//!                                                   ▲
//!                            SIGTRAP, SIGSEGV ──► signals ──► hit
//! ```
//!
//! The first question of each hook is whether there has been a rule, the second what no rule is
//! about: classes and addresses, three loads. [`Record`] has the rules that selected a block in
//! its present life.
//!
//! 1. With no rule in force no hook does more than to ask that.

mod act;
mod environment;
mod guard;
mod guards;
mod held;
mod hit;
mod known;
mod registers;
mod rule;
mod rules;
mod signals;
mod target;

use super::api::Api;
use super::caller::{self, Caller};
use super::kept::{Keep, Part};
use super::report::{Line, place};
use super::used::Used;
use super::watch_error::WatchError;
use super::{
    Block, Event, Observer, Path, Release, Request, Resize, Sees, modules, settings, stack,
};
use crate::fault::{self, Call, Fault};
use crate::options::Malformed;
use crate::options::rule_text::RuleText;
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::sys::{clock, process, thread};
use act::Happening;
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use rule::events;

/// The observer.
pub(crate) struct Watch;

/// What is kept of each block. Relaxed all: who hands a block over orders its record as well.
pub(crate) struct Record {
    /// How often it was handed out since its slab was opened, while there were rules.
    lives: AtomicU32,
    /// The rules that there had been when it was selected.
    stamp: AtomicU32,
    /// The slots of those that selected it.
    rules: AtomicU32,
}

static USED: Used = Used::new();

impl Keep for Record {
    const LANES: usize = 1;

    unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
        // SAFETY: the caller's clause.
        unsafe { USED.wipe(start, blocks) };
    }
}

impl Part for Record {}

/// What is kept of each thread.
pub(crate) struct Local {
    stack: stack::Local,
    /// The block that is being resized, and the rules that selected it.
    moving: Cell<(usize, u32)>,
}

impl Observer for Watch {
    type Local = Local;
    const NEW: Local = Local {
        stack: stack::Local::NEW,
        moving: Cell::new((0, 0)),
    };
    type Record = Record;
    type Span = ();

    fn arena_base() -> usize {
        settings::arena_base()
    }

    fn set_up() -> Sees {
        stack::set_up();
        let texts = ["HAKMEM_WATCH", "HAKMEM_WATCH_ADDR"].map(settings::text);
        if settings::count("HAKMEM_WATCH_HARDWARE") == 0 {
            target::without_watchpoints();
        }
        if texts.iter().any(Option::is_some) {
            modules::set_up();
            environment::set_up(texts);
        }
        Sees::all_if(rules::exist())
    }

    fn began(local: &Local, _adopted: bool) {
        local.stack.began();
    }

    fn exits() {
        if guards::compares() {
            hit::compare(b"the program's exit", 0);
        }
        rules::for_each_unknown(|number| {
            let mut path = [0; 256];
            let len = process::program(&mut path);
            Line::new()
                .text(b"watch ")
                .number(number as usize)
                .text(b": its site is in none of the files that ")
                .foreign(&path[..len])
                .text(b" has mapped")
                .write();
        });
    }

    fn forked() {
        rules::forked();
        known::forked();
        signals::forked();
        place::forked();
        guards::forked();
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, Record>, request: &Request) {
        if rules::have_been() {
            allocated_of_interest(local, block.copy(), request.copy());
        }
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Record>, release: &Release) -> Option<NonNull<u8>> {
        if rules::have_been() && freeing_of_interest(local, block.copy(), release.copy()) {
            return None;
        }
        Some(block.address)
    }

    #[inline(always)]
    fn overdue(_: &Local) -> Option<NonNull<u8>> {
        held::due()
    }

    #[inline(always)]
    fn resizing(local: &Local, block: &Block<'_, Record>, _: &Request) -> Resize {
        if is_of_interest(block) {
            let address = block.address.as_ptr() as usize;
            local.moving.set((address, slots_of(block)));
        }
        Resize::InPlaceAllowed
    }

    #[inline(always)]
    fn resized(local: &Local, block: &Block<'_, Record>, request: &Request) {
        if is_of_interest(block) || local.moving.get().1 != 0 {
            resized(local, block, request);
        }
    }

    #[inline(always)]
    fn event(_: &Local, event: Event<'_>) {
        match event {
            Event::SlabClosed { start, class } => {
                let slots = SizeClass::all().nth(class).map_or(1, SizeClass::slots);
                guards::closed(start, class, slots * SLOT_BYTES);
            }
            Event::Refilled { .. } if guards::compares() => hit::compare(b"a refill", 0),
            Event::Drained { .. } if guards::compares() => hit::compare(b"a drain", 0),
            Event::Collected { .. } if guards::compares() => hit::compare(b"a collection", 0),
            _ => {}
        }
    }

    #[inline(always)]
    fn span(_: Path) {}

    fn watch(text: &[u8]) -> Result<u32, WatchError> {
        let rule = RuleText::parse(text)
            .map_err(|Malformed { at, accepted, .. }| WatchError::Malformed { at, accepted })?;
        modules::refresh();
        let number = environment::add(&rule)?;
        caller::switch(Sees::All, true);
        Ok(number)
    }

    fn unwatch(number: u32) -> Result<(), WatchError> {
        if !rules::remove(number) {
            return Err(WatchError::NoSuchWatch);
        }
        guards::disarm_of(number);
        Ok(())
    }
}

/// Whether a rule may be about a block, or it is armed, or others are compared.
#[inline(always)]
fn is_of_interest(block: &Block<'_, Record>) -> bool {
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

impl Record {
    /// Counts one more life.
    fn lives(&self) {
        USED.note();
        let lives = self.lives.load(Ordering::Relaxed);
        self.lives.store(lives.wrapping_add(1), Ordering::Relaxed);
    }
}

/// The rules that are about a block in its present life.
fn slots_of(block: &Block<'_, Record>) -> u32 {
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
fn allocated_of_interest(local: &Local, block: Block<'_, Record>, request: Request) {
    if is_of_interest(&block) && !is_passed_over(&block, &request) {
        allocated(local, &block, &request);
    }
}

/// As [`allocated_of_interest`]; says whether the block is held back.
#[inline(never)]
fn freeing_of_interest(local: &Local, block: Block<'_, Record>, release: Release) -> bool {
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
fn resized(local: &Local, block: &Block<'_, Record>, request: &Request) {
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
