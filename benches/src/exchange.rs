//! [`Exchange`]: slots in which threads swap blocks without a lock.
//!
//! A slot is written and read by any thread, with one atomic swap each time. The swap
//! releases what the giver wrote into its block and acquires what the taker reads.

use crate::block::Block;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A table of slots, each empty or the owner of one block.
#[derive(Debug)]
pub struct Exchange {
    slots: Vec<AtomicPtr<u8>>,
}

impl Exchange {
    /// A table of `count` empty slots.
    pub fn new(count: usize) -> Self {
        Self {
            slots: (0..count)
                .map(|_| AtomicPtr::new(ptr::null_mut()))
                .collect(),
        }
    }

    /// Puts `block` into the slot and returns what was there.
    #[inline(always)]
    pub fn swap(&self, index: usize, block: Option<Block>) -> Option<Block> {
        let given = block.map_or(ptr::null_mut(), Block::into_raw);
        let taken = self.slots[index].swap(given, Ordering::AcqRel);
        if taken.is_null() {
            return None;
        }
        // SAFETY: a pointer in a slot came from `into_raw`, and the swap took it out.
        Some(unsafe { Block::from_raw(taken) })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        for index in 0..self.slots.len() {
            drop(self.swap(index, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_gives_back_what_it_was_given() {
        let exchange = Exchange::new(2);
        assert!(exchange.swap(1, Some(Block::new(16, 7))).is_none());
        let back = exchange.swap(1, Some(Block::new(16, 8))).unwrap();
        assert_eq!(back.mark(), 7);
        assert!(exchange.swap(0, None).is_none());
    }
}
