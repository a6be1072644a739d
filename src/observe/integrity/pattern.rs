//! The bytes that stand where the program has no business.
//!
//! ```text
//!  block below          │ block                                   │ next block
//!  … asked for │DE DE DE│ asked for      │DE DE DE … DE DE DE DE DE│ …
//!                ▲        ▲                ▲                      ▲
//!                front    address          address + size         end of the block's place
//! ```
//!
//! Behind what was asked for, up to the end of the place, and everywhere in a block that was
//! freed, stands [`FREED`]. So the bytes in front of a block, which are the last ones of the block
//! below it, are always the same, whatever that one is doing; and a free has to fill what the
//! program had alone.
//!
//! As an address the pattern is none: the processor refuses it, and a report can name it.

use super::policy::Level;
use crate::sys::originals;
use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
    _mm_storeu_si128,
};

/// Behind a block, and in freed ones.
pub(super) const FREED: u8 = 0xde;
/// In a block that is handed out and was not asked to be zero.
pub(super) const FRESH: u8 = 0xa5;

/// Bytes in front of a block that are looked at, at most.
pub(super) const FRONT: usize = Level::Full.tail();
/// Bytes at the start of a free block that the allocator may write to: its link.
pub(super) const LINK: usize = 8;

/// Bytes that are looked at, or written, at a time.
const STEP: usize = size_of::<__m128i>();
/// From here on the C library's function is faster, bytes.
const MANY: usize = 256;

/// Fills `len` bytes.
///
/// # Safety
/// They are the caller's to write.
#[inline(always)]
pub(super) unsafe fn fill(start: usize, len: usize, byte: u8) {
    if len < STEP {
        // SAFETY: the caller's clause.
        return unsafe { fill_short(start, len, byte) };
    }
    if len > MANY {
        // SAFETY: the caller's clause.
        return unsafe { originals::fill(start as *mut u8, len, byte) };
    }
    // SAFETY: SSE2 is part of x86-64.
    let pattern = unsafe { _mm_set1_epi8(byte as i8) };
    // The last step may overlap the one before.
    let last = start + len - STEP;
    let mut at = start;
    while at + 3 * STEP < last {
        for step in 0..4 {
            // SAFETY: in front of the last step, here and below.
            unsafe { _mm_storeu_si128((at + step * STEP) as *mut __m128i, pattern) };
        }
        at += 4 * STEP;
    }
    while at < last {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(at as *mut __m128i, pattern) };
        at += STEP;
    }
    // SAFETY: the last bytes of the range, which has as many.
    unsafe { _mm_storeu_si128(last as *mut __m128i, pattern) };
}

/// As [`fill`], of few bytes.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn fill_short(start: usize, len: usize, byte: u8) {
    let pattern = u64::from_ne_bytes([byte; 8]);
    let end = start + len;
    // SAFETY: the first and the last bytes of the range, which has as many. One by one volatile,
    // or the compiler would make a call of it.
    unsafe {
        if len >= 8 {
            (start as *mut u64).write_unaligned(pattern);
            ((end - 8) as *mut u64).write_unaligned(pattern);
        } else if len >= 4 {
            (start as *mut u32).write_unaligned(pattern as u32);
            ((end - 4) as *mut u32).write_unaligned(pattern as u32);
        } else {
            for at in start..end {
                (at as *mut u8).write_volatile(byte);
            }
        }
    }
}

/// Whether all of `len` bytes are [`FREED`].
///
/// # Safety
/// They can be read. What others write there meanwhile shows as it happens to be read.
#[inline(always)]
pub(super) unsafe fn is_whole(start: usize, len: usize) -> bool {
    if len < STEP {
        // SAFETY: the caller's clause.
        return unsafe { is_whole_short(start, len) };
    }
    // SAFETY: SSE2 is part of x86-64.
    let pattern = unsafe { _mm_set1_epi8(FREED as i8) };
    let last = start + len - STEP;
    // SAFETY: the last bytes of the range, which has as many.
    let mut same = unsafe { _mm_cmpeq_epi8(_mm_loadu_si128(last as *const __m128i), pattern) };
    // SAFETY: a step that begins in front of the last one is within the range, here and below.
    let is_same =
        |at: usize| unsafe { _mm_cmpeq_epi8(_mm_loadu_si128(at as *const __m128i), pattern) };
    let mut at = start;
    while at + 3 * STEP < last {
        // SAFETY: SSE2, here and below.
        unsafe {
            let first = _mm_and_si128(is_same(at), is_same(at + STEP));
            let second = _mm_and_si128(is_same(at + 2 * STEP), is_same(at + 3 * STEP));
            same = _mm_and_si128(same, _mm_and_si128(first, second));
        }
        at += 4 * STEP;
    }
    while at < last {
        // SAFETY: as above.
        same = unsafe { _mm_and_si128(same, is_same(at)) };
        at += STEP;
    }
    // SAFETY: as above.
    unsafe { _mm_movemask_epi8(same) == 0xffff }
}

/// As [`is_whole`], of few bytes.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn is_whole_short(start: usize, len: usize) -> bool {
    const WORD: usize = size_of::<u64>();
    const PATTERN: u64 = u64::from_ne_bytes([FREED; WORD]);
    if len >= WORD {
        // SAFETY: the first and the last word of the range, here and below.
        let first = unsafe { (start as *const u64).read_unaligned() };
        // SAFETY: as above.
        let last = unsafe { ((start + len - WORD) as *const u64).read_unaligned() };
        return first == PATTERN && last == PATTERN;
    }
    // SAFETY: the caller's clause.
    (start..start + len).all(|at| unsafe { (at as *const u8).read_volatile() } == FREED)
}

/// The first and the last of `len` bytes that are not [`FREED`], as addresses.
///
/// # Safety
/// As of [`is_whole`].
#[cold]
pub(super) unsafe fn damage(start: usize, len: usize) -> Option<(usize, usize)> {
    // SAFETY: the caller's clause.
    let is_other = |at: &usize| unsafe { (*at as *const u8).read_volatile() } != FREED;
    let first = (start..start + len).find(is_other)?;
    let last = (first..start + len).rev().find(is_other)?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_differs_is_found() {
        for len in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 37, 255, 256, 257, 300] {
            let mut bytes = [0u8; 320];
            let start = bytes.as_mut_ptr() as usize + 3;
            // SAFETY: within the array, here and below.
            unsafe {
                fill(start, len, FREED);
                assert!(is_whole(start, len));
                assert_eq!(damage(start, len), None);
                for at in 0..len {
                    *((start + at) as *mut u8) = 0;
                    assert!(!is_whole(start, len), "byte {at} of {len}");
                    assert_eq!(damage(start, len), Some((start + at, start + at)));
                    *((start + at) as *mut u8) = FREED;
                }
            }
            assert!(bytes[..3].iter().all(|byte| *byte == 0));
            assert!(bytes[3 + len..].iter().all(|byte| *byte == 0));
        }
    }
}
