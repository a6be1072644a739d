//! From the roots to all that they lead to, and from each block that nothing leads to.
//!
//! No recursion: blocks whose words are to be looked at wait on a list, which has room for all.
//!
//! 1. A block comes to the list when its mark changes, and in each of the three rounds at most once.

use super::blocks::{Blocks, Mark};
use super::room::Room;
use super::words::Words;

/// Marks blocks. The rounds are [`Marks::root`] and [`Marks::follow`], [`Marks::follow_inside`],
/// [`Marks::group`].
pub(super) struct Marks {
    blocks: Blocks,
    waiting: Room<u32>,
    count: usize,
}

impl Marks {
    pub(super) fn new(mut blocks: Blocks) -> Option<Marks> {
        let waiting = Room::new(blocks.all().len())?;
        Some(Marks {
            blocks,
            waiting,
            count: 0,
        })
    }

    /// Its own memory, which is to be left out.
    pub(super) fn ranges(&self) -> [(usize, usize); 3] {
        let [blocks, starts] = self.blocks.ranges();
        [blocks, starts, self.waiting.range()]
    }

    pub(super) fn into_blocks(self) -> Blocks {
        self.blocks
    }

    /// A word that the program can reach.
    #[inline]
    pub(super) fn root(&mut self, word: usize) {
        let Some(number) = self.blocks.at(word) else {
            return;
        };
        let block = &mut self.blocks.all()[number];
        if word == block.start {
            if block.mark != Mark::Start {
                block.mark = Mark::Start;
                self.push(number);
            }
        } else if block.mark == Mark::None {
            block.mark = Mark::Inside;
        }
    }

    /// From the roots along pointers to starts of blocks.
    pub(super) fn follow(&mut self, words: &mut Words) {
        while let Some(range) = self.pop().map(|(_, range)| range) {
            words.each(range, false, |_, word| self.root(word));
        }
    }

    /// From the blocks that pointers lead into, along all pointers.
    pub(super) fn follow_inside(&mut self, words: &mut Words) {
        for number in 0..self.blocks.all().len() {
            if self.blocks.all()[number].mark == Mark::Inside {
                self.push(number);
            }
        }
        while let Some((_, range)) = self.pop() {
            words.each(range, false, |_, word| {
                if let Some(number) = self.blocks.at(word)
                    && self.blocks.all()[number].mark == Mark::None
                {
                    self.blocks.all()[number].mark = Mark::Inside;
                    self.push(number);
                }
            });
        }
    }

    /// Each block that nothing leads to gets what only it leads to. Of a circle the first one leads
    /// to the others.
    pub(super) fn group(&mut self, words: &mut Words) {
        for first in 0..self.blocks.all().len() {
            if self.blocks.all()[first].mark != Mark::None {
                continue;
            }
            self.push(first);
            while let Some((_, range)) = self.pop() {
                words.each(range, false, |_, word| self.hold(first, word));
            }
        }
    }

    /// A word of a block that `first` leads to.
    fn hold(&mut self, first: usize, word: usize) {
        let Some(number) = self.blocks.at(word).filter(|&number| number != first) else {
            return;
        };
        let block = &mut self.blocks.all()[number];
        if block.mark != Mark::None {
            return;
        }
        // It may have been a first one before.
        block.mark = Mark::Lost;
        let blocks = 1 + core::mem::take(&mut block.held_blocks);
        let bytes = block.size + core::mem::take(&mut block.held_bytes);
        let first = &mut self.blocks.all()[first];
        first.held_blocks += blocks;
        first.held_bytes += bytes;
        self.push(number);
    }

    fn push(&mut self, number: usize) {
        // There is room for all, by the invariant.
        if let Some(place) = self.waiting.get_mut(self.count) {
            *place = number as u32;
            self.count += 1;
        }
    }

    fn pop(&mut self) -> Option<(usize, (usize, usize))> {
        self.count = self.count.checked_sub(1)?;
        let number = self.waiting[self.count] as usize;
        let block = self.blocks.all()[number];
        Some((number, (block.start, block.start + block.size)))
    }
}
