//! A mapped file, which its writer may still change: all of it is read by atomic loads, and what
//! is looked at is a copy.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::prelude::v1::*;
use std::vec;

use memmap2::{Mmap, MmapOptions, UncheckedAdvice};

use crate::plain::Plain;

/// A file, as long as it was when it was opened.
#[derive(Debug)]
pub(super) struct Mapping {
    /// None of an empty file, which cannot be mapped.
    map: Option<Mmap>,
    bytes: usize,
}

impl Mapping {
    /// Maps a regular file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: to open a pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let map = if bytes == 0 {
            None
        } else {
            // SAFETY: no reference to plain bytes of the mapping is ever made, so that another
            // process may write to it; only to atomics, of which any bytes are valid.
            Some(unsafe { MmapOptions::new().len(bytes).map(&file)? })
        };
        Ok(Self { map, bytes })
    }

    /// Maps a part of a regular file, as far as the file has it. The part begins on a multiple of 8.
    pub(super) fn of_part(path: &Path, offset: u64, bytes: u64) -> io::Result<Self> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if !offset.is_multiple_of(8) {
            return Err(io::Error::other("it does not begin on a multiple of 8"));
        }
        let file = File::open(path)?;
        let bytes = bytes.min(file.metadata()?.len().saturating_sub(offset));
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let map = if bytes == 0 {
            None
        } else {
            // SAFETY: as in `open`.
            Some(unsafe { MmapOptions::new().offset(offset).len(bytes).map(&file)? })
        };
        Ok(Self { map, bytes })
    }

    /// Lets go of the pages of a range, which are read again when they are looked at: so that a scan
    /// over a large file does not count as memory in use.
    pub(super) fn forget(&self, offset: usize, length: usize) {
        if let Some(map) = &self.map
            && offset < self.bytes
        {
            let length = length.min(self.bytes - offset);
            // SAFETY: the mapping is shared and read-only, so its pages read the same afterwards.
            // A kernel that refuses keeps them.
            let _ =
                unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) };
        }
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The words from `offset` on, at most `count`, as far as the file has them. None if `offset`
    /// is no multiple of 8.
    pub(super) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        let Some(map) = &self.map else { return &[] };
        if !offset.is_multiple_of(8) || offset >= self.bytes {
            return &[];
        }
        let count = count.min((self.bytes - offset) / 8);
        // SAFETY: the words lie in the mapping, which begins on a multiple of 8, so they are aligned. They
        // are only loaded from, as the mapping is not writable.
        unsafe { core::slice::from_raw_parts(map.as_ptr().add(offset).cast(), count) }
    }

    /// The structure at `offset`; what of it lies behind the file's end is zero.
    pub(super) fn read<T: Plain>(&self, offset: usize) -> T {
        let mut bytes = vec![0; size_of::<T>()];
        let here = self.bytes.saturating_sub(offset).min(bytes.len());
        if let Some(map) = &self.map
            && here > 0
        {
            // SAFETY: the bytes lie in the mapping, and atomic bytes need no alignment.
            let from: &[AtomicU8] =
                unsafe { core::slice::from_raw_parts(map.as_ptr().add(offset).cast(), here) };
            for (to, byte) in bytes.iter_mut().zip(from) {
                *to = byte.load(Ordering::Relaxed);
            }
        }
        T::read(&bytes).unwrap_or_else(T::zeroed)
    }
}
