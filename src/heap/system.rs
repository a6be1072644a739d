//! What the system's allocator has to do with ours: the tiers that are handed to it, and blocks that
//! are none of ours.

use super::allocate::{Contents, clear};
use super::wrong;
use crate::config;
use crate::counters::{self, Counter};
use crate::fault::{Call, Fault};
use crate::observe::caller::Caller;
use crate::observe::{Observed, Observer};
use crate::registry::REGISTRY;
use crate::size_class::{MIN_ALIGN, Tier};
use crate::sys::system_malloc;
use core::ptr::NonNull;

/// Whether a tier is served here, and not by the system's allocator.
pub(super) fn is_ours(tier: Tier) -> bool {
    let options = config::get();
    let on = match tier {
        Tier::Tiny => options.wrap_tiny,
        Tier::Pool => options.wrap_pool,
        Tier::Mid => options.wrap_mid,
        Tier::Large => options.wrap_large,
    };
    on || !system_malloc::available()
}

/// A block of the system's allocator.
pub(super) fn from_system(size: usize, align: usize, contents: Contents) -> Option<NonNull<u8>> {
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

/// Frees a block that is none of ours: the system's, if there may be such.
///
/// # Safety
/// Nobody uses the block any more.
pub(super) unsafe fn free_foreign(block: *mut u8) {
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
pub(super) fn foreign_blocks_are_legitimate() -> bool {
    (!all_tiers_are_ours() || system_malloc::is_the_process_s()) && system_malloc::available()
}

pub(super) fn all_tiers_are_ours() -> bool {
    let options = config::get();
    options.wrap_tiny && options.wrap_pool && options.wrap_mid && options.wrap_large
}

/// Whether an address may be a block of the system's that the caller may hold: our Rust face has
/// no others than ours, if all tiers are.
pub(super) fn foreign_may_be_freed(block: *const u8, caller: Caller) -> bool {
    REGISTRY.slab_of(block as usize).is_none()
        && !Observed::owns(block as usize)
        && foreign_blocks_are_legitimate()
        && (!caller.is_of_rust() || !all_tiers_are_ours())
}
