//! Size classes: which block size serves a request.
//!
//! ```text
//! classes  0..=7    16, 32, … 128 bytes      TINY, steps of 16
//! classes  8..=23   160, 192, 224, 256 … 2048 TINY, four per doubling
//! classes 24..=31   2560 … 8192               POOL
//! classes 32..=39   10240 … 32768             MID
//! ```
//!
//! 1. Each class's size is a multiple of 16, so each block is aligned to 16.
//! 2. A slab's first block starts on 64 KiB in classes of one colour, so there a block is aligned to the
//!    largest power of two that divides its class's size; in the others to that, or to 64.
//! 3. The index of a block is one multiplication: `(offset * reciprocal) >> 40`,
//!    exact for every byte offset in a slab (asserted below).
//!
//! What a slab of POOL or MID has more than its blocks need is in front of the first one, in another share from
//! slab to slab: its colour (Bonwick, "The Slab Allocator", 1994). Programs use the beginnings of such
//! blocks most, and those of 5120 bytes lie 1024 bytes apart modulo the size of a cache's way: in one
//! sixteenth of its sets. A TINY slab has little to spare, and its blocks are found by the slot alone.

use core::fmt;

/// Number of size classes below LARGE.
pub(crate) const CLASSES: usize = 40;
/// Number of TINY classes.
pub(crate) const TINY_CLASSES: usize = 24;
/// Largest request that TINY serves, bytes.
pub(crate) const TINY_MAX: usize = 2048;
/// Largest request that POOL serves, bytes.
pub(crate) const POOL_MAX: usize = 8192;
/// Largest request that MID serves, bytes.
pub(crate) const MID_MAX: usize = 32768;
/// Bytes of a slot, the unit in which SuperSlabs are cut.
pub(crate) const SLOT_BYTES: usize = 1 << SLOT_SHIFT;
/// Base-two logarithm of [`SLOT_BYTES`].
pub(crate) const SLOT_SHIFT: u32 = 16;
/// Alignment of every block, bytes.
pub(crate) const MIN_ALIGN: usize = 16;

const RECIPROCAL_SHIFT: u32 = 40;

/// Bytes from one colour to the next one: a cache line.
const COLOUR: usize = 64;
/// Most colours of a class: to the same place in the next page.
const COLOURS: usize = 4096 / COLOUR + 1;

/// A size class, `0..CLASSES`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SizeClass(u8);

/// The four ranges of request sizes that are served each in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tier {
    /// 1 to 2048 bytes.
    Tiny,
    /// Over 2 KiB, to 8 KiB.
    Pool,
    /// Over 8 KiB, to 32 KiB.
    Mid,
    /// Over 32 KiB.
    Large,
}

struct Shape {
    bytes: u32,
    blocks: u16,
    slots: u8,
    /// Places that a slab's first block may have.
    colours: u8,
    reciprocal: Reciprocal,
}

/// What divides by a class's size: see the head of this file.
#[derive(Clone, Copy)]
pub(crate) struct Reciprocal(u64);

impl Reciprocal {
    /// Whole blocks in `offset` bytes from a slab's start; any number for an offset that is
    /// outside.
    #[inline(always)]
    pub(crate) const fn quotient(self, offset: usize) -> usize {
        ((offset as u64).wrapping_mul(self.0) >> RECIPROCAL_SHIFT) as usize
    }
}

const fn class_bytes(index: usize) -> usize {
    if index < 8 {
        (index + 1) * 16
    } else {
        let doubling = (index - 8) / 4;
        let quarter = (index - 8) % 4;
        (128 << doubling) / 4 * (5 + quarter)
    }
}

const fn class_slots(index: usize) -> usize {
    if index < TINY_CLASSES {
        1
    } else if index < 32 {
        4
    } else {
        16
    }
}

const fn class_colours(index: usize) -> usize {
    let span = class_slots(index) * SLOT_BYTES;
    let most = span % class_bytes(index) / COLOUR + 1;
    match class_slots(index) {
        1 => 1,
        _ if most > COLOURS => COLOURS,
        _ => most,
    }
}

/// Of as many entries as a masked index has values, so that no bounds are checked.
const SHAPES: [Shape; 64] = {
    let mut shapes = [const {
        Shape {
            bytes: 0,
            blocks: 0,
            slots: 0,
            colours: 1,
            reciprocal: Reciprocal(0),
        }
    }; 64];
    let mut index = 0;
    while index < CLASSES {
        let bytes = class_bytes(index);
        let span = class_slots(index) * SLOT_BYTES;
        let reciprocal = (1u64 << RECIPROCAL_SHIFT).div_ceil(bytes as u64);
        // With r = ceil(2^40 / b) the error r*b - 2^40 is below b. The quotient is
        // exact for an offset o when o * error stays below 2^40.
        let error = reciprocal * bytes as u64 - (1 << RECIPROCAL_SHIFT);
        assert!((span as u64) * error < 1 << RECIPROCAL_SHIFT);
        assert!((span as u64).checked_mul(reciprocal).is_some());
        assert!(bytes.is_multiple_of(MIN_ALIGN));
        assert!(span / bytes >= 32);
        assert!(span / bytes <= MAX_BLOCKS);
        shapes[index] = Shape {
            bytes: bytes as u32,
            blocks: (span / bytes) as u16,
            slots: class_slots(index) as u8,
            colours: class_colours(index) as u8,
            reciprocal: Reciprocal(reciprocal),
        };
        index += 1;
    }
    shapes
};

/// Most blocks that a slab of any class holds.
pub(crate) const MAX_BLOCKS: usize = SLOT_BYTES / MIN_ALIGN;

