//! The file `modules`: which file's code was mapped where, and when.
//!
//! ```text
//! 0               ModuleHeader
//! header_bytes    record 0, record 1, … to the end of the file; state 0: none yet
//! ```
//!
//! One thread adds at a time; records are never taken out. A record's `state` is stored last, with
//! Release. Readers match a program counter with the records whose range it is in and that were
//! loaded at the time in question.

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::plain::{Plain, fill, layout};
use crate::ring::{half, word};
use crate::version::{MAGIC_MODULES, MAJOR, MINOR};

/// The longest path that a record holds; longer ones lose their beginning.
pub const MODULE_PATH_MAX: usize = 400;
/// The longest build id that a record holds.
pub const BUILD_ID_MAX: usize = 32;
/// The state of a module that is mapped.
pub const STATE_LOADED: u32 = 1;
/// The state of a module that was unmapped.
pub const STATE_UNLOADED: u32 = 2;

layout! {
    /// The first page of `modules`.
    pub struct ModuleHeader: 4096 {
        /// `hakmMODS`.
        0 magic: [u8; 8],
        /// The format's major version.
        8 major: u16,
        /// The format's minor version.
        10 minor: u16,
        /// Bytes of this header; the records begin there.
        12 header_bytes: u32,
        /// The session that it belongs to.
        16 session: [u64; 2],
        /// Bytes of a record.
        32 record_bytes: u32,
        /// Zero.
        36 reserved: [u8; 4060],
    }
}

layout! {
    /// A file that is or was mapped.
    pub struct ModuleRecord: 512 {
        /// 0 nothing here, 1 mapped, 2 unmapped.
        0 state: u32,
        /// The check over all but `state` and `time_unloaded`.
        4 check: u32,
        /// What is added to the file's addresses (load bias).
        8 base: u64,
        /// The lowest address of its mapping.
        16 start: u64,
        /// The address behind its mapping.
        24 end: u64,
        /// When it was mapped, or first seen, in ticks.
        32 time_loaded: u64,
        /// When it was unmapped, in ticks; 0 if it was not.
        40 time_unloaded: u64,
        /// Bytes of `path` in use.
        48 path_bytes: u16,
        /// Bytes of `build_id` in use.
        50 build_id_bytes: u16,
        /// 1: the path lost its beginning.
        52 flags: u32,
        /// Zero.
        56 reserved: [u8; 24],
        /// The GNU build id.
        80 build_id: [u8; 32],
        /// The path.
        112 path: [u8; 400],
    }
}

impl ModuleHeader {
    /// The header of a session's file.
    pub fn new(session: [u64; 2]) -> Self {
        Self {
            magic: MAGIC_MODULES,
            major: MAJOR,
            minor: MINOR,
            header_bytes: size_of::<Self>() as u32,
            session,
            record_bytes: size_of::<ModuleRecord>() as u32,
            ..Self::zeroed()
        }
    }

    /// Bytes of a file of so many records.
    pub const fn file_bytes(records: u64) -> u64 {
        (size_of::<Self>() + size_of::<ModuleRecord>() * records as usize) as u64
    }
}

impl ModuleRecord {
    /// A module that is mapped from `start` to `end`. The path keeps its last
    /// [`MODULE_PATH_MAX`] bytes, the build id its first [`BUILD_ID_MAX`].
    pub fn new(path: &[u8], build_id: &[u8], base: u64, start: u64, end: u64, time: u64) -> Self {
        let mut record = Self {
            state: STATE_LOADED,
            base,
            start,
            end,
            time_loaded: time,
            ..Self::zeroed()
        };
        let cut = path.len().saturating_sub(MODULE_PATH_MAX);
        record.flags = (cut > 0) as u32;
        record.path_bytes = fill(&mut record.path, &path[cut..]) as u16;
        record.build_id_bytes = fill(&mut record.build_id, build_id) as u16;
        record.check = record.computed_check();
        record
    }

    /// The check that its content asks for.
    pub(crate) fn computed_check(&self) -> u32 {
        let content = Self {
            state: 0,
            check: 0,
            time_unloaded: 0,
            ..*self
        };
        // FNV-1a. A module is loaded rarely.
        let hash = content.as_bytes().iter().fold(0x811c_9dc5, |hash: u32, b| {
            (hash ^ *b as u32).wrapping_mul(0x0100_0193)
        });
        hash.max(1)
    }

    /// Whether it was written to its end, and its content is what was written.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, STATE_LOADED | STATE_UNLOADED) && self.check == self.computed_check()
    }

    /// The path, as far as it is kept.
    pub fn path(&self) -> &[u8] {
        &self.path[..(self.path_bytes as usize).min(MODULE_PATH_MAX)]
    }

    /// The build id; empty if the file had none.
    pub fn build_id(&self) -> &[u8] {
        &self.build_id[..(self.build_id_bytes as usize).min(BUILD_ID_MAX)]
    }

    /// Writes it as record `index` of a mapped file: the state last.
    ///
    /// # Safety
    ///
    /// `file` is the start of the mapped file, on a page, with more than `index` records; no
    /// other thread writes this record meanwhile.
    pub unsafe fn publish(&self, file: NonNull<u8>, index: u64) {
        let hidden = Self { state: 0, ..*self };
        // SAFETY: the caller's clause. The state is stored with Release: who sees it, in this
        // process or in the file after it was killed, sees the rest.
        unsafe {
            let place = Self::place(file, index);
            hidden.write(place);
            half(place, offset_of!(Self, state)).store(self.state, Ordering::Release);
        }
    }

    /// Notes in a mapped file that the module is not mapped any more.
    ///
    /// # Safety
    ///
    /// As of [`ModuleRecord::publish`]; the record is there.
    pub unsafe fn unload(file: NonNull<u8>, index: u64, time: u64) {
        // SAFETY: the caller's clause; Release as in `publish`.
        unsafe {
            let place = Self::place(file, index);
            word(place, offset_of!(Self, time_unloaded)).store(time, Ordering::Relaxed);
            half(place, offset_of!(Self, state)).store(STATE_UNLOADED, Ordering::Release);
        }
    }

    /// # Safety
    ///
    /// The record lies in the mapping that `file` begins.
    unsafe fn place(file: NonNull<u8>, index: u64) -> NonNull<u8> {
        let offset = size_of::<ModuleHeader>() + size_of::<Self>() * index as usize;
        // SAFETY: the caller's clause.
        unsafe { file.add(offset) }
    }
}
