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
//! `ranges.rs` has how far the program's memory functions may go, and `wrong_range.rs` tells of one
//! that goes too far. `guard/` has blocks with pages of their own, which are checked by the
//! processor.
//!
//! `record.rs` has what is kept of a block, `thread.rs` of a thread with its `quarantine.rs` and
//! `stacks.rs`; `pattern.rs` has what stands around blocks and in freed ones, `untouched.rs` in
//! places that nobody has had; `scan.rs` looks at all blocks (`ask.rs`: when a signal asks),
//! `leaks/` for those that nothing points to; `signals.rs` explains signals that end the program.
//! `description.rs` tells a reader of a core file where all that is.

mod ask;
mod check;
mod damage;
mod description;
mod foreign_free;
mod guard;
mod kind;
mod known;
mod leaks;
mod light;
mod metadata;
mod missing_count;
mod overwritten;
mod own_operators;
mod pattern;
mod placed_stacks;
mod policy;
mod quarantine;
pub(crate) mod ranges;
mod record;
mod report;
mod scan;
mod signals;
mod stacks;
mod streams;
mod thread;
mod untouched;
mod wild;
mod word;
mod wrong;
mod wrong_range;

use super::caller::Caller;
use super::{
    Block, Diverted, Observer, Path, Release, Request, Resize, Sees, Verdict, Wish, modules, stack,
};
use crate::fault::{Call, Fault};
use crate::sys::originals;
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
    const SKIPS_FIRST: bool = true;

    fn set_up() -> Sees {
        let level = policy::read();
        originals::find();
        leaks::set_up(level);
        let guards = guard::set_up(level == Level::Full);
        if level == Level::Off && !guards {
            policy::set(level);
            ranges::set_off();
            return Sees::Nothing;
        }
        if level == Level::Full || guards {
            stack::set_up();
            stacks::set_up();
        }
        modules::set_up();
        report::set_up();
        signals::set_up();
        ask::set_up();
        policy::set(level);
        ranges::set_up();
        if guards {
            guard::start();
        }
        match level {
            Level::Off => Sees::Nothing,
            Level::Light => Sees::Brief,
            Level::Full => Sees::All,
        }
    }

    const NAMES: usize = description::NAMES;

    fn describe(put: fn(&str, usize), record: usize) {
        description::describe(put, record);
    }

    #[inline(always)]
    fn tail() -> usize {
        policy::tail()
    }

    fn diverts() -> bool {
        guard::is_on()
    }

    fn exits() {
        scan::at_exit();
        guard::at_exit();
        if policy::level() != Level::Off {
            leaks::at_exit();
        }
    }

    fn forked() {
        guard::forked();
        thread::forked();
        report::forked();
        leaks::forked();
        signals::forked();
    }

    fn began(local: &Local, _adopted: bool) {
        local.began();
    }

    fn ended(local: &Local) {
        local.ended();
    }

    #[inline(always)]
    fn divert(local: &Local, request: &Request) -> Option<Diverted> {
        guard::divert(local, request)
    }

    fn diverted(address: usize) -> Option<usize> {
        guard::bytes(address)
    }

    fn owns(address: usize) -> bool {
        guard::owns(address)
    }

    fn resize_diverted(address: usize, size: usize) -> bool {
        guard::resize(address, size)
    }

    #[inline(always)]
    fn wants(wish: Wish) -> bool {
        match wish {
            Wish::Places => policy::level() != Level::Off,
            Wish::Fillings => policy::level() == Level::Full,
            Wish::Counts => false,
        }
    }

    fn carved(block: &Block<'_, BlockRecord>, is_free: bool) {
        if policy::is_light() {
            light::carved(block.address.as_ptr() as usize, block.bytes, is_free);
        } else if is_free {
            untouched::fill(block);
        }
    }

    const BRIEF_TAIL: usize = Level::Light.tail();

    #[inline(always)]
    fn handed_out(start: usize, bytes: usize, request: &Request) {
        light::handed_out(start, bytes, request);
    }

    #[inline(always)]
    fn taken_back(start: usize, bytes: usize, release: &Release) -> bool {
        light::taken_back(start, bytes, release)
    }

    #[inline(always)]
    fn asked_of(start: usize, bytes: usize, release: &Release) -> Option<usize> {
        light::asked_of(start, bytes, release)
    }

    #[inline(always)]
    fn stayed(start: usize, bytes: usize, request: &Request) {
        light::stayed(start, bytes, &request.copy());
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, BlockRecord>, request: &Request) {
        if policy::is_off() {
            return;
        }
        if policy::is_light() {
            // Copies, here and wherever a hook calls what is not inlined: a reference would have
            // the hook keep in memory what it has in registers, and read it from there.
            light::allocated(&block.copy(), &request.copy());
        } else {
            check::allocated(local, block, request);
        }
    }

    #[inline(always)]
    fn freeing(
        local: &Local,
        block: &Block<'_, BlockRecord>,
        release: &Release,
    ) -> Option<NonNull<u8>> {
        if is_guarded(block) {
            guard::freeing(Some(local), &block.copy(), &release.copy());
            return None;
        }
        if policy::is_off() {
            Some(block.address)
        } else if policy::is_light() {
            light::freeing(&block.copy(), &release.copy())
        } else {
            check::freeing(local, block, release)
        }
    }

    fn put_off(local: &Local, block: &Block<'_, BlockRecord>, release: &Release) {
        match policy::level() {
            Level::Off => {}
            Level::Light if light::has_word(block) => {
                light::freeing(block, release);
            }
            level => check::put_off(local, block, release, level),
        }
    }

    #[inline(always)]
    fn overdue(local: &Local) -> Option<NonNull<u8>> {
        if policy::level() != Level::Off || guard::is_on() {
            signals::insist();
        }
        check::overdue(local)
    }

    fn allocated_apart(block: &Block<'_, BlockRecord>, request: &Request) {
        match policy::level() {
            Level::Off => {}
            Level::Light => light::allocated(block, request),
            Level::Full => check::allocated_light(block, request),
        }
    }

    fn freeing_apart(block: &Block<'_, BlockRecord>, release: &Release) {
        if is_guarded(block) {
            return guard::freeing(None, block, release);
        }
        // It goes back all the same: nobody else could free it later.
        match policy::level() {
            Level::Off => {}
            Level::Light => {
                light::freeing(block, release);
            }
            Level::Full => {
                check::freeing_light(block, release);
            }
        }
    }

    fn resizing(_: &Local, block: &Block<'_, BlockRecord>, request: &Request) -> Resize {
        if is_guarded(block) {
            return guard::resizing(block, request);
        }
        match policy::level() {
            Level::Off => Resize::InPlaceAllowed,
            Level::Light if light::has_word(block) => light::resizing(block, request),
            level => check::resizing(block, request, level),
        }
    }

    fn resized(_: &Local, block: &Block<'_, BlockRecord>, request: &Request) {
        if is_guarded(block) {
            guard::resized(block.address.as_ptr() as usize, request);
        } else if light::has_word(block) {
            light::allocated(block, request);
        } else if policy::level() != Level::Off {
            check::resized(block, request);
        }
    }

    /// `memset` would come back here, and look for a block in what was a free one.
    #[inline(always)]
    unsafe fn clears(block: *mut u8, size: usize) -> bool {
        // SAFETY: the caller's clause.
        unsafe { originals::fill(block, size, 0) };
        true
    }

    fn usable(block: &Block<'_, BlockRecord>, caller: Caller) -> usize {
        if is_guarded(block) {
            return guard::usable(block, caller);
        }
        if policy::level() == Level::Off {
            return block.bytes - policy::tail();
        }
        if light::has_word(block) {
            return light::usable(block, caller);
        }
        check::usable(block, caller)
    }

    fn aborting(call: Call, address: *const u8, fault: Fault) {
        if policy::level() != Level::Off {
            wrong::aborting(call, address as usize, fault);
        }
    }

    fn suspicious(call: Call, address: *const u8, fault: Fault, caller: Caller) -> Verdict {
        if policy::level() == Level::Off && !guard::owns(address as usize) {
            return Verdict::Abort;
        }
        wrong::stray(call, address as usize, fault, caller)
    }

    fn verify() -> usize {
        scan::all(b"a scan that the program asked for")
    }

    #[inline(always)]
    fn leaks() -> usize {
        match policy::level() {
            Level::Off => 0,
            _ => leaks::on_demand(),
        }
    }

    #[inline(always)]
    fn span(_: Path) {}
}

/// Whether a block is a guarded one: all others have records, where there is memory for those.
#[inline(always)]
fn is_guarded(block: &Block<'_, BlockRecord>) -> bool {
    block.record.is_none() && guard::owns(block.address.as_ptr() as usize)
}
