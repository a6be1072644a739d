//! What observers are told of calls, and asked: who is to serve a request, what was handed out, whether
//! a block may be freed, and how it may be resized.
//!
//! A block is told of with its thread's cache. Where there is none the twins `…_apart` are called.
//! Nothing of this file is in a build without observers.

use super::fault_of;
use super::system::foreign_may_be_freed;
use crate::fault::Call;
use crate::observe::caller::{Caller, only_diverts};
use crate::observe::{self, Diverted, Observed, Observer, Path, Release, Request, Resize, Verdict};
use crate::registry::REGISTRY;
use crate::setup;
use crate::size_class::{MIN_ALIGN, SLOT_BYTES, SizeClass};
use crate::slab::{Kind, Slab};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::front::Front;
use core::ptr::NonNull;

/// Times a call that came through an observed function, until the result is dropped.
#[inline(always)]
pub(super) fn timed(path: Path, caller: Caller) -> impl Sized {
    caller.is_some().then(|| Observed::span(path))
}

/// A block that an observer has of its own for a request, and that the others have seen; or who is
/// to be observed where there is none.
#[inline(always)]
pub(super) fn diverted(
    front: &'static Front,
    size: usize,
    align: usize,
    caller: Caller,
) -> Result<Diverted, Caller> {
    if !caller.is_some() {
        return Err(caller);
    }
    let request = Request {
        size,
        align,
        caller,
    };
    let Some(front) = real(front) else {
        return Err(caller);
    };
    let Some(block) = Observed::divert(ThreadCache::of(front).local(), &request) else {
        return Err(if only_diverts() { Caller::NONE } else { caller });
    };
    allocated_diverted(front, block.start, size, align, caller.copy());
    Ok(block)
}

#[cold]
#[inline(never)]
fn allocated_diverted(
    front: &'static Front,
    block: NonNull<u8>,
    size: usize,
    align: usize,
    caller: Caller,
) {
    let local = ThreadCache::of(front).local();
    let request = Request {
        size,
        align,
        caller,
    };
    Observed::allocated(local, &apart(block, size), &request);
}

#[inline(always)]
pub(super) fn allocated(
    front: &'static Front,
    block: NonNull<u8>,
    size: usize,
    align: usize,
    caller: Caller,
) {
    if !caller.is_some() {
        return;
    }
    let request = Request {
        size,
        align,
        caller,
    };
    if !front.is_real() {
        return allocated_apart(block, size, align, caller.copy());
    }
    if let Some(block) = handed_out(block) {
        Observed::allocated(ThreadCache::of(front).local(), &block, &request);
    }
}

/// As [`allocated`], for a block out of the front's bin of a TINY class: what the class says
/// need not wait for what the slab says.
#[inline(always)]
pub(super) fn allocated_tiny(
    front: &'static Front,
    class: SizeClass,
    block: NonNull<u8>,
    size: usize,
    caller: Caller,
) {
    let request = Request {
        size,
        align: MIN_ALIGN,
        caller,
    };
    // A front that had the block has a cache.
    let address = block.as_ptr() as usize;
    // A TINY slab is one slot.
    let index = class.block_index(address % SLOT_BYTES);
    let block = observe::Block {
        address: block,
        bytes: class.bytes(),
        class: class.index(),
        record: REGISTRY.find(address).and_then(|slab| slab.record(index)),
    };
    Observed::allocated(ThreadCache::of(front).local(), &block, &request);
}

/// A block that is handed out just now, as observers see it; `None` if it is the system's.
#[inline(always)]
fn handed_out(block: NonNull<u8>) -> Option<observe::Block<'static, observe::Record>> {
    let address = block.as_ptr() as usize;
    let slab = REGISTRY.find(address)?;
    let (bytes, class, index) = match slab.kind() {
        Kind::Blocks => {
            let class = slab.class();
            let index = class.block_index(address - slab.first_block());
            (class.bytes(), class.index(), index)
        }
        _ => (slab.block_bytes(), observe::LARGE, 0),
    };
    Some(observe::Block {
        address: block,
        bytes,
        class,
        record: slab.record(index),
    })
}

#[cold]
#[inline(never)]
fn allocated_apart(block: NonNull<u8>, size: usize, align: usize, caller: Caller) {
    Observed::missed();
    if let Some((_, block)) = seen(block) {
        let request = Request {
            size,
            align,
            caller,
        };
        Observed::allocated_apart(&block, &request);
    }
}

/// Tells observers that a request is refused.
pub(super) fn refused(size: usize, align: usize, caller: Caller) {
    let front = Front::current();
    if caller.is_some() && front.is_real() {
        let request = Request {
            size,
            align,
            caller,
        };
        Observed::refused(ThreadCache::of(front).local(), &request);
    }
}

