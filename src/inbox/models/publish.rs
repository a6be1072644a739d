//! Publish and empty: two flushers send blocks of one slab home while the owner empties
//! its inbox and hands out again what came.

use super::{Header, check, empty, settle, spawn};
use crate::inbox::Inbox;
use std::boxed::Box;
use std::sync::Arc;

struct World {
    header: Header,
    owner: Box<Inbox>,
}

impl World {
    fn new(out: &[usize]) -> Arc<World> {
        let owner = Box::new(Inbox::new());
        Arc::new(World {
            header: Header::new(&owner, out),
            owner,
        })
    }

    /// The owner empties its inbox and hands out what is free; a bit for each block.
    fn collect(&self) -> u128 {
        let mut bits = 0;
        empty(&self.owner, |_| bits |= self.header.hand_out(usize::MAX));
        bits
    }

    fn check_at_rest(&self) {
        settle(&[&self.owner]);
        self.header.check_at_rest();
    }
}

/// The owner empties twice, so that the token goes from one flusher to the next one, and
/// hands out blocks that it found before they were announced.
#[test]
fn blocks_come_back_once() {
    check(None, || {
        let world = World::new(&[0, 1, 64]);
        let both_words = spawn(&world, |world| world.header.free_remotely(&[0, 64]));
        let one = spawn(&world, |world| world.header.free_remotely(&[1]));
        world.collect();
        world.collect();
        both_words.join().unwrap();
        one.join().unwrap();
        world.check_at_rest();
    });
}

/// A block that the owner found before it was announced is freed a second time, by a third
/// flusher, before or after it is announced the first time.
#[test]
fn a_block_goes_round_while_it_is_unannounced() {
    check(None, || {
        let world = World::new(&[0, 1]);
        let flushers =
            [0, 1].map(|index| spawn(&world, move |world| world.header.free_remotely(&[index])));
        let found = world.collect();
        for index in [0, 1] {
            if found & 1 << index != 0 {
                world.header.free_remotely(&[index]);
            }
        }
        world.collect();
        for flusher in flushers {
            flusher.join().unwrap();
        }
        world.check_at_rest();
    });
}

/// Whoever takes a bit of the summary, announced or not, sees what the flusher did before
/// it set it: that the bits of the word are there.
#[test]
fn a_summary_bit_comes_after_its_word() {
    check(None, || {
        let world = World::new(&[0, 64]);
        let flushers = [(0, 0), (1, 64)].map(|(word, index)| {
            spawn(&world, move |world| {
                let mark = &world.header.marks[word];
                world.header.free_remotely_and(&[index], || mark.set(true));
            })
        });
        for _ in 0..2 {
            let found = world.collect();
            for (word, index) in [(0, 0), (1, 64)] {
                if found & 1 << index != 0 {
                    assert!(world.header.marks[word].get());
                }
            }
        }
        for flusher in flushers {
            flusher.join().unwrap();
        }
        world.check_at_rest();
    });
}
