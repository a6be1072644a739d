//! The heap as the C ABI crate uses it: untyped blocks. Rust programs use
//! [`Hakmem`](crate::Hakmem).

use crate::config;
use crate::debug;
use crate::heap;
pub use crate::observe::api::Api;
pub use crate::observe::caller::*;
#[allow(unused_imports, reason = "a build that does not check them has none")]
pub use crate::observe::memory::*;
use crate::report;
use crate::root;
use crate::stats;
use crate::sys;

/// Memory for `size` bytes, aligned to 16; null and `ENOMEM` without memory.
#[inline(always)]
#[must_use]
pub fn allocate(size: usize, caller: Caller) -> *mut u8 {
    heap::allocate(size, caller)
}

/// As [`allocate`], and it reads as zero.
#[must_use]
pub fn allocate_zeroed(size: usize, caller: Caller) -> *mut u8 {
    heap::allocate_zeroed(size, caller)
}

/// As [`allocate`], aligned to `align`, a power of two.
#[must_use]
pub fn allocate_aligned(size: usize, align: usize, caller: Caller) -> *mut u8 {
    heap::allocate_aligned(size, align, caller)
}

/// Frees a block; null is no block, and an address that is none ends the program.
///
/// # Safety
/// - `block` was returned by a function of this module, or is null.
/// - Nobody uses it any more.
#[inline(always)]
pub unsafe fn deallocate(block: *mut u8, caller: Caller) {
    // SAFETY: the caller's clauses.
    unsafe { heap::deallocate(block, caller) };
}

/// Resizes a block, moving it if need be; null and `ENOMEM` without memory, and then the
/// block is as it was.
///
/// # Safety
/// - `block` is a live block of this module, or null.
/// - On success the old address is not used any more.
#[inline(always)]
pub unsafe fn resize(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    // SAFETY: the caller's clauses.
    unsafe { heap::resize(block, size, caller) }
}

/// Frees a block as a `realloc` to no bytes does.
///
/// # Safety
/// - `block` is a live block of this module.
/// - Nobody uses it any more.
pub unsafe fn resize_to_nothing(block: *mut u8, caller: Caller) {
    // SAFETY: the caller's clauses.
    unsafe { heap::resize_to_nothing(block, caller) };
}

/// Bytes that the program may use of a block; 0 of null.
///
/// # Safety
/// `block` is a live block of this module, or null.
#[must_use]
pub unsafe fn usable_size(block: *mut u8, caller: Caller) -> usize {
    // SAFETY: the caller's clause.
    unsafe { heap::usable_size(block, caller) }
}

/// The size that a request of `size` bytes is rounded up to.
#[must_use]
pub fn good_size(size: usize) -> usize {
    heap::good_size(size)
}

/// Gives all memory that nobody uses back to the system; says whether there was some.
pub fn collect() -> bool {
    heap::collect()
}

/// Writes the statistics as a table to standard error.
pub fn print_statistics() {
    stats::print();
}

/// Ends learning, and prints what was learnt; says whether there was something to end.
pub fn freeze() -> bool {
    report::freeze()
}

/// What is in force of the option with this number, `None` within where it is a limit that does
/// not exist; `None` of a number that no option has.
#[must_use]
pub fn option(number: u32) -> Option<Option<u32>> {
    config::get().by_number(number)
}

/// The address of the root structure, for debuggers.
#[must_use]
pub fn root_address() -> *const u8 {
    root::address()
}

/// Marks a point in the trace; see [`debug::mark`](crate::debug::mark).
#[inline]
pub fn mark(text: &[u8], address: usize, value: u64, caller: Caller) {
    debug::mark_from(text, address, value, caller);
}

/// Sets `errno`.
pub fn set_errno(value: i32) {
    sys::set_errno(value);
}
