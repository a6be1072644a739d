//! The files of records: rings that go round, and segments that grow.
//!
//! ```text
//! 0                 RingHeader
//! header_bytes      slot 0, slot 1, … slot capacity - 1, 64 bytes each
//! ```
//!
//! A ring's record `seq` stands in slot `(seq - 1) % capacity`, a segment's in slot
//! `seq - first_seq`. The header says who writes; nothing in it says how far, for a reader: it
//! looks at every slot.
//!
//! The thread that owns the file writes to it. A ring whose thread has ended goes to another
//! thread, and its numbers go on; what the ended thread did stands there until it is overwritten.
//!
//! A ring without an owner (`owners` is 0) several threads write to, who take their numbers from one
//! counter: each record says whose it is. One that writes for so long that the others come round
//! leaves a torn record.

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::plain::{Plain, codes, layout};
use crate::record::RECORD_BYTES;
use crate::slot::Slot;
use crate::version::{MAGIC_RING, MAJOR, MINOR};

/// Bytes of a [`RingHeader`].
pub const RING_HEADER_BYTES: usize = size_of::<RingHeader>();

codes! {
    /// What a file of records is.
    pub enum RingKind: u32 {
        /// `ring.NNNN`: what a thread did last.
        Ring = 1 "ring",
        /// `rare.NNNN`: its rare events.
        Rare = 2 "rare",
        /// `full.NNNN.SSSSSS`: all that it did.
        Full = 3 "full",
    }
}

layout! {
    /// The first page of a file of records.
    pub struct RingHeader: 4096 {
        /// `hakmRING`.
        0 magic: [u8; 8],
        /// The format's major version.
        8 major: u16,
        /// The format's minor version.
        10 minor: u16,
        /// Bytes of this header; the slots begin there. A multiple of 64.
        12 header_bytes: u32,
        /// The session that it belongs to.
        16 session: [u64; 2],
        /// Bytes of a slot.
        32 record_bytes: u32,
        /// A [`RingKind`].
        36 kind: u32,
        /// The number in its name.
        40 ring: u32,
        /// The segment's number in its name; 0 of rings.
        44 segment: u32,
        /// Slots, when it is complete. A power of two in rings.
        48 capacity: u64,
        /// The number that slot 0 has first.
        56 first_seq: u64,
        /// The number that the next record gets, now and then. For people.
        64 next_seq: u64,
        /// The first number of the thread that owns it now.
        72 owner_seq: u64,
        /// When it became its, in ticks.
        80 owner_time: u64,
        /// The thread that owns it, or owned it last.
        88 tid: u32,
        /// The process.
        92 pid: u32,
        /// How many threads have had it.
        96 owners: u32,
        /// 1 while a thread owns it.
        100 in_use: u32,
        /// The thread's name, padded with zeroes.
        104 thread_name: [u8; 16],
        /// Zero.
        120 reserved: [u8; 3976],
    }
}

const _: () = assert!(RING_HEADER_BYTES.is_multiple_of(RECORD_BYTES));

/// The header of a `full.NNNN.SSSSSS` file is that of a ring; made by [`RingHeader::segment`].
pub type SegmentHeader = RingHeader;

impl RingHeader {
    /// The header of a ring without an owner. `capacity` is a power of two.
    pub fn new(kind: RingKind, session: [u64; 2], pid: u32, ring: u32, capacity: u64) -> Self {
        debug_assert!(capacity.is_power_of_two() || kind == RingKind::Full);
        Self {
            magic: MAGIC_RING,
            major: MAJOR,
            minor: MINOR,
            header_bytes: RING_HEADER_BYTES as u32,
            session,
            record_bytes: RECORD_BYTES as u32,
            kind: kind.code(),
            ring,
            capacity,
            first_seq: 1,
            next_seq: 1,
            pid,
            ..Self::zeroed()
        }
    }

    /// Makes the header that [`RingHeader::new`] says, in place.
    ///
    /// # Safety
    ///
    /// [`RING_HEADER_BYTES`] are mapped for writing at `file`, begin on a page, read as zero, and
    /// nobody else accesses them yet.
    pub unsafe fn create(
        file: NonNull<u8>,
        kind: RingKind,
        session: [u64; 2],
        pid: u32,
        ring: u32,
        capacity: u64,
    ) {
        debug_assert!(capacity.is_power_of_two() || kind == RingKind::Full);
        // SAFETY: the caller's clause; zero bytes are a header.
        let header = unsafe { file.cast::<Self>().as_mut() };
        header.magic = MAGIC_RING;
        header.major = MAJOR;
        header.minor = MINOR;
        header.header_bytes = RING_HEADER_BYTES as u32;
        header.session = session;
        header.record_bytes = RECORD_BYTES as u32;
        header.kind = kind.code();
        header.ring = ring;
        header.capacity = capacity;
        header.first_seq = 1;
        header.next_seq = 1;
        header.pid = pid;
    }