#[inline(always)]
pub(super) fn freeing(front: &'static Front, block: *mut u8, caller: Caller) -> Option<*mut u8> {
    if !caller.is_some() || only_diverts() && !Observed::owns(block as usize) {
        return Some(block);
    }
    let start = NonNull::new(block)?;
    let Some(front) = real(front) else {
        return freeing_apart(start, caller.copy());
    };
    let cache = ThreadCache::of(front);
    let Some((slab, seen)) = seen(start) else {
        return freeing_stray(cache, start, caller.copy());
    };
    let is_remote = slab.kind() == Kind::Blocks && !cache.owns(slab);
    let release = Release { caller, is_remote };
    Observed::freeing(cache.local(), &seen, &release).map(NonNull::as_ptr)
}

/// A free of what is no block of a slab: of an observer's own, of the system's, or of nobody's.
#[cold]
#[inline(never)]
fn freeing_stray(
    cache: &'static ThreadCache,
    start: NonNull<u8>,
    caller: Caller,
) -> Option<*mut u8> {
    let block = start.as_ptr();
    if let Some(bytes) = Observed::diverted(block as usize) {
        let release = Release {
            caller,
            is_remote: false,
        };
        let due = Observed::freeing(cache.local(), &apart(start, bytes), &release);
        return due.map(NonNull::as_ptr);
    }
    if foreign_may_be_freed(block, caller) {
        return Some(block);
    }
    match Observed::suspicious(Call::Free, block, fault_of(block), caller) {
        Verdict::Ignore => None,
        // It is reported by whoever cannot free it.
        Verdict::Abort => Some(block),
    }
}

#[cold]
#[inline(never)]
fn freeing_apart(block: NonNull<u8>, caller: Caller) -> Option<*mut u8> {
    Observed::missed();
    if let Some(bytes) = Observed::diverted(block.as_ptr() as usize) {
        let release = Release {
            caller,
            is_remote: false,
        };
        Observed::freeing_apart(&apart(block, bytes), &release);
        return None;
    }
    if let Some((slab, block)) = seen(block) {
        let is_remote = slab.kind() == Kind::Blocks;
        Observed::freeing_apart(&block, &Release { caller, is_remote });
    }
    Some(block.as_ptr())
}

/// How observers let a block be resized.
pub(super) fn how_to_resize(block: *mut u8, size: usize, caller: Caller) -> Resize {
    let front = Front::current();
    if !caller.is_some() || !front.is_real() {
        return Resize::InPlaceAllowed;
    }
    let request = Request {
        size,
        align: MIN_ALIGN,
        caller,
    };
    let Some(start) = NonNull::new(block) else {
        return Resize::InPlaceAllowed;
    };
    let local = ThreadCache::of(front).local();
    if let Some((_, block)) = seen(start) {
        return Observed::resizing(local, &block, &request);
    }
    match Observed::diverted(block as usize) {
        Some(bytes) => Observed::resizing(local, &apart(start, bytes), &request),
        None => Resize::InPlaceAllowed,
    }
}

/// Tells observers that a block was resized without a copy, if it was.
pub(super) fn has_resized(
    block: *mut u8,
    resized: Option<NonNull<u8>>,
    size: usize,
    caller: Caller,
) {
    let front = Front::current();
    let Some(resized) = resized.filter(|_| caller.is_some() && front.is_real()) else {
        return;
    };
    let request = Request {
        size,
        align: MIN_ALIGN,
        caller: caller.resizing(block as usize),
    };
    let local = ThreadCache::of(front).local();
    if let Some((_, block)) = seen(resized) {
        Observed::resized(local, &block, &request);
    } else if Observed::diverted(resized.as_ptr() as usize).is_some() {
        Observed::resized(local, &apart(resized, size), &request);
    }
}

/// A block's slab, and the block as observers see it; `None` if it is no block of ours.
#[inline(always)]
pub(super) fn seen(
    block: NonNull<u8>,
) -> Option<(&'static Slab, observe::Block<'static, observe::Record>)> {
    let address = block.as_ptr() as usize;
    let slab = REGISTRY.find(address)?;
    let (bytes, class, index) = match slab.kind() {
        Kind::Blocks => {
            let class = slab.class();
            (class.bytes(), class.index(), slab.index_of(address).ok()?)
        }
        _ if address != slab.start() => return None,
        _ => (slab.block_bytes(), observe::LARGE, 0),
    };
    let block = observe::Block {
        address: block,
        bytes,
        class,
        record: slab.record(index),
    };
    Some((slab, block))
}

/// A block that is none of a slab's, as observers see it.
#[inline(always)]
pub(super) fn apart(
    address: NonNull<u8>,
    bytes: usize,
) -> observe::Block<'static, observe::Record> {
    observe::Block {
        address,
        bytes,
        class: observe::LARGE,
        record: None,
    }
}

/// A front with a cache around it: this one, or that of a thread which is given its cache now, for
/// a call that is observed.
#[inline(always)]
fn real(front: &'static Front) -> Option<&'static Front> {
    if front.is_real() {
        Some(front)
    } else {
        begun()
    }
}

#[cold]
#[inline(never)]
fn begun() -> Option<&'static Front> {
    drop(setup::enter().ok()?);
    let front = Front::current();
    front.is_real().then_some(front)
}
