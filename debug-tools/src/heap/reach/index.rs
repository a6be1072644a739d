//! From an address to the block that it is in.
//!
//! ```text
//! number  0 … slabs - 1     a slab, with its blocks
//!         slabs …           a guarded block, which is the only one of its number
//! id      the blocks of all numbers, counted through
//! ```

use crate::heap::{Heap, Slab};

pub(super) struct Index<'h> {
    pub(super) heap: &'h Heap<'h>,
    /// Of each number, the id of its first block; and behind the last one.
    first: Vec<u64>,
    /// Slab numbers plus one by slot, from `lowest` on; of the arena.
    slots: Vec<u32>,
    lowest: u64,
    /// What slabs lie in, and what guarded blocks do.
    range: (u64, u64),
    guarded: (u64, u64),
}

impl<'h> Index<'h> {
    pub(super) fn new(heap: &'h Heap<'h>) -> Self {
        let layout = &heap.layout;
        let mut first = Vec::with_capacity(heap.slabs.len() + heap.guarded.len() + 1);
        let mut blocks = 0;
        for slab in &heap.slabs {
            first.push(blocks);
            blocks += u64::from(slab.blocks);
        }
        for id in 0..=heap.guarded.len() as u64 {
            first.push(blocks + id);
        }
        let (lowest, slots) = slots(heap);
        let start = heap.slabs.first().map_or(0, |slab| slab.start);
        let end = heap.slabs.last().map_or(0, |slab| slab.end(layout));
        let runs = heap.guarded.first().zip(heap.guarded.last());
        Self {
            heap,
            first,
            slots,
            lowest,
            range: (start, end),
            guarded: runs.map_or((0, 0), |(first, last)| (first.run.0, last.run.1)),
        }
    }

    /// All blocks.
    pub(super) fn blocks(&self) -> u64 {
        self.first.last().copied().unwrap_or(0)
    }

    /// The numbers of slabs and guarded blocks.
    pub(super) fn numbers(&self) -> std::ops::Range<usize> {
        0..self.first.len() - 1
    }

    /// The number of a guarded block, by its index.
    pub(super) fn of_guarded(&self, guarded: usize) -> usize {
        self.heap.slabs.len() + guarded
    }

    /// The ids of a number's blocks.
    pub(super) fn ids(&self, number: usize) -> std::ops::Range<u64> {
        self.first[number]..self.first[number + 1]
    }

    /// The id of a block of a number.
    #[inline]
    pub(super) fn id(&self, number: usize, block: usize) -> u64 {
        self.first[number] + block as u64
    }

    /// The slab with this number; none of a guarded block.
    pub(super) fn slab(&self, number: usize) -> Option<&'h Slab> {
        self.heap.slabs.get(number)
    }

    /// Where a block is, and its bytes.
    pub(super) fn extent(&self, number: usize, block: usize) -> (u64, u64) {
        match self.slab(number) {
            Some(slab) => (slab.block(block), slab.bytes),
            None => {
                let guarded = &self.heap.guarded[number - self.heap.slabs.len()];
                // What the program asked for cannot be more than can be touched.
                let most = guarded.open.1.saturating_sub(guarded.start);
                (guarded.start, guarded.record.size.min(most))
            }
        }
    }

    /// The number and the block that an address is in.
    #[inline]
    pub(super) fn find(&self, address: u64) -> Option<(usize, usize)> {
        if address < self.range.0 || address >= self.range.1 {
            return self.find_guarded(address);
        }
        let slot = address.wrapping_sub(self.lowest) / self.heap.layout.slot;
        let number = match self.slots.get(slot as usize) {
            Some(number) if *number != 0 => *number as usize - 1,
            _ => match self.heap.slab_at(address) {
                Some(number) => number,
                None => return self.find_guarded(address),
            },
        };
        let slab = &self.heap.slabs[number];
        let (index, _) = slab.index_of(address)?;
        Some((number, index))
    }

    #[inline]
    fn find_guarded(&self, address: u64) -> Option<(usize, usize)> {
        if address < self.guarded.0 || address >= self.guarded.1 {
            return None;
        }
        let number = self.of_guarded(self.heap.guarded_at(address)?);
        let (start, bytes) = self.extent(number, 0);
        // A block of no bytes has an address all the same.
        let offset = address.checked_sub(start)?;
        (offset < bytes.max(1)).then_some((number, 0))
    }
}

/// Where the arena's slabs begin, and the number of each slot's slab from there on, plus one.
fn slots(heap: &Heap<'_>) -> (u64, Vec<u32>) {
    let inside = |slab: &&Slab| !slab.outside;
    let lowest = heap.slabs.iter().find(inside).map_or(0, |slab| slab.start);
    let last = heap
        .slabs
        .iter()
        .rev()
        .find(inside)
        .map_or(lowest, |slab| slab.start);
    // As many slots as the registry has entries, at most.
    let count = (last - lowest) / heap.layout.slot + 1;
    let mut slots = vec![0; count.min(heap.limit.max(1)) as usize];
    for (number, slab) in heap.slabs.iter().enumerate() {
        if slab.outside {
            continue;
        }
        // Of a mapping the blocks behind the first slot are found by search.
        let from = (slab.start - lowest) / heap.layout.slot;
        for slot in from..from + u64::from(slab.slots.max(1)) {
            if let Some(entry) = slots.get_mut(slot as usize) {
                *entry = number as u32 + 1;
            }
        }
    }
    (lowest, slots)
}
