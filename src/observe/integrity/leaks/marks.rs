//! From the roots to all that they lead to, and from each block that nothing leads to.
//!
//! No recursion: blocks whose words are to be looked at wait on a list, which has room for all.
//!
//! 1. A block comes to the list when its mark changes, and in each of the four rounds at most once.

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
        while let Some(range) = self.pop() {
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
        while let Some(range) = self.pop() {
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

    /// Finds the blocks that nothing points to, and gives them what only they lead to; of a circle
    /// that nothing points into one block counts as such. `None` without memory.
    ///
    /// The first round begins at each block that was not led to yet, in the order of addresses. If
    /// one of these leads to another, it came later, or that one would not have been begun at. So
    /// the second round begins at them from the last one on, and passes over those that it has been
    /// led to.
    pub(super) fn group(&mut self, words: &mut Words) -> Option<()> {
        let count = self.blocks.all().len();
        let mut leaders = Room::<u32>::new(count)?;
        let mut found = 0;
        for number in 0..count {
            if self.blocks.all()[number].mark == Mark::None {
                self.lead(number, words);
                leaders[found] = number as u32;
                found += 1;
            }
        }
        for block in self.blocks.all() {
            if matches!(block.mark, Mark::First | Mark::Lost) {
                block.mark = Mark::None;
                (block.held_blocks, block.held_bytes) = (0, 0);
            }
        }
        for &number in leaders[..found].iter().rev() {
            if self.blocks.all()[number as usize].mark == Mark::None {
                self.lead(number as usize, words);
            }
        }
        Some(())
    }

    /// Follows `first` to those that nobody else has led to.
    fn lead(&mut self, first: usize, words: &mut Words) {
        self.blocks.all()[first].mark = Mark::First;
        self.push(first);
        while let Some(range) = self.pop() {
            words.each(range, false, |_, word| {
                let number = self.blocks.at(word);
                let Some(number) = number.filter(|&n| self.blocks.all()[n].mark == Mark::None)
                else {
                    return;
                };
                let block = &mut self.blocks.all()[number];
                block.mark = Mark::Lost;
                let size = block.size;
                let first = &mut self.blocks.all()[first];
                first.held_blocks += 1;
                first.held_bytes += size;
                self.push(number);
            });
        }
    }

    fn push(&mut self, number: usize) {
        // There is room for all, by the invariant.
        if let Some(place) = self.waiting.get_mut(self.count) {
            *place = number as u32;
            self.count += 1;
        }
    }

    fn pop(&mut self) -> Option<(usize, usize)> {
        self.count = self.count.checked_sub(1)?;
        let number = self.waiting[self.count] as usize;
        let block = self.blocks.all()[number];
        Some((block.start, block.start + block.size))
    }
}
