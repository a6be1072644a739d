//! What happened to an address: every record is looked at, by as many threads as there are
//! processors.
//!
//! A first test on two words of a slot lets through what begins at most the block's size and some
//! slack below the address. What it lets through is copied, its check is computed, and the exact
//! test decides.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::collections::BTreeSet;
use std::prelude::v1::*;
use std::thread;
use std::vec;

use super::events::{Event, continues};
use super::record_file::{RecordFile, SlotState, state};
use crate::kind::Kind;
use crate::record::{ADDRESS_MAX, CLASS_LARGE, CLASS_NONE, Flags, Record, SIZE_MAX};
use crate::session::SessionHeader;

/// Slots that a thread takes at a time.
const PORTION: usize = 1 << 16;
/// The most threads.
const THREADS: usize = 16;
/// What a page has if the session does not say.
const PAGE: u64 = 4096;

/// What happened to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The address.
    pub address: u64,
    /// What happened to it and to the blocks that it was in, in the order of time.
    pub events: Vec<Event>,
    /// Slots that were looked at.
    pub slots: u64,
    /// Slots that seemed to be about the address, but are not whole.
    pub torn: u64,
}

/// The blocks that came nearest to an address that none covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// The one that begins highest below the address, or at it.
    pub below: Option<Event>,
    /// The one that begins lowest above the address.
    pub above: Option<Event>,
}

/// How far blocks reach.
struct Extents {
    by_class: [u64; 256],
    page: u64,
    /// A block offers at most so much more than was asked for; one less than a power of two.
    slack: u64,
}

impl Extents {
    fn of(header: &SessionHeader) -> Self {
        let mut by_class = [0; 256];
        for (extent, bytes) in by_class.iter_mut().zip(header.class_bytes) {
            *extent = bytes as u64;
        }
        let page = match header.page_bytes as u64 {
            page if page.is_power_of_two() => page.min(1 << 30),
            _ => PAGE,
        };
        let most = by_class
            .iter()
            .fold(page.max(1 << 16), |most, e| most.max(*e));
        Self {
            by_class,
            page,
            slack: most.next_power_of_two() - 1,
        }
    }

    /// Bytes from a record's address on that it is about; at least 1.
    fn of_record(&self, record: &Record) -> u64 {
        let size = record.size();
        let offered = match record.class() {
            CLASS_LARGE => size.next_multiple_of(self.page),
            class => self.by_class[class as usize],
        };
        size.max(offered).max(1)
    }

    /// Whether a record is about an address or about what it lies in.
    fn cover(&self, record: &Record, address: u64) -> bool {
        let Some(offset) = address.checked_sub(record.address()) else {
            return false;
        };
        match record.kind() {
            Some(_) if record.flags().has(Flags::FAILED) => false,
            Some(kind) if kind.has_block() => offset < self.of_record(record),
            Some(kind) if kind.has_range() => offset < record.size().max(1),
            Some(kind) => kind == Kind::Mark && offset == 0,
            // Of kinds of a later version the meaning of the size is not known.
            None => offset == 0,
        }
    }
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    /// Whole records about the address.
    events: Vec<Event>,
    /// Whole records of blocks nearby that do not say how large they are.
    unsized_blocks: Vec<Event>,
    torn: u64,
}

impl History {
    pub(super) fn search(files: &[RecordFile], header: &SessionHeader, address: u64) -> Self {
        let mut history = Self {
            address,
            events: vec![],
            slots: files.iter().map(|file| file.slots() as u64).sum(),
            torn: 0,
        };
        if address > ADDRESS_MAX {
            return history;
        }
        let extents = Extents::of(header);
        let parts = scan(files, |portion, found: &mut Found| {
            portion.each(|slot, words| {
                let begins = words[2].load(Ordering::Relaxed) & ADDRESS_MAX;
                let reach = words[3].load(Ordering::Relaxed) & SIZE_MAX | extents.slack;
                if address.wrapping_sub(begins) <= reach {
                    consider(&extents, address, portion, slot, words, found);
                }
            });
        });
        let mut unsized_blocks = vec![];
        for part in parts {
            history.events.extend(part.events);
            unsized_blocks.extend(part.unsized_blocks);
            history.torn += part.torn;
        }
        let blocks = history.events.iter().map(|event| &event.record);
        let blocks = blocks.filter(|record| record.kind().is_some_and(Kind::has_block));
        let begins: BTreeSet<u64> = blocks.map(Record::address).collect();
        unsized_blocks.retain(|event| begins.contains(&event.record.address()));
        history.events.extend(unsized_blocks);
        // Of one time, the order of a file is kept.
        history
            .events
            .sort_by_key(|event| (event.record.time(), event.file, event.record.seq()));
        history
    }
}

