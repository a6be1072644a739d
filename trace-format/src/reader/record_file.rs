//! A file of records: a ring, a ring of rare events, or a segment.

use core::sync::atomic::{AtomicU64, Ordering};
use std::format;
use std::prelude::v1::*;

use super::error::Note;
use super::mapping::Mapping;
use super::{misfit, note_newer};
use crate::file_name::FileName;
use crate::record::{RECORD_BYTES, Record};
use crate::ring::{RING_HEADER_BYTES, RingHeader};
use crate::version::MAGIC_RING;

/// The largest slot that a later minor version might have.
const SLOT_MAX: usize = 4096;

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Nothing was ever written to it.
    Empty,
    /// One record, whole.
    Whole,
    /// A record that was being written: it has no number yet.
    Unfinished,
    /// Its check does not fit: it is of two records, or damaged.
    Torn,
}

/// What is in the slots of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// All slots that are in the file in full.
    pub slots: u64,
    /// Slots that nothing was ever written to.
    pub empty: u64,
    /// Whole records.
    pub whole: u64,
    /// Records that were being written.
    pub unfinished: u64,
    /// Slots whose check does not fit.
    pub torn: u64,
    /// The lowest number of a whole record; 0 if there is none.
    pub first_seq: u64,
    /// The highest.
    pub last_seq: u64,
    /// The earliest time of a whole record, in ticks.
    pub first_time: u64,
    /// The latest.
    pub last_time: u64,
}

impl Survey {
    /// Numbers between the first and the last of which there is no whole record.
    pub fn missing(&self) -> u64 {
        if self.whole == 0 {
            return 0;
        }
        let span = (self.last_seq - self.first_seq).saturating_add(1);
        span.saturating_sub(self.whole)
    }

    /// Records that were overwritten by later ones, or are in files that are not there.
    pub fn overwritten(&self) -> u64 {
        self.first_seq.saturating_sub(1)
    }
}

/// A file of records.
#[derive(Debug)]
pub struct RecordFile {
    name: FileName,
    header: Box<RingHeader>,
    mapping: Mapping,
    start: usize,
    stride: usize,
    slots: usize,
}

impl RecordFile {
    pub(super) fn new(
        name: FileName,
        mapping: Mapping,
        own: [u64; 2],
        notes: &mut Vec<Note>,
    ) -> Option<Self> {
        let mut note = |text: String| notes.push(Note::new(name, text));
        if mapping.bytes() < RING_HEADER_BYTES {
            let bytes = mapping.bytes();
            note(format!("it has {bytes} bytes, less than its header"));
            return None;
        }
        let header: RingHeader = mapping.read(0);
        let session = Some((header.session, own));
        if let Some(why) = misfit((header.magic, MAGIC_RING), header.major, session) {
            note(why);
            return None;
        }
        let mut sizes = (header.header_bytes as usize, header.record_bytes as usize);
        let plausible = sizes.0 >= RING_HEADER_BYTES
            && sizes.0 <= mapping.bytes()
            && sizes.0.is_multiple_of(RECORD_BYTES)
            && (RECORD_BYTES..=SLOT_MAX).contains(&sizes.1)
            && sizes.1.is_multiple_of(8);
        if !plausible {
            let usual = (RING_HEADER_BYTES, RECORD_BYTES);
            note(format!(
                "its header says that the header has {} bytes and a slot {}; {} and {} are assumed",
                sizes.0, sizes.1, usual.0, usual.1
            ));
            sizes = usual;
        }
        let (start, stride) = sizes;
        let behind = mapping.bytes() - start;
        let slots = behind / stride;
        let ring = !matches!(name, FileName::Full(..));
        if ring && header.capacity != slots as u64 {
            let said = header.capacity;
            note(format!("its header says {said} slots, and it has {slots}"));
        } else if !behind.is_multiple_of(stride) {
            let rest = behind % stride;
            note(format!(
                "{rest} bytes at its end are part of a slot and left out"
            ));
        }
        note_newer(name, header.minor, notes);
        Some(Self {
            name,
            header: Box::new(header),
            mapping,
            start,
            stride,
            slots,
        })
    }

    /// Its name.
    pub fn name(&self) -> FileName {
        self.name
    }

    /// What its header says. Some of it is for people, see there.
    pub fn header(&self) -> &RingHeader {
        &self.header
    }

    /// Slots that are in the file in full.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whether its records go round.
    pub fn is_ring(&self) -> bool {
        !matches!(self.name, FileName::Full(..))
    }

    /// Bytes of a slot.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The words of the slots from `first` on, as many as there are of `count`.
    pub(super) fn words(&self, first: usize, count: usize) -> &[AtomicU64] {
        let first = first.min(self.slots);
        let count = count.min(self.slots - first);
        let offset = self.start + first * self.stride;
        self.mapping.words(offset, count * (self.stride / 8))
    }

    /// Lets go of the pages of slots that were looked at.
    pub(super) fn forget(&self, first: usize, count: usize) {
        let first = first.min(self.slots);
        let count = count.min(self.slots - first);
        let offset = self.start + first * self.stride;
        self.mapping.forget(offset, count * self.stride);
    }

    /// What stands in a slot, and in which state. An empty one if there is no such slot.
    pub fn slot(&self, index: usize) -> (SlotState, Record) {
        state(self.words(index, 1))
    }

    /// Looks at every slot.
    pub fn survey(&self) -> Survey {
        let mut survey = Survey {
            slots: self.slots as u64,
            ..Survey::default()
        };
        for words in self.words(0, self.slots).chunks_exact(self.stride / 8) {
            let (state, record) = state(words);
            match state {
                SlotState::Empty => survey.empty += 1,
                SlotState::Unfinished => survey.unfinished += 1,
                SlotState::Torn => survey.torn += 1,
                SlotState::Whole => {
                    let (seq, time) = (record.seq(), record.time());
                    if survey.whole == 0 {
                        (survey.first_seq, survey.first_time) = (seq, time);
                    }
                    survey.whole += 1;
                    survey.first_seq = survey.first_seq.min(seq);
                    survey.last_seq = survey.last_seq.max(seq);
                    survey.first_time = survey.first_time.min(time);
                    survey.last_time = survey.last_time.max(time);
                }
            }
        }
        survey
    }

    /// The slots of whole records in the order in which they were written. Of a ring all are
    /// looked at; of a segment they stand in order.
    pub(super) fn order(&self) -> Option<Vec<usize>> {
        if !self.is_ring() {
            return None;
        }
        let slots = self.words(0, self.slots).chunks_exact(self.stride / 8);
        let whole = slots.enumerate().filter_map(|(index, words)| {
            let (state, record) = state(words);
            (state == SlotState::Whole).then_some((record.seq(), index))
        });
        let mut order: Vec<(u64, usize)> = whole.collect();
        order.sort_unstable();
        Some(order.into_iter().map(|(_, index)| index).collect())
    }
}

/// The record in the words of a slot, and its state.
#[inline]
pub(super) fn state(slot: &[AtomicU64]) -> (SlotState, Record) {
    let mut words = [0; 8];
    for (value, word) in words.iter_mut().zip(slot) {
        *value = word.load(Ordering::Relaxed);
    }
    let record = Record::from_words(words);
    let state = if record.is_whole() {
        SlotState::Whole
    } else if record.is_empty() {
        SlotState::Empty
    } else if record.seq() == 0 {
        SlotState::Unfinished
    } else {
        SlotState::Torn
    };
    (state, record)
}
