//! Release: two flushers send a slab's last blocks home while the owner empties its inbox
//! and releases the slab as soon as nothing of it is in use.

use super::{Header, NEXT_CLASS, SITE, check, empty, settle, spawn};
use crate::inbox::Inbox;
use loom::sync::Mutex;
use std::boxed::Box;
use std::sync::Arc;

struct World {
    header: Header,
    /// The owner before the release, and the one after it.
    owners: [Box<Inbox>; 2],
    /// Slabs that were released as they are, as the shared pool keeps them.
    kept: Mutex<u32>,
}

impl World {
    fn new() -> Arc<World> {
        let owners = [Box::new(Inbox::new()), Box::new(Inbox::new())];
        Arc::new(World {
            header: Header::new(&owners[0], &[0, 64]),
            owners,
            kept: Mutex::new(0),
        })
    }

    /// The first owner empties its inbox; `release` is called when the slab is unused.
    fn collect(&self, release: impl Fn()) {
        empty(&self.owners[0], |_| {
            if self.header.may_be_released() {
                release();
            }
        });
    }

    /// Closes the slab and opens another one with its header, whose blocks go round too.
    fn reopen(&self) {
        self.header.wipe();
        self.header.set_up(&SITE, NEXT_CLASS, &self.owners[1]);
        self.header.hand_out(2);
        self.header.free_remotely(&[1]);
    }

    /// Another thread takes over a slab that was kept.
    fn reuse(&self) {
        let mut kept = self.kept.lock().unwrap();
        if *kept == 1 {
            *kept = 0;
            drop(kept);
            self.header.set_owner(&self.owners[1]);
            self.header.hand_out(2);
        }
    }

    fn keep(&self) {
        *self.kept.lock().unwrap() += 1;
    }
}

/// The header serves another slab, of another class and owner.
#[test]
fn nobody_touches_a_closed_slab() {
    check(None, || {
        let world = World::new();
        let flushers =
            [0, 64].map(|index| spawn(&world, move |world| world.header.free_remotely(&[index])));
        world.collect(|| world.reopen());
        world.collect(|| world.reopen());
        for flusher in flushers {
            flusher.join().unwrap();
        }
        world.collect(|| world.reopen());
        assert_eq!(world.header.class(), NEXT_CLASS);
        settle(&[&world.owners[0], &world.owners[1]]);
        assert_eq!(world.header.used(), 1);
        world.header.check_at_rest();
    });
}

/// The slab is kept as it is, and another thread takes it over, whose blocks go round.
#[test]
fn a_kept_slab_changes_hands() {
    check(None, || {
        let world = World::new();
        let flushers =
            [0, 64].map(|index| spawn(&world, move |world| world.header.free_remotely(&[index])));
        let second = spawn(&world, |world| {
            world.reuse();
            empty(&world.owners[1], |_| ());
        });
        world.collect(|| world.keep());
        for flusher in flushers {
            flusher.join().unwrap();
        }
        world.collect(|| world.keep());
        second.join().unwrap();
        world.reuse();
        settle(&[&world.owners[0], &world.owners[1]]);
        assert_eq!(world.header.used(), 2);
        world.header.check_at_rest();
    });
}
