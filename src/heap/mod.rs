//! The heap: allocate, free, resize; which tier serves, and the fast paths.
//!
//! A fast path is one look at the front of the thread's cache (`allocate.rs`, `free.rs`). All else is in
//! its slow twin below it. What observers are told on the way is in `hooks.rs`.

mod allocate;
mod brief;
mod free;
mod hooks;
mod resize;
mod system;

use crate::fault::{self, Call, Fault};
use crate::large;
use crate::observe::caller::Caller;
use crate::observe::{Observed, Observer, Verdict};
use crate::registry::REGISTRY;
use crate::setup;
use crate::shared_pool;
use crate::size_class::{MID_MAX, SizeClass};
use crate::sys::system_malloc;
use crate::thread_cache::parked;
pub(crate) use allocate::{allocate, allocate_aligned, allocate_zeroed, allocate_zeroed_aligned};
use core::ptr::NonNull;
pub(crate) use free::deallocate;
use hooks::{apart, seen};
pub(crate) use resize::{resize, resize_known, resize_to_nothing};
use system::foreign_blocks_are_legitimate;

/// Bytes that the program may use of `block`; 0 of null.
///
/// # Safety
/// `block` is a live block or null.
pub(crate) unsafe fn usable_size(block: *mut u8, caller: Caller) -> usize {
    let Some(start) = NonNull::new(block) else {
        return 0;
    };
    let fault = if REGISTRY.slab_of(block as usize).is_some() {
        match seen(start) {
            Some((_, block)) => return Observed::usable(&block, caller),
            None => Fault::Interior,
        }
    } else if let Some(bytes) = Observed::diverted(block as usize) {
        return Observed::usable(&apart(start, bytes), caller);
    } else if foreign_blocks_are_legitimate() {
        // SAFETY: the caller's clause.
        return unsafe { system_malloc::usable_size(block) };
    } else {
        Fault::Foreign
    };
    wrong(Call::UsableSize, block, fault, caller);
    0
}

/// The size that a request of `size` bytes is rounded up to.
pub(crate) fn good_size(size: usize) -> usize {
    if size <= MID_MAX {
        SizeClass::of(size).bytes()
    } else {
        large::good_size(size)
    }
}

/// Gives all memory that nobody uses back to the system: what this thread's cache and the
/// caches of ended threads hold, free slots, cached SuperSlabs, freed mappings. Says whether
/// there was something.
pub(crate) fn collect() -> bool {
    let Ok(cache) = setup::enter() else {
        return false;
    };
    cache.flush();
    parked::flush_all();
    shared_pool::trim()
}

#[cold]
fn wrong(call: Call, block: *const u8, fault: Fault, caller: Caller) {
    // It may be the program's first call.
    drop(setup::enter());
    match Observed::suspicious(call, block, fault, caller) {
        Verdict::Abort => fault::abort(call, block, fault),
        Verdict::Ignore => {}
    }
}

/// What is wrong with an address that is no block of ours.
#[cold]
#[inline(never)]
fn fault_of(block: *const u8) -> Fault {
    match REGISTRY.slab_of(block as usize) {
        None if !Observed::owns(block as usize) => Fault::Foreign,
        _ => Fault::Interior,
    }
}
