//! Threads that begin, are there and end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::recorder::{Locked, drain_into};
use super::subscriber::{count, events};
use super::{CLASS, block, pump};

#[test]
fn nothing_is_lost_to_threads_that_begin_or_were_there() {
    alone!(nothing_is_lost_to_threads_that_begin_or_were_there);
    let go = AtomicBool::new(false);
    let work = || (0..100).for_each(|_| drop(block()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            drop(block());
            while !go.load(Ordering::Acquire) {
                std::thread::park();
            }
            work();
        });
        // It has its cache.
        std::thread::sleep(Duration::from_millis(20));
        let pump = pump();
        go.store(true, Ordering::Release);
        waiting.thread().unpark();
        let began: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        for thread in began.into_iter().chain([waiting]) {
            thread.join().expect("no panic");
        }
        let (drained, seen) = events(&pump);
        assert_eq!(drained.lost, 0);
        assert_eq!(count(&seen, "allocated"), 500);
        assert_eq!(count(&seen, "freed"), 500);
        let threads: std::collections::HashSet<_> = seen
            .iter()
            .filter(|event| event.is("allocated", CLASS))
            .map(|event| event.fields["thread"].clone())
            .collect();
        assert_eq!(threads.len(), 5);
    });
}

fn mapped_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn threads_that_end_are_drained_and_their_streams_used_again() {
    alone!(threads_that_end_are_drained_and_their_streams_used_again);
    let pump = pump();
    let round = || {
        std::thread::spawn(|| drop(block()))
            .join()
            .expect("no panic");
        let (drained, seen) = events(&pump);
        assert_eq!(drained.lost, 0);
        assert_eq!(count(&seen, "allocated"), 1);
        assert_eq!(count(&seen, "freed"), 1);
    };
    (0..20).for_each(|_| round());
    let before = mapped_kib();
    (0..200).for_each(|_| round());
    // A stream has 256 KiB and more.
    let grown = mapped_kib().saturating_sub(before);
    assert!(grown < 20 * 256, "{grown} KiB");
}

/// Rounds in which the system calls the destructors of a thread's keys.
const ROUNDS: usize = 4;
static KEY: AtomicU64 = AtomicU64::new(0);

/// Allocates and frees in each round: in the last one the thread has given up its cache.
unsafe extern "C" fn ends(round: *mut libc::c_void) {
    drop(block());
    let next = round.wrapping_byte_add(1);
    let key = KEY.load(Ordering::Relaxed) as libc::pthread_key_t;
    // SAFETY: the key was made, and its values are numbers.
    unsafe { libc::pthread_setspecific(key, next) };
}

#[test]
fn what_comes_after_a_thread_s_cache_is_lost_and_counted() {
    alone!(what_comes_after_a_thread_s_cache_is_lost_and_counted);
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &Locked::default());
    // Made after the allocator's, and so called after it.
    let mut key = 0;
    // SAFETY: `key` is a valid place.
    let result = unsafe { libc::pthread_key_create(&raw mut key, Some(ends)) };
    assert_eq!(result, 0);
    KEY.store(u64::from(key), Ordering::Relaxed);
    let thread = std::thread::spawn(move || {
        // SAFETY: the key was made; any value but null has the destructor called.
        unsafe { libc::pthread_setspecific(key, std::ptr::dangling()) };
    });
    thread.join().expect("no panic");
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_allocations"), ROUNDS as u64 - 1);
    assert_eq!(recorder.of_class("class_frees"), ROUNDS as u64 - 1);
    assert_eq!(recorder.get("hakmem_events_lost_total no_cache"), 2);
    assert_eq!(recorder.total("hakmem_events_lost_total"), 2);
}
