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

use crate::sys::originals;

/// Behind a block, and in freed ones.
pub(super) const FREED: u8 = 0xde;
/// In a block that is handed out and was not asked to be zero.
pub(super) const FRESH: u8 = 0xa5;

/// Bytes in front of a block that are looked at.
pub(super) const FRONT: usize = 16;
/// Bytes behind each block, at least.
pub(super) const TAIL: usize = 16;
/// Bytes at the start of a free block that the allocator may write to: its link.
pub(super) const LINK: usize = 8;

const WORD: usize = size_of::<u64>();

/// A word of the pattern.
pub(super) const fn word(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// Fills `len` bytes.
///
/// # Safety
/// They are the caller's to write.
#[inline(always)]
pub(super) unsafe fn fill(start: usize, len: usize, byte: u8) {
    // SAFETY: the caller's clause.
    unsafe { originals::fill(start as *mut u8, len, byte) };
}

/// Whether all of `len` bytes are [`FREED`].
///
/// # Safety
/// They can be read. What others write there meanwhile shows as it happens to be read.
#[inline(always)]
pub(super) unsafe fn is_whole(start: usize, len: usize) -> bool {
    let mut differ = 0u64;
    let mut at = 0;
    while at + WORD <= len {
        // SAFETY: the caller's clause.
        differ |= unsafe { ((start + at) as *const u64).read_unaligned() } ^ word(FREED);
        at += WORD;
    }
    while at < len {
        // SAFETY: the caller's clause.
        differ |= u64::from(unsafe { ((start + at) as *const u8).read() } ^ FREED);
        at += 1;
    }
    differ == 0
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
        for len in [0, 1, 7, 8, 9, 16, 37] {
            let mut bytes = [0u8; 64];
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
