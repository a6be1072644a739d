//! Resizing: in place where that is possible and observers allow it, else by a copy.

use super::allocate::{allocate, allocate_aligned};
use super::free::deallocate;
use super::hooks::{has_resized, how_to_resize, timed};
use super::system::{foreign_blocks_are_legitimate, foreign_may_be_freed, is_ours};
use super::{brief, fault_of, wrong};
use crate::arena::UNIT;
use crate::fault::{Call, Fault};
use crate::large;
use crate::observe::caller::Caller;
use crate::observe::{Observed, Observer, Path, Resize};
use crate::registry::REGISTRY;
use crate::setup;
use crate::size_class::{MID_MAX, MIN_ALIGN, SizeClass, Tier};
use crate::slab::{Kind, Slab};
use crate::sys::system_malloc;
use crate::thread_cache::NoCache;
use core::ptr::{self, NonNull};

/// Resizes `block` to `size` bytes, moving it if need be; the contents stay, as far as
/// they fit. Null and ENOMEM without memory, and then the block is as it was.
///
/// # Safety
/// `block` is a live block of ours or null; on success the old address is not used any more.
#[inline(always)]
pub(crate) unsafe fn resize(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    if caller.is_brief() {
        // SAFETY: the caller's clause, here and below.
        return unsafe { brief::resize(block, size, caller) };
    }
    // SAFETY: as above.
    unsafe { resize_at_length(block, size, caller) }
}

/// # Safety
/// As of [`resize`].
pub(super) unsafe fn resize_at_length(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    if block.is_null() {
        return allocate(size, caller);
    }
    let _timed = timed(Path::Resize, caller);
    let Some(slab) = REGISTRY.slab_of(block as usize) else {
        // SAFETY: the caller's clause.
        return unsafe { resize_stray(block, size, caller) };
    };
    let old = match checked_bytes(slab, block) {
        Ok(bytes) => bytes,
        Err(fault) => {
            wrong(Call::Realloc, block, fault, caller);
            return allocate(size, caller);
        }
    };
    match how_to_resize(block, size, caller) {
        Resize::InPlaceAllowed => {
            if let Some(resized) = resize_in_place(slab, block, old, size, caller) {
                return resized.as_ptr();
            }
        }
        Resize::Move => {}
        Resize::Refuse => return allocate(size, caller),
    }
    // SAFETY: the caller's clause; the block has that many bytes.
    unsafe { resize_by_copy(block, old, size, caller) }
}

/// Copies a block of `old` bytes into a new one, and frees it.
///
/// # Safety
/// As of [`resize`]; the block has `old` bytes.
unsafe fn resize_by_copy(block: *mut u8, old: usize, size: usize, caller: Caller) -> *mut u8 {
    let new = allocate(size, caller.resizing(block as usize));
    if new.is_null() {
        // A block that is too large is better than none.
        return if size <= old { block } else { new };
    }
    // SAFETY: the caller's clause, and the new one has `size` bytes.
    unsafe { move_to(new, block, old.min(size), caller) };
    new
}

/// Copies the first `bytes` bytes of a block into a new one, and frees it.
///
/// # Safety
/// Both have so many, the new one is no other's, and nobody uses the old one any more.
#[inline(always)]
pub(super) unsafe fn move_to(new: *mut u8, block: *mut u8, bytes: usize, caller: Caller) {
    // SAFETY: the caller's clause, here and below.
    unsafe { ptr::copy_nonoverlapping(block, new, bytes) };
    // SAFETY: as above.
    unsafe { deallocate(block, caller.resizing(new as usize)) };
}

/// Resizes what is no block of a slab: of an observer's own, of the system's, or of nobody's.
///
/// # Safety
/// As of [`resize`].
#[cold]
#[inline(never)]
unsafe fn resize_stray(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    if caller.is_some()
        && let Some(bytes) = Observed::diverted(block as usize)
    {
        match how_to_resize(block, size, caller) {
            Resize::InPlaceAllowed if Observed::resize_diverted(block as usize, size) => {
                has_resized(block, NonNull::new(block), size, caller);
                return block;
            }
            Resize::Refuse => return allocate(size, caller),
            _ => {}
        }
        // SAFETY: the caller's clause; the block has that many bytes.
        return unsafe { resize_by_copy(block, bytes, size, caller) };
    }
    if foreign_may_be_freed(block, caller) {
        // SAFETY: the caller's clause.
        return unsafe { system_malloc::realloc(block, size) };
    }
    wrong(Call::Realloc, block, fault_of(block), caller);
    allocate(size, caller)
}

