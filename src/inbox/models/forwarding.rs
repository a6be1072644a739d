//! Forwarding beside a second migration: the slab goes from cache A to B and on to C,
//! while a flusher sends blocks to whichever owner it sees and the caches that the slab
//! has left are adopted and emptied.

use super::{Header, check, empty, settle, spawn};
use crate::inbox::Inbox;
use core::ptr;
use loom::sync::Mutex;
use std::boxed::Box;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

struct World {
    header: Header,
    inboxes: [Box<Inbox>; 3],
    /// The parked caches, the one parked last at the end.
    parked: Mutex<Vec<usize>>,
}

impl World {
    /// Cache A is parked with the slab.
    fn new(out: &[usize]) -> Arc<World> {
        let inboxes = [A, B, C].map(|_| Box::new(Inbox::new()));
        Arc::new(World {
            header: Header::new(&inboxes[A], out),
            inboxes,
            parked: Mutex::new(vec![A]),
        })
    }

    /// What the holder of a cache does: sees to its inbox, and to the slab if that is its.
    fn collect(&self, cache: usize) {
        empty(&self.inboxes[cache], |_| {
            _ = self.header.hand_out(usize::MAX)
        });
    }

    /// A thread with cache `thief` takes the slab from a parked cache, as `parked::steal`
    /// does: the lock is held throughout.
    fn steal(&self, thief: usize) -> bool {
        let parked = self.parked.lock().unwrap();
        for &cache in parked.iter().rev() {
            self.collect(cache);
            if ptr::eq(self.header.owner(), &*self.inboxes[cache]) {
                self.header.set_owner(&self.inboxes[thief]);
                return true;
            }
        }
        false
    }

    fn park(&self, cache: usize) {
        self.parked.lock().unwrap().push(cache);
    }

    /// A new thread takes the cache that was parked last.
    fn adopt(&self) -> Option<usize> {
        self.parked.lock().unwrap().pop()
    }
}

/// The flusher sends `sends` in turn, while the slab goes from A to B and to C.
fn migrate_twice(preemptions: Option<usize>, sends: &'static [usize]) {
    check(preemptions, move || {
        let world = World::new(sends);
        let flusher = spawn(&world, move |world| {
            for &index in sends {
                world.header.free_remotely(&[index]);
            }
        });
        let adopter = spawn(&world, |world| {
            for _ in 0..2 {
                if let Some(cache) = world.adopt() {
                    world.collect(cache);
                }
            }
        });
        if world.steal(B) {
            world.collect(B);
            world.park(B);
            if world.steal(C) {
                world.collect(C);
            }
        }
        flusher.join().unwrap();
        adopter.join().unwrap();
        settle(&[A, B, C].map(|cache| &*world.inboxes[cache]));
        world.header.check_at_rest();
    });
}

#[test]
fn one_send_is_not_lost_between_three_owners() {
    migrate_twice(None, &[0]);
}

/// With the token given up and taken anew on the way; at most four preemptions.
#[test]
fn two_sends_are_not_lost_between_three_owners() {
    migrate_twice(Some(4), &[0, 64]);
}
