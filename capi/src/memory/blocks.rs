//! Functions of bytes: `memcpy` and its kin.

use super::{checked, copy, fill, fortify, plain, seek};
use core::ffi::{c_int, c_void};
use core::ptr;
use hakmem_alloc::c_abi::{Call, UNLIMITED, left};

/// Compares as far as the blocks go, and tells if they are equal so far and it would go on.
///
/// # Safety
/// As of `memcmp`.
unsafe fn compare(call: Call, a: *const u8, b: *const u8, len: usize) -> c_int {
    let both = len.min(left(a as usize)).min(left(b as usize));
    // SAFETY: the caller's clause.
    let result = unsafe { plain::compare(a, b, both) };
    if result != 0 || both == len {
        return result;
    }
    let of_a = call.readable(a as usize, len);
    let both = call.readable(b as usize, len).min(of_a);
    // SAFETY: the caller's clause.
    unsafe { plain::compare(a, b, both) }
}

/// The address of what was found.
fn at(start: *const c_void, found: Option<usize>) -> *mut c_void {
    found.map_or(ptr::null_mut(), |index| start.wrapping_byte_add(index).cast_mut())
}

checked! {
    /// C11 `memcpy`; of ranges that overlap it makes a `memmove`.
    fn memcpy of copy(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void |call| {
        if (to as usize).abs_diff(from as usize) < len && to.cast_const() != from {
            call.overlapping(to as usize, from as usize, len);
        }
        // SAFETY: the caller's clause, here and below.
        unsafe { copy(call, to, from, len) };
        to
    };

    /// C11 `memmove`.
    fn memmove of move(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void |call| {
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
        to
    };

    /// GNU `mempcpy`: returns the end.
    fn mempcpy of copy(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void |call| {
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
        to.wrapping_byte_add(len)
    };

    /// BSD `bcopy`.
    fn bcopy of 2(from: *const c_void, to: *mut c_void, len: usize) |call| {
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
    };

    /// C11 `memset`.
    fn memset of fill(to: *mut c_void, byte: c_int, len: usize) -> *mut c_void |call| {
        // SAFETY: as above.
        unsafe { fill(call, to, byte, len) };
        to
    };

    /// BSD `bzero`.
    fn bzero of 1(to: *mut c_void, len: usize) |call| {
        // SAFETY: as above.
        unsafe { fill(call, to, 0, len) };
    };

    /// BSD `explicit_bzero`: another file's code, so no compiler leaves it out.
    fn explicit_bzero of 1(to: *mut c_void, len: usize) |call| {
        // SAFETY: as above.
        unsafe { fill(call, to, 0, len) };
    };

    /// C11 `memcmp`. What stands behind the first difference is not looked at.
    fn memcmp of compare(a: *const c_void, b: *const c_void, len: usize) -> c_int |call| {
        // SAFETY: as above.
        unsafe { compare(call, a.cast(), b.cast(), len) }
    };

    /// BSD `bcmp`.
    fn bcmp of compare(a: *const c_void, b: *const c_void, len: usize) -> c_int |call| {
        // SAFETY: as above.
        unsafe { compare(call, a.cast(), b.cast(), len) }
    };

    /// C11 `memchr`. What stands behind the byte is not looked at.
    fn memchr of 1(start: *const c_void, byte: c_int, len: usize) -> *mut c_void |call| {
        // SAFETY: as above.
        at(start, unsafe { seek(call, start.cast(), len, byte as u8, byte as u8) }.ok())
    };

    /// GNU `rawmemchr`.
    fn rawmemchr of 1(start: *const c_void, byte: c_int) -> *mut c_void |call| {
        // SAFETY: as above.
        at(start, unsafe { seek(call, start.cast(), UNLIMITED, byte as u8, byte as u8) }.ok())
    };

    /// GNU `memrchr`.
    fn memrchr of 1(start: *const c_void, byte: c_int, len: usize) -> *mut c_void |call| {
        let len = call.readable(start as usize, len);
        // SAFETY: as above.
        at(start, unsafe { plain::find_last(start.cast(), len, byte as u8) })
    };

    /// `memcpy` with `_FORTIFY_SOURCE`.
    fn __memcpy_chk of copy(to: *mut c_void, from: *const c_void, len: usize, room: usize)
        -> *mut c_void |call| {
        fortify(len, room);
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
        to
    };

    /// `memmove` with `_FORTIFY_SOURCE`.
    fn __memmove_chk of move(to: *mut c_void, from: *const c_void, len: usize, room: usize)
        -> *mut c_void |call| {
        fortify(len, room);
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
        to
    };

    /// `mempcpy` with `_FORTIFY_SOURCE`.
    fn __mempcpy_chk of copy(to: *mut c_void, from: *const c_void, len: usize, room: usize)
        -> *mut c_void |call| {
        fortify(len, room);
        // SAFETY: as above.
        unsafe { copy(call, to, from, len) };
        to.wrapping_byte_add(len)
    };

    /// `memset` with `_FORTIFY_SOURCE`.
    fn __memset_chk of fill(to: *mut c_void, byte: c_int, len: usize, room: usize)
        -> *mut c_void |call| {
        fortify(len, room);
        // SAFETY: as above.
        unsafe { fill(call, to, byte, len) };
        to
    };
}
