//! Signal handlers that allocate.

use std::sync::atomic::{AtomicU64, Ordering};

use super::recorder::{Locked, drain_into};
use super::{Done, Says, block, pump};

/// Blocks that the handler below has allocated and freed.
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: libc::c_int) {
    drop(block());
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn signal_handlers_are_counted_or_lost() {
    const BLOCKS: u64 = 200_000;
    alone!(signal_handlers_are_counted_or_lost);
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &Locked::default());
    let action = handler as extern "C" fn(libc::c_int);
    // SAFETY: the handler allocates, frees and counts.
    unsafe { libc::signal(libc::SIGUSR1, action as libc::sighandler_t) };
    // SAFETY: no preconditions.
    let here = unsafe { libc::pthread_self() };
    let done = Done::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is() {
                // SAFETY: that thread waits for this one.
                unsafe { libc::pthread_kill(here, libc::SIGUSR1) };
                for _ in 0..200 {
                    std::hint::spin_loop();
                }
            }
        });
        let says = Says(&done);
        for _ in 0..BLOCKS {
            drop(block());
        }
        drop(says);
    });
    let drained = drain_into(&pump, &recorder);
    let handled = HANDLED.load(Ordering::Relaxed);
    assert!(handled > 0);
    let counted = recorder.of_class("class_allocations") + recorder.of_class("class_frees");
    let full = recorder.get("hakmem_events_lost_total full");
    let kept_out = recorder.get("hakmem_events_lost_total interrupted")
        + recorder.get("hakmem_events_lost_total no_cache");
    assert_eq!(drained.lost, full + kept_out);
    eprintln!("{handled} signals, {counted} counted, {kept_out} kept out, {full} no room");
    assert_eq!(counted + kept_out, 2 * (BLOCKS + handled));
}
