//! What the functions come down to: libc's own where that is known, and else the same in few lines.
//!
//! The compiler makes calls of `memcpy` and `strlen` out of loops that do the same, which would
//! come back here. So loops are written with instructions of their own, or with volatile reads.

use super::original;
use core::arch::asm;
use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_load_si128, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};
use core::ffi::{c_int, c_void};

type Copy = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void;
type Fill = unsafe extern "C" fn(*mut c_void, c_int, usize) -> *mut c_void;
type Compare = unsafe extern "C" fn(*const c_void, *const c_void, usize) -> c_int;

const VECTOR: usize = size_of::<__m128i>();

/// `memmove`.
///
/// # Safety
/// As of that.
#[inline(always)]
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    match original!(memmove as Copy) {
        // SAFETY: the caller's clause.
        Some(copy) => unsafe {
            copy(to.cast(), from.cast(), len);
        },
        // SAFETY: as above.
        None => unsafe { copy_slow(to, from, len) },
    }
}

/// # Safety
/// As of `memmove`.
#[cold]
#[inline(never)]
unsafe fn copy_slow(to: *mut u8, from: *const u8, len: usize) {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: the caller's clause; what is overwritten has been read.
        unsafe {
            asm!(
                "rep movsb",
                inout("rcx") len => _,
                inout("rdi") to => _,
                inout("rsi") from => _,
                options(nostack, preserves_flags),
            );
        }
        return;
    }
    // SAFETY: as above, from the last byte on; `cld` as the calling convention wants it.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _,
            options(nostack),
        );
    }
}

/// `memset`.
///
/// # Safety
/// As of that.
#[inline(always)]
pub(super) unsafe fn fill(to: *mut u8, byte: c_int, len: usize) {
    if let Some(fill) = original!(memset as Fill) {
        // SAFETY: the caller's clause.
        unsafe { fill(to.cast(), byte, len) };
        return;
    }
    // SAFETY: the caller's clause.
    unsafe {
        asm!(
            "rep stosb",
            inout("rcx") len => _,
            inout("rdi") to => _,
            in("al") byte as u8,
            options(nostack, preserves_flags),
        );
    }
}

/// `memcmp`.
///
/// # Safety
/// As of that.
pub(super) unsafe fn compare(a: *const u8, b: *const u8, len: usize) -> c_int {
    if let Some(compare) = original!(memcmp as Compare) {
        // SAFETY: the caller's clause.
        return unsafe { compare(a.cast(), b.cast(), len) };
    }
    let mut bytes = (0..len).map(|at| {
        // SAFETY: the caller's clause.
        unsafe { difference(a, b, at) }.0
    });
    bytes.find(|difference| *difference != 0).unwrap_or(0)
}

/// `strncmp`, where at most `len` bytes of both strings are there.
///
/// # Safety
/// Both have so many bytes, or end before.
pub(super) unsafe fn compare_strings(a: *const u8, b: *const u8, len: usize) -> c_int {
    if let Some(compare) = original!(strncmp as Compare) {
        // SAFETY: the caller's clause.
        return unsafe { compare(a.cast(), b.cast(), len) };
    }
    for at in 0..len {
        // SAFETY: the caller's clause.
        let (difference, ends) = unsafe { difference(a, b, at) };
        if difference != 0 || ends {
            return difference;
        }
    }
    0
}

/// What two bytes differ by, and whether the first one is zero.
///
/// # Safety
/// They can be read.
unsafe fn difference(a: *const u8, b: *const u8, at: usize) -> (c_int, bool) {
    // SAFETY: the caller's clause.
    let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
    (c_int::from(a) - c_int::from(b), a == 0)
}

/// The index of the first of `len` bytes that is `byte` or `or`. Reads whole vectors at multiples
/// of their size, which lie in one page each.
///
/// # Safety
/// So many bytes can be read, or those up to the one that is found.
#[inline(always)]
pub(super) unsafe fn find(start: *const u8, len: usize, byte: u8, or: u8) -> Option<usize> {
    if len == 0 {
        return None;
    }
    let before = start as usize % VECTOR;
    let mut vector = start.wrapping_sub(before).cast::<__m128i>();
    // SAFETY: SSE2 is part of x86-64; the vector has a byte that can be read.
    let mut hits = unsafe { hits(vector, byte, or) } >> before << before;
    let mut at = 0usize.wrapping_sub(before);
    loop {
        if hits != 0 {
            let index = at.wrapping_add(hits.trailing_zeros() as usize);
            return (index < len).then_some(index);
        }
        at = at.wrapping_add(VECTOR);
        if at >= len {
            return None;
        }
        vector = vector.wrapping_add(1);
        // SAFETY: as above.
        hits = unsafe { self::hits(vector, byte, or) };
    }
}

/// The index of the first of these bytes that is `byte` or `or`.
///
/// # Safety
/// They can be read.
#[inline(always)]
pub(super) unsafe fn find_in(bytes: *const [u8; VECTOR], byte: u8, or: u8) -> Option<usize> {
    // SAFETY: the caller's clause; SSE2 is part of x86-64.
    let bytes = unsafe { _mm_loadu_si128(bytes.cast()) };
    let hits = hits_in(bytes, byte, or);
    (hits != 0).then(|| hits.trailing_zeros() as usize)
}

/// A bit for each byte of the vector that is `byte` or `or`.
///
/// # Safety
/// It can be read.
#[inline(always)]
unsafe fn hits(vector: *const __m128i, byte: u8, or: u8) -> u32 {
    // SAFETY: the caller's clause; SSE2 is part of x86-64.
    hits_in(unsafe { _mm_load_si128(vector) }, byte, or)
}

/// A bit for each of these bytes that is `byte` or `or`.
#[inline(always)]
fn hits_in(bytes: __m128i, byte: u8, or: u8) -> u32 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let is_byte = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
        let is_or = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(or as i8));
        _mm_movemask_epi8(_mm_or_si128(is_byte, is_or)) as u32
    }
}

/// The index of the last of `len` bytes that is `byte`.
///
/// # Safety
/// They can be read.
pub(super) unsafe fn find_last(start: *const u8, len: usize, byte: u8) -> Option<usize> {
    type FindLast = unsafe extern "C" fn(*const c_void, c_int, usize) -> *mut c_void;
    if let Some(find) = original!(memrchr as FindLast) {
        // SAFETY: the caller's clause.
        let found = unsafe { find(start.cast(), c_int::from(byte), len) } as usize;
        return (found != 0).then(|| found - start as usize);
    }
    // SAFETY: the caller's clause.
    (0..len).rfind(|at| unsafe { start.add(*at).read_volatile() } == byte)
}
