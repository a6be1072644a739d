//! Guarded blocks: each has pages of its own, between pages that cannot be touched, in a region apart
//! from the slabs.
//!
//! ```text
//! entries  a number for each page of the region: the first page of the run that covers it
//! slots    one for each run, by its first page: record, pages, where the block begins
//! ```

use super::records::{Doing, Guard, Record, Records};
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

/// Reads all runs, by address. None in a build without guards, or if nothing is guarded.
pub fn read(root: &Root, memory: &Memory, records: &Records, page: u64) -> Option<Vec<Guarded>> {
    let get = |name: &str| root.get(name);
    let word_at = |name: &str| memory.word(get(name)?);
    let (base, pages) = (word_at("guard.base")?, word_at("guard.pages")?);
    let (entries, slots) = (word_at("guard.entries")?, word_at("guard.slots")?);
    let top = word_at("guard.top")?.min(pages);
    let stride = get("guard.stride").filter(|stride| (1..64).contains(stride))?;
    let size = get("guard_slot.size").filter(|size| (1..4096).contains(size))?;
    let fields = [
        get("guard_slot.first")?,
        get("guard_slot.pages")?,
        get("guard_slot.open")?,
        get("guard_slot.phase")?,
    ];
    let (from, start) = (get("guard_slot.from")?, get("guard_slot.start")?);
    let record = get("guard_slot.record")?;
    if base == 0 || pages > PAGES_MAX {
        return None;
    }
    let mut runs = vec![];
    let end = entries.saturating_add(4 * top);
    memory.scan(entries, end, &mut |at, bytes| {
        for (index, entry) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let number = (at - entries) / 4 + index as u64;
            // The entry of a run's first page is its own number.
            if number != 0 && u64::from(u32::from_le_bytes(*entry)) == number {
                runs.push(number);
            }
        }
        runs.len() < MOST
    });
    let guarded = |number: u64| {
        let slot = slots.wrapping_add(number / stride * size);
        let at = |offset: u64| slot.wrapping_add(offset);
        let [first, count, open, phase] = fields.map(|offset| memory.half(at(offset)));
        let (count, open) = (u64::from(count?), u64::from(open?));
        if u64::from(first?) != number || count == 0 || number + count > pages {
            return None;
        }
        let run = base.checked_add(number * page)?;
        let end = base.checked_add((number + count) * page)?;
        // So that all that is in it, rounded up, is an address.
        end.checked_next_multiple_of(page)?;
        let (from, start) = (memory.word(at(from))?, memory.word(at(start))?);
        let open_end = from.checked_add(open * page)?;
        let fits = (run..=end).contains(&from) && open_end <= end && (from..=end).contains(&start);
        let record = records.at(memory, at(record))?;
        (fits && record.doing != Doing::New).then_some(Guarded {
            slot,
            run: (run, end),
            open: (from, open_end),
            start,
            is_closed: phase? as u8 == 0,
            record,
        })
    };
    Some(runs.into_iter().filter_map(guarded).collect())
}

impl Heap<'_> {
    /// The guarded block whose pages an address is in, by its index.
    pub fn guarded_at(&self, address: u64) -> Option<usize> {
        let after = self.guarded.partition_point(|g| g.run.0 <= address);
        let index = after.checked_sub(1)?;
        (address < self.guarded[index].run.1).then_some(index)
    }
}
