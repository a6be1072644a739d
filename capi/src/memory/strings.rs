//! Functions of strings: `strcpy` and its kin.

use super::{checked, copy, fortify, length, original, plain, seek};
use core::ffi::{c_char, c_int};
use core::ptr;
use hakmem_alloc::c_abi::{self as heap, Call, UNLIMITED, left};

/// Copies a string and its end to where `to` is; returns its length.
///
/// # Safety
/// As of `strcpy`.
#[inline(always)]
unsafe fn copy_string(call: Call, to: *mut c_char, from: *const c_char, room: usize) -> usize {
    // SAFETY: the caller's clause.
    let len = unsafe { length(call, from.cast()) };
    fortify(len.saturating_add(1), room);
    // One without an end has been told of.
    let bytes = if len < left(from as usize) { len + 1 } else { len };
    // SAFETY: the caller's clause.
    unsafe { copy(call, to.cast(), from.cast(), bytes) };
    len
}

/// Copies a string, cut or filled up with zeros to `len` bytes; returns how long it is.
///
/// # Safety
/// As of `strncpy`.
#[inline(always)]
unsafe fn copy_padded(call: Call, to: *mut c_char, from: *const c_char, len: usize) -> usize {
    // SAFETY: the caller's clause.
    let string = unsafe { seek(call, from.cast(), len, 0, 0) }.unwrap_or_else(|all| all);
    let room = call.writable(to as usize, len);
    let bytes = string.min(room);
    // SAFETY: the caller's clause.
    unsafe {
        plain::copy(to.cast(), from.cast(), bytes);
        plain::fill(to.wrapping_add(bytes).cast(), 0, room - bytes);
    }
    string
}

/// Appends at most `limit` bytes of a string, and an end.
///
/// # Safety
/// As of `strncat`.
unsafe fn append(
    call: Call,
    to: *mut c_char,
    from: *const c_char,
    limit: usize,
    room: usize,
) {
    // SAFETY: the caller's clause.
    let (before, len) = unsafe {
        let before = length(call, to.cast());
        let len = seek(call, from.cast(), limit, 0, 0).unwrap_or_else(|all| all);
        (before, len)
    };
    fortify(before.saturating_add(len).saturating_add(1), room);
    let to = to.wrapping_add(before).cast::<u8>();
    let may = call.writable(to as usize, len.saturating_add(1));
    // SAFETY: the caller's clause.
    unsafe {
        plain::copy(to, from.cast(), len.min(may));
        plain::fill(to.wrapping_add(len), 0, may.saturating_sub(len));
    }
}

/// Compares at most `limit` bytes, as far as the blocks go, and tells if both strings are equal so
/// far and go on.
///
/// # Safety
/// As of `strncmp`.
unsafe fn compare(call: Call, a: *const c_char, b: *const c_char, limit: usize) -> c_int {
    type Compare = unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
    let (of_a, of_b) = (left(a as usize), left(b as usize));
    let both = limit.min(of_a).min(of_b);
    if both == UNLIMITED
        && let Some(compare) = original!(strcmp as Compare)
    {
        // SAFETY: the caller's clause.
        return unsafe { compare(a, b) };
    }
    // SAFETY: the caller's clause.
    let result = unsafe { plain::compare_strings(a.cast(), b.cast(), both) };
    // SAFETY: as above.
    if result != 0 || both == limit || unsafe { plain::find(a.cast(), both, 0, 0) }.is_some() {
        return result;
    }
    let shorter = if of_a == both { a } else { b };
    let may = call.past_end(shorter as usize).min(of_a.max(of_b));
    // SAFETY: as above.
    unsafe { plain::compare_strings(a.cast(), b.cast(), may.min(limit).min(isize::MAX as usize)) }
}

/// The address of the first `byte` of a string; without one null, or its end.
///
/// # Safety
/// A string.
#[inline(always)]
unsafe fn first(call: Call, string: *const c_char, byte: c_int, or_end: bool) -> *mut c_char {
    // SAFETY: the caller's clause.
    let found = unsafe { seek(call, string.cast(), UNLIMITED, byte as u8, 0) };
    let at = string.wrapping_add(found.unwrap_or_else(|len| len));
    // SAFETY: found just now.
    if or_end || found.is_ok() && unsafe { *at } as u8 == byte as u8 {
        return at.cast_mut();
    }
    ptr::null_mut()
}

/// The address of the last `byte` of a string, whose end is one of its bytes.
///
/// # Safety
/// A string.
unsafe fn last(call: Call, string: *const c_char, byte: c_int) -> *mut c_char {
    // SAFETY: the caller's clause.
    let found = unsafe { seek(call, string.cast(), UNLIMITED, 0, 0) };
    let len = found.map_or_else(|len| len, |len| len + 1);
    // SAFETY: as above.
    match unsafe { plain::find_last(string.cast(), len, byte as u8) } {
        Some(index) => string.wrapping_add(index).cast_mut(),
        None => ptr::null_mut(),
    }
}

/// A new block with at most `limit` bytes of a string, and an end.
///
/// # Safety
/// As of `strndup`.
unsafe fn duplicate(call: Call, string: *const c_char, limit: usize) -> *mut c_char {
    // SAFETY: the caller's clause.
    let len = unsafe { seek(call, string.cast(), limit, 0, 0) }.unwrap_or_else(|all| all);
    let block = heap::allocate(len.saturating_add(1), call.caller());
    if !block.is_null() {
        // SAFETY: a block of that size, and the caller's clause.
        unsafe {
            plain::copy(block, string.cast(), len);
            *block.wrapping_add(len) = 0;
        }
    }
    block.cast()
}

