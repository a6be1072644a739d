//! What an observed build with checks keeps of each block, out of the program's reach: read through the
//! names of the root structure. See `docs/ROOT-STRUCTURE.md`, "Checked builds".
//!
//! ```text
//! slab ─► its records ─► integrity's part of one ─► state, size, who, where from
//! threads ─► quarantine ─► blocks that are kept from being used again
//! stack number ─► the table ─► return addresses
//! ```

use std::collections::{HashMap, HashSet};

use super::Root;
use super::word::Words;
use crate::image::Memory;

/// The most bytes of a block's record, of a set of them, and from a slab's first one to its lane.
const RECORD_MAX: u64 = 128;
const SET_MAX: u64 = 1 << 20;
const LANE_MAX: u64 = 1 << 30;
/// The most blocks of a slab: a word of 64 bits has a bit for each word of its bitmap.
const BLOCKS_MAX: usize = 64 * 64;
/// The most entries of a quarantine, and of all.
const ENTRIES_MAX: u64 = 1 << 20;
const QUEUED_MAX: u64 = 1 << 22;
/// The most frames of a stack.
const FRAMES_MAX: u64 = 64;
/// The first word of a table of stacks, and where in it its log is said to be.
const STACKS_MAGIC: u64 = u64::from_le_bytes(*b"hakmSTCK");
const STACKS_LOG: u64 = 48;
const STACKS_WORDS: u64 = 56;

/// What a record says that its block is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing that was seen.
    New,
    /// The program has it.
    Live,
    /// It was freed, and is kept from being used again; filled.
    Quarantined,
    /// It is the allocator's; filled, but for its link.
    Filled,
    /// It is the allocator's, or on its way there; not filled.
    Freed,
    /// Nobody has had it since its slab was opened; filled at its start and at its end.
    Untouched,
    /// Not known: the word that said so was overwritten.
    Overwritten,
    /// No state that there is.
    Unknown(u8),
}

impl Doing {
    fn of(number: u64) -> Self {
        match number {
            0 => Self::New,
            1 => Self::Live,
            2 => Self::Quarantined,
            3 => Self::Filled,
            4 => Self::Freed,
            5 => Self::Untouched,
            other => Self::Unknown(other as u8),
        }
    }

    /// It in words.
    pub fn words(self) -> String {
        match self {
            Self::New => "nothing".into(),
            Self::Untouched => "never handed out".into(),
            Self::Live => "live".into(),
            Self::Quarantined => "quarantined".into(),
            Self::Filled => "freed and filled".into(),
            Self::Freed => "freed".into(),
            Self::Overwritten => "overwritten".into(),
            Self::Unknown(number) => format!("{number}, which is none of 0 to 5"),
        }
    }
}

/// Who did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The number of the stack; 0 if there is none.
    pub stack: u32,
    /// The thread; 0 if it is not known.
    pub thread: u32,
}

impl Moment {
    fn of(word: u64) -> Self {
        Self {
            stack: (word >> 32) as u32,
            thread: word as u32,
        }
    }
}

/// What is kept of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub address: u64,
    /// What the block is doing.
    pub doing: Doing,
    /// The bytes that the program asked for.
    pub size: u64,
    /// The alignment that it asked for, as a power of two.
    pub align_log2: u8,
    /// The function that it called, by its number in the trace format.
    pub api: u8,
    /// Who asked for it.
    pub allocated: Moment,
    /// Who freed it, or freed the one before it that was here.
    pub freed: Moment,
    /// The function that freed it.
    pub freed_by: u8,
    /// How often the place was handed out since its slab was opened.
    pub life: u32,
}

