//! Drains, and what subscribers and recorders may do in them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hakmem_alloc::pump::{Drained, Pump};

use super::recorder::{Locked, drain_into};
use super::subscriber::{count, events, events_and};
use super::{Done, Says, block, pump};

#[test]
fn a_subscriber_that_allocates_does_not_feed_itself() {
    alone!(a_subscriber_that_allocates_does_not_feed_itself);
    let pump = pump();
    for _ in 0..10 {
        drop(block());
    }
    let (drained, seen) = events(&pump);
    assert_eq!(count(&seen, "allocated"), 10);
    assert_eq!(count(&seen, "freed"), 10);
    assert_eq!(drained.events, seen.len() as u64);
    // A block and a free in each event, and more for the fields.
    assert!(drained.skipped > 2 * drained.events, "{drained:?}");
    // What was skipped comes neither later nor at all.
    let (_, seen) = events(&pump);
    assert_eq!(count(&seen, "allocated"), 0);
}

#[test]
fn a_recorder_that_locks_does_not_lock_itself_out() {
    alone!(a_recorder_that_locks_does_not_lock_itself_out);
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &recorder);
    let before = recorder.of_class("class_allocations");
    // Another thread allocates under the recorder's lock, as a scrape does.
    let done = Done::default();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut blocks = 0;
            while !done.is() {
                let all = recorder.0.lock().expect("no panic");
                drop(block());
                blocks += 1;
                drop(all);
            }
            blocks
        });
        let says = Says(&done);
        for _ in 0..100 {
            drop(block());
            drain_into(&pump, &recorder);
        }
        drop(says);
        let blocks = 100 + other.join().expect("no panic");
        drain_into(&pump, &recorder);
        assert_eq!(recorder.of_class("class_allocations") - before, blocks);
        assert_eq!(
            recorder.of_class("class_frees"),
            recorder.of_class("class_allocations")
        );
    });
    assert_eq!(recorder.total("hakmem_events_lost_total"), 0);
}

#[test]
fn what_draining_allocates_is_left_out_wherever_it_is_freed() {
    alone!(what_draining_allocates_is_left_out_wherever_it_is_freed);
    let pump = pump();
    // A subscriber that hands what it makes to a thread that frees it.
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<u8>>();
    let other = std::thread::spawn(move || {
        for written in receiver {
            drop(written);
        }
    });
    let sender = Mutex::new(Some(sender));
    (0..100).for_each(|_| drop(block()));
    let (_, seen) = events_and(&pump, move || {
        let sender = sender.lock().expect("no panic");
        sender
            .as_ref()
            .expect("open")
            .send(block())
            .expect("it receives");
    });
    assert_eq!(count(&seen, "freed"), 100);
    other.join().expect("no panic");
    let (drained, seen) = events(&pump);
    assert_eq!((count(&seen, "allocated"), count(&seen, "freed")), (0, 0));
    assert!(drained.skipped >= 100);
    // The blocks are the program's again.
    let blocks: Vec<Vec<u8>> = (0..200).map(|_| block()).collect();
    drop(blocks);
    let (_, seen) = events(&pump);
    assert_eq!(
        (count(&seen, "allocated"), count(&seen, "freed")),
        (200, 200)
    );
}

#[test]
fn a_subscriber_may_drain() {
    alone!(a_subscriber_may_drain);
    let pump = Arc::new(pump());
    (0..5).for_each(|_| drop(block()));
    let again = Arc::clone(&pump);
    let (_, seen) = events_and(&pump, move || {
        assert_eq!(again.drain(), Drained::default());
    });
    assert_eq!(count(&seen, "allocated"), 5);
}

#[test]
fn a_subscriber_that_panics_does_not_keep_the_drain() {
    alone!(a_subscriber_that_panics_does_not_keep_the_drain);
    let pump = pump();
    drop(block());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        events_and(&pump, || {
            std::panic::resume_unwind(Box::new("the subscriber's"))
        })
    }));
    assert!(panicked.is_err());
    events(&pump);
    drop(block());
    let other = std::thread::scope(|scope| scope.spawn(|| events(&pump)).join());
    assert_eq!(count(&other.expect("no panic").1, "allocated"), 1);
}

#[test]
fn many_may_drain() {
    alone!(many_may_drain);
    let pump = pump();
    let allocated = AtomicU64::new(0);
    let seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    drop(block());
                    allocated.fetch_add(1, Ordering::Relaxed);
                    let (drained, events) = events(&pump);
                    assert_eq!(drained.lost, 0);
                    seen.fetch_add(count(&events, "allocated") as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let rest = count(&events(&pump).1, "allocated") as u64;
    assert_eq!(seen.into_inner() + rest, allocated.into_inner());
}

#[test]
fn off_when_there_is_no_pump() {
    alone!(off_when_there_is_no_pump);
    // Blocks that a drain has allocated, and that the program has later, while there is no pump.
    let pump = pump();
    (0..10).for_each(|_| drop(block()));
    let of_drain = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&of_drain);
    events_and(&pump, move || kept.lock().expect("no panic").push(block()));
    drop(pump);
    let of_drain = std::mem::take(&mut *of_drain.lock().expect("no panic"));
    assert!(of_drain.len() >= 20);
    drop(of_drain);
    let blocks: Vec<Vec<u8>> = (0..100).map(|_| block()).collect();
    let pump = Pump::new();
    let recorder = Locked::default();
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_allocations"), 0);
    assert_eq!(recorder.of_class("class_frees"), 0);
    drop(blocks);
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_frees"), 100);
}

#[test]
fn a_thread_drains_until_it_is_stopped() {
    alone!(a_thread_drains_until_it_is_stopped);
    drop(pump());
    let running = Pump::spawn(Duration::from_millis(1)).expect("a thread");
    (0..100).for_each(|_| drop(block()));
    let first = running.stop();
    // Nothing listens globally: events of before the first drain alone have passed.
    assert_eq!(first.lost, 0);
    // A dropped one stops as well, without waiting for its interval.
    drop(Pump::spawn(Duration::from_secs(3600)).expect("a thread"));
}
