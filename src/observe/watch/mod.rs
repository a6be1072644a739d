//! Watches blocks: rules say which, and what is to be done when something happens to them.
//!
//! ```text
//! HAKMEM_WATCH ──parse──► Rule ──► rules    which are in force, and what they are about
//!                                    │
//! hook ──► calls: select, happen ────┴──► act ──► report    lines on standard error
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
mod calls;
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

use super::caller;
use super::kept::{Keep, Part};
use super::report::{Line, place};
use super::used::Used;
use super::watch_error::WatchError;
use super::{
    Block, Event, Observer, Path, Release, Request, Resize, Sees, modules, settings, stack,
};
use crate::options::Malformed;
use crate::options::rule_text::RuleText;
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::sys::process;
use calls::{allocated_of_interest, freeing_of_interest, is_of_interest, resized, slots_of};
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

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

impl Record {
    /// Counts one more life.
    fn lives(&self) {
        USED.note();
        let lives = self.lives.load(Ordering::Relaxed);
        self.lives.store(lives.wrapping_add(1), Ordering::Relaxed);
    }
}

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