/// Where records are, and how they are read.
#[derive(Clone, Debug)]
pub struct Records {
    /// Offset in a slab's header of the address of its records.
    slab: u64,
    /// How far from there the lane is.
    lane: u64,
    /// Blocks of a set, and its bytes.
    set: (u64, u64),
    /// From one record of a set to the next one, in bytes.
    step: u64,
    asked: u64,
    state: u64,
    api: u64,
    align: u64,
    allocated: u64,
    freed: u64,
    life: u64,
    freed_by: u64,
    /// How words are read, where those stand for the records of blocks in slabs.
    pub words: Option<Words>,
    /// 0 nothing is checked, 1 at frees alone, 2 freed blocks are filled and kept as well.
    pub level: u8,
    /// The byte that stands where the program has no business.
    pub pattern: u8,
    /// Bytes behind a block that have it, at least; and in front of one, for these are the last ones
    /// of the block below.
    pub tail: u64,
    /// Bytes at the start of a free block that the allocator may write to.
    pub link: u64,
    /// Bytes at the start of a place that nobody has had that have it, and at its end.
    pub(super) untouched: (u64, u64),
    /// Blocks in threads' quarantines: their addresses, with the thread and the record.
    pub queued: HashMap<u64, Queued>,
    /// Where the stacks' log begins, and its words.
    log: Option<(u64, u64)>,
}

/// An entry of a quarantine.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// The thread whose it is.
    pub thread: u32,
    /// The address of the block's record.
    pub record: u64,
}

impl Records {
    /// None in a build that keeps none, or where the names make no sense.
    pub fn of(root: &Root, memory: &Memory) -> Option<Self> {
        let get = |name: &str| root.get(name);
        let byte = |address: u64| memory.bytes(address, 1).map(|bytes| bytes[0]);
        let shift = |name: &str| get(name).filter(|shift| *shift < 64);
        let mut records = Self {
            slab: get("slab.records")?,
            lane: get("integrity.record").filter(|lane| *lane <= LANE_MAX)?,
            set: (
                get("record.set").filter(|blocks| (1..=BLOCKS_MAX as u64).contains(blocks))?,
                get("record.set.bytes").filter(|bytes| *bytes <= SET_MAX)?,
            ),
            step: get("record.bytes").filter(|bytes| (1..=RECORD_MAX).contains(bytes))?,
            asked: get("record.asked")?,
            state: shift("record.asked.state")?,
            api: shift("record.asked.api")?,
            align: shift("record.asked.align")?,
            allocated: get("record.allocated")?,
            freed: get("record.freed")?,
            life: get("record.life")?,
            freed_by: get("record.freed_by")?,
            level: byte(get("integrity.level")?)?,
            pattern: get("pattern.freed")? as u8,
            tail: memory
                .word(get("integrity.tail")?)
                .filter(|bytes| *bytes <= 256)?,
            link: get("pattern.link").filter(|bytes| *bytes <= 256)?,
            untouched: (
                get("pattern.untouched.start")?,
                get("pattern.untouched.end")?,
            ),
            queued: HashMap::new(),
            log: None,
            words: None,
        };
        records.words = Words::of(root).filter(|_| records.level == 1);
        records.read_quarantines(root, memory);
        records.log = get("integrity.stacks").and_then(|word| {
            let table = memory.word(word).filter(|table| *table != 0)?;
            let field = |offset: u64| memory.word(table.wrapping_add(offset));
            (field(0)? == STACKS_MAGIC)
                .then(|| Some((table.wrapping_add(field(STACKS_LOG)?), field(STACKS_WORDS)?)))?
        });
        Some(records)
    }

    fn read_quarantines(&mut self, root: &Root, memory: &Memory) -> Option<()> {
        let get = |name: &str| root.get(name);
        let (before, number) = (get("checked_thread.before")?, get("checked_thread.number")?);
        let queue = get("checked_thread.quarantine")?;
        let (oldest, next) = (get("quarantine.oldest")?, get("quarantine.next")?);
        let (entries, size) = (get("quarantine.entries")?, get("quarantine_entry.size")?);
        let size = Some(size).filter(|size| *size <= RECORD_MAX)?;
        let capacity = get("quarantine.capacity").filter(|c| (1..=ENTRIES_MAX).contains(c))?;
        let (block, record) = (
            get("quarantine_entry.address")?,
            get("quarantine_entry.record")?,
        );
        let bits = get("quarantine_entry.address_bits").filter(|bits| (1..=64).contains(bits))?;
        let address = u64::MAX >> (64 - bits);
        let mut thread = memory.word(get("integrity.threads")?)?;
        let (mut seen, mut looked_at) = (HashSet::new(), 0);
        while thread != 0 && seen.insert(thread) && looked_at < QUEUED_MAX {
            let at = |offset: u64| thread.wrapping_add(offset);
            let of_queue = |offset: u64| memory.word(at(queue.wrapping_add(offset)));
            let (first, end) = (of_queue(oldest)?, of_queue(next)?);
            let count = end.wrapping_sub(first).min(capacity);
            looked_at += 1 + count;
            for index in 0..count {
                let place = first.wrapping_add(index) % capacity;
                let entry = at(queue.wrapping_add(entries)).wrapping_add(place * size);
                let word = |offset: u64| memory.word(entry.wrapping_add(offset));
                if let (Some(block), Some(record)) = (word(block), word(record))
                    && record != 0
                {
                    let thread = memory.half(at(number)).unwrap_or(0);
                    self.queued
                        .insert(block & address, Queued { thread, record });
                }
            }
            thread = memory.word(at(before))?;
        }
        Some(())
    }

