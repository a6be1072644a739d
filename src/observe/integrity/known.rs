//! What is known of a block, wherever it is kept: in its record, or at the level `light` in the word at
//! the end of its place.

use super::light;
use super::record::{Asked, BlockRecord, Moment};
use crate::observe::{self, Block};
use crate::walk;

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) asked: Asked,
    /// Which life of the place it is; 0 if that is not kept.
    pub(super) life: u32,
    /// Who allocated it, and who freed it; without stack and thread where those are not kept.
    pub(super) allocated: Moment,
    pub(super) freed: Moment,
    pub(super) freed_by: u8,
}

impl Known {
    /// Of a block with a record.
    pub(super) fn of_record(record: &BlockRecord) -> Known {
        let (freed, freed_by) = record.freed();
        Known {
            asked: record.asked(),
            life: record.life(),
            allocated: record.allocated(),
            freed,
            freed_by,
        }
    }

    /// Of any block but a guarded one; `None` where there was no memory to keep it. What a place in
    /// a slab says that is free, and that was not shown to observers, is not to be asked.
    pub(super) fn of(block: &Block<'_, BlockRecord>) -> Option<Known> {
        if light::has_word(block) {
            return Some(light::known(block));
        }
        block.record.map(|record| Known::of_record(&record))
    }

    /// Of a place that was found.
    pub(super) fn of_found(found: &walk::Found) -> Option<Known> {
        let block = observe::checked_block(&found.block);
        if light::has_word(&block) && found.is_free && !found.is_carved {
            return None;
        }
        Known::of(&block)
    }
}
