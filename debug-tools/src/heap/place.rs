//! What an address is, and what the block there is doing.

use super::{Bits, Heap, Held, Part};

/// What a block is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The program holds it.
    Live,
    /// It was freed, and a checked build keeps it from being used again.
    Quarantined,
    /// A thread holds it free.
    Cached(Held),
    /// It was freed by a thread that does not own its slab, and is on its way home.
    Returned,
    /// It is free in its slab.
    Free,
}

impl State {
    /// The state in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Quarantined => "quarantined",
            Self::Cached(_) => "cached",
            Self::Returned | Self::Free => "free",
        }
    }

    /// Where the block is, more exactly.
    pub fn part(&self) -> &'static str {
        match self {
            Self::Live => "program",
            Self::Quarantined => "quarantine",
            Self::Cached(held) => match held.part {
                Part::Front => "front",
                Part::List => "list",
                Part::Buffer => "remote buffer",
            },
            Self::Returned => "returned",
            Self::Free => "slab",
        }
    }
}

/// What an address is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a block of a slab.
    Block {
        /// The slab, by its index.
        slab: usize,
        /// The block.
        index: usize,
        /// Where in it.
        offset: u64,
        /// What the block is doing.
        state: State,
    },
    /// In the pages of a guarded block.
    Guarded {
        /// The block, by its index.
        guarded: usize,
        /// Bytes from its start; negative in front.
        offset: i64,
        /// Whether that is in the block.
        is_inside: bool,
        /// Whether the program has the block.
        is_live: bool,
    },
    /// In a slab, behind its last block.
    SlabTail {
        /// The slab, by its index.
        slab: usize,
    },
    /// In a slot of a SuperSlab that has no slab.
    Slot {
        /// The SuperSlab's address.
        superslab: u64,
        /// The slot.
        slot: u64,
        /// Whether nobody holds it; else a thread has reserved it.
        is_free: bool,
    },
    /// In a freed unit that waits for its next use.
    Stock,
    /// In the arena, where nothing is.
    Reserved,
    /// In the allocator's own structures.
    Structures(&'static str),
    /// On a thread's stack.
    Stack {
        /// The thread.
        thread: u32,
        /// Bytes from its stack pointer; negative below it.
        from_pointer: i64,
    },
    /// In a program or library.
    Module {
        /// By its index.
        module: usize,
    },
    /// In another mapping.
    Mapping {
        /// What it is called, if it is.
        name: String,
    },
    /// Nothing is mapped there.
    Unmapped,
}

impl Place {
    /// It in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Block { state, .. } => state.word(),
            Self::Guarded {
                is_inside: false, ..
            } => "tail",
            Self::Guarded { is_live: true, .. } => "live",
            Self::Guarded { .. } => "free",
            Self::SlabTail { .. } => "tail",
            Self::Slot { is_free: true, .. } => "free",
            Self::Slot { .. } => "reserved",
            Self::Stock => "free",
            Self::Reserved => "reserved",
            Self::Structures(_) => "metadata",
            Self::Stack { .. } => "stack",
            Self::Module { .. } => "module",
            Self::Mapping { .. } => "mapping",
            Self::Unmapped => "unmapped",
        }
    }
}

impl Heap<'_> {
    /// What an address is.
    pub fn place(&self, address: u64) -> Place {
        if let Some(slab) = self.slab_at(address) {
            return self.place_in_slab(slab, address);
        }
        if let Some(guarded) = self.guarded_at(address) {
            let block = &self.guarded[guarded];
            let offset = address.wrapping_sub(block.start).cast_signed();
            return Place::Guarded {
                guarded,
                offset,
                is_inside: offset >= 0 && offset.cast_unsigned() < block.record.size.max(1),
                is_live: block.is_live(),
            };
        }
        if let Some(superslab) = self.superslab_at(address) {
            let slot = (address - superslab.base) / self.layout.slot;
            let is_free = superslab.free & 1_u32.checked_shl(slot as u32).unwrap_or(0) != 0;
            return Place::Slot {
                superslab: superslab.base,
                slot,
                is_free,
            };
        }
        let in_stock =
            |(start, bytes): &&(u64, u64)| address.checked_sub(*start).is_some_and(|o| o < *bytes);
        if self.stock.iter().find(in_stock).is_some() {
            return Place::Stock;
        }
        let mapping = self.mappings.iter().find(|mapping| mapping.holds(address));
        if let Some(mapping) = mapping {
            return match mapping.kind {
                super::Mapping::ARENA => Place::Reserved,
                _ => Place::Structures(mapping.purpose()),
            };
        }
        place_outside(self.image, address)
    }

    fn place_in_slab(&self, number: usize, address: u64) -> Place {
        let slab = &self.slabs[number];
        match slab.index_of(address) {
            Some((index, offset)) => {
                let bits: Bits = self.bits(slab);
                let state = self.state(slab, index, &bits);
                Place::Block {
                    slab: number,
                    index,
                    offset,
                    state,
                }
            }
            None => Place::SlabTail { slab: number },
        }
    }

    /// The blocks that begin nearest below and above an address, that the program holds; of the
    /// slabs nearby.
    pub fn nearest(&self, address: u64) -> [Option<(usize, usize)>; 2] {
        let after = self.slabs.partition_point(|slab| slab.start <= address);
        let live_in = |number: usize| {
            let slab = &self.slabs[number];
            let bits = self.bits(slab);
            let blocks = slab.indices();
            blocks.filter(move |index| self.state(slab, *index, &bits) == State::Live)
        };
        const LOOKED_AT: usize = 64;
        let below = (0..after).rev().take(LOOKED_AT).find_map(|number| {
            let start = |index: &usize| self.slabs[number].block(*index);
            let index = live_in(number).rfind(|index| start(index) <= address)?;
            Some((number, index))
        });
        let from = after.saturating_sub(1);
        let above = (from..self.slabs.len()).take(LOOKED_AT).find_map(|number| {
            let start = |index: &usize| self.slabs[number].block(*index);
            let index = live_in(number).find(|index| start(index) > address)?;
            Some((number, index))
        });
        [below, above]
    }
}

/// What an address is that is not the heap's.
pub fn place_outside(image: &crate::image::Image, address: u64) -> Place {
    if let Some(module) = image.module(address) {
        return Place::Module {
            module: module.index,
        };
    }
    let Some(segment) = image.memory.segment(address) else {
        return Place::Unmapped;
    };
    let is_stack = segment.name.is_empty() || segment.name.starts_with("[stack");
    if let (true, Some((thread, _))) = (is_stack, image.stack_of(address)) {
        let pointer = thread.stack_pointer().unwrap_or(address);
        return Place::Stack {
            thread: thread.tid,
            from_pointer: address.wrapping_sub(pointer).cast_signed(),
        };
    }
    let name = match image.file(address) {
        Some(file) => file.path.clone(),
        None => segment.name.clone(),
    };
    Place::Mapping { name }
}
