//! Guarded blocks: each has pages of its own, between pages that cannot be touched, in a region apart
//! from the slabs.
//!
//! ```text
//! entries  a number for each page of the region: the first page of the run that covers it
//! slots    one for each run, by its first page: record, pages, where the block begins
//! ```

use super::patterns::Guard;
use super::records::{Doing, Record, Records};
use super::{Heap, Root};
use crate::image::Memory;

/// The most runs that are read.
const MOST: usize = 1 << 24;
/// The most pages of a region: 16 TiB.
const PAGES_MAX: u64 = 1 << 32;

/// A run of pages with its block.
#[derive(Clone, Copy, Debug)]
pub struct Guarded {
    /// The address of its slot.
    pub slot: u64,
    /// The addresses of the run's first page, and behind its last one.
    pub run: (u64, u64),
    /// The addresses of the pages that can be touched: of the first one, and behind the last.
    pub open: (u64, u64),
    /// The address of the block.
    pub start: u64,
    /// Whether its pages are nobody's.
    pub is_closed: bool,
    /// What is kept of the block.
    pub record: Record,
}

impl Guarded {
    /// Whether the program has the block.
    pub fn is_live(&self) -> bool {
        !self.is_closed && self.record.doing == Doing::Live
    }

    /// Where the pattern stands around a live block.
    pub fn guards(&self) -> [Guard; 2] {
        let end = self.start.saturating_add(self.record.size);
        let front = Guard {
            part: "in front",
            start: self.open.0,
            len: self.start.saturating_sub(self.open.0),
        };
        let behind = Guard {
            part: "behind",
            start: end,
            len: self.open.1.saturating_sub(end),
        };
        [front, behind]
    }
}

/// Where the runs are described.
struct Runs<'m> {
    memory: &'m Memory,
    page: u64,
    /// The region: its first page, and how many it has.
    base: u64,
    pages: u64,
    /// The entries, and how many pages have ever been used.
    entries: u64,
    top: u64,
    /// The slots, from one to the next, and of how many pages one is.
    slots: u64,
    size: u64,
    stride: u64,
    /// Offsets in a slot of half words: first page, pages, open ones, phase.
    halves: [u64; 4],
    from: u64,
    start: u64,
    record: u64,
}

impl<'m> Runs<'m> {
    fn of(root: &Root, memory: &'m Memory, page: u64) -> Option<Self> {
        let get = |name: &str| root.get(name);
        let word_at = |name: &str| memory.word(get(name)?);
        let pages = word_at("guard.pages").filter(|pages| *pages <= PAGES_MAX)?;
        Some(Self {
            memory,
            page,
            base: word_at("guard.base").filter(|base| *base != 0)?,
            pages,
            entries: word_at("guard.entries")?,
            top: word_at("guard.top")?.min(pages),
            slots: word_at("guard.slots")?,
            size: get("guard_slot.size").filter(|size| (1..4096).contains(size))?,
            stride: get("guard.stride").filter(|stride| (1..64).contains(stride))?,
            halves: [
                get("guard_slot.first")?,
                get("guard_slot.pages")?,
                get("guard_slot.open")?,
                get("guard_slot.phase")?,
            ],
            from: get("guard_slot.from")?,
            start: get("guard_slot.start")?,
            record: get("guard_slot.record")?,
        })
    }

    /// The numbers of runs' first pages.
    fn numbers(&self) -> Vec<u64> {
        let mut numbers = vec![];
        let end = self.entries.saturating_add(4 * self.top);
        self.memory.scan(self.entries, end, &mut |at, bytes| {
            for (index, entry) in bytes.as_chunks::<4>().0.iter().enumerate() {
                let number = (at - self.entries) / 4 + index as u64;
                // The entry of a run's first page is its own number.
                if number != 0 && u64::from(u32::from_le_bytes(*entry)) == number {
                    numbers.push(number);
                }
            }
            numbers.len() < MOST
        });
        numbers
    }

    /// The run that begins with the page of this number, if that can be.
    fn run(&self, number: u64, records: &Records) -> Option<Guarded> {
        let (memory, page) = (self.memory, self.page);
        let slot = self.slots.wrapping_add(number / self.stride * self.size);
        let at = |offset: u64| slot.wrapping_add(offset);
        let [first, count, open, phase] = self.halves.map(|offset| memory.half(at(offset)));
        let (count, open) = (u64::from(count?), u64::from(open?));
        if u64::from(first?) != number || count == 0 || number + count > self.pages {
            return None;
        }
        let run = self.base.checked_add(number * page)?;
        let end = self.base.checked_add((number + count) * page)?;
        // So that all that is in it, rounded up, is an address.
        end.checked_next_multiple_of(page)?;
        let (from, start) = (memory.word(at(self.from))?, memory.word(at(self.start))?);
        let open_end = from.checked_add(open * page)?;
        let fits = (run..=end).contains(&from) && open_end <= end && (from..=end).contains(&start);
        let record = records.at(memory, at(self.record))?;
        (fits && record.doing != Doing::New).then_some(Guarded {
            slot,
            run: (run, end),
            open: (from, open_end),
            start,
            is_closed: phase? as u8 == 0,
            record,
        })
    }
}

/// Reads all runs, by address. None in a build without guards, or if nothing is guarded.
pub fn read(root: &Root, memory: &Memory, records: &Records, page: u64) -> Option<Vec<Guarded>> {
    let runs = Runs::of(root, memory, page)?;
    let numbers = runs.numbers().into_iter();
    Some(
        numbers
            .filter_map(|number| runs.run(number, records))
            .collect(),
    )
}

impl Heap<'_> {
    /// The guarded block whose pages an address is in, by its index.
    pub fn guarded_at(&self, address: u64) -> Option<usize> {
        let after = self.guarded.partition_point(|g| g.run.0 <= address);
        let index = after.checked_sub(1)?;
        (address < self.guarded[index].run.1).then_some(index)
    }
}