    /// The records of a slab's first `count` blocks; none where there are none.
    pub fn of_slab(&self, memory: &Memory, header: u64, count: usize) -> Vec<Record> {
        let read = || {
            let records = memory.word(header.wrapping_add(self.slab))?;
            let count = (records != 0 && count <= BLOCKS_MAX).then_some(count as u64)?;
            (0..count)
                .map(|index| self.at(memory, records.wrapping_add(self.offset(index))))
                .collect::<Option<Vec<Record>>>()
        };
        read().unwrap_or_default()
    }

    /// How far behind a slab's first record that of a block is.
    fn offset(&self, index: u64) -> u64 {
        let (set, index) = (index / self.set.0, index % self.set.0);
        self.lane + set * self.set.1 + index * self.step
    }

    /// The record at an address.
    pub fn at(&self, memory: &Memory, address: u64) -> Option<Record> {
        let fields = [
            (self.asked, 8),
            (self.allocated, 8),
            (self.freed, 8),
            (self.life, 4),
            (self.freed_by, 1),
        ];
        let ends = fields.map(|(offset, bytes)| offset.saturating_add(bytes));
        let bytes = ends
            .into_iter()
            .max()
            .filter(|bytes| *bytes <= RECORD_MAX)?;
        self.read(address, &memory.bytes(address, bytes as usize)?)
    }

    fn read(&self, address: u64, bytes: &[u8]) -> Option<Record> {
        let part = |offset: u64, length: usize| {
            let at = usize::try_from(offset).ok()?;
            bytes.get(at..at.checked_add(length)?)
        };
        let word = |offset: u64| {
            Some(u64::from_le_bytes(
                part(offset, 8)?.try_into().unwrap_or_default(),
            ))
        };
        let asked = word(self.asked)?;
        let below = |shift: u64| (1_u64 << shift).wrapping_sub(1);
        Some(Record {
            address,
            doing: Doing::of(asked >> self.state),
            size: asked & below(self.align),
            align_log2: ((asked & below(self.api)) >> self.align) as u8,
            api: ((asked & below(self.state)) >> self.api) as u8,
            allocated: Moment::of(word(self.allocated)?),
            freed: Moment::of(word(self.freed)?),
            freed_by: part(self.freed_by, 1)?[0],
            life: u32::from_le_bytes(part(self.life, 4)?.try_into().unwrap_or_default()),
        })
    }

    /// Whether there is a table of stacks.
    pub fn has_stacks(&self) -> bool {
        self.log.is_some()
    }

    /// The return addresses of a stack, the innermost first.
    pub fn stack(&self, memory: &Memory, number: u32) -> Vec<u64> {
        let read = || {
            let (log, words) = self.log?;
            let start = u64::from(number);
            if number == 0 || start >= words {
                return None;
            }
            let at = log.wrapping_add(8 * start);
            let count = (memory.word(at)? & 0xff).min(FRAMES_MAX);
            memory.words(at.wrapping_add(8), count as usize)
        };
        read().unwrap_or_default()
    }

    /// Bytes in front of a block that have the pattern: the link of a free block below may take the
    /// rest.
    pub fn front_bytes(&self, block_bytes: u64) -> u64 {
        self.tail.min(block_bytes.saturating_sub(self.link))
    }
}
