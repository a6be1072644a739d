//! The heap: allocate, free, resize; which tier serves, and the fast paths.
//!
//! A fast path is one look at the front of the thread's cache. All else is in its slow
//! twin below it.

mod brief;

use crate::arena::UNIT;
use crate::config;
use crate::counters::{self, Counter};
use crate::fault::{self, Call, Fault};
use crate::large;
use crate::observe::caller::{Caller, only_diverts};
use crate::observe::{self, Diverted, Observed, Observer, Path, Release, Request, Resize, Verdict};
use crate::registry::REGISTRY;
use crate::setup;
use crate::shared_pool;
use crate::size_class::{MID_MAX, MIN_ALIGN, SLOT_BYTES, SizeClass, TINY_MAX, Tier};
use crate::slab::{Kind, Slab};
use crate::sys;
use crate::sys::system_malloc;
use crate::thread_cache::front::{Front, Push};
use crate::thread_cache::{Busy, NoCache, ThreadCache, parked};
use core::ptr::{self, NonNull};

/// Memory for `size` bytes, aligned to 16; null and ENOMEM without memory. Zero bytes get
/// a block as well.
#[inline(always)]
pub(crate) fn allocate(size: usize, caller: Caller) -> *mut u8 {
    if caller.is_brief() {
        return brief::allocate(size, caller);
    }
    if caller.is_some() && Observed::times() {
        return allocate_timed(size, caller.copy());
    }
    allocate_untimed(size, caller)
}

#[cold]
#[inline(never)]
fn allocate_timed(size: usize, caller: Caller) -> *mut u8 {
    let _timed = Observed::span(Path::Allocate);
    allocate_untimed(size, caller)
}

#[inline(always)]
fn allocate_untimed(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let caller = match diverted(front, size, MIN_ALIGN, caller) {
        Ok(block) => return block.start.as_ptr(),
        Err(caller) => caller,
    };
    let wanted = size.saturating_add(Observed::tail());
    if wanted <= TINY_MAX {
        // SAFETY: at most TINY_MAX.
        let bin = unsafe { front.bin_for(wanted) };
        if let Some(block) = bin.pop() {
            if caller.is_some() {
                allocated_tiny(front, front.class_of(bin), block, size, caller);
            }
            return block.as_ptr();
        }
        return allocate_slow(size, caller.copy());
    }
    allocate_medium(size, caller.copy())
}

/// As [`allocate`], for POOL and MID; and LARGE passes through here.
#[inline(never)]
fn allocate_medium(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let wanted = size.saturating_add(Observed::tail());
    if wanted <= MID_MAX
        && let Some(block) = front.bin(SizeClass::of(wanted)).pop()
    {
        allocated(front, block, size, MIN_ALIGN, caller);
        return block.as_ptr();
    }
    allocate_slow(size, caller.copy())
}

#[cold]
#[inline(never)]
fn allocate_slow(size: usize, caller: Caller) -> *mut u8 {
    serve_or_relieve(size, MIN_ALIGN, Contents::Any, caller)
}

/// Memory for `size` bytes, aligned to `align`, a power of two; null and ENOMEM without
/// memory.
pub(crate) fn allocate_aligned(size: usize, align: usize, caller: Caller) -> *mut u8 {
    if align <= MIN_ALIGN {
        return allocate(size, caller);
    }
    let _timed = timed(Path::Allocate, caller);
    let caller = match diverted(Front::current(), size, align, caller) {
        Ok(block) => return block.start.as_ptr(),
        Err(caller) => caller,
    };
    serve_or_relieve(size, align, Contents::Any, caller)
}

/// As [`allocate`], and it reads as zero.
pub(crate) fn allocate_zeroed(size: usize, caller: Caller) -> *mut u8 {
    if size > TINY_MAX {
        let _timed = timed(Path::Allocate, caller);
        let caller = match diverted(Front::current(), size, MIN_ALIGN, caller) {
            Ok(block) => return zeroed(block, size),
            Err(caller) => caller,
        };
        return serve_or_relieve(size, MIN_ALIGN, Contents::Zero, caller);
    }
    let block = allocate(size, caller);
    if !block.is_null() {
        // SAFETY: a block of at least `size` bytes that the caller alone has.
        unsafe { clear(block, size) };
    }
    block
}

/// As [`allocate_aligned`], and it reads as zero.
pub(crate) fn allocate_zeroed_aligned(size: usize, align: usize, caller: Caller) -> *mut u8 {
    let _timed = timed(Path::Allocate, caller);
    let caller = match diverted(Front::current(), size, align, caller) {
        Ok(block) => return zeroed(block, size),
        Err(caller) => caller,
    };
    serve_or_relieve(size, align, Contents::Zero, caller)
}

/// Fills a new block with zeroes.
///
/// # Safety
/// It has at least `size` bytes, and the caller alone has it.
#[inline(always)]
unsafe fn clear(block: *mut u8, size: usize) {
    // SAFETY: the caller's clause, here and below.
    let is_clear = unsafe { Observed::clears(block, size) };
    if !is_clear {
        // SAFETY: as above.
        unsafe { block.write_bytes(0, size) };
    }
}

