//! Functions of wide strings: `wcscpy` and its kin. One character after the other: they are rare.

use super::{checked, copy, fortify};
use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, UNLIMITED, left};

/// `wchar_t`.
type Wide = i32;
const WIDTH: usize = size_of::<Wide>();

/// Characters in front of a string's end, at most `limit`; of one without an end, which is told,
/// those that may be read. And whether there is an end.
///
/// # Safety
/// A string, or `limit` characters.
unsafe fn length(call: Call, string: *const Wide, limit: usize) -> (usize, bool) {
    let mut readable = left(string as usize) / WIDTH;
    let mut len = 0;
    let mut told = false;
    while len < limit {
        if len >= readable {
            if told {
                return (len, false);
            }
            told = true;
            readable = call.past_end(string as usize) / WIDTH;
            continue;
        }
        // SAFETY: the caller's clause. Volatile, or the compiler makes a `wcslen` of it.
        if unsafe { string.add(len).read_volatile() } == 0 {
            return (len, true);
        }
        len += 1;
    }
    (len, false)
}

/// Sets `count` characters, as far as that may be.
///
/// # Safety
/// As of `wmemset`.
unsafe fn fill(call: Call, to: *mut Wide, wide: Wide, count: usize) {
    let may = call.writable(to as usize, count.saturating_mul(WIDTH)) / WIDTH;
    for at in 0..may {
        // SAFETY: the caller's clause. Volatile, or the compiler makes a `memset` of it.
        unsafe { to.add(at).write_volatile(wide) };
    }
}

/// Copies `count` characters, as far as that may be.
///
/// # Safety
/// As of `wmemmove`.
unsafe fn copy_wide(call: Call, to: *mut Wide, from: *const Wide, count: usize) {
    // SAFETY: the caller's clause.
    unsafe { copy(call, to.cast::<c_void>(), from.cast(), count.saturating_mul(WIDTH)) };
}

/// Copies a string and its end.
///
/// # Safety
/// As of `wcscpy`.
unsafe fn copy_string(call: Call, to: *mut Wide, from: *const Wide, room: usize) {
    // SAFETY: the caller's clause.
    let (len, ends) = unsafe { length(call, from, UNLIMITED) };
    fortify(len + 1, room);
    // SAFETY: as above.
    unsafe { copy_wide(call, to, from, len + usize::from(ends)) };
}

/// Copies a string, cut or filled up with zeros to `count` characters.
///
/// # Safety
/// As of `wcsncpy`.
unsafe fn copy_padded(call: Call, to: *mut Wide, from: *const Wide, count: usize) {
    let may = call.writable(to as usize, count.saturating_mul(WIDTH)) / WIDTH;
    // SAFETY: the caller's clause.
    let len = unsafe { length(call, from, count) }.0.min(may);
    // SAFETY: as above.
    unsafe {
        copy_wide(call, to, from, len);
        fill(call, to.wrapping_add(len), 0, may - len);
    }
}

/// Appends a string.
///
/// # Safety
/// As of `wcscat`.
unsafe fn append(call: Call, to: *mut Wide, from: *const Wide, room: usize) {
    // SAFETY: the caller's clause.
    let before = unsafe { length(call, to, UNLIMITED) }.0;
    // SAFETY: as above.
    unsafe { copy_string(call, to.wrapping_add(before), from, room.saturating_sub(before)) };
}

checked! {
    /// C11 `wcslen`.
    fn wcslen of 1(string: *const Wide) -> usize |call| {
        // SAFETY: the caller's clause, here and below.
        unsafe { length(call, string, UNLIMITED) }.0
    };

    /// C11 `wcscpy`.
    fn wcscpy of 2(to: *mut Wide, from: *const Wide) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { copy_string(call, to, from, UNLIMITED) };
        to
    };

    /// C11 `wcsncpy`.
    fn wcsncpy of 2(to: *mut Wide, from: *const Wide, count: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { copy_padded(call, to, from, count) };
        to
    };

    /// C11 `wcscat`.
    fn wcscat of 2(to: *mut Wide, from: *const Wide) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, UNLIMITED) };
        to
    };

    /// C11 `wmemcpy`.
    fn wmemcpy of 2(to: *mut Wide, from: *const Wide, count: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { copy_wide(call, to, from, count) };
        to
    };

    /// C11 `wmemmove`.
    fn wmemmove of 2(to: *mut Wide, from: *const Wide, count: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { copy_wide(call, to, from, count) };
        to
    };

    /// C11 `wmemset`.
    fn wmemset of 1(to: *mut Wide, wide: Wide, count: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { fill(call, to, wide, count) };
        to
    };

    /// `wcscpy` with `_FORTIFY_SOURCE`.
    fn __wcscpy_chk of 2(to: *mut Wide, from: *const Wide, room: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { copy_string(call, to, from, room) };
        to
    };

    /// `wcsncpy` with `_FORTIFY_SOURCE`.
    fn __wcsncpy_chk of 2(to: *mut Wide, from: *const Wide, count: usize, room: usize)
        -> *mut Wide |call| {
        fortify(count, room);
        // SAFETY: as above.
        unsafe { copy_padded(call, to, from, count) };
        to
    };

    /// `wcscat` with `_FORTIFY_SOURCE`.
    fn __wcscat_chk of 2(to: *mut Wide, from: *const Wide, room: usize) -> *mut Wide |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, room) };
        to
    };

    /// `wmemcpy` with `_FORTIFY_SOURCE`.
    fn __wmemcpy_chk of 2(to: *mut Wide, from: *const Wide, count: usize, room: usize)
        -> *mut Wide |call| {
        fortify(count, room);
        // SAFETY: as above.
        unsafe { copy_wide(call, to, from, count) };
        to
    };

    /// `wmemmove` with `_FORTIFY_SOURCE`.
    fn __wmemmove_chk of 2(to: *mut Wide, from: *const Wide, count: usize, room: usize)
        -> *mut Wide |call| {
        fortify(count, room);
        // SAFETY: as above.
        unsafe { copy_wide(call, to, from, count) };
        to
    };

    /// `wmemset` with `_FORTIFY_SOURCE`.
    fn __wmemset_chk of 1(to: *mut Wide, wide: Wide, count: usize, room: usize) -> *mut Wide
        |call| {
        fortify(count, room);
        // SAFETY: as above.
        unsafe { fill(call, to, wide, count) };
        to
    };
}
