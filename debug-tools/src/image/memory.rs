//! The memory of a process: in its core file, or its own.
//!
//! ```text
//! address ──► Segment ──► offset in a file: the core, or /proc/PID/mem
//! ```
//!
//! Nothing is trusted. What a core has of a segment is compared with the file's length; what was
//! not dumped reads as zero, as the kernel leaves out pages that nobody touched; what the file lost
//! cannot be read, and is noted.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{SeekFrom, seek};

/// Bytes that are read and kept at a time.
const PAGE: u64 = 4096;
/// Pages that are kept.
const KEPT: usize = 2048;
/// Bytes that a scan reads at a time.
const CHUNK: u64 = 1 << 20;

/// A range of addresses, and where its bytes stand.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its first address.
    pub start: u64,
    /// The address behind it.
    pub end: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes of it that the file should have; the rest reads as zero.
    pub in_file: u64,
    /// Whether the process could read, write and execute it.
    pub access: Access,
    /// What it is a mapping of, as the kernel says it; empty if not known.
    pub name: String,
}

/// What a process may do with a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Read.
    pub read: bool,
    /// Write.
    pub write: bool,
    /// Execute.
    pub execute: bool,
}

impl Segment {
    /// Whether an address is in it.
    pub fn holds(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Bytes of addresses.
    pub fn span(&self) -> u64 {
        self.end - self.start
    }
}

/// The memory.
#[derive(Debug)]
pub struct Memory {
    /// None of an image that is still being made.
    file: Option<File>,
    /// Bytes that the file has; no end to those of a process.
    length: Option<u64>,
    segments: Vec<Segment>,
    pages: Mutex<HashMap<u64, Box<[u8]>>>,
    /// Reads that failed where bytes should have been. Relaxed: a sum.
    lost: AtomicU64,
}

impl Memory {
    /// Of a core file with this length, or, without one, of a process. Segments may come in any
    /// order; empty ones and those that reach into another one are left out. Says how many were.
    pub fn new(file: File, length: Option<u64>, mut segments: Vec<Segment>) -> (Self, usize) {
        let given = segments.len();
        segments.retain(|segment| segment.start < segment.end);
        let empty = given - segments.len();
        segments.sort_by_key(|segment| segment.start);
        let mut end = 0;
        segments.retain(|segment| {
            let apart = segment.start >= end;
            end = if apart { segment.end } else { end };
            apart
        });
        // A file's bytes are of one segment: else a small file could take long to read.
        if length.is_some() {
            let mut order: Vec<usize> = (0..segments.len()).collect();
            order.sort_by_key(|index| segments[*index].offset);
            let mut end = 0;
            for index in order {
                let segment = &mut segments[index];
                let stop = segment.offset.saturating_add(segment.in_file);
                if segment.in_file > 0 && segment.offset < end {
                    segment.in_file = 0;
                    segment.end = segment.start;
                } else if segment.in_file > 0 {
                    end = stop;
                }
            }
            segments.retain(|segment| segment.start < segment.end);
        }
        let left_out = given - empty - segments.len();
        let memory = Self {
            file: Some(file),
            length,
            segments,
            pages: Mutex::default(),
            lost: AtomicU64::new(0),
        };
        (memory, left_out)
    }

    /// Without any byte.
    pub(super) fn none() -> Self {
        Self {
            file: None,
            length: Some(0),
            segments: vec![],
            pages: Mutex::default(),
            lost: AtomicU64::new(0),
        }
    }

    /// All segments, by address.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment that an address is in.
    pub fn segment(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.start <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        segment.holds(address).then_some(segment)
    }

    /// Segments whose bytes should be in the file and are not, in part or in whole; and bytes that
    /// could not be read since.
    pub fn missing(&self) -> u64 {
        let behind = |segment: &Segment| {
            let length = self.length.unwrap_or(u64::MAX);
            let stop = segment.offset.saturating_add(segment.in_file);
            segment.in_file.min(stop.saturating_sub(length))
        };
        let cut: u64 = self.segments.iter().map(behind).sum();
        cut.saturating_add(self.lost.load(Ordering::Relaxed))
    }

    /// Reads the bytes at an address; false if some of them are not known.
    pub fn fill(&self, address: u64, buffer: &mut [u8]) -> bool {
        let mut done = 0;
        while done < buffer.len() {
            let at = address.wrapping_add(done as u64);
            let Some(segment) = self.segment(at) else {
                return false;
            };
            let length = ((buffer.len() - done) as u64).min(segment.end - at) as usize;
            if !self.fill_from(segment, at, &mut buffer[done..done + length]) {
                return false;
            }
            done += length;
        }
        true
    }

