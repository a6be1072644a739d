//! Looks at all blocks: the pattern around live ones, the filling of freed ones and of places that
//! nobody has had; and before at the structures that say where they are.
//!
//! Other threads go on meanwhile. A block that changes while it is looked at is passed over: its
//! record says so.

use super::pattern::{self, LINK};
use super::policy::{self, Level};
use super::record::{BlockRecord, State};
use super::report::{self, Finder};
use super::wrong;
use super::{check, guard, metadata, untouched};
use crate::observe::kept::Kept;
use crate::observe::{self, Block};
use crate::sys::{process, thread};
use crate::walk::{self, Found};
use core::ops::ControlFlow;
use core::ptr::NonNull;

/// Findings that one scan tells.
const MOST: usize = 20;

/// The program ends.
pub(super) fn at_exit() {
    if examine(b"the scan at exit") > 0 {
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
            found += usize::from(is_damaged(&block, guarded.record, Some(when)));
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
        let Some(record) = place.block.record.map(observe::checked) else {
            return ControlFlow::Continue(());
        };
        let block = Block {
            address: place.block.address,
            bytes: place.block.bytes,
            class: place.block.class,
            record: Some(record),
        };
        if let Some((kept, record)) = kept_back(place, record) {
            found += usize::from(is_damaged(&kept, &record, (found < MOST).then_some(when)));
        }
        found += usize::from(is_damaged(&block, &record, (found < MOST).then_some(when)));
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
    let address = NonNull::new(place.slab as *mut u8)?;
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

/// Whether a block is damaged, which is told if it is said in what.
fn is_damaged(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    when: Option<&'static [u8]>,
) -> bool {
    let (asked, life) = (record.asked(), record.life());
    let start = block.address.as_ptr() as usize;
    let is_whole = || {
        // SAFETY: the block's place; what another thread writes there meanwhile is found out
        // below.
        let is_filled = |skip| unsafe { pattern::is_whole(start + skip, block.bytes - skip) };
        match asked.state() {
            State::Live => {
                let mut guards = check::guards(block, asked.size()).into_iter();
                // SAFETY: as above.
                guards.all(|(start, len)| unsafe { pattern::is_whole(start, len) })
            }
            State::Quarantined if block.class != observe::LARGE => is_filled(0),
            State::Filled => is_filled(LINK),
            State::Untouched => untouched::is_whole(start, block.bytes),
            _ => true,
        }
    };
    // Twice, with the record unchanged in between and behind: then nobody was changing it.
    if is_whole() || is_whole() || record.asked() != asked || record.life() != life {
        return false;
    }
    let Some(when) = when else {
        return true;
    };
    let finder = Finder {
        what: when,
        thread: thread::id(),
        frames: &[],
        returns: true,
    };
    match asked.state() {
        State::Live => wrong::around(block, asked, finder, report::only_tell),
        State::Untouched => {
            untouched::written(start, block.bytes, finder, report::only_tell);
            true
        }
        state => {
            let skip = if state == State::Filled { LINK } else { 0 };
            wrong::written_after_free(block, record, skip, when, Some(report::only_tell));
            true
        }
    }
}
