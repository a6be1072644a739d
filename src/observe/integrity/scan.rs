//! Looks at all blocks: the pattern around live ones, the filling of freed ones and of places that
//! nobody has had; and before at the structures that say where they are.
//!
//! Other threads go on meanwhile. A block that changes while it is looked at is passed over: its
//! record says so. The pages of a LARGE one may go away with it, so they are read by a call that
//! does not fault.

use super::damage;
use super::pattern::{self, LINK};
use super::policy::{self, Level};
use super::record::{Asked, BlockRecord, State};
use super::report::{self, Finder};
use super::{check, guard, light, metadata, overwritten, streams, untouched};
use crate::observe::kept::Kept;
use crate::observe::{self, Block};
use crate::sys::peek::Memory;
use crate::sys::{fatal_signal, process};
use crate::walk::{self, Found};
use core::ops::ControlFlow;
use core::ptr::NonNull;

/// Findings that one scan tells.
const MOST: usize = 20;
/// Where other threads run, damage has to be there so often, with moments in between: who resizes a
/// block changes its place first and its record after.
const TIMES: usize = 5;
/// Bytes that are copied at a time.
const COPIED: usize = 1024;

/// How blocks are looked at.
struct Look {
    when: &'static [u8],
    /// For what other threads may take away; `None` if there are none.
    memory: Option<Memory>,
}

/// The program ends.
pub(super) fn at_exit() {
    const WHEN: &[u8] = b"the scan at exit";
    if streams::examine(WHEN) + examine(WHEN) > 0 {
        // What the program has printed would be lost by an abort.
        process::flush_streams();
        report::act();
    }
}

/// Looks at all blocks, and does what follows a finding; says how many are damaged.
pub(super) fn all(when: &'static [u8]) -> usize {
    let found = examine(when);
    if found > 0 {
        report::act();
    }
    found
}

