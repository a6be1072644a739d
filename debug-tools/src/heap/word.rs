//! What the level `light` of a checked build keeps of a block in a slab: a word at the end of its place,
//! in the place of a record. See `docs/ROOT-STRUCTURE.md`, "Checked builds".

use super::Root;
use super::records::{Doing, Moment, Record};
use super::slab::{Bits, Slab, is_set};
use crate::image::Memory;

/// Bytes of a word.
pub const WORD: u64 = 8;
/// The most bytes of a slab that are read: several times as many as there are.
const SLAB_MAX: u64 = 16 << 20;

/// How words are read: the lowest bit of each part. The check is below the slack.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    slack: u32,
    align: u32,
    api: u32,
    freed_by: u32,
    factor: u32,
}

impl Words {
    /// None in a build without them.
    pub fn of(root: &Root) -> Option<Self> {
        let mut below = 0;
        let mut shift = |name| {
            let shift = root
                .get(name)
                .filter(|shift| (below + 1..64).contains(shift))?;
            below = shift;
            Some(shift as u32)
        };
        Some(Self {
            slack: shift("word.slack")?,
            align: shift("word.align")?,
            api: shift("word.api")?,
            freed_by: shift("word.freed_by")?,
            factor: root.get("word.factor")? as u32,
        })
    }

    /// What is kept of a slab's blocks, the one that it keeps back first.
    pub fn of_slab(&self, memory: &Memory, slab: &Slab, bits: &Bits) -> Vec<Record> {
        let bytes = slab.bytes.saturating_mul(u64::from(slab.blocks));
        if slab.bytes < WORD || bytes > SLAB_MAX {
            return vec![];
        }
        let memory = memory.bytes(slab.block(0), bytes as usize);
        let Some(memory) = memory else { return vec![] };
        let each = (0..usize::from(slab.blocks)).map(|index| {
            let end = (index + 1) * slab.bytes as usize;
            let word = memory[end - WORD as usize..end].try_into();
            let word = u64::from_le_bytes(word.unwrap_or_default());
            let is_shown = index < usize::from(slab.carved);
            let is_free = index < usize::from(slab.first) || is_set(&bits.free, index);
            let address = slab.block(index).wrapping_add(slab.bytes - WORD);
            self.read(word, address, slab.bytes, is_shown, is_free)
        });
        each.collect()
    }

    /// What a word says; `is_shown` of a place that has one for sure.
    fn read(&self, word: u64, address: u64, bytes: u64, is_shown: bool, is_free: bool) -> Record {
        let part = |from: u32, to: u32| (word >> from) & ((1 << (to - from)) - 1);
        let info = (word >> self.slack) as u32;
        // Places are 16 bytes apart.
        let check = info
            .wrapping_mul(self.factor)
            .wrapping_add((address >> 4) as u32);
        let is_whole = u64::from(check) == part(0, self.slack);
        let api = part(self.api, self.freed_by) as u8;
        // All its bits are the other way round.
        let freed_by = (!word >> self.freed_by) as u8;
        let mut record = Record {
            address,
            doing: Doing::New,
            size: bytes.saturating_sub(WORD),
            align_log2: 0,
            api: 0,
            allocated: Moment::default(),
            freed: Moment::default(),
            freed_by: 0,
            life: 0,
        };
        if !is_whole || !is_shown && is_free {
            // In a place that nobody had an old word may stand.
            if is_shown {
                record.doing = Doing::Overwritten;
            }
            return record;
        }
        if api != 0 {
            record.doing = match freed_by {
                0 => Doing::Live,
                _ => Doing::Freed,
            };
            record.size = bytes.saturating_sub(part(self.slack, self.align));
            record.align_log2 = part(self.align, self.api) as u8;
            record.api = api;
            record.freed_by = freed_by;
        }
        record
    }
}
