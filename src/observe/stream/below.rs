//! What happens below the caches, where no local is at hand, and locks may be held: a channel that
//! all threads share, for what is rare.

use super::channel::Channel;
use super::drain;
use super::is_wanted;
use super::local::{provide, renew};
use super::record::Record;
use super::tally::{Figure, Loss, lose};
use crate::observe::Event;
use crate::sys::thread;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// The channel for what happens below the caches. Set once, Release; read Acquire.
static COMMON: AtomicPtr<Channel> = AtomicPtr::new(ptr::null_mut());
/// Set while a thread is inside of that channel; who finds it set stays out. Acquire on taking
/// pairs with Release on giving back.
static COMMON_TAKEN: AtomicBool = AtomicBool::new(false);

/// Sees that there is a channel.
pub(super) fn begin() {
    provide(&COMMON);
}

/// In a fork's child: has it begin anew.
pub(super) fn begin_anew() {
    COMMON_TAKEN.store(false, Ordering::Release);
    renew(&COMMON);
}

/// The channel, if there is one.
pub(super) fn channel() -> Option<&'static Channel> {
    // SAFETY: null, or a channel, which is never unmapped.
    unsafe { COMMON.load(Ordering::Acquire).as_ref() }
}

/// The numbers of threads come from the system here: what is told of is as dear.
#[inline(never)]
pub(super) fn has_happened_below(event: Event<'_>) {
    let id = thread::id;
    let (thread, record) = match event {
        Event::SuperSlabMapped { base: address } => {
            let thread = id();
            (thread, Record::SuperSlabMapped { thread, address })
        }
        Event::SuperSlabFreed { base: address } => {
            let thread = id();
            (thread, Record::SuperSlabFreed { thread, address })
        }
        Event::Prewarmed { base: address, .. } => {
            let thread = id();
            (thread, Record::Prewarmed { thread, address })
        }
        Event::CachePurged { base: address, .. } => {
            let thread = id();
            (thread, Record::CachePurged { thread, address })
        }
        Event::CacheKept {
            base: address,
            cached,
        } => {
            let thread = id();
            let record = Record::CacheKept {
                thread,
                address,
                cached,
            };
            (thread, record)
        }
        Event::CacheTaken {
            base: address,
            cached,
        } => {
            let thread = id();
            let record = Record::CacheTaken {
                thread,
                address,
                cached,
            };
            (thread, record)
        }
        Event::CacheEvicted {
            base: address, why, ..
        } => {
            let thread = id();
            let record = Record::CacheEvicted {
                thread,
                address,
                why,
            };
            (thread, record)
        }
        _ => return,
    };
    tell_below(thread, record);
}

fn tell_below(thread: u32, record: Record) {
    let Some(channel) = channel() else {
        return lose(Loss::NoChannel);
    };
    if COMMON_TAKEN.swap(true, Ordering::Acquire) {
        return lose(Loss::Interrupted);
    }
    // SAFETY: the flag above was set by this thread.
    unsafe {
        channel.enter(|inside| {
            if drain::is_by_thread(thread) {
                inside.tally().add(Figure::Own, 1);
            } else if is_wanted(record.detail()) {
                inside.push(record);
            }
        });
    }
    COMMON_TAKEN.store(false, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::super::drain::{Drain, Draining};
    use super::super::record::Detail;
    use super::super::{Streaming, switch_off, switch_on};
    use super::*;
    use crate::observe::Observer;
    use std::vec::Vec;

    fn poured() -> Vec<Record> {
        let drain = Drain::begin().expect("nobody else drains");
        let mut records = Vec::new();
        drain.pour(&mut |record| records.push(record));
        records
    }

    /// What happens below the caches, by threads that have none at hand.
    #[test]
    fn what_happens_below_is_told_of() {
        let evicted = Event::CacheEvicted {
            base: 4 << 20,
            cached: 1,
            why: "age",
        };
        Streaming::notice(evicted);
        switch_on();
        // What was before is not told of, nor what others look at.
        assert_eq!(poured(), []);
        Streaming::notice(Event::SuperSlabMapped { base: 2 << 20 });
        Streaming::notice(Event::LookedUp {
            address: 1,
            found: 0,
        });
        Streaming::notice(evicted);
        let thread = thread::id();
        let expected = [
            Record::SuperSlabMapped {
                thread,
                address: 2 << 20,
            },
            Record::CacheEvicted {
                thread,
                address: 4 << 20,
                why: "age",
            },
        ];
        assert_eq!(poured(), expected);

        // Who drains is not told of what it causes; who comes in between of another stays out.
        let drain = Drain::begin().expect("nobody else drains");
        assert_eq!(Drain::begin().err(), Some(Draining::Here));
        Streaming::notice(Event::Prewarmed {
            base: 2 << 20,
            class: None,
            left: 0,
        });
        assert_eq!(drain.count().get(Figure::Own), 1);
        COMMON_TAKEN.store(true, Ordering::Release);
        Streaming::notice(evicted);
        COMMON_TAKEN.store(false, Ordering::Release);
        assert_eq!(drain.losses(), [1, 0, 0]);
        assert_eq!(drain.losses(), [0, 0, 0]);
        drain.want(Detail::Info);
        drop(drain);
        Streaming::notice(Event::CachePurged {
            base: 2 << 20,
            why: "",
        });
        Streaming::notice(Event::SuperSlabFreed { base: 2 << 20 });
        let address = 2 << 20;
        assert_eq!(poured(), [Record::SuperSlabFreed { thread, address }]);
        switch_off();
        Streaming::notice(evicted);
        assert_eq!(poured(), []);
    }
}
