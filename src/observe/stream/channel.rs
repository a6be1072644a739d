//! The stream of one cache: events on their way to who drains, and the counts beside them.
//!
//! ```text
//!  hooks of the cache's owner ──► ┌──────────────────────────┐ ──► who drains
//!                      producer   │ ring of RECORDS events   │   consumer
//!                                 ├──────────────────────────┤
//!                                 │ tally                    │
//!                                 └──────────────────────────┘
//! ```
//!
//! A channel lies in a mapping of its own, which is touched as the ring fills.
//!
//! 1. One hook at a time is inside, of the cache's owner; a hook that interrupts it stays out.
//! 2. One drain at a time reads.
//! 3. Nothing is ever unmapped.

use super::record::Record;
use super::tally::{Figure, Sums, Tally};
use crate::observe::own_memory;
use crate::sys::memory::PAGE;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering, compiler_fence};
use ringbuf::storage::Storage;
use ringbuf::traits::{Consumer, Observer, Producer, SplitRef};
use ringbuf::{CachingCons, CachingProd, SharedRb};

/// Events that a channel holds.
pub(crate) const RECORDS: usize = 8192;

type Records = [MaybeUninit<Record>; RECORDS];
type Ring = SharedRb<Mapped>;

/// See the head of this file.
pub(crate) struct Channel {
    /// Set while a hook is inside, by it; read by hooks that interrupt it, on the same thread.
    /// Relaxed, between compiler fences.
    entered: AtomicBool,
    tally: Tally,
    producer: UnsafeCell<CachingProd<&'static Ring>>,
    consumer: UnsafeCell<CachingCons<&'static Ring>>,
    ring: Ring,
    records: UnsafeCell<Records>,
}

// SAFETY: the producer is used by the hook inside alone, and the consumer and what the tally
// keeps for it by one drain at a time (invariants 1 and 2).
unsafe impl Sync for Channel {}

/// The records of a channel, as `ringbuf` is to see them: of a length that the compiler knows.
struct Mapped(*mut MaybeUninit<Record>);

// SAFETY: the ring reaches the records in the turns that it gives to its two ends.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

// SAFETY: the records lie outside of this, in one array; there are always as many.
unsafe impl Storage for Mapped {
    type Item = Record;

    #[inline(always)]
    fn len(&self) -> usize {
        RECORDS
    }

    #[inline(always)]
    fn as_mut_ptr(&self) -> *mut MaybeUninit<Record> {
        self.0
    }
}

impl Channel {
    /// A new one; `None` without memory.
    pub(crate) fn make() -> Option<&'static Channel> {
        let bytes = size_of::<Channel>().next_multiple_of(PAGE);
        const { assert!(align_of::<Channel>() <= PAGE) };
        let channel = own_memory::map(bytes)? as *mut Channel;
        // SAFETY: writable memory of that size and alignment that is nobody else's. Zero bytes
        // are a tally, a flag that is not set, and records that were not written.
        unsafe { Self::begin(channel) };
        // SAFETY: initialised above, and never unmapped.
        Some(unsafe { &*channel })
    }

    /// Writes an empty ring and its ends.
    ///
    /// # Safety
    /// `channel` is writable memory of a channel, never unmapped, and nobody uses its ring.
    unsafe fn begin(channel: *mut Channel) {
        // SAFETY: the caller's clause; nobody but the ends has a reference to the ring.
        unsafe {
            let records = (&raw mut (*channel).records).cast();
            let ring = &raw mut (*channel).ring;
            ring.write(SharedRb::from_raw_parts(Mapped(records), 0, 0));
            let (producer, consumer) = (&mut *ring).split_ref();
            (&raw mut (*channel).producer).write(UnsafeCell::new(producer));
            (&raw mut (*channel).consumer).write(UnsafeCell::new(consumer));
        }
    }

    /// Runs `hook` inside; says whether it did, or has interrupted one that is there.
    ///
    /// # Safety
    /// The caller is the owner of the channel's cache, or whoever else has the channel alone.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, hook: impl FnOnce(&mut Inside<'_>)) -> bool {
        if self.entered.load(Ordering::Relaxed) {
            return false;
        }
        self.entered.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        hook(&mut Inside(self));
        compiler_fence(Ordering::SeqCst);
        self.entered.store(false, Ordering::Relaxed);
        true
    }

    /// Hands the events that are here now to `sink`, the oldest first.
    ///
    /// # Safety
    /// No other thread drains.
    pub(crate) unsafe fn pour(&self, sink: &mut dyn FnMut(Record)) {
        // SAFETY: the caller's clause; `sink` may do anything, and so no reference is kept while
        // it runs.
        let waiting = unsafe { &*self.consumer.get() }.occupied_len();
        for _ in 0..waiting {
            // SAFETY: as above.
            let Some(record) = unsafe { &mut *self.consumer.get() }.try_pop() else {
                break;
            };
            sink(record);
        }
    }

    /// Adds what was counted since the last time to `sums`.
    ///
    /// # Safety
    /// As for [`Channel::pour`].
    pub(crate) unsafe fn count(&self, sums: &mut Sums) {
        self.tally.take(sums);
    }

    /// Forgets what is here.
    ///
    /// # Safety
    /// As for [`Channel::pour`].
    pub(crate) unsafe fn clear(&self) {
        // SAFETY: the caller's clause.
        unsafe {
            self.pour(&mut |_| ());
            self.count(&mut Sums::new());
        }
    }
}

