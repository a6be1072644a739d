//! Theft from a parked cache: a thread with a new cache takes one of two slabs from
//! a parked cache, while a flusher sends blocks of both home and a third thread adopts
//! the parked cache.

use super::{Header, check, empty, settle, spawn};
use crate::inbox::Inbox;
use core::ptr;
use loom::sync::Mutex;
use std::boxed::Box;
use std::sync::Arc;

struct World {
    headers: [Header; 2],
    inbox: Box<Inbox>,
    is_parked: Mutex<bool>,
}

impl World {
    /// The cache is parked with both slabs.
    fn new(out: [&[usize]; 2]) -> Arc<World> {
        let inbox = Box::new(Inbox::new());
        Arc::new(World {
            headers: out.map(|out| Header::new(&inbox, out)),
            inbox,
            is_parked: Mutex::new(true),
        })
    }

    /// The holder of `inbox` takes in what came and hands it out.
    fn collect(&self, inbox: &Inbox) {
        empty(inbox, |slab| {
            for header in &self.headers {
                if ptr::eq(slab, &**header) {
                    header.hand_out(usize::MAX);
                }
            }
        });
    }

    /// As `parked::steal`: the lock is held while the parked cache is seen to and its
    /// first slab changes hands.
    fn steal(&self, thief: &Inbox) -> bool {
        let is_parked = self.is_parked.lock().unwrap();
        if !*is_parked {
            return false;
        }
        self.collect(&self.inbox);
        self.headers[0].set_owner(thief);
        true
    }

    fn adopt(&self) -> bool {
        core::mem::take(&mut *self.is_parked.lock().unwrap())
    }
}

#[test]
fn a_stolen_slab_gets_its_mail() {
    check(None, || {
        let world = World::new([&[0, 64], &[0]]);
        let flusher = spawn(&world, |world| {
            world.headers[0].free_remotely(&[0]);
            world.headers[1].free_remotely(&[0]);
            world.headers[0].free_remotely(&[64]);
        });
        // The thief's inbox is as new as its cache.
        let thief = spawn(&world, |world| {
            let inbox = Box::new(Inbox::new());
            if world.steal(&inbox) {
                world.collect(&inbox);
                world.headers[0].hand_out(1);
            }
            inbox
        });
        if world.adopt() {
            world.collect(&world.inbox);
        }
        flusher.join().unwrap();
        let stolen_to = thief.join().unwrap();
        settle(&[&world.inbox, &stolen_to]);
        for header in &world.headers {
            header.check_at_rest();
        }
    });
}