/// An observer's own block of `size` bytes, with zeroes in it.
#[cold]
#[inline(never)]
fn zeroed(block: Diverted, size: usize) -> *mut u8 {
    if !block.zero {
        // SAFETY: a block of at least `size` bytes that the caller alone has.
        unsafe { clear(block.start.as_ptr(), size) };
    }
    block.start.as_ptr()
}

/// Times a call that came through an observed function, until the result is dropped.
#[inline(always)]
fn timed(path: Path, caller: Caller) -> impl Sized {
    caller.is_some().then(|| Observed::span(path))
}

/// What a block has to hold when it is handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    Any,
    Zero,
}

/// The block, or null and ENOMEM.
fn or_enomem(block: Option<NonNull<u8>>) -> *mut u8 {
    match block {
        Some(block) => block.as_ptr(),
        None => {
            sys::set_errno(sys::OUT_OF_MEMORY);
            ptr::null_mut()
        }
    }
}

/// [`serve`], and once more if there is no memory but some that could be given back.
fn serve_or_relieve(size: usize, align: usize, contents: Contents, caller: Caller) -> *mut u8 {
    let mut block = serve(size, align, contents, caller);
    if block.is_none() && size <= large::SIZE_MAX && collect() {
        block = serve(size, align, contents, caller);
    }
    if block.is_none() {
        refused(size, align, caller);
    }
    or_enomem(block)
}

/// Serves a request that the fast path did not.
fn serve(size: usize, align: usize, contents: Contents, caller: Caller) -> Option<NonNull<u8>> {
    let wanted = size.checked_add(Observed::tail())?;
    if wanted > large::SIZE_MAX {
        return None;
    }
    let class = if wanted > MID_MAX {
        None
    } else if align <= MIN_ALIGN {
        Some(SizeClass::of(wanted))
    } else {
        SizeClass::of_aligned(wanted, align)
    };
    let front = Front::current();
    if Observed::ACTIVE {
        free_overdue(front);
    }
    // TINY was here before; the others have no fast path of their own.
    if let Some(class) = class
        && let Some(block) = front.bin(class).pop()
    {
        // Observers look at it as it was.
        allocated(front, block, size, align, caller);
        if contents == Contents::Zero {
            // SAFETY: a block of at least `size` bytes that nobody else has.
            unsafe { clear(block.as_ptr(), size) };
        }
        return Some(block);
    }
    let (block, zero) = match setup::enter() {
        Err(NoCache::Interrupted) => {
            let block = large::allocate_interrupted(wanted, align)?;
            (block.start, true)
        }
        cache if !is_ours(class.map_or(Tier::Large, SizeClass::tier)) => {
            drop(cache);
            return from_system(size, align, contents);
        }
        cache => match class {
            Some(class) => serve_class(&cache, class, contents)?,
            None => {
                let _timed = Observed::span(Path::LargeAllocate);
                let block = large::allocate(wanted, align)?;
                (block.start, block.zero)
            }
        },
    };
    allocated(Front::current(), block, size, align, caller);
    if contents == Contents::Zero && !zero {
        // SAFETY: as above.
        unsafe { clear(block.as_ptr(), size) };
    }
    Some(block)
}

/// A block of `class`, and whether it reads as zero.
fn serve_class(
    cache: &Result<Busy, NoCache>,
    class: SizeClass,
    contents: Contents,
) -> Option<(NonNull<u8>, bool)> {
    match cache {
        Ok(cache) => {
            if contents == Contents::Zero
                && let Some(block) = cache.take_fresh(class)
            {
                return Some((block, true));
            }
            Some((cache.refill(class)?, false))
        }
        Err(why) => {
            let orphans = parked::orphans(why)?;
            Some((orphans.cache()?.refill(class)?, false))
        }
    }
}

/// Whether a tier is served here, and not by the system's allocator.
fn is_ours(tier: Tier) -> bool {
    let options = config::get();
    let on = match tier {
        Tier::Tiny => options.wrap_tiny,
        Tier::Pool => options.wrap_pool,
        Tier::Mid => options.wrap_mid,
        Tier::Large => options.wrap_large,
    };
    on || !system_malloc::available()
}

fn from_system(size: usize, align: usize, contents: Contents) -> Option<NonNull<u8>> {
    counters::add(Counter::SystemAllocations, 1);
    if align > MIN_ALIGN {
        let block = NonNull::new(system_malloc::memalign(align, size))?;
        if contents == Contents::Zero {
            // SAFETY: a block of at least `size` bytes that nobody else has.
            unsafe { clear(block.as_ptr(), size) };
        }
        return Some(block);
    }
    NonNull::new(match contents {
        Contents::Zero => system_malloc::calloc(size),
        Contents::Any => system_malloc::malloc(size),
    })
}

/// A block that an observer has of its own for a request, and that the others have seen; or who is
/// to be observed where there is none.
#[inline(always)]
fn diverted(
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

/// A block that is none of a slab's, as observers see it.
#[inline(always)]
fn apart(address: NonNull<u8>, bytes: usize) -> observe::Block<'static, observe::Record> {
    observe::Block {
        address,
        bytes,
        class: observe::LARGE,
        record: None,
    }
}

