//! What the root structure says of what is kept here, so that a reader of a core file finds it. The names
//! stand in `docs/ROOT-STRUCTURE.md`.

use super::pattern::{FREED, LINK};
use super::quarantine::Quarantine;
use super::record::BlockRecord;
use super::thread::Thread;
use super::untouched::{FILLED, FILLED_AT_END};
use super::word::Word;
use super::{guard, policy, stacks};
use crate::observe::own_memory;

/// Names that are added.
pub(super) const NAMES: usize = 9
    + Word::PARTS.len()
    + BlockRecord::OFFSETS.len()
    + Thread::OFFSETS.len()
    + Quarantine::OFFSETS.len()
    + guard::NAMES
    + own_memory::NAMES;

/// Adds them. The lane of records begins `record` bytes from where the records of a slab do.
pub(super) fn describe(put: fn(&str, usize), record: usize) {
    put("integrity.level", policy::level_address());
    put("integrity.record", record);
    put("integrity.tail", policy::tail_address());
    put("integrity.stacks", stacks::word_address());
    put("integrity.threads", Thread::newest_address());
    put("pattern.freed", usize::from(FREED));
    put("pattern.link", LINK);
    put("pattern.untouched.start", FILLED);
    put("pattern.untouched.end", FILLED_AT_END);
    let offsets = BlockRecord::OFFSETS
        .into_iter()
        .chain(Word::PARTS)
        .chain(Thread::OFFSETS)
        .chain(Quarantine::OFFSETS);
    for (name, offset) in offsets {
        put(name, offset);
    }
    guard::describe(put);
    own_memory::describe(put);
}
