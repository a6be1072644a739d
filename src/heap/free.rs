//! Frees: the fast path, of blocks that go to the thread's own front, and all others.

use super::hooks::freeing;
use super::system::free_foreign;
use super::{brief, wrong};
use crate::fault::Call;
use crate::large;
use crate::observe::caller::Caller;
use crate::observe::{Observed, Observer, Path};
use crate::registry::REGISTRY;
use crate::setup;
use crate::slab::Kind;
use crate::thread_cache::front::{Front, Push};
use crate::thread_cache::{NoCache, ThreadCache, parked};
use core::ptr::NonNull;

/// Frees `block`, which [`super::allocate`] and its kin returned, or null. Another address is
/// reported, and ends the program.
///
/// # Safety
/// Nobody uses the block any more.
#[inline(always)]
pub(crate) unsafe fn deallocate(block: *mut u8, caller: Caller) {
    if caller.is_brief() {
        // SAFETY: the caller's clause.
        return unsafe { brief::deallocate(block, caller) };
    }
    if caller.is_some() && Observed::times() {
        // SAFETY: the caller's clause, here and below.
        return unsafe { deallocate_timed(block, caller.copy()) };
    }
    // SAFETY: as above.
    unsafe { deallocate_untimed(block, caller) }
}

/// # Safety
/// As of [`deallocate`].
#[cold]
#[inline(never)]
unsafe fn deallocate_timed(block: *mut u8, caller: Caller) {
    let _timed = Observed::span(Path::Free);
    // SAFETY: the caller's clause.
    unsafe { deallocate_untimed(block, caller) }
}

/// # Safety
/// As of [`deallocate`].
#[inline(always)]
pub(super) unsafe fn deallocate_untimed(block: *mut u8, caller: Caller) {
    let front = Front::current();
    let Some(block) = freeing(front, block, caller) else {
        return;
    };
    give_back(front, block);
}

/// Puts a block that the program or an observer has given up where it belongs.
#[inline(always)]
fn give_back(front: &'static Front, block: *mut u8) {
    match front.push(block) {
        Push::Done => {}
        Push::NotOurs => deallocate_slow(block, front),
        Push::Failed => deallocate_slower(block),
    }
}

/// A block that is none of the thread's own, and has a cache for it to wait in.
#[inline(never)]
fn deallocate_slow(block: *mut u8, front: &'static Front) {
    if !ThreadCache::of(front).free_remote(block) {
        deallocate_remote(block, front);
    }
}

/// The first block of its slot that waits, or the last one before all go home.
#[inline(never)]
fn deallocate_remote(block: *mut u8, front: &'static Front) {
    if !ThreadCache::of(front).free_remote_slow(block) {
        deallocate_slower(block);
    }
}

/// No block of another thread's, or none that this thread's view of the registry has, or of a
/// thread that has no cache now.
#[cold]
#[inline(never)]
pub(super) fn deallocate_slower(block: *mut u8) {
    if block.is_null() {
        return;
    }
    let Some(slab) = REGISTRY.slab_of(block as usize) else {
        // SAFETY: the caller of `deallocate` gave up the block.
        return unsafe { free_foreign(block) };
    };
    let cache = setup::enter();
    if slab.kind() != Kind::Blocks {
        let _timed = Observed::span(Path::LargeFree);
        let freed = match cache {
            Err(NoCache::Interrupted) => large::free_later(slab, block as usize),
            _ => large::free(slab, block as usize),
        };
        if let Err(fault) = freed {
            wrong(Call::Free, block, fault, Caller::NONE);
        }
        return;
    }
    match cache {
        Ok(cache) if cache.owns(slab) => cache.free_own(slab, block),
        Ok(cache) => cache.hold_back(slab, block),
        Err(_) => parked::free_without_cache(slab, block),
    }
}

/// Frees the blocks whose frees observers put off, and that are due.
pub(super) fn free_overdue(front: &'static Front) {
    while front.is_real() {
        let overdue: Option<NonNull<u8>> = Observed::overdue(ThreadCache::of(front).local());
        let Some(block) = overdue else {
            return;
        };
        deallocate_slower(block.as_ptr());
    }
}
