//! All records in the order of time: files are read side by side, and the earliest comes next.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::prelude::v1::*;
use std::vec;

use super::record_file::{RecordFile, SlotState};
use crate::file_name::FileName;
use crate::kind::Kind;
use crate::record::{ADDRESS_MAX, Record};

/// The most bytes that belong to one record.
const PAYLOAD_MAX: usize = 4096;

/// A whole record, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Index of the file among the trace's.
    pub file: usize,
    /// The slot in the file.
    pub slot: usize,
    /// The record.
    pub record: Record,
    /// What stands in the continuations that follow it.
    pub payload: Vec<u8>,
}

/// Whole records. Continuations come with the record that they belong to; by themselves only if
/// that is not there any more.
#[derive(Debug)]
pub struct Events<'t> {
    cursors: Vec<Cursor<'t>>,
    /// The time of each cursor's next record, with the cursor.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

impl<'t> Events<'t> {
    pub(super) fn of_all(files: &'t [RecordFile]) -> Self {
        let mut cursors: Vec<Cursor> = vec![];
        // Segments of a ring stand one after the other in the order of names.
        let mut last = None;
        for (index, file) in files.iter().enumerate() {
            let ring = match file.name() {
                FileName::Full(ring, _) => Some(ring),
                _ => None,
            };
            match cursors.last_mut() {
                Some(cursor) if ring.is_some() && ring == last => cursor.rest.push(index),
                _ => cursors.push(Cursor::new(files, vec![index])),
            }
            last = ring;
        }
        Self::over(cursors)
    }

    pub(super) fn of_one(files: &'t [RecordFile], file: usize) -> Self {
        let there = file < files.len();
        Self::over(
            there
                .then(|| Cursor::new(files, vec![file]))
                .into_iter()
                .collect(),
        )
    }

    fn over(mut cursors: Vec<Cursor<'t>>) -> Self {
        let mut next = BinaryHeap::with_capacity(cursors.len());
        for (index, cursor) in cursors.iter_mut().enumerate() {
            // Read from the front.
            cursor.rest.reverse();
            cursor.advance();
            next.extend(cursor.time().map(|time| Reverse((time, index))));
        }
        Self { cursors, next }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let Reverse((_, index)) = self.next.pop()?;
        let cursor = self.cursors.get_mut(index)?;
        let (file, slot, record) = cursor.head?;
        cursor.advance();
        let mut payload = vec![];
        if record.kind() == Some(Kind::Continuation) {
            let (bytes, length) = record.payload();
            payload.extend_from_slice(&bytes[..length]);
        } else {
            while let Some((_, _, more)) = cursor.head
                && continues(&record, &more)
                && payload.len() < PAYLOAD_MAX
            {
                let (bytes, length) = more.payload();
                payload.extend_from_slice(&bytes[..length]);
                cursor.advance();
            }
        }
        if let Some(time) = cursor.time() {
            self.next.push(Reverse((time, index)));
        }
        Some(Event {
            file,
            slot,
            record,
            payload,
        })
    }
}

/// Whether a record belongs to the one before it.
pub(super) fn continues(record: &Record, more: &Record) -> bool {
    more.kind() == Some(Kind::Continuation) && more.address() == record.seq() & ADDRESS_MAX
}

/// The next record of a ring, or of a ring's segments one after the other.
#[derive(Debug)]
struct Cursor<'t> {
    files: &'t [RecordFile],
    /// Files that are still to be read, the next one last.
    rest: Vec<usize>,
    /// The file that is being read, its slots in order if that is not that of their indices, and
    /// how many of them have been read.
    current: Option<(usize, Option<Vec<usize>>, usize)>,
    head: Option<(usize, usize, Record)>,
}

impl<'t> Cursor<'t> {
    fn new(files: &'t [RecordFile], rest: Vec<usize>) -> Self {
        Self {
            files,
            rest,
            current: None,
            head: None,
        }
    }

    fn time(&self) -> Option<u64> {
        self.head.map(|(_, _, record)| record.time())
    }

    /// Goes to the next whole record.
    fn advance(&mut self) {
        self.head = None;
        loop {
            if self.current.is_none() {
                let Some(index) = self.rest.pop() else { return };
                self.current = Some((index, self.files[index].order(), 0));
            }
            let Some((index, order, read)) = &mut self.current else {
                return;
            };
            let file = &self.files[*index];
            let end = order.as_ref().map_or(file.slots(), Vec::len);
            while *read < end {
                let slot = order.as_ref().map_or(*read, |order| order[*read]);
                *read += 1;
                if let (SlotState::Whole, record) = file.slot(slot) {
                    self.head = Some((*index, slot, record));
                    return;
                }
            }
            self.current = None;
        }
    }
}