checked! {
    /// C11 `strlen`.
    fn strlen of 1(string: *const c_char) -> usize |call| {
        // SAFETY: the caller's clause, here and below.
        unsafe { length(call, string.cast()) }
    };

    /// POSIX `strnlen`.
    fn strnlen of 1(string: *const c_char, limit: usize) -> usize |call| {
        // SAFETY: as above.
        unsafe { seek(call, string.cast(), limit, 0, 0) }.unwrap_or_else(|len| len)
    };

    /// C11 `strchr`.
    fn strchr of 1(string: *const c_char, byte: c_int) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { first(call, string, byte, false) }
    };

    /// The old name of [`strchr`].
    fn index of 1(string: *const c_char, byte: c_int) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { first(call, string, byte, false) }
    };

    /// GNU `strchrnul`: the end without one.
    fn strchrnul of 1(string: *const c_char, byte: c_int) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { first(call, string, byte, true) }
    };

    /// C11 `strrchr`.
    fn strrchr of 1(string: *const c_char, byte: c_int) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { last(call, string, byte) }
    };

    /// The old name of [`strrchr`].
    fn rindex of 1(string: *const c_char, byte: c_int) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { last(call, string, byte) }
    };

    /// C11 `strcmp`.
    fn strcmp of 2(a: *const c_char, b: *const c_char) -> c_int |call| {
        // SAFETY: as above.
        unsafe { compare(call, a, b, UNLIMITED) }
    };

    /// C11 `strncmp`.
    fn strncmp of 2(a: *const c_char, b: *const c_char, limit: usize) -> c_int |call| {
        // SAFETY: as above.
        unsafe { compare(call, a, b, limit.min(isize::MAX as usize)) }
    };

    /// C11 `strcpy`.
    fn strcpy of 2(to: *mut c_char, from: *const c_char) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { copy_string(call, to, from, UNLIMITED) };
        to
    };

    /// POSIX `stpcpy`: returns the end.
    fn stpcpy of 2(to: *mut c_char, from: *const c_char) -> *mut c_char |call| {
        // SAFETY: as above.
        to.wrapping_add(unsafe { copy_string(call, to, from, UNLIMITED) })
    };

    /// C11 `strncpy`.
    fn strncpy of 2(to: *mut c_char, from: *const c_char, len: usize) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { copy_padded(call, to, from, len) };
        to
    };

    /// POSIX `stpncpy`: returns the end.
    fn stpncpy of 2(to: *mut c_char, from: *const c_char, len: usize) -> *mut c_char |call| {
        // SAFETY: as above.
        to.wrapping_add(unsafe { copy_padded(call, to, from, len) })
    };

    /// C11 `strcat`.
    fn strcat of 2(to: *mut c_char, from: *const c_char) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, UNLIMITED, UNLIMITED) };
        to
    };

    /// C11 `strncat`.
    fn strncat of 2(to: *mut c_char, from: *const c_char, limit: usize) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, limit, UNLIMITED) };
        to
    };

    /// POSIX `strdup`.
    fn strdup of 1(string: *const c_char) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { duplicate(call, string, UNLIMITED) }
    };

    /// POSIX `strndup`.
    fn strndup of 1(string: *const c_char, limit: usize) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { duplicate(call, string, limit) }
    };

    /// The name of [`strdup`] that old headers use.
    fn __strdup of 1(string: *const c_char) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { duplicate(call, string, UNLIMITED) }
    };

    /// The name of [`strndup`] that old headers use.
    fn __strndup of 1(string: *const c_char, limit: usize) -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { duplicate(call, string, limit) }
    };

    /// `strcpy` with `_FORTIFY_SOURCE`.
    fn __strcpy_chk of 2(to: *mut c_char, from: *const c_char, room: usize) -> *mut c_char
        |call| {
        // SAFETY: as above.
        unsafe { copy_string(call, to, from, room) };
        to
    };

    /// `stpcpy` with `_FORTIFY_SOURCE`.
    fn __stpcpy_chk of 2(to: *mut c_char, from: *const c_char, room: usize) -> *mut c_char
        |call| {
        // SAFETY: as above.
        to.wrapping_add(unsafe { copy_string(call, to, from, room) })
    };

    /// `strncpy` with `_FORTIFY_SOURCE`.
    fn __strncpy_chk of 2(to: *mut c_char, from: *const c_char, len: usize, room: usize)
        -> *mut c_char |call| {
        fortify(len, room);
        // SAFETY: as above.
        unsafe { copy_padded(call, to, from, len) };
        to
    };

    /// `stpncpy` with `_FORTIFY_SOURCE`.
    fn __stpncpy_chk of 2(to: *mut c_char, from: *const c_char, len: usize, room: usize)
        -> *mut c_char |call| {
        fortify(len, room);
        // SAFETY: as above.
        to.wrapping_add(unsafe { copy_padded(call, to, from, len) })
    };

    /// `strcat` with `_FORTIFY_SOURCE`.
    fn __strcat_chk of 2(to: *mut c_char, from: *const c_char, room: usize) -> *mut c_char
        |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, UNLIMITED, room) };
        to
    };

    /// `strncat` with `_FORTIFY_SOURCE`.
    fn __strncat_chk of 2(to: *mut c_char, from: *const c_char, limit: usize, room: usize)
        -> *mut c_char |call| {
        // SAFETY: as above.
        unsafe { append(call, to, from, limit, room) };
        to
    };
}
