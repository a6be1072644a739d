//! The live blocks, in the order of their addresses, and what is found out about each.

use super::super::guard;
use super::super::known::Known;
use super::super::record::State;
use super::room::{Plain, Room};
use crate::walk::{self, BlockState};
use core::ops::ControlFlow;

/// What leads to a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Mark {
    /// Nothing.
    None = 0,
    /// Pointers into it, or a block that only such pointers lead to.
    Inside = 1,
    /// A pointer to its start.
    Start = 2,
    /// Nothing, but that it leads to others itself, or could.
    First = 3,
    /// One of those.
    Lost = 4,
}

/// A live block.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) start: usize,
    /// Bytes that were asked for.
    pub(super) size: usize,
    /// Its stack, by number; 0 if there is none.
    pub(super) stack: u32,
    /// Who handed it out, and in which life of its place.
    pub(super) api: u8,
    pub(super) life: u32,
    pub(super) mark: Mark,
    /// Blocks that only this one leads to, if nothing leads to it, and their bytes.
    pub(super) held_blocks: u32,
    pub(super) held_bytes: usize,
}

// SAFETY: numbers, and `Mark::None` is 0.
unsafe impl Plain for Block {}

/// See the head of this file.
pub(super) struct Blocks {
    blocks: Room<Block>,
    /// Their starts once more, close together.
    starts: Room<usize>,
    len: usize,
    /// The first address behind all.
    end: usize,
}

/// Calls `each` with every block that the program has and that is observed: address, bytes asked
/// for, what is known; those with pages of their own among them.
pub(super) fn each_live(each: &mut dyn FnMut(usize, usize, &Known)) {
    each_out(&mut |block, known| {
        if let Some(known) = known
            && known.asked.state() == State::Live
        {
            each(block.address as usize, known.asked.size(), known);
        }
    });
    guard::each_live(|guarded| {
        let known = Known::of_record(guarded.record);
        each(guarded.address, known.asked.size(), &known);
    });
}

/// Calls `each` with where every block begins and ends of which nothing is known, but that it is
/// not free: it was handed out before anybody looked, or without memory for a record.
pub(super) fn each_unknown(each: &mut dyn FnMut(usize, usize)) {
    each_out(&mut |block, known| {
        let is_unknown =
            |known: &Known| matches!(known.asked.state(), State::New | State::Overwritten);
        if known.is_none_or(is_unknown) {
            let start = block.address as usize;
            each(start, start + block.bytes);
        }
    });
}

/// Every block that is not free as far as the allocator is concerned.
fn each_out(each: &mut dyn FnMut(&walk::Block, Option<&Known>)) {
    let _ = walk::walk(|block| {
        if block.state == BlockState::Live {
            let found = walk::find(block.address as usize);
            let known = found.and_then(|found| Known::of_found(&found));
            each(block, known.as_ref());
        }
        ControlFlow::<()>::Continue(())
    });
}

impl Blocks {
    /// All there are now; `None` without memory.
    pub(super) fn collect() -> Option<Blocks> {
        let mut count = 0;
        each_live(&mut |_, _, _| count += 1);
        // Threads that could not be stopped go on.
        let most = count + count / 8 + 64;
        let (mut blocks, mut starts) = (Room::<Block>::new(most)?, Room::<usize>::new(most)?);
        let mut len = 0;
        each_live(&mut |start, size, known| {
            if let Some(place) = blocks.get_mut(len) {
                *place = Block {
                    start,
                    size,
                    stack: known.allocated.stack,
                    api: known.asked.api(),
                    life: known.life,
                    mark: Mark::None,
                    held_blocks: 0,
                    held_bytes: 0,
                };
                len += 1;
            }
        });
        blocks[..len].sort_unstable_by_key(|block| block.start);
        for (start, block) in starts.iter_mut().zip(&blocks[..len]) {
            *start = block.start;
        }
        let end = blocks[..len].last().map_or(0, Block::end);
        Some(Blocks {
            blocks,
            starts,
            len,
            end,
        })
    }

    /// Its own memory, which is to be left out.
    pub(super) fn ranges(&self) -> [(usize, usize); 2] {
        [self.blocks.range(), self.starts.range()]
    }

    pub(super) fn all(&mut self) -> &mut [Block] {
        &mut self.blocks[..self.len]
    }

    /// The block, by number, that an address lies in.
    #[inline]
    pub(super) fn at(&self, address: usize) -> Option<usize> {
        let starts = &self.starts[..self.len];
        if address >= self.end || address < *starts.first()? {
            return None;
        }
        let number = starts.partition_point(|&start| start <= address) - 1;
        (address < self.blocks[number].end()).then_some(number)
    }
}

impl Block {
    /// A block of no bytes has an address all the same.
    fn end(&self) -> usize {
        self.start + self.size.max(1)
    }

    /// Whether it is the same block in the same life.
    pub(super) fn is(&self, other: &Block) -> bool {
        (self.start, self.life, self.stack) == (other.start, other.life, other.stack)
    }
}
