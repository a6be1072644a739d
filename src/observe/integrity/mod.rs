//! Integrity: finds what the program does wrong with its blocks, and tells it.
//!
//! ```text
//! allocated ──► pattern around and in the block, a record beside its slab
//! freeing   ──► state, function, size, alignment, pattern ──► filled ──► quarantine ──► the allocator
//! allocated again, at the end of the quarantine, at exit  ──► the filling is looked at
//!                    └── what is wrong ──► finding ──► report
//! ```
//!
//! A hook that finds nothing wrong stays in `check.rs`; what is wrong is looked into by `wrong.rs`,
//! told by `report/`, and followed by what `HAKMEM_ON_ERROR` says.
//!
//! `record.rs` has what is kept of a block, `thread.rs` of a thread with its `quarantine.rs` and
//! `stacks.rs`; `pattern.rs` has what stands around blocks and in freed ones, `scan.rs` looks at
//! all blocks, `signals.rs` explains signals that end the program.

mod check;
mod kind;
mod pattern;
mod placed_stacks;
mod policy;
mod quarantine;
mod record;
mod report;
mod scan;
mod signals;
mod stacks;
mod thread;
mod wrong;

use super::caller::Caller;
use super::{Block, Observer, Path, Release, Request, Resize, Verdict, modules, stack};
use crate::fault::{Call, Fault};
use core::ptr::NonNull;
use policy::Level;
pub(crate) use record::BlockRecord;
pub(crate) use thread::Local;

/// The observer.
pub(crate) struct Checking;

impl Observer for Checking {
    type Local = Local;
    const NEW: Local = Local::NEW;
    type Record = BlockRecord;
    type Span = ();
    const TAIL: usize = pattern::TAIL;
    const SKIPS_FIRST: bool = true;

    fn set_up() -> bool {
        let level = policy::read();
        if level == Level::Off {
            return false;
        }
        if level == Level::Full {
            stack::set_up();
            stacks::set_up();
        }
        modules::set_up();
        report::set_up();
        signals::set_up();
        policy::set(level);
        true
    }

    fn exits() {
        if policy::level() != Level::Off {
            scan::at_exit();
        }
    }

    fn forked() {
        thread::forked();
        report::forked();
    }

    fn began(local: &Local, _adopted: bool) {
        local.began();
    }

    fn ended(local: &Local) {
        local.ended();
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, BlockRecord>, request: &Request) {
        match policy::level() {
            Level::Off => {}
            Level::Light => check::allocated_light(block, request),
            Level::Full => check::allocated(local, block, request),
        }
    }

    #[inline(always)]
    fn freeing(
        local: &Local,
        block: &Block<'_, BlockRecord>,
        release: &Release,
    ) -> Option<NonNull<u8>> {
        match policy::level() {
            Level::Off => Some(block.address),
            Level::Light => check::freeing_light(block, release),
            Level::Full => check::freeing(local, block, release),
        }
    }

    #[inline(always)]
    fn overdue(local: &Local) -> Option<NonNull<u8>> {
        check::overdue(local)
    }

    fn allocated_apart(block: &Block<'_, BlockRecord>, request: &Request) {
        if policy::level() != Level::Off {
            check::allocated_light(block, request);
        }
    }

    fn freeing_apart(block: &Block<'_, BlockRecord>, release: &Release) {
        if policy::level() != Level::Off {
            // It goes back all the same: nobody else could free it later.
            check::freeing_light(block, release);
        }
    }

    fn resizing(_: &Local, block: &Block<'_, BlockRecord>, request: &Request) -> Resize {
        match policy::level() {
            Level::Off => Resize::InPlaceAllowed,
            level => check::resizing(block, request, level),
        }
    }

    fn resized(_: &Local, block: &Block<'_, BlockRecord>, request: &Request) {
        if policy::level() != Level::Off {
            check::resized(block, request);
        }
    }

    fn usable(block: &Block<'_, BlockRecord>) -> usize {
        if policy::level() == Level::Off {
            return block.bytes - pattern::TAIL;
        }
        check::usable(block)
    }

    fn aborting(call: Call, address: *const u8, fault: Fault) {
        if policy::level() != Level::Off {
            wrong::aborting(call, address as usize, fault);
        }
    }

    fn suspicious(call: Call, address: *const u8, fault: Fault, caller: Caller) -> Verdict {
        if policy::level() == Level::Off {
            return Verdict::Abort;
        }
        wrong::stray(call, address as usize, fault, caller)
    }

    fn verify() -> usize {
        match policy::level() {
            Level::Off => 0,
            _ => scan::all(b"a scan that the program asked for"),
        }
    }

    #[inline(always)]
    fn span(_: Path) {}
}