/// Looks at all blocks; says how many are damaged.
pub(super) fn examine(when: &'static [u8]) -> usize {
    let mut found = 0;
    let memory = (!walk::is_alone()).then(Memory::open);
    let look = Look { when, memory };
    guard::each_live(|guarded| {
        if let Some(address) = NonNull::new(guarded.address as *mut u8)
            && found < MOST
        {
            let (bytes, class) = (guarded.bytes, observe::LARGE);
            let record = Some(Kept::of(guarded.record));
            let block = Block {
                address,
                bytes,
                class,
                record,
            };
            // It stays as it is meanwhile.
            let alone = Look { when, memory: None };
            found += usize::from(alone.finds_damage(&block, guarded.record, true));
        }
    });
    if policy::level() == Level::Off {
        return found;
    }
    // Where these do not agree, it is not known where blocks are.
    let wrong = metadata::examine(when);
    if wrong > 0 {
        return found + wrong;
    }
    let _ = walk::for_each_place(|place| {
        let block = observe::checked_block(&place.block);
        if light::has_word(&block) {
            found += look.finds_damaged_words(place, found < MOST);
            return ControlFlow::Continue(());
        }
        let Some(record) = block.record else {
            return ControlFlow::Continue(());
        };
        if let Some((kept, record)) = kept_back(place, record) {
            found += usize::from(look.finds_damage(&kept, &record, found < MOST));
        }
        found += usize::from(look.finds_damage(&block, &record, found < MOST));
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The place that a slab keeps back, if this is the first one behind.
fn kept_back(
    place: &Found,
    record: Kept<'static, BlockRecord>,
) -> Option<(Block<'static, BlockRecord>, Kept<'static, BlockRecord>)> {
    if place.block.class == observe::LARGE || place.index != 1 {
        return None;
    }
    let start = place.block.address.as_ptr().wrapping_sub(place.block.bytes);
    let address = NonNull::new(start)?;
    // SAFETY: of a block in a slab, and not of the first.
    let record = unsafe { record.below() };
    let block = Block {
        address,
        bytes: place.block.bytes,
        class: place.block.class,
        record: Some(record),
    };
    Some((block, record))
}

impl Look {
    /// How many words are damaged, of a place and of the one that its slab keeps back if it is the next
    /// one; those are told that are to be.
    fn finds_damaged_words(&self, place: &Found, is_told: bool) -> usize {
        let (start, bytes) = (place.block.address.as_ptr() as usize, place.block.bytes);
        let of_kept_back = if place.index == 1 && place.is_carved {
            usize::from(self.finds_damaged_word(start - bytes, bytes, is_told))
        } else {
            0
        };
        // Of what nobody has had, and nobody was shown, nothing is known.
        let is_known = place.is_carved || !place.is_free;
        let is_damaged = is_known && self.finds_damaged_word(start, bytes, is_told);
        of_kept_back + usize::from(is_damaged)
    }

    fn finds_damaged_word(&self, start: usize, bytes: usize, is_told: bool) -> bool {
        let word = light::read(light::word_of(start, bytes));
        let is_there =
            || !light::is_whole(start, bytes) && light::read(light::word_of(start, bytes)) == word;
        // As of a record, in [`Look::finds_damage`].
        let is_still_there = |_| {
            fatal_signal::wait();
            is_there()
        };
        if !is_there() || self.memory.is_some() && !(1..TIMES).all(is_still_there) {
            return false;
        }
        !is_told || overwritten::end(start, bytes, Finder::uncalled(self.when), report::only_tell)
    }

    /// Whether a block is damaged, which is told if it is to be.
    fn finds_damage(
        &self,
        block: &Block<'_, BlockRecord>,
        record: &BlockRecord,
        is_told: bool,
    ) -> bool {
        let (asked, life) = (record.asked(), record.life());
        // Twice, with the record unchanged in between and behind: then nobody was changing it.
        let is_as_it_was = || record.asked() == asked && record.life() == life;
        let is_there = || !self.is_whole(block, asked) && is_as_it_was();
        if !is_there() || !is_there() {
            return false;
        }
        let is_still_there = |_| {
            fatal_signal::wait();
            is_as_it_was() && is_in_place(block) && is_there()
        };
        if is_told && self.memory.is_some() && !(1..TIMES).all(is_still_there) {
            return false;
        }
        !is_told || tell(block, record, asked, self.when)
    }

    /// Whether what stands in or around a block is as it has to be.
    fn is_whole(&self, block: &Block<'_, BlockRecord>, asked: Asked) -> bool {
        let start = block.address.as_ptr() as usize;
        // SAFETY: the block's place; what another thread writes there meanwhile is found out by the
        // record.
        let is_filled = |skip| unsafe { pattern::is_whole(start + skip, block.bytes - skip) };
        match asked.state() {
            State::Live => {
                let guards = check::guards(block, asked.size());
                guards.into_iter().all(|(start, len)| match &self.memory {
                    Some(memory) if block.class == observe::LARGE => {
                        is_whole_or_gone(memory, start, len)
                    }
                    // SAFETY: as above.
                    _ => unsafe { pattern::is_whole(start, len) },
                })
            }
            State::Quarantined if block.class != observe::LARGE => is_filled(0),
            State::Filled => is_filled(LINK),
            State::Untouched => untouched::is_whole(start, block.bytes),
            _ => true,
        }
    }
}

/// Whether a block's place has as many bytes as before.
fn is_in_place(block: &Block<'_, BlockRecord>) -> bool {
    let now = walk::find(block.address.as_ptr() as usize);
    now.is_none_or(|now| now.block.bytes == block.bytes)
}

/// Whether the pattern stands in `len` bytes, as far as they are there.
fn is_whole_or_gone(memory: &Memory, start: usize, len: usize) -> bool {
    let mut words = [0; COPIED / size_of::<usize>()];
    let end = start + len;
    let mut at = start;
    while at < end {
        let from = at & !(size_of::<usize>() - 1);
        let wanted = (end - from).div_ceil(size_of::<usize>()).min(words.len());
        let read = memory.read(from, &mut words[..wanted]) * size_of::<usize>();
        let to = end.min(from + read);
        if to <= at {
            return true;
        }
        let copy = words.as_ptr() as usize + (at - from);
        // SAFETY: bytes of the copy.
        if !unsafe { pattern::is_whole(copy, to - at) } {
            return false;
        }
        at = to;
    }
    true
}

/// Tells of a damaged block; says whether it still was.
fn tell(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    asked: Asked,
    when: &'static [u8],
) -> bool {
    let start = block.address.as_ptr() as usize;
    let finder = Finder::uncalled(when);
    match asked.state() {
        State::Live => damage::around(block, asked, finder, report::only_tell),
        State::Untouched => {
            untouched::written(start, block.bytes, finder, report::only_tell);
            true
        }
        state => {
            let skip = if state == State::Filled { LINK } else { 0 };
            damage::written_after_free(block, record, skip, when, Some(report::only_tell));
            true
        }
    }
}