#[inline(always)]
fn allocated(front: &'static Front, block: NonNull<u8>, size: usize, align: usize, caller: Caller) {
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
fn allocated_tiny(
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
            let index = class.block_index(address - slab.start());
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
fn refused(size: usize, align: usize, caller: Caller) {
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

/// A block's slab, and the block as observers see it; `None` if it is no block of ours.
#[inline(always)]
fn seen(block: NonNull<u8>) -> Option<(&'static Slab, observe::Block<'static, observe::Record>)> {
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

/// Frees `block`, which [`allocate`] and its kin returned, or null. Another address is
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
unsafe fn deallocate_untimed(block: *mut u8, caller: Caller) {
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

#[inline(always)]
fn freeing(front: &'static Front, block: *mut u8, caller: Caller) -> Option<*mut u8> {
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

/// What is wrong with an address that is no block of ours.
#[cold]
#[inline(never)]
fn fault_of(block: *const u8) -> Fault {
    match REGISTRY.slab_of(block as usize) {
        None if !Observed::owns(block as usize) => Fault::Foreign,
        _ => Fault::Interior,
    }
}

/// Whether an address may be a block of the system's that the caller may hold: our Rust face has
/// no others than ours, if all tiers are.
fn foreign_may_be_freed(block: *const u8, caller: Caller) -> bool {
    REGISTRY.slab_of(block as usize).is_none()
        && !Observed::owns(block as usize)
        && foreign_blocks_are_legitimate()
        && (!caller.is_of_rust() || !all_tiers_are_ours())
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

/// Frees the blocks whose frees observers put off, and that are due.
fn free_overdue(front: &'static Front) {
    while front.is_real() {
        let overdue: Option<NonNull<u8>> = Observed::overdue(ThreadCache::of(front).local());
        let Some(block) = overdue else {
            return;
        };
        deallocate_slower(block.as_ptr());
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
fn deallocate_slower(block: *mut u8) {
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

/// Frees a block that is none of ours: the system's, if there may be such.
///
/// # Safety
/// Nobody uses the block any more.
unsafe fn free_foreign(block: *mut u8) {
    if foreign_blocks_are_legitimate() {
        // SAFETY: the caller's clause; if it is no block of the system's either, the
        // system says so.
        unsafe { system_malloc::free(block) };
    } else {
        wrong(Call::Free, block, Fault::Foreign, Caller::NONE);
    }
}

/// Whether the program may hold blocks of the system's allocator and give them to us: a
/// tier is handed to it, or the process's `malloc` is another than ours.
fn foreign_blocks_are_legitimate() -> bool {
    (!all_tiers_are_ours() || system_malloc::is_the_process_s()) && system_malloc::available()
}

fn all_tiers_are_ours() -> bool {
    let options = config::get();
    options.wrap_tiny && options.wrap_pool && options.wrap_mid && options.wrap_large
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
unsafe fn resize_at_length(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
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
    // SAFETY: both blocks have that many bytes, and the new one is no other's.
    unsafe { ptr::copy_nonoverlapping(block, new, old.min(size)) };
    // SAFETY: the caller's clause.
    unsafe { deallocate(block, caller.resizing(new as usize)) };
    new
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
        let same_class = old <= MID_MAX
            && size <= MID_MAX
            && SizeClass::of(old + Observed::tail()) == SizeClass::of(size + Observed::tail());
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
        // SAFETY: both blocks have that many bytes, and the new one is no other's.
        unsafe { ptr::copy_nonoverlapping(block, new, old.min(size)) };
        // SAFETY: the caller's clause.
        unsafe { deallocate(block, caller.resizing(new as usize)) };
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

/// Whether `wanted` bytes are in a block of `old` where it is: half of one is not worth a copy.
#[inline(always)]
fn is_worth_staying(wanted: usize, old: usize) -> bool {
    wanted <= old && (wanted > old / 2 || old <= 4 * MIN_ALIGN)
}

/// How observers let a block be resized.
fn how_to_resize(block: *mut u8, size: usize, caller: Caller) -> Resize {
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
fn has_resized(block: *mut u8, resized: Option<NonNull<u8>>, size: usize, caller: Caller) {
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

/// Bytes that the program may use of `block`; 0 of null.
///
/// # Safety
/// `block` is a live block or null.
pub(crate) unsafe fn usable_size(block: *mut u8) -> usize {
    let Some(start) = NonNull::new(block) else {
        return 0;
    };
    let fault = if REGISTRY.slab_of(block as usize).is_some() {
        match seen(start) {
            Some((_, block)) => return Observed::usable(&block),
            None => Fault::Interior,
        }
    } else if let Some(bytes) = Observed::diverted(block as usize) {
        return Observed::usable(&apart(start, bytes));
    } else if foreign_blocks_are_legitimate() {
        // SAFETY: the caller's clause.
        return unsafe { system_malloc::usable_size(block) };
    } else {
        Fault::Foreign
    };
    wrong(Call::UsableSize, block, fault, Caller::NONE);
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
