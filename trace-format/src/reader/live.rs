//! Which blocks were handed out and not given back: of each address the last record counts.
//!
//! Records are looked at in the order of the files, not of time, so that nothing has to be sorted. Each
//! address belongs to a *part* by its hash; a thread takes a part, looks through all records for the
//! addresses of it, and keeps the last record of each. The more addresses there are, the more parts: so
//! memory is bounded, and time grows.

use core::hash::{BuildHasherDefault, Hasher};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::HashMap;
use std::prelude::v1::*;
use std::thread;

use super::history::{portions, threads};
use super::record_file::{RecordFile, SlotState, state};
use crate::kind::Kind;
use crate::record::{ADDRESS_MAX, Flags, Record};

/// Addresses of a part that a thread keeps. A table of so many has some 250 MiB.
const ADDRESSES_MAX: usize = 3 << 20;
/// Slots behind which pages are let go of.
const FORGET: usize = 1 << 16;
/// The most parts.
const PARTS_MAX: usize = 1 << 12;

/// Which records count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Those up to this time, in ticks; None for all. The heap is then as it was at that time.
    pub until: Option<u64>,
}

/// A block that was handed out and not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveBlock {
    /// The record of when it was handed out.
    pub record: Record,
    /// The file of it, by its index.
    pub file: usize,
    /// Its slot in the file.
    pub slot: usize,
}

/// The last record of an address.
#[derive(Clone, Copy)]
struct Last {
    time: u64,
    file: u32,
    /// Its place in the order of the file's records.
    seq: u64,
    slot: u32,
    is_live: bool,
}

/// An address's hash: addresses differ in their middle bits.
#[derive(Clone, Copy, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u64(&mut self, address: u64) {
        self.0 = mix(address);
    }
}

fn mix(address: u64) -> u64 {
    let product = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product ^ product >> 32).wrapping_mul(0xd1b5_4a32_d192_ed03)
}

type Table = HashMap<u64, Last, BuildHasherDefault<AddressHasher>>;

/// When the files that lost records have all of them; None if none did.
pub(super) fn complete_since(files: &[RecordFile]) -> Option<u64> {
    let since = files
        .iter()
        .filter(|file| file.is_ring())
        .filter_map(|file| {
            let mut first: Option<(u64, u64)> = None;
            for slot in 0..file.slots() {
                let (state, record) = file.slot(slot);
                if state == SlotState::Whole && first.is_none_or(|(seq, _)| record.seq() < seq) {
                    first = Some((record.seq(), record.time()));
                }
            }
            first.filter(|(seq, _)| *seq > 1).map(|(_, time)| time)
        });
    since.max()
}

pub(super) fn search(files: &[RecordFile], choice: &Choice, each: &(dyn Fn(&LiveBlock) + Sync)) {
    let mut parts = threads();
    while !try_parts(files, choice, parts, each) && parts < PARTS_MAX {
        parts *= 4;
    }
}

/// Searches in so many parts; false, before anything was found, if one of them is too large.
fn try_parts(
    files: &[RecordFile],
    choice: &Choice,
    parts: usize,
    each: &(dyn Fn(&LiveBlock) + Sync),
) -> bool {
    let most = if parts < PARTS_MAX {
        ADDRESSES_MAX
    } else {
        usize::MAX
    };
    // Gives out parts, and orders nothing. The first part shows whether all will fit.
    let (next, too_large) = (AtomicUsize::new(1), AtomicBool::new(false));
    let Some(first) = last_of_part(files, choice, parts, 0, most, &too_large) else {
        return false;
    };
    report(files, &first, each);
    drop(first);
    let work = || loop {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= parts {
            break;
        }
        // One that is much larger than the first is kept whole all the same.
        if let Some(table) = last_of_part(
            files,
            choice,
            parts,
            part,
            most.saturating_mul(2),
            &too_large,
        ) {
            report(files, &table, each);
        } else if let Some(table) = last_of_part(
            files,
            choice,
            parts,
            part,
            usize::MAX,
            &AtomicBool::new(false),
        ) {
            report(files, &table, each);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads() {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    true
}

/// The last record of each address of a part; None if there are too many.
fn last_of_part(
    files: &[RecordFile],
    choice: &Choice,
    parts: usize,
    part: usize,
    most: usize,
    stop: &AtomicBool,
) -> Option<Table> {
    let mut table = Table::default();
    let until = choice.until.unwrap_or(u64::MAX);
    for portion in portions(files) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        portion.each(|slot, words| {
            let code = (words[2].load(Ordering::Relaxed) >> 48) as u8;
            let Some(is_live) = ends_or_begins(code) else {
                return;
            };
            let address = words[2].load(Ordering::Relaxed) & ADDRESS_MAX;
            if (mix(address) >> 40) as usize % parts != part {
                return;
            }
            let (state, record) = state(words);
            let counts = state == SlotState::Whole
                && record.time() <= until
                && !record.flags().has(Flags::FAILED);
            if counts {
                let last = Last {
                    time: record.time(),
                    file: portion.index as u32,
                    seq: record.seq(),
                    slot: slot as u32,
                    is_live,
                };
                let kept = table.entry(address).or_insert(last);
                if (kept.time, kept.file, kept.seq) <= (last.time, last.file, last.seq) {
                    *kept = last;
                }
            }
        });
        portion.forget();
        if table.len() > most {
            stop.store(true, Ordering::Relaxed);
            return None;
        }
    }
    Some(table)
}

/// Whether a record of this kind hands a block out or ends its life; None of others.
fn ends_or_begins(code: u8) -> Option<bool> {
    match Kind::from_code(code)? {
        Kind::Allocate | Kind::ResizeIn => Some(true),
        Kind::Free | Kind::RemoteFree | Kind::ResizeOut => Some(false),
        _ => None,
    }
}

fn report(files: &[RecordFile], table: &Table, each: &(dyn Fn(&LiveBlock) + Sync)) {
    let live = table.values().filter(|last| last.is_live);
    let mut places: Vec<(u32, u32)> = live.map(|last| (last.file, last.slot)).collect();
    // In the order of the files, so that their pages can be let go of behind.
    places.sort_unstable();
    let mut seen = (0, 0);
    for (file, slot) in places {
        let (number, slot) = (file as usize, slot as usize);
        let Some(file) = files.get(number) else {
            continue;
        };
        if number != seen.0 || slot - seen.1 > FORGET {
            if let Some(last) = files.get(seen.0) {
                last.forget(seen.1, 2 * FORGET);
            }
            seen = (number, slot);
        }
        if let (SlotState::Whole, record) = file.slot(slot) {
            each(&LiveBlock {
                record,
                file: number,
                slot,
            });
        }
    }
}