/// Looks closely at a slot that passed the first test.
#[cold]
fn consider(
    extents: &Extents,
    address: u64,
    portion: &Portion<'_>,
    slot: usize,
    words: &[AtomicU64],
    found: &mut Found,
) {
    let (state, record) = state(words);
    let covers = extents.cover(&record, address);
    if state != SlotState::Whole {
        found.torn += (covers && state != SlotState::Empty) as u64;
        return;
    }
    if covers {
        found.events.push(portion.event(slot, record));
    } else if record.kind().is_some_and(Kind::has_block)
        && record.size() == 0
        && record.class() == CLASS_NONE
    {
        found.unsized_blocks.push(portion.event(slot, record));
    }
}

impl Nearest {
    pub(super) fn search(files: &[RecordFile], address: u64) -> Self {
        let parts = scan(files, |portion, nearest: &mut Self| {
            let distance = |event: &Option<Event>| {
                let begins = event.as_ref().map(|event| event.record.address());
                begins.map_or(u64::MAX, |begins| begins.abs_diff(address))
            };
            let mut below = distance(&nearest.below);
            let mut above = distance(&nearest.above);
            portion.each(|slot, words| {
                let begins = words[2].load(Ordering::Relaxed) & ADDRESS_MAX;
                let away = begins.abs_diff(address);
                if away < if begins <= address { below } else { above } {
                    let (state, record) = state(words);
                    let block = record.kind().is_some_and(Kind::has_block)
                        && !record.flags().has(Flags::FAILED)
                        && record.address() != 0;
                    if block && state == SlotState::Whole {
                        let event = Some(portion.event(slot, record));
                        if begins <= address {
                            (nearest.below, below) = (event, away);
                        } else {
                            (nearest.above, above) = (event, away);
                        }
                    }
                }
            });
        });
        let mut nearest = Self::default();
        let key = |event: &Event| {
            (
                event.record.address().abs_diff(address),
                event.record.time(),
            )
        };
        for part in parts {
            let below = [nearest.below, part.below].into_iter().flatten();
            nearest.below = below.min_by_key(key);
            let above = [nearest.above, part.above].into_iter().flatten();
            nearest.above = above.min_by_key(key);
        }
        nearest
    }
}

/// Some slots of a file.
pub(super) struct Portion<'t> {
    pub(super) file: &'t RecordFile,
    pub(super) index: usize,
    first: usize,
    slots: usize,
}

impl Portion<'_> {
    /// Calls `look` for the slots, with their index, in order.
    #[inline(always)]
    pub(super) fn each(&self, mut look: impl FnMut(usize, &[AtomicU64])) {
        let words = self.file.words(self.first, self.slots);
        // The usual size, known to the compiler; then any.
        if self.file.stride() == 64 {
            for (index, slot) in words.as_chunks::<8>().0.iter().enumerate() {
                look(self.first + index, slot);
            }
        } else {
            for (index, slot) in words.chunks_exact(self.file.stride() / 8).enumerate() {
                look(self.first + index, slot);
            }
        }
    }

    /// Lets go of its pages.
    pub(super) fn forget(&self) {
        self.file.forget(self.first, self.slots);
    }

    /// The event of a record in a slot, with what continues it. In a ring the slot behind the last
    /// is the first.
    fn event(&self, slot: usize, record: Record) -> Event {
        let mut payload = vec![];
        let slots = self.file.slots();
        for more in 1..=128.min(slots) {
            let (state, next) = self.file.slot((slot + more) % slots);
            if state != SlotState::Whole || !continues(&record, &next) {
                break;
            }
            let (bytes, length) = next.payload();
            payload.extend_from_slice(&bytes[..length]);
        }
        Event {
            file: self.index,
            slot,
            record,
            payload,
        }
    }
}

/// How many threads look at records.
pub(super) fn threads() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(THREADS)
}

/// All files, piece by piece.
pub(super) fn portions(files: &[RecordFile]) -> impl Iterator<Item = Portion<'_>> {
    files.iter().enumerate().flat_map(|(index, file)| {
        let firsts = (0..file.slots()).step_by(PORTION);
        firsts.map(move |first| Portion {
            file,
            index,
            first,
            slots: PORTION.min(file.slots() - first),
        })
    })
}

/// Has threads look at portions of all files, and gives back what each of them has found.
fn scan<F: Default + Send>(
    files: &[RecordFile],
    look: impl Fn(&Portion<'_>, &mut F) + Sync,
) -> Vec<F> {
    let portions: Vec<_> = portions(files).collect();
    let threads = threads().min(portions.len());
    // Gives out portions, and orders nothing.
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = F::default();
        while let Some(portion) = portions.get(next.fetch_add(1, Ordering::Relaxed)) {
            look(portion, &mut found);
            portion.forget();
        }
        found
    };
    thread::scope(|scope| {
        let more: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut all = vec![work()];
        // One that panicked would have found a mistake here: let it be seen.
        for thread in more {
            match thread.join() {
                Ok(found) => all.push(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}
