//! Which file's code was where, and when.

use core::ops::Range;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::prelude::v1::*;
use std::{format, vec};

use super::error::Note;
use super::mapping::Mapping;
use super::{misfit, note_newer};
use crate::file_name::FileName;
use crate::module::{ModuleHeader, ModuleRecord, STATE_UNLOADED};
use crate::version::MAGIC_MODULES;

/// The most records that are looked at: a process has not as many mappings.
const MOST: usize = 1 << 16;

/// A file that is or was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its place in the file, which records of kind `ModuleLoaded` name.
    pub index: usize,
    /// The path; without its beginning if [`Module::path_is_cut`].
    pub path: PathBuf,
    /// Whether the path was too long, and lost its beginning.
    pub path_is_cut: bool,
    /// The GNU build id; empty if there is none.
    pub build_id: Vec<u8>,
    /// What is added to the file's own addresses.
    pub base: u64,
    /// Where it was mapped.
    pub range: Range<u64>,
    /// When it was mapped or first seen, in ticks.
    pub loaded: u64,
    /// When it was unmapped, in ticks.
    pub unloaded: Option<u64>,
}

impl Module {
    fn new(index: usize, record: &ModuleRecord) -> Self {
        Self {
            index,
            path: PathBuf::from(OsStr::from_bytes(record.path())),
            path_is_cut: record.flags & 1 != 0,
            build_id: record.build_id().to_vec(),
            base: record.base,
            range: record.start..record.end,
            loaded: record.time_loaded,
            unloaded: (record.state == STATE_UNLOADED).then_some(record.time_unloaded),
        }
    }

    /// How well it fits a time: 0 best, then the distance to it.
    fn distance(&self, time: u64) -> (u8, u64) {
        let end = self.unloaded.unwrap_or(u64::MAX);
        if time < self.loaded {
            (2, self.loaded - time)
        } else if time > end {
            (1, time - end)
        } else {
            (0, time - self.loaded)
        }
    }
}

/// The file `modules`.
#[derive(Debug, Default)]
pub(super) struct Modules {
    all: Vec<Module>,
    /// Indices into `all` by the start of their ranges, each with the highest end up to there.
    by_start: Vec<(usize, u64)>,
}

impl Modules {
    pub(super) fn new(mapping: &Mapping, own: [u64; 2], notes: &mut Vec<Note>) -> Self {
        let header: ModuleHeader = mapping.read(0);
        let session = Some((header.session, own));
        if let Some(why) = misfit((header.magic, MAGIC_MODULES), header.major, session) {
            notes.push(Note::new(FileName::Modules, why));
            return Self::default();
        }
        note_newer(FileName::Modules, header.minor, notes);
        let (start, stride) = (header.header_bytes as usize, header.record_bytes as usize);
        if start < size_of::<ModuleHeader>() || stride < size_of::<ModuleRecord>() {
            let text = "its header says that records are smaller than they are";
            notes.push(Note::new(FileName::Modules, text));
            return Self::default();
        }
        let records = mapping.bytes().saturating_sub(start);
        let there = records / stride;
        if mapping.bytes() < start || !records.is_multiple_of(stride) {
            let text = "it ends inside of its header or of a record";
            notes.push(Note::new(FileName::Modules, text));
        }
        let (mut all, mut broken) = (vec![], 0);
        for index in 0..there.min(MOST) {
            let record: ModuleRecord = mapping.read(start + index * stride);
            if record.is_whole() {
                all.push(Module::new(index, &record));
            } else if record.state != 0 {
                broken += 1;
            }
        }
        if broken > 0 {
            let text = format!("{broken} of its records are damaged and left out");
            notes.push(Note::new(FileName::Modules, text));
        }
        if there > MOST {
            let text = format!("it has room for {there} records; {MOST} are looked at");
            notes.push(Note::new(FileName::Modules, text));
        }
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|index| all[*index].range.start);
        let highest = |high: &mut u64, index: usize| {
            *high = (*high).max(all[index].range.end);
            Some((index, *high))
        };
        let by_start = order.into_iter().scan(0, highest).collect();
        Self { all, by_start }
    }

    pub(super) fn all(&self) -> &[Module] {
        &self.all
    }

    pub(super) fn find(&self, pc: u64, time: u64) -> Option<&Module> {
        let behind = |(index, _): &(usize, u64)| self.all[*index].range.start <= pc;
        let end = self.by_start.partition_point(behind);
        let candidates = self.by_start[..end].iter().rev();
        candidates
            .take_while(|(_, highest)| *highest > pc)
            .map(|(index, _)| &self.all[*index])
            .filter(|module| module.range.contains(&pc))
            .min_by_key(|module| module.distance(time))
    }
}