const _: () = {
    assert!(class_bytes(TINY_CLASSES - 1) == TINY_MAX);
    assert!(class_bytes(31) == POOL_MAX);
    assert!(class_bytes(CLASSES - 1) == MID_MAX);
};

impl SizeClass {
    /// The smallest class whose blocks hold `size` bytes; `size` is at most [`MID_MAX`].
    #[inline(always)]
    pub(crate) const fn of(size: usize) -> SizeClass {
        debug_assert!(size <= MID_MAX);
        if size <= 128 {
            return SizeClass((size.saturating_sub(1) / 16) as u8);
        }
        let last = size - 1;
        let log = usize::BITS - 1 - last.leading_zeros();
        let quarter = (last >> (log - 2)) & 3;
        SizeClass((8 + (log as usize - 7) * 4 + quarter) as u8)
    }

    /// The smallest class whose blocks hold `size` bytes and are aligned to
    /// `align`, a power of two; `None` when only LARGE can.
    pub(crate) fn of_aligned(size: usize, align: usize) -> Option<SizeClass> {
        let size = size.max(align);
        if size > MID_MAX {
            return None;
        }
        (SizeClass::of(size).0..CLASSES as u8)
            .map(SizeClass)
            .find(|class| {
                class.bytes() % align == 0 && (align <= COLOUR || class.shape().colours == 1)
            })
    }

    /// The class with this index, below [`CLASSES`].
    #[inline(always)]
    pub(crate) const fn from_index(index: usize) -> SizeClass {
        debug_assert!(index < CLASSES);
        SizeClass(index as u8)
    }

    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Every class, smallest first.
    pub(crate) fn all() -> impl Iterator<Item = SizeClass> {
        (0..CLASSES as u8).map(SizeClass)
    }

    #[inline(always)]
    const fn shape(self) -> &'static Shape {
        &SHAPES[self.index() % SHAPES.len()]
    }

    /// Bytes of a block.
    #[inline(always)]
    pub(crate) const fn bytes(self) -> usize {
        self.shape().bytes as usize
    }

    /// Bytes of a block of the class with this index, without a narrower number in between.
    #[inline(always)]
    pub(crate) const fn bytes_at(index: usize) -> usize {
        SHAPES[index % SHAPES.len()].bytes as usize
    }

    /// How many bytes behind its start the first block of a slab at `start` is: see the head of this file.
    pub(crate) fn colour(self, start: usize) -> usize {
        let shape = self.shape();
        let number = (start >> SLOT_SHIFT) / usize::from(shape.slots);
        number % usize::from(shape.colours) * COLOUR
    }

    /// Blocks in a slab.
    pub(crate) const fn blocks(self) -> usize {
        self.shape().blocks as usize
    }

    /// Slots of 64 KiB in a slab.
    pub(crate) const fn slots(self) -> usize {
        self.shape().slots as usize
    }

    /// Index of the block that holds the byte at `offset` from the slab's start;
    /// `offset` is inside the slab.
    #[inline(always)]
    pub(crate) fn block_index(self, offset: usize) -> usize {
        self.shape().reciprocal.quotient(offset)
    }

    /// What divides an offset by the size of a block.
    pub(crate) const fn reciprocal(self) -> Reciprocal {
        self.shape().reciprocal
    }

    pub(crate) const fn tier(self) -> Tier {
        match self.0 {
            0..=23 => Tier::Tiny,
            24..=31 => Tier::Pool,
            _ => Tier::Mid,
        }
    }
}

impl fmt::Debug for SizeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "class {} ({} B)", self.0, self.bytes())
    }
}

impl Tier {
    /// The tier that serves a request of `size` bytes.
    pub(crate) const fn of(size: usize) -> Tier {
        if size <= TINY_MAX {
            Tier::Tiny
        } else if size <= POOL_MAX {
            Tier::Pool
        } else if size <= MID_MAX {
            Tier::Mid
        } else {
            Tier::Large
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_size_has_the_smallest_class_that_holds_it() {
        for size in 0..=MID_MAX {
            let class = SizeClass::of(size);
            assert!(class.bytes() >= size);
            if class.index() > 0 {
                assert!(SizeClass::from_index(class.index() - 1).bytes() < size);
            }
        }
    }

    #[test]
    fn block_index_is_a_division_for_every_byte() {
        for class in SizeClass::all() {
            for offset in 0..class.slots() * SLOT_BYTES {
                assert_eq!(class.block_index(offset), offset / class.bytes());
            }
        }
    }

    /// And the blocks of all colours are in the slab, and aligned as those of the class are said to be.
    #[test]
    fn neighbouring_slabs_have_their_blocks_in_other_lines() {
        for class in SizeClass::all().filter(|class| class.slots() > 1) {
            let spare = class.slots() * SLOT_BYTES - class.blocks() * class.bytes();
            let colours = (0..200).map(|slab| class.colour((slab * class.slots()) << SLOT_SHIFT));
            let colours: BTreeSet<usize> = colours.collect();
            assert_eq!(colours.len(), spare.min(4096) / COLOUR + 1, "{class:?}");
            for colour in colours {
                assert!(
                    colour <= spare && colour.is_multiple_of(COLOUR),
                    "{class:?}"
                );
            }
        }
    }

    #[test]
    fn aligned_classes_are_aligned() {
        for shift in 0..=15 {
            let align = 1 << shift;
            for size in (1..=MID_MAX).step_by(7) {
                if let Some(class) = SizeClass::of_aligned(size, align) {
                    assert!(class.bytes() >= size && class.bytes() % align == 0);
                    let starts = (0..80).map(|slab| (slab * class.slots()) << SLOT_SHIFT);
                    for start in starts {
                        assert!((start + class.colour(start)).is_multiple_of(align));
                    }
                }
            }
        }
        assert!(SizeClass::of_aligned(1, 65536).is_none());
    }
}
