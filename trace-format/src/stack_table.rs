//! The file `stacks`: each stack of calls once, named by a number of 32 bits.
//!
//! ```text
//! 0             StackHeader
//! index_offset  index: u32 × index_slots, a power of two; an id, or 0
//! log_offset    log: u64 × log_words
//! ```
//!
//! An id is the place of an entry in the log, in words; so a reader needs neither the index nor
//! the entries before it. An entry is one word, `hash & !0xff | count`, and `count` return
//! addresses, innermost first, 1 to 64. Word 0 of the log is never an entry's.
//!
//! Any thread adds to it, without locks:
//!
//! 1. A part of the log belongs to the thread that has moved `log_used` over it, until it is
//!    published.
//! 2. An entry's first word is stored last, with Release; until then it is 0.
//! 3. An id is in the index only if its entry is published. It is never changed or taken out.
//!
//! Two threads that add the same stack at a time may both write an entry. One of them gets into the
//! index, and both hand out its id; the other stays in the log and is named by nothing.

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::plain::{Plain, layout};
use crate::ring::word;
use crate::version::{MAGIC_STACKS, MAJOR, MINOR};

/// The most return addresses that are kept of a stack; the outermost are left out.
pub const MAX_FRAMES: usize = 64;
/// The id of no stack.
pub const STACK_NONE: u32 = 0;
/// The id of a stack for which the table had no room.
pub const STACK_FULL: u32 = u32::MAX;

/// How many places of the index are looked at before a stack is refused.
const PROBES: u64 = 128;
/// Bytes of the header; the index follows.
const HEADER_BYTES: usize = size_of::<StackHeader>();
/// The log begins on a page.
const PAGE: u64 = 4096;

layout! {
    /// The first page of `stacks`.
    pub struct StackHeader: 4096 {
        /// `hakmSTCK`.
        0 magic: [u8; 8],
        /// The format's major version.
        8 major: u16,
        /// The format's minor version.
        10 minor: u16,
        /// Bytes of this header.
        12 header_bytes: u32,
        /// The session that it belongs to.
        16 session: [u64; 2],
        /// Where the index begins, bytes from the start of the file.
        32 index_offset: u64,
        /// Places in the index, a power of two.
        40 index_slots: u64,
        /// Where the log begins, bytes from the start of the file, a multiple of 8.
        48 log_offset: u64,
        /// Words that the log can have.
        56 log_words: u64,
        /// Words of the log that are given out; may exceed `log_words`. For people.
        64 log_used: u64,
        /// Stacks in the table. For people.
        72 stacks: u64,
        /// Stacks refused because the table was full. For people.
        80 refused: u64,
        /// Zero.
        88 reserved: [u8; 4008],
    }
}

/// The mapped file `stacks`.
///
/// What it needs to find its way it keeps itself: the program can write to the mapping, and what
/// is read from there is checked against the file's size.
#[derive(Clone, Copy, Debug)]
pub struct StackTable {
    file: NonNull<u8>,
    index_slots: u64,
    log_offset: usize,
    log_words: u64,
}

// SAFETY: all access to the mapping is atomic, and it belongs to the process.
unsafe impl Send for StackTable {}
// SAFETY: as above.
unsafe impl Sync for StackTable {}

impl StackTable {
    /// Bytes of a file with so many places in the index, a power of two from 2 to 2^31, and so
    /// many words in the log, 128 to 2^32 - 1.
    pub const fn file_bytes(index_slots: u64, log_words: u64) -> u64 {
        Self::log_offset(index_slots) + 8 * log_words
    }

    const fn log_offset(index_slots: u64) -> u64 {
        (HEADER_BYTES as u64 + 4 * index_slots).next_multiple_of(PAGE)
    }

    /// Makes a table in a mapped file that reads as zero. None if the numbers are not in the
    /// ranges that [`StackTable::file_bytes`] names.
    ///
    /// # Safety
    ///
    /// [`StackTable::file_bytes`] of the numbers are mapped for writing at `file`, begin on a
    /// page, read as zero, are accessed by no one else yet, and stay mapped as long as the
    /// value or a copy of it is used.
    pub unsafe fn create(
        file: NonNull<u8>,
        session: [u64; 2],
        index_slots: u64,
        log_words: u64,
    ) -> Option<Self> {
        let in_range = index_slots.is_power_of_two()
            && (2..=1 << 31).contains(&index_slots)
            && (128..u32::MAX as u64 + 1).contains(&log_words);
        if !in_range {
            return None;
        }
        let log_offset = Self::log_offset(index_slots);
        let header = StackHeader {
            magic: MAGIC_STACKS,
            major: MAJOR,
            minor: MINOR,
            header_bytes: HEADER_BYTES as u32,
            session,
            index_offset: HEADER_BYTES as u64,
            index_slots,
            log_offset,
            log_words,
            log_used: 1,
            ..StackHeader::zeroed()
        };
        // SAFETY: the caller's clause.
        unsafe { header.write(file) };
        Some(Self {
            file,
            index_slots,
            log_offset: log_offset as usize,
            log_words,
        })
    }

    /// The id of a stack: return addresses, innermost first, of which the first [`MAX_FRAMES`]
    /// count. It is added if it is not there yet. [`STACK_NONE`] if there are none,
    /// [`STACK_FULL`] if there is no room.
    #[inline]
    pub fn insert(&self, frames: &[u64]) -> u32 {
        let frames = &frames[..frames.len().min(MAX_FRAMES)];
        if frames.is_empty() {
            return STACK_NONE;
        }
        let commit = commit_word(frames);
        let place = self.index(commit >> 8);
        // Acquire: pairs with the exchange in `insert_slow`, after which the entry is published.
        let id = place.load(Ordering::Acquire);
        if id != 0 && self.is(id, commit, frames) {
            return id;
        }
        self.insert_slow(commit, frames)
    }