    /// Makes the header that [`RingHeader::segment`] says, in place.
    ///
    /// # Safety
    ///
    /// As of [`RingHeader::create`].
    pub unsafe fn create_segment(
        file: NonNull<u8>,
        session: [u64; 2],
        pid: u32,
        ring: u32,
        segment: u32,
        first_seq: u64,
        capacity: u64,
    ) {
        // SAFETY: the caller's clause.
        let header = unsafe {
            Self::create(file, RingKind::Full, session, pid, ring, capacity);
            file.cast::<Self>().as_mut()
        };
        header.segment = segment;
        header.first_seq = first_seq;
        header.next_seq = first_seq;
    }

    /// The header of a segment whose first record has the number `first_seq`, and which takes
    /// `capacity` of them, any number.
    pub fn segment(
        session: [u64; 2],
        pid: u32,
        ring: u32,
        segment: u32,
        first_seq: u64,
        capacity: u64,
    ) -> Self {
        Self {
            segment,
            first_seq,
            next_seq: first_seq,
            ..Self::new(RingKind::Full, session, pid, ring, capacity)
        }
    }

    /// Bytes of a file of so many slots.
    pub const fn file_bytes(capacity: u64) -> u64 {
        RING_HEADER_BYTES as u64 + capacity * RECORD_BYTES as u64
    }

    /// Notes in a mapped file that a thread has it now. `first_seq` is the number of the thread's
    /// first record, `name` is cut to 16 bytes.
    ///
    /// # Safety
    ///
    /// `file` is the start of a mapped file that begins with a header, and stays mapped meanwhile.
    pub unsafe fn set_owner(file: NonNull<u8>, tid: u32, first_seq: u64, time: u64, name: &[u8]) {
        let mut owner = [0; 16];
        crate::plain::fill(&mut owner, name);
        // SAFETY: the fields lie in the header, which is mapped and aligned to its fields.
        unsafe {
            word(file, offset_of!(RingHeader, owner_seq)).store(first_seq, Ordering::Relaxed);
            word(file, offset_of!(RingHeader, owner_time)).store(time, Ordering::Relaxed);
            half(file, offset_of!(RingHeader, tid)).store(tid, Ordering::Relaxed);
            half(file, offset_of!(RingHeader, owners)).fetch_add(1, Ordering::Relaxed);
            half(file, offset_of!(RingHeader, in_use)).store(1, Ordering::Relaxed);
            for (index, bytes) in owner.chunks_exact(8).enumerate() {
                let value = bytes
                    .iter()
                    .rev()
                    .fold(0, |value, b| value << 8 | *b as u64);
                let offset = offset_of!(RingHeader, thread_name) + 8 * index;
                word(file, offset).store(value, Ordering::Relaxed);
            }
        }
    }

    /// Notes in a mapped file that its thread has ended, and how far it came.
    ///
    /// # Safety
    ///
    /// As of [`RingHeader::set_owner`].
    pub unsafe fn set_idle(file: NonNull<u8>, next_seq: u64) {
        // SAFETY: the caller's clause; the fields lie in the header.
        unsafe {
            half(file, offset_of!(RingHeader, in_use)).store(0, Ordering::Relaxed);
            word(file, offset_of!(RingHeader, next_seq)).store(next_seq, Ordering::Relaxed);
        }
    }

    /// Notes in a mapped file how far its thread has come.
    ///
    /// # Safety
    ///
    /// As of [`RingHeader::set_owner`].
    #[inline]
    pub unsafe fn set_next_seq(file: NonNull<u8>, next_seq: u64) {
        // SAFETY: the caller's clause; the field lies in the header.
        unsafe { word(file, offset_of!(RingHeader, next_seq)).store(next_seq, Ordering::Relaxed) }
    }

    /// The slot with this index in a mapped file.
    ///
    /// # Safety
    ///
    /// `file` is the start of a file that is mapped for `'a`, aligned to a page, and whose length
    /// is [`RingHeader::file_bytes`] of more than `index`.
    #[inline(always)]
    pub const unsafe fn slot<'a>(file: NonNull<u8>, index: u64) -> &'a Slot {
        // SAFETY: the slot lies in the mapping. It is 64-aligned, as the header's size is a
        // multiple of that. It is atomic words, of which any bytes are valid.
        unsafe {
            file.add(RING_HEADER_BYTES)
                .cast::<Slot>()
                .add(index as usize)
                .as_ref()
        }
    }
}

/// A word of a mapped header. Headers' words are for people: nothing is ordered by them.
///
/// # Safety
///
/// 8 bytes at `offset`, a multiple of 8, are mapped for `'a`, and `file` is aligned to 8.
pub(crate) unsafe fn word<'a>(file: NonNull<u8>, offset: usize) -> &'a AtomicU64 {
    debug_assert!(offset.is_multiple_of(8));
    // SAFETY: the caller's clause.
    unsafe { AtomicU64::from_ptr(file.add(offset).cast::<u64>().as_ptr()) }
}

/// Half a word of a mapped header.
///
/// # Safety
///
/// As of [`word`], with 4 for 8.
pub(crate) unsafe fn half<'a>(file: NonNull<u8>, offset: usize) -> &'a AtomicU32 {
    debug_assert!(offset.is_multiple_of(4));
    // SAFETY: the caller's clause.
    unsafe { AtomicU32::from_ptr(file.add(offset).cast::<u32>().as_ptr()) }
}
