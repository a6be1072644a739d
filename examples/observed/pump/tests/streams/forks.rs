//! A fork's child.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use hakmem_alloc::pump::Pump;

use super::recorder::Locked;
use super::subscriber::{count, events};
use super::{CLASS, Done, Says, block, pump};

/// Runs `child` in a fork; says whether it returned true.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what the test does, and leaves by `_exit`; the test harness's other
    // threads wait.
    match unsafe { libc::fork() } {
        0 => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: nothing of the parent's is to be run.
            unsafe { libc::_exit(i32::from(!matches!(result, Ok(true)))) }
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` is a valid place.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

#[test]
fn a_child_has_streams_of_its_own() {
    alone!(a_child_has_streams_of_its_own);
    let pump = pump();
    let recorder = Locked::default();
    // What waits at the fork is the parent's, of this thread and of others.
    (0..7).for_each(|_| drop(block()));
    let done = Done::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is() {
                drop(black_box(Vec::<u8>::with_capacity(100)));
            }
        });
        let says = Says(&done);
        // Forks come while that thread is inside of its stream.
        for _ in 0..20 {
            let is_right = in_child(|| {
                (0..3).for_each(|_| drop(block()));
                std::thread::spawn(|| drop(block()))
                    .join()
                    .expect("no panic");
                let (_, seen) = metrics::with_local_recorder(&recorder, || events(&pump));
                let own = std::process::id().to_string();
                let threads = seen
                    .iter()
                    .filter(|event| event.is("allocated", CLASS) && event.fields["thread"] == own);
                assert_eq!(threads.count(), 3, "{seen:?}");
                assert_eq!(count(&seen, "allocated"), 4, "{seen:?}");
                assert_eq!(recorder.of_class("class_allocations"), 4);
                let all = recorder.0.lock().expect("no panic");
                assert!(
                    all.iter().all(|(key, n)| !key.contains("lost") || *n == 0),
                    "{all:?}"
                );
                true
            });
            assert!(is_right);
        }
        drop(says);
    });
    let (_, seen) = events(&pump);
    let mine = seen
        .iter()
        .filter(|event| event.is("allocated", CLASS))
        .count();
    assert_eq!(mine, 7);
}

#[test]
fn a_child_may_stop_the_parent_s_pump_and_spawn_its_own() {
    alone!(a_child_may_stop_the_parent_s_pump_and_spawn_its_own);
    let running = Cell::new(Some(
        Pump::spawn(Duration::from_micros(100)).expect("a thread"),
    ));
    for _ in 0..20 {
        // The parent's thread drains or not, as it happens.
        let is_right = in_child(|| {
            running.take().expect("made above").stop();
            let own = Pump::spawn(Duration::from_millis(1)).expect("a thread");
            drop(block());
            own.stop();
            true
        });
        assert!(is_right);
    }
    running.take().expect("made above").stop();
}
