//! What is kept of each block: which life it lives, and what was asked for.
//!
//! ```text
//! asked       known 1 │ traced 1 │ 6 │ align 8 │ size 48
//! generation  lives of the place since its slab was opened
//! ```
//!
//! Written by the thread that is handed the block, read by the one that gives it back: the
//! program orders the two. Relaxed.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const SIZE_BITS: u32 = 48;
const SIZE: u64 = (1 << SIZE_BITS) - 1;
const KNOWN: u64 = 1 << 63;
const TRACED: u64 = 1 << 62;

/// See the head of this file. All bytes zero: a place that has not lived.
pub(crate) struct Life {
    asked: AtomicU64,
    generation: AtomicU32,
}

/// What was asked for: in a record's third word, size and alignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Asked(u64);

impl Asked {
    /// Of a request that is traced.
    #[inline(always)]
    pub(super) fn new(size: usize, align: usize) -> Asked {
        const UNASKED: u32 = crate::size_class::MIN_ALIGN.trailing_zeros();
        let log2 = align.trailing_zeros();
        let log2 = if log2 > UNASKED { log2 } else { 0 };
        let size = (size as u64).min(SIZE);
        Asked(KNOWN | TRACED | u64::from(log2) << SIZE_BITS | size)
    }

    /// Of a block of which nothing is known but its size; not traced.
    #[cold]
    fn unknown(bytes: usize) -> Asked {
        Asked((bytes as u64).min(SIZE))
    }

    /// As this one, of a block that is not traced.
    pub(super) fn untraced(self) -> Asked {
        Asked(self.0 & !TRACED)
    }

    pub(super) fn is_traced(self) -> bool {
        self.0 & TRACED != 0
    }

    #[inline(always)]
    pub(super) fn size(self) -> u64 {
        self.0 & SIZE
    }

    #[inline(always)]
    pub(super) fn align_log2(self) -> u8 {
        (self.0 >> SIZE_BITS) as u8
    }
}

impl Life {
    /// A life begins; says which one.
    #[inline(always)]
    pub(super) fn begin(&self, asked: Asked) -> u32 {
        let generation = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(generation, Ordering::Relaxed);
        self.asked.store(asked.0, Ordering::Relaxed);
        generation
    }

    /// The life goes on, as one of another size.
    pub(super) fn resize(&self, asked: Asked) {
        self.asked.store(asked.0, Ordering::Relaxed);
    }

    /// What was asked for a block of `bytes`.
    #[inline(always)]
    pub(super) fn asked(&self, bytes: usize) -> Asked {
        let asked = self.asked.load(Ordering::Relaxed);
        if asked & KNOWN == 0 {
            return Asked::unknown(bytes);
        }
        Asked(asked)
    }

    #[inline(always)]
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// What was asked for a block of which nothing is kept.
    #[cold]
    pub(super) fn without(bytes: usize) -> Asked {
        Asked::unknown(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_asked() {
        let life = Life {
            asked: AtomicU64::new(0),
            generation: AtomicU32::new(0),
        };
        assert_eq!(life.asked(48).size(), 48);
        assert_eq!(life.begin(Asked::new(0, 16)), 1);
        assert_eq!((life.asked(48).size(), life.asked(48).align_log2()), (0, 0));
        assert_eq!(life.begin(Asked::new(100, 64).untraced()), 2);
        let asked = life.asked(112);
        assert_eq!((asked.size(), asked.align_log2()), (100, 6));
        assert!(!asked.is_traced());
        assert_eq!(Asked::new(usize::MAX, 1 << 40).size(), SIZE);
        assert_eq!(Asked::new(usize::MAX, 1 << 40).align_log2(), 40);
    }
}