    #[cold]
    fn insert_slow(&self, commit: u64, frames: &[u64]) -> u32 {
        let mut written = 0;
        for probe in 0..PROBES.min(self.index_slots) {
            let place = self.index((commit >> 8).wrapping_add(probe));
            let mut id = place.load(Ordering::Acquire);
            if id == 0 {
                if written == 0 {
                    written = self.append(commit, frames);
                    if written == 0 {
                        break;
                    }
                }
                // Release: pairs with the loads of the index; who finds the id finds the entry.
                // Acquire on failure: another thread's id is looked at next.
                match place.compare_exchange(0, written, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        self.count(offset_of!(StackHeader, stacks));
                        return written;
                    }
                    Err(other) => id = other,
                }
            }
            if self.is(id, commit, frames) {
                return id;
            }
        }
        self.count(offset_of!(StackHeader, refused));
        STACK_FULL
    }

    /// Writes an entry at the end of the log, and says where. 0 if there is no room.
    fn append(&self, commit: u64, frames: &[u64]) -> u32 {
        // SAFETY: the field lies in the header.
        let used = unsafe { word(self.file, offset_of!(StackHeader, log_used)) };
        let words = frames.len() as u64 + 1;
        // Looked at first, so that a table that stays full does not count on for ever. Relaxed:
        // it gives out numbers, and what stands at them belongs to who got them.
        let start = match used.load(Ordering::Relaxed) {
            full if full.saturating_add(words) > self.log_words => return 0,
            _ => used.fetch_add(words, Ordering::Relaxed),
        };
        // Word 0 is no entry's, also if the program has overwritten the count.
        if start == 0 || start.saturating_add(words) > self.log_words {
            return 0;
        }
        for (place, frame) in (start + 1..).zip(frames) {
            self.log(place).store(*frame, Ordering::Relaxed);
        }
        // Release: who sees the word, in this process or in the file after it was killed, sees
        // the frames.
        self.log(start).store(commit, Ordering::Release);
        start as u32
    }

    /// Copies the frames of the stack with this id, innermost first, as many as fit; says how
    /// many. 0 if there is no such stack.
    pub fn frames(&self, id: u32, into: &mut [u64]) -> usize {
        let start = id as u64;
        if id == STACK_NONE || start >= self.log_words {
            return 0;
        }
        // Acquire: pairs with the store of the entry's first word.
        let count = self.log(start).load(Ordering::Acquire) & 0xff;
        if count as usize > MAX_FRAMES || start + count >= self.log_words {
            return 0;
        }
        for (frame, place) in into.iter_mut().zip(start + 1..start + 1 + count) {
            *frame = self.log(place).load(Ordering::Relaxed);
        }
        into.len().min(count as usize)
    }

    /// Whether the entry with this id has these frames.
    #[inline]
    fn is(&self, id: u32, commit: u64, frames: &[u64]) -> bool {
        let start = id as u64;
        start + (frames.len() as u64) < self.log_words
            && self.log(start).load(Ordering::Acquire) == commit
            && (start + 1..)
                .zip(frames)
                .all(|(place, frame)| self.log(place).load(Ordering::Relaxed) == *frame)
    }

    #[inline]
    fn index(&self, hash: u64) -> &AtomicU32 {
        let slot = (hash & (self.index_slots - 1)) as usize;
        // SAFETY: the masked number is below `index_slots`, so the place lies in the mapping;
        // it is aligned, as the header's size is a multiple of 4.
        unsafe { AtomicU32::from_ptr(self.file.add(HEADER_BYTES + 4 * slot).cast().as_ptr()) }
    }

    #[inline]
    fn log(&self, place: u64) -> &AtomicU64 {
        assert!(place < self.log_words);
        // SAFETY: the place was just compared with the number of words, all of which are
        // mapped; the log is aligned to a page.
        unsafe { word(self.file, self.log_offset + 8 * place as usize) }
    }

    fn count(&self, field: usize) {
        // SAFETY: the field lies in the header.
        unsafe { word(self.file, field) }.fetch_add(1, Ordering::Relaxed);
    }
}

/// The first word of an entry: 56 bits of the hash, and the count.
#[inline]
pub(crate) fn commit_word(frames: &[u64]) -> u64 {
    hash_of_frames(frames) & !0xff | frames.len() as u64
}

const _: () = assert!(MAX_FRAMES <= 0xff);

/// The hash of a stack, as it stands in the table.
///
/// Frames at even places go through one half, those at odd places through the other, so that two
/// multiplications are under way at a time.
#[inline]
pub fn hash_of_frames(frames: &[u64]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    const FINAL: u64 = 0xbf58_476d_1ce4_e5b9;
    let step = |half: u64, frame: u64| (half.rotate_left(27) ^ frame).wrapping_mul(K);
    let (mut even, mut odd) = (frames.len() as u64, K);
    let mut pairs = frames.chunks_exact(2);
    for pair in &mut pairs {
        even = step(even, pair[0]);
        odd = step(odd, pair[1]);
    }
    for last in pairs.remainder() {
        even = step(even, *last);
    }
    let mixed = even ^ odd.rotate_left(32);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(FINAL);
    mixed ^ mixed >> 32
}