/// Frees a block as a `realloc` to no bytes does.
///
/// # Safety
/// Nobody uses the block any more.
pub(crate) unsafe fn resize_to_nothing(block: *mut u8, caller: Caller) {
    if REGISTRY.slab_of(block as usize).is_none()
        && !foreign_blocks_are_legitimate()
        && !(caller.is_some() && Observed::diverted(block as usize).is_some())
    {
        return wrong(Call::Realloc, block, fault_of(block), caller);
    }
    // SAFETY: the caller's clause.
    unsafe { deallocate(block, caller) };
}

/// As [`resize`], for a block whose size and alignment as asked for are known: no
/// look-up where its class stays the same.
///
/// # Safety
/// `block` is a live block of ours that was asked for with `old` bytes and `align`; on
/// success the old address is not used any more.
pub(crate) unsafe fn resize_known(
    block: *mut u8,
    old: usize,
    align: usize,
    size: usize,
    caller: Caller,
) -> *mut u8 {
    if align <= MIN_ALIGN {
        let tail = Observed::tail();
        let have_classes = old <= MID_MAX - tail && size <= MID_MAX - tail;
        let same_class = have_classes && SizeClass::of(old + tail) == SizeClass::of(size + tail);
        if same_class && !caller.is_some() && is_ours(Tier::of(old)) {
            return block;
        }
        // SAFETY: the caller's clause.
        return unsafe { resize(block, size, caller) };
    }
    let _timed = timed(Path::Resize, caller);
    match how_to_resize(block, size, caller) {
        Resize::InPlaceAllowed => {
            if let Some(slab) = REGISTRY.slab_of(block as usize)
                && align <= UNIT
                && let Ok(bytes) = checked_bytes(slab, block)
                && let Some(resized) = resize_in_place(slab, block, bytes, size, caller)
            {
                return resized.as_ptr();
            }
        }
        Resize::Move => {}
        Resize::Refuse => return allocate_aligned(size, align, caller),
    }
    let new = allocate_aligned(size, align, caller.resizing(block as usize));
    if !new.is_null() {
        // SAFETY: the caller's clause, and the new one has `size` bytes.
        unsafe { move_to(new, block, old.min(size), caller) };
    }
    new
}

/// The block's bytes, if `block` is the start of one.
fn checked_bytes(slab: &Slab, block: *mut u8) -> Result<usize, Fault> {
    match slab.kind() {
        Kind::Blocks => slab.index_of(block as usize).map(|_| slab.class().bytes()),
        _ if block as usize != slab.start() => Err(Fault::Interior),
        _ => Ok(slab.block_bytes()),
    }
}

/// Whether `wanted` bytes are in a block of `old` where it is: half of one is not worth a copy.
#[inline(always)]
pub(super) fn is_worth_staying(wanted: usize, old: usize) -> bool {
    wanted <= old && (wanted > old / 2 || old <= 4 * MIN_ALIGN)
}

fn resize_in_place(
    slab: &'static Slab,
    block: *mut u8,
    old: usize,
    size: usize,
    caller: Caller,
) -> Option<NonNull<u8>> {
    let wanted = size.checked_add(Observed::tail())?;
    let resized = match slab.kind() {
        Kind::Blocks => is_worth_staying(wanted, old).then(|| NonNull::new(block))?,
        _ if wanted > large::SIZE_MAX || wanted <= MID_MAX => None,
        _ => match setup::enter() {
            Err(NoCache::Interrupted) => None,
            _cache => large::resize(slab, wanted),
        },
    };
    has_resized(block, resized, size, caller);
    resized
}
