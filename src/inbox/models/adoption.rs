//! Adoption: a thread ends and parks its cache, and a new thread takes it on, while
//! a flusher sends blocks to its inbox.

use super::{Header, check, empty, settle, spawn};
use crate::inbox::Inbox;
use loom::sync::Mutex;
use std::boxed::Box;
use std::sync::Arc;

struct World {
    header: Header,
    inbox: Box<Inbox>,
    is_parked: Mutex<bool>,
}

impl World {
    fn new(out: &[usize]) -> Arc<World> {
        let inbox = Box::new(Inbox::new());
        Arc::new(World {
            header: Header::new(&inbox, out),
            inbox,
            is_parked: Mutex::new(false),
        })
    }

    fn collect(&self) {
        empty(&self.inbox, |_| _ = self.header.hand_out(usize::MAX));
    }

    /// The thread ends: a last look at the inbox, then the cache is anybody's.
    fn park(&self) {
        self.collect();
        *self.is_parked.lock().unwrap() = true;
    }

    fn adopt(&self) -> bool {
        core::mem::take(&mut *self.is_parked.lock().unwrap())
    }
}

#[test]
fn an_adopted_inbox_keeps_its_mail() {
    check(None, || {
        let world = World::new(&[0, 1, 64]);
        let flusher = spawn(&world, |world| {
            world.header.free_remotely(&[0, 64]);
            world.header.free_remotely(&[1]);
        });
        let ending = spawn(&world, |world| world.park());
        if world.adopt() {
            world.collect();
            world.header.hand_out(1);
            world.collect();
        }
        flusher.join().unwrap();
        ending.join().unwrap();
        settle(&[&world.inbox]);
        world.header.check_at_rest();
    });
}
