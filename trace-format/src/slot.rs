//! The place of a record in a mapped file.
//!
//! One thread writes to it at a time: the one that owns the file, or was given the record's number.
//! Whoever maps the file reads it, at any time, also when the process was killed in the middle of a
//! write.
//!
//! 1. While the words of a record are being replaced, `seq` is 0 or the other words are those of
//!    the record that `seq` names.
//! 2. A reader relies on the check alone: what it copies word by word may be of two records.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::record::{RECORD_BYTES, Record};

/// The place of a record, in a mapped file.
///
/// Word 0 is stored with Release, after the others; a reader that loads it with Acquire and finds
/// a number sees at least that record's other words. The fence after the 0 pairs with a reader's
/// fence before it looks at word 0 again; a process that is killed needs neither, as what it
/// stored is seen in the order of its instructions.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Slot {
    words: [AtomicU64; 8],
}

const _: () = assert!(size_of::<Slot>() == RECORD_BYTES && align_of::<Slot>() == RECORD_BYTES);

impl Slot {
    /// Seals the record with `seq`, not 0, and writes it here. For the owner of the file alone.
    #[inline(always)]
    pub fn put(&self, record: Record, seq: u64) {
        let record = record.seal(seq);
        let [first, rest @ ..] = &self.words;
        first.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in rest.iter().zip(&record.words()[1..]) {
            word.store(*value, Ordering::Relaxed);
        }
        first.store(seq, Ordering::Release);
    }

    /// What stands here now: whole, torn or empty.
    pub fn get(&self) -> Record {
        let first = self.words[0].load(Ordering::Acquire);
        let mut words = [0; 8];
        for (value, word) in words.iter_mut().zip(&self.words) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        words[0] = match self.words[0].load(Ordering::Relaxed) {
            last if last == first => first,
            _ => 0,
        };
        Record::from_words(words)
    }
}
