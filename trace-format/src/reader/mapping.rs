//! A mapped file, which its writer may still change: all of it is read by atomic loads, and what
//! is looked at is a copy.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::prelude::v1::*;
use std::vec;

use memmap2::{Mmap, MmapOptions};

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
        // SAFETY: the words lie in the mapping, which begins on a page, so they are aligned. They
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
