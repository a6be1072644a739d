//! What is kept of each block: which life it lives, and what was asked for.
//!
//! ```text
//! shape        class 8 │ align 8 │ size 48     as a record has them
//! generation   lives of the place since its slab was opened; 0: none that was seen
//! is_left_out  the filter has left the life out
//! ```
//!
//! Written by the thread that is handed the block, read by the one that gives it back: the
//! program orders the two. Relaxed.

use crate::observe::kept::{Keep, Part};
use crate::observe::used::Used;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use hakmem_trace_format::SIZE_MAX;

const ALIGN_SHIFT: u32 = 48;
const CLASS_SHIFT: u32 = 56;

/// See the head of this file. All bytes zero: a place that has not lived.
pub(crate) struct Life {
    shape: AtomicU64,
    generation: AtomicU32,
    is_left_out: AtomicBool,
}

static USED: Used = Used::new();

impl Keep for Life {
    const LANES: usize = 1;

    unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
        // SAFETY: the caller's clause.
        unsafe { USED.wipe(start, blocks) };
    }
}

impl Part for Life {}

/// Size and alignment that were asked for, and the class of the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape(pub(super) u64);

impl Shape {
    #[inline(always)]
    pub(super) fn new(size: usize, align: usize, class: usize) -> Shape {
        const UNASKED: u32 = crate::size_class::MIN_ALIGN.trailing_zeros();
        let log2 = align.trailing_zeros();
        let log2 = if log2 > UNASKED { log2 } else { 0 };
        let size = (size as u64).min(SIZE_MAX);
        Shape((class as u64) << CLASS_SHIFT | u64::from(log2) << ALIGN_SHIFT | size)
    }

    /// Of a block of which nothing is known but its bytes.
    #[cold]
    pub(super) fn unknown(bytes: usize, class: usize) -> Shape {
        Shape::new(bytes, crate::size_class::MIN_ALIGN, class)
    }
}

impl Life {
    /// A life begins; says which one.
    #[inline(always)]
    pub(super) fn begin(&self, shape: Shape) -> u32 {
        USED.note();
        let generation = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(generation, Ordering::Relaxed);
        self.shape.store(shape.0, Ordering::Relaxed);
        generation
    }

    /// The life goes on, as one of another shape; as the first one, if none was seen. Says
    /// which one.
    pub(super) fn resize(&self, shape: Shape) -> u32 {
        USED.note();
        let generation = self.generation().max(1);
        self.generation.store(generation, Ordering::Relaxed);
        self.shape.store(shape.0, Ordering::Relaxed);
        generation
    }

    /// What was asked for, unless no life was seen.
    #[inline(always)]
    pub(super) fn shape(&self) -> Option<Shape> {
        (self.generation() != 0).then(|| Shape(self.shape.load(Ordering::Relaxed)))
    }

    #[inline(always)]
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether the life was seen, and the filter has let it pass.
    pub(super) fn is_traced(&self) -> bool {
        self.generation() != 0 && !self.is_left_out.load(Ordering::Relaxed)
    }

    /// Notes whether the filter leaves out the life that begins.
    pub(super) fn leave_out(&self, is_left_out: bool) {
        USED.note();
        self.is_left_out.store(is_left_out, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hakmem_trace_format::{Api, Kind, Record};

    #[test]
    fn says_what_was_asked() {
        let life = Life {
            shape: AtomicU64::new(0),
            generation: AtomicU32::new(0),
            is_left_out: AtomicBool::new(false),
        };
        assert_eq!((life.shape(), life.is_traced()), (None, false));
        assert_eq!(life.begin(Shape::new(0, 16, 0)), 1);
        assert_eq!((life.shape(), life.is_traced()), (Some(Shape(0)), true));
        life.leave_out(true);
        assert_eq!(life.begin(Shape::new(100, 64, 6)), 2);
        assert!(!life.is_traced());
        assert_eq!(life.shape(), Some(Shape::new(100, 64, 6)));
        assert_eq!(life.resize(Shape::new(101, 64, 6)), 2);
        assert_eq!(life.shape(), Some(Shape::new(101, 64, 6)));
    }

    #[test]
    fn a_record_has_the_shape() {
        let of = |size, align, class| {
            let record = Record::new(Kind::Free, Api::Free, 0, 0)
                .with_shape(Shape::new(size, align, class).0);
            (record.size(), record.align_log2(), record.class())
        };
        assert_eq!(of(100, 64, 6), (100, 6, 6));
        assert_eq!(of(0, 16, 0), (0, 0, 0));
        assert_eq!(of(usize::MAX, 1 << 40, 254), (SIZE_MAX, 40, 254));
    }
}