    /// Reads bytes of one segment.
    fn fill_from(&self, segment: &Segment, at: u64, buffer: &mut [u8]) -> bool {
        let inside = at - segment.start;
        let here = segment.in_file.saturating_sub(inside);
        let here = here.min(buffer.len() as u64) as usize;
        let (known, rest) = buffer.split_at_mut(here);
        rest.fill(0);
        if known.is_empty() {
            return true;
        }
        let offset = segment.offset.saturating_add(inside);
        let file = self.file.as_ref();
        let is_read = file.is_some_and(|file| file.read_exact_at(known, offset).is_ok());
        if !is_read {
            // That the file is too short is counted once, for all of it.
            if self.length.is_none() {
                self.lost.fetch_add(known.len() as u64, Ordering::Relaxed);
            }
            known.fill(0);
        }
        is_read
    }

    /// As many bytes at an address, if all are known. For counts that were compared with something.
    pub fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.fill(address, &mut bytes).then_some(bytes)
    }

    /// As many words at an address.
    pub fn words(&self, address: u64, count: usize) -> Option<Vec<u64>> {
        let bytes = self.bytes(address, count.checked_mul(8)?)?;
        Some(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|w| u64::from_le_bytes(*w))
                .collect(),
        )
    }

    /// Some bytes at an address, from a page that is kept for the next time.
    fn small<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let (page, offset) = (address & !(PAGE - 1), (address % PAGE) as usize);
        let mut bytes = [0; N];
        let segment = self.segment(address)?;
        let whole = segment.start <= page && page.checked_add(PAGE)? <= segment.end;
        if offset + N > PAGE as usize || !whole {
            return self.fill(address, &mut bytes).then_some(bytes);
        }
        let mut pages = match self.pages.lock() {
            Ok(pages) => pages,
            Err(poisoned) => poisoned.into_inner(),
        };
        if !pages.contains_key(&page) {
            let mut new = vec![0; PAGE as usize].into_boxed_slice();
            if !self.fill(page, &mut new) {
                // The part that is there may be enough.
                drop(pages);
                return self.fill(address, &mut bytes).then_some(bytes);
            }
            if pages.len() >= KEPT {
                pages.clear();
            }
            pages.insert(page, new);
        }
        bytes.copy_from_slice(pages.get(&page)?.get(offset..offset + N)?);
        Some(bytes)
    }

    /// The word at an address.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.small(address).map(u64::from_le_bytes)
    }

    /// The number of 4 bytes at an address.
    pub fn half(&self, address: u64) -> Option<u32> {
        self.small(address).map(u32::from_le_bytes)
    }

    /// Forgets what was kept: of a process that runs it may have changed.
    pub fn refresh(&self) {
        if let Ok(mut pages) = self.pages.lock() {
            pages.clear();
        }
    }

    /// Calls `each` for the bytes from `start` to `end` that the file has, piece by piece, with the
    /// address of each piece, a multiple of 8 bytes if the segments are; what reads as zero without
    /// being in the file is left out. Stops when `each` says false.
    pub fn scan(&self, start: u64, end: u64, each: &mut dyn FnMut(u64, &[u8]) -> bool) {
        let first = self.segments.partition_point(|s| s.end <= start);
        let mut buffer = vec![];
        for segment in &self.segments[first..] {
            if segment.start >= end {
                break;
            }
            let from = segment.start.max(start);
            let stop = segment.start.saturating_add(segment.in_file).min(end);
            if !self.scan_segment(segment, from, stop, &mut buffer, each) {
                break;
            }
        }
    }

    fn scan_segment(
        &self,
        segment: &Segment,
        mut at: u64,
        stop: u64,
        buffer: &mut Vec<u8>,
        each: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> bool {
        let offset_of = |at: u64| segment.offset.saturating_add(at - segment.start);
        while at < stop {
            let Some(data) = self.next_data(offset_of(at)) else {
                return true;
            };
            // Holes begin and end on pages, so pieces stay aligned.
            at = at.saturating_add(data.0.saturating_sub(offset_of(at)));
            let until = at.saturating_add(data.1 - data.0).min(stop);
            while at < until {
                let length = (until - at).min(CHUNK - at % CHUNK) as usize;
                buffer.resize(length, 0);
                if self.fill_from(segment, at, buffer) && !each(at, buffer) {
                    return false;
                }
                at += length as u64;
            }
        }
        true
    }

    /// The next bytes of the file from `offset` on that are not in a hole.
    fn next_data(&self, offset: u64) -> Option<(u64, u64)> {
        let (Some(length), Some(file)) = (self.length, &self.file) else {
            return Some((offset, u64::MAX));
        };
        if offset >= length {
            return None;
        }
        match seek(file, SeekFrom::Data(offset)) {
            Ok(data) => {
                let hole = seek(file, SeekFrom::Hole(data)).unwrap_or(length);
                (data < length).then_some((data, hole.clamp(data + 1, length)))
            }
            Err(rustix::io::Errno::NXIO) => None,
            Err(_) => Some((offset, length)),
        }
    }
}

/// A file to read a process's memory from.
pub fn of_process(pid: u32) -> io::Result<File> {
    File::open(format!("/proc/{pid}/mem"))
}
