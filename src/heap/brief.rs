//! The fast paths of calls where hooks see blocks in brief: of blocks that go to the front, and of TINY
//! ones that come from there.
//!
//! What else there is stands in functions that are called last: so these need no frame, and save no
//! registers.

use super::{allocate_medium, allocate_slow, allocated, deallocate_slower, deallocate_untimed};
use crate::observe::caller::{Caller, Origin, Told};
use crate::observe::{Observed, Observer, Release, Request};
use crate::size_class::{MIN_ALIGN, TINY_MAX};
use crate::superslab::SUPERSLAB_BYTES;
use crate::thread_cache::front::Front;
use core::ptr::NonNull;

/// As [`super::allocate`].
#[inline(always)]
pub(super) fn allocate(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let (origin, told) = caller.parts();
    let wanted = size.saturating_add(Observed::tail());
    if wanted > TINY_MAX {
        return allocate_larger(size, origin, told);
    }
    // SAFETY: at most TINY_MAX.
    let bin = unsafe { front.bin_for(wanted) };
    let Some(block) = bin.pop() else {
        return allocate_slowly(size, origin, told);
    };
    let request = Request {
        size,
        align: MIN_ALIGN,
        caller,
    };
    let bytes = front.class_of(bin).bytes();
    if !Observed::handed_out(block.as_ptr() as usize, bytes, &request) {
        return allocated_slowly(front, block, size, origin, told);
    }
    block.as_ptr()
}

#[inline(never)]
fn allocate_larger(size: usize, origin: Origin, told: Told) -> *mut u8 {
    allocate_medium(size, Caller::of_parts(origin, told))
}

#[cold]
#[inline(never)]
fn allocate_slowly(size: usize, origin: Origin, told: Told) -> *mut u8 {
    allocate_slow(size, Caller::of_parts(origin, told))
}

/// A block is handed out of which observers have to be told otherwise.
#[inline(never)]
fn allocated_slowly(
    front: &'static Front,
    block: NonNull<u8>,
    size: usize,
    origin: Origin,
    told: Told,
) -> *mut u8 {
    let caller = Caller::of_parts(origin, told);
    allocated(front, block, size, MIN_ALIGN, caller);
    block.as_ptr()
}

/// As [`super::deallocate`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn deallocate(block: *mut u8, caller: Caller) {
    let front = Front::current();
    let address = block as usize;
    let (origin, told) = caller.parts();
    if let Some(bin) = front.bin_of(address) {
        let bytes = front.class_of(bin).bytes();
        // Whether a place begins here the observer knows. If none does, what it reads is there all the same:
        // in the same SuperSlab.
        let end = address + bytes - 1;
        let may_be_block = address.is_multiple_of(MIN_ALIGN) && address ^ end < SUPERSLAB_BYTES;
        let release = Release {
            caller,
            is_remote: false,
        };
        if may_be_block && Observed::taken_back(address, bytes, &release) {
            if !bin.push(block) {
                deallocate_slower(block);
            }
            return;
        }
    }
    // SAFETY: the caller's clause.
    unsafe { deallocate_slowly(block, origin, told) }
}

/// # Safety
/// As of [`super::deallocate`].
#[inline(never)]
unsafe fn deallocate_slowly(block: *mut u8, origin: Origin, told: Told) {
    // SAFETY: the caller's clause.
    unsafe { deallocate_untimed(block, Caller::of_parts(origin, told)) }
}
