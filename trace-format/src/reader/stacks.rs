//! The stacks of calls, found by their ids.

use core::fmt;
use core::sync::atomic::Ordering;
use std::format;
use std::prelude::v1::*;

use super::error::Note;
use super::mapping::Mapping;
use super::{misfit, note_newer};
use crate::file_name::FileName;
use crate::stack_table::{MAX_FRAMES, STACK_FULL, STACK_NONE, StackHeader, commit_word};
use crate::version::MAGIC_STACKS;

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStack {
    /// The record has none.
    NotKept,
    /// The table was full when it was to be added.
    TableFull,
    /// There is no file of stacks.
    NoTable,
    /// The table has no such stack: it was not written to its end, or is damaged.
    Unreadable,
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotKept => "no stack was kept",
            Self::TableFull => "the table of stacks was full",
            Self::NoTable => "there is no table of stacks",
            Self::Unreadable => "the stack cannot be read",
        })
    }
}

impl std::error::Error for NoStack {}

/// The file `stacks`.
#[derive(Debug)]
pub(super) struct Stacks {
    mapping: Mapping,
    log_offset: usize,
}

impl Stacks {
    pub(super) fn new(mapping: Mapping, own: [u64; 2], notes: &mut Vec<Note>) -> Option<Self> {
        let header: StackHeader = mapping.read(0);
        let session = Some((header.session, own));
        if let Some(why) = misfit((header.magic, MAGIC_STACKS), header.major, session) {
            notes.push(Note::new(FileName::Stacks, why));
            return None;
        }
        note_newer(FileName::Stacks, header.minor, notes);
        let bytes = mapping.bytes() as u64;
        let log_bytes = header.log_words.saturating_mul(8);
        if !(size_of::<StackHeader>() as u64..bytes).contains(&header.log_offset)
            || !header.log_offset.is_multiple_of(8)
        {
            let text = "its log is not in it, and no stack can be read";
            notes.push(Note::new(FileName::Stacks, text));
        } else if header.log_offset.saturating_add(log_bytes) > bytes {
            let text = format!("it has {bytes} bytes, and its log should end behind that");
            notes.push(Note::new(FileName::Stacks, text));
        }
        let log_offset = usize::try_from(header.log_offset).unwrap_or(usize::MAX);
        Some(Self {
            mapping,
            log_offset,
        })
    }

    /// The entry that the id names, if there is a whole one.
    fn frames(&self, id: u32) -> Option<Vec<u64>> {
        let offset = self.log_offset.checked_add(8 * id as usize)?;
        let (first, rest) = self.mapping.words(offset, 1 + MAX_FRAMES).split_first()?;
        let commit = first.load(Ordering::Acquire);
        let count = (commit & 0xff) as usize;
        if count == 0 || count > MAX_FRAMES {
            return None;
        }
        let words = rest.get(..count)?.iter();
        let frames: Vec<u64> = words.map(|word| word.load(Ordering::Relaxed)).collect();
        (commit_word(&frames) == commit).then_some(frames)
    }
}

pub(super) fn frames(stacks: Option<&Stacks>, id: u32) -> Result<Vec<u64>, NoStack> {
    match id {
        STACK_NONE => Err(NoStack::NotKept),
        STACK_FULL => Err(NoStack::TableFull),
        _ => {
            let stacks = stacks.ok_or(NoStack::NoTable)?;
            stacks.frames(id).ok_or(NoStack::Unreadable)
        }
    }
}
