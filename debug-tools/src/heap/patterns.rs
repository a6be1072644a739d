//! The pattern that a checked build puts where the program has no business: around blocks, and in those
//! that it does not have.

use super::records::{Doing, Record, Records};
use super::word::WORD;
use super::{Heap, Slab};

/// Bytes that are not the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// What stands in the first one.
    pub byte: u8,
}

impl Damage {
    /// Of these bytes, which stand at an address.
    pub fn of(pattern: u8, address: u64, bytes: &[u8]) -> Option<Self> {
        let first = bytes.iter().position(|byte| *byte != pattern)?;
        let last = bytes.iter().rposition(|byte| *byte != pattern)?;
        Some(Self {
            first: address.wrapping_add(first as u64),
            last: address.wrapping_add(last as u64),
            byte: bytes[first],
        })
    }
}

/// What of the pattern has to stand around or in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Which part of the block or its neighbourhood.
    pub part: &'static str,
    /// Its first byte.
    pub start: u64,
    /// Its bytes.
    pub len: u64,
}

impl Guard {
    fn of(part: &'static str, start: u64, end: u64) -> Self {
        let len = end.saturating_sub(start);
        Self { part, start, len }
    }
}

impl Heap<'_> {
    /// What has to be the pattern, of a block in a slab with this record.
    pub fn guards(&self, slab: &Slab, index: usize, record: &Record) -> Vec<Guard> {
        let Some(records) = &self.records else {
            return vec![];
        };
        let (start, bytes) = (slab.block(index), slab.bytes);
        let end = start.saturating_add(bytes);
        let behind_link = start.saturating_add(records.link);
        let filling = |start, end| Guard::of("filling", start, end);
        match record.doing {
            // In front is a word, as at the end.
            Doing::Live if records.words.is_some() && !slab.is_large() => {
                let asked_end = start.saturating_add(record.size.min(bytes));
                vec![Guard::of("behind", asked_end, end.saturating_sub(WORD))]
            }
            Doing::Live => self.around(records, slab, start, record.size).to_vec(),
            _ if slab.is_large() => vec![],
            Doing::Quarantined => vec![filling(start, end)],
            Doing::Filled => vec![filling(behind_link, end)],
            Doing::Untouched => match records.untouched {
                (at_start, at_end) if bytes <= at_start.saturating_add(at_end) => {
                    vec![filling(behind_link, end), filling(end, end)]
                }
                (at_start, at_end) => vec![
                    filling(behind_link, start + at_start),
                    filling(end - at_end, end),
                ],
            },
            _ => vec![],
        }
    }

    /// In front of a live block of `size` bytes, and behind it.
    fn around(&self, records: &Records, slab: &Slab, start: u64, size: u64) -> [Guard; 2] {
        let asked_end = start.saturating_add(size.min(slab.bytes));
        let place_end = start.saturating_add(slab.bytes);
        let (front, end) = match slab.is_large() {
            // To the end of a page: the rest may never have been touched.
            true => {
                let tail_end = asked_end.saturating_add(records.tail);
                let page_end = tail_end.checked_next_multiple_of(self.layout.page);
                (0, page_end.unwrap_or(asked_end).min(place_end))
            }
            false => (records.front_bytes(slab.bytes).min(start), place_end),
        };
        [
            Guard::of("in front", start - front, start),
            Guard::of("behind", asked_end, end),
        ]
    }

    /// What of a guard is not the pattern; None if all of it is, or it is not in the image.
    pub fn damage(&self, guard: &Guard) -> Option<Damage> {
        let pattern = self.records.as_ref()?.pattern;
        let mut damage: Option<Damage> = None;
        let end = guard.start.saturating_add(guard.len);
        // What the file does not have reads as zero: it was never written.
        let bytes = self
            .memory()
            .bytes(guard.start, usize::try_from(guard.len).ok()?.min(1 << 20));
        if let Some(bytes) = bytes {
            damage = Damage::of(pattern, guard.start, &bytes);
        }
        damage.filter(|damage| damage.last < end)
    }
}
