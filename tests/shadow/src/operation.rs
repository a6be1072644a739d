//! What can be done to a heap, and how often each is worth trying.

use arbitrary::{Arbitrary, Result, Unstructured};
use std::alloc::Layout;

/// The number of blocks that the model holds at most.
pub(crate) const SLOTS: u8 = 128;

/// The number of threads that act, the one that runs the case included.
pub(crate) const THREADS: u8 = 3;

/// One step of a case. `by` says which thread acts; a slot is a place of the model that
/// has a block or none.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Allocate into a slot; what the slot had is freed first.
    Allocate {
        /// The thread.
        by: u8,
        /// The slot.
        slot: u8,
        /// Size and alignment.
        request: Request,
        /// Whether the memory must read as zero.
        zeroed: bool,
    },
    /// Free a slot's block.
    Free {
        /// The thread.
        by: u8,
        /// The slot.
        slot: u8,
    },
    /// Resize a slot's block.
    Resize {
        /// The thread.
        by: u8,
        /// The slot.
        slot: u8,
        /// Its new size.
        size: Size,
    },
    /// Write new contents into a slot's block.
    Rewrite {
        /// The slot.
        slot: u8,
    },
    /// Free every slot's block of a range.
    FreeMany {
        /// The thread.
        by: u8,
        /// The first slot.
        from: u8,
        /// How many.
        count: u8,
    },
    /// Allocate the same into each slot of a range.
    AllocateMany {
        /// The thread.
        by: u8,
        /// The first slot.
        from: u8,
        /// How many.
        count: u8,
        /// Size and alignment of each.
        request: Request,
    },
    /// End a thread and start another in its place.
    EndThread {
        /// The thread; the one that runs the case does not end.
        thread: u8,
    },
    /// Ask for all unused memory to go back to the system.
    Collect,
    /// Compare the heap's own list of blocks with the model's.
    Walk,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let by = input.arbitrary::<u8>()? % THREADS;
        let slot = input.arbitrary::<u8>()? % SLOTS;
        Ok(match input.arbitrary::<u8>()? {
            0..=89 => Operation::Allocate {
                by,
                slot,
                request: input.arbitrary()?,
                zeroed: input.arbitrary()?,
            },
            90..=159 => Operation::Free { by, slot },
            160..=209 => Operation::Resize {
                by,
                slot,
                size: input.arbitrary()?,
            },
            210..=219 => Operation::Rewrite { slot },
            220..=229 => Operation::FreeMany {
                by,
                from: slot,
                count: input.arbitrary()?,
            },
            230..=241 => Operation::AllocateMany {
                by,
                from: slot,
                count: input.arbitrary()?,
                request: input.arbitrary()?,
            },
            242..=246 => Operation::EndThread { thread: by },
            247..=250 => Operation::Collect,
            251..=255 => Operation::Walk,
        })
    }
}

/// How many bytes: at least one, since [`GlobalAlloc`](std::alloc::GlobalAlloc) asks for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let bytes = match input.arbitrary::<u8>()? {
            0..=119 => input.int_in_range(1..=2048)?,
            120..=159 => input.int_in_range(1..=32 << 10)?,
            160..=199 => near_a_power_of_two(input)?,
            200..=229 => input.int_in_range(32 << 10..=1 << 20)?,
            230..=252 => input.int_in_range(1 << 20..=5 << 20)?,
            // More than there is: must be refused.
            253..=255 => isize::MAX as usize - input.int_in_range(0..=1 << 40)?,
        };
        Ok(Size(bytes))
    }
}

/// The sizes where something ends: classes, tiers, slots, SuperSlabs.
fn near_a_power_of_two(input: &mut Unstructured<'_>) -> Result<usize> {
    let power = 1usize << input.int_in_range(4..=21)?;
    let offset = input.int_in_range(0..=34)?;
    Ok((power + offset).saturating_sub(17).max(1))
}

/// Size and alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Bytes.
    pub size: Size,
    /// A power of two, 1 to 4 MiB.
    pub align: usize,
}

impl Request {
    /// None where `Layout` refuses it.
    pub(crate) fn layout(self) -> Option<Layout> {
        Layout::from_size_align(self.size.0, self.align).ok()
    }
}

impl<'a> Arbitrary<'a> for Request {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let shift = match input.arbitrary::<u8>()? {
            0..=179 => input.int_in_range(0..=4)?,
            180..=239 => input.int_in_range(5..=16)?,
            240..=255 => input.int_in_range(17..=22)?,
        };
        Ok(Request {
            size: input.arbitrary()?,
            align: 1 << shift,
        })
    }
}