/// Begins anew, whatever a thread that does not exist was about to do inside.
///
/// # Safety
/// There is no other thread, and `channel` is none of whose hooks this thread has interrupted.
pub(crate) unsafe fn renew(channel: *mut Channel) {
    // SAFETY: the caller's clause; a drain that this thread has interrupted keeps no reference to
    // the ring or its ends.
    unsafe {
        (*channel).entered.store(false, Ordering::Relaxed);
        (*channel).tally.take(&mut Sums::new());
        Channel::begin(channel);
    }
}

/// The inside of a channel, for a hook.
pub(crate) struct Inside<'a>(&'a Channel);

impl Inside<'_> {
    #[inline(always)]
    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Adds an event, or counts that there was no room.
    #[inline(always)]
    pub(crate) fn push(&mut self, record: Record) {
        // SAFETY: this is the one hook inside.
        let producer = unsafe { &mut *self.0.producer.get() };
        if producer.try_push(record).is_err() {
            self.0.tally.add(Figure::Full, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn record(number: usize) -> Record {
        Record::RemoteFreed {
            thread: 1,
            address: number,
        }
    }

    fn push(channel: &Channel, number: usize) {
        // SAFETY: each test pushes from one thread.
        let entered = unsafe { channel.enter(|inside| inside.push(record(number))) };
        assert!(entered);
    }

    fn drain(channel: &Channel, sums: &mut Sums) -> Vec<usize> {
        let mut numbers = Vec::new();
        // SAFETY: each test drains from one thread.
        unsafe {
            channel.pour(&mut |record| match record {
                Record::RemoteFreed { address, .. } => numbers.push(address),
                other => panic!("{other:?}"),
            });
            channel.count(sums);
        }
        numbers
    }

    /// Numbers without a pattern, from a fixed seed.
    fn numbers(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    /// Any sequence of pushes and drains: what comes out are the numbers pushed, in order,
    /// without those for which there was no room, and those are counted.
    #[test]
    fn order_is_kept_and_losses_are_counted() {
        for seed in 1..=40 {
            let mut random = numbers(seed);
            let channel = Channel::make().expect("memory");
            let mut sums = Sums::new();
            let (mut waiting, mut next, mut lost) = (Vec::new(), 0, 0);
            for _ in 0..30 {
                // As often over the ring's capacity as below.
                for _ in 0..random() % (RECORDS as u64 * 2) {
                    push(channel, next);
                    if waiting.len() < RECORDS {
                        waiting.push(next);
                    } else {
                        lost += 1;
                    }
                    next += 1;
                }
                if !random().is_multiple_of(3) {
                    assert_eq!(drain(channel, &mut sums), waiting);
                    waiting.clear();
                    assert_eq!(sums.get(Figure::Full), lost);
                }
            }
        }
    }

    #[test]
    fn what_is_not_lost_arrives_from_another_thread() {
        const PUSHED: usize = 2_000_000;
        let channel = Channel::make().expect("memory");
        let mut sums = Sums::new();
        let mut arrived = Vec::new();
        std::thread::scope(|scope| {
            let pusher = scope.spawn(|| (0..PUSHED).for_each(|number| push(channel, number)));
            while !pusher.is_finished() {
                arrived.extend(drain(channel, &mut sums));
            }
        });
        arrived.extend(drain(channel, &mut sums));
        assert!(arrived.is_sorted_by(|a, b| a < b));
        assert_eq!(arrived.len() + sums.get(Figure::Full) as usize, PUSHED);
    }

    #[test]
    fn a_hook_that_interrupts_another_stays_out() {
        let channel = Channel::make().expect("memory");
        // SAFETY: one thread.
        let entered = unsafe {
            channel.enter(|inside| {
                let again = channel.enter(|_| panic!("it is inside"));
                assert!(!again);
                inside.push(record(7));
            })
        };
        assert!(entered);
        push(channel, 8);
        assert_eq!(drain(channel, &mut Sums::new()), [7, 8]);
    }

    #[test]
    fn what_is_cleared_does_not_come() {
        let channel = Channel::make().expect("memory");
        push(channel, 1);
        // SAFETY: one thread.
        unsafe {
            channel.enter(|inside| inside.tally().add(Figure::Own, 5));
            channel.clear();
        }
        push(channel, 2);
        let mut sums = Sums::new();
        assert_eq!(drain(channel, &mut sums), [2]);
        assert_eq!(sums.get(Figure::Own), 0);
    }
}
