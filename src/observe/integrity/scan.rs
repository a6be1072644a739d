//! Looks at all blocks: the pattern around live ones, the filling of freed ones.
//!
//! Other threads go on meanwhile. A block that changes while it is looked at is passed over: its
//! record says so.

use super::check;
use super::pattern::{self, LINK};
use super::record::{BlockRecord, State};
use super::report::{self, Finder};
use super::wrong;
use crate::observe::{self, Block};
use crate::sys::{process, thread};
use crate::walk;
use core::ops::ControlFlow;

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
        found += usize::from(is_damaged(&block, record, when));
        if found < MOST {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    found
}

fn is_damaged(block: &Block<'_, BlockRecord>, record: &BlockRecord, when: &'static [u8]) -> bool {
    let (asked, life) = (record.asked(), record.life());
    let start = block.address.as_ptr() as usize;
    let is_whole = || {
        // SAFETY: the block's place; what another thread writes there meanwhile is found out
        // below.
        let is_filled = |skip| unsafe { pattern::is_whole(start + skip, block.bytes - skip) };
        match asked.state() {
            State::Live => check::is_guarded(block, asked.size()),
            State::Quarantined if block.class != observe::LARGE => is_filled(0),
            State::Filled => is_filled(LINK),
            _ => true,
        }
    };
    // Twice, with the record unchanged in between and behind: then nobody was changing it.
    if is_whole() || is_whole() || record.asked() != asked || record.life() != life {
        return false;
    }
    match asked.state() {
        State::Live => {
            let finder = Finder {
                what: when,
                thread: thread::id(),
                frames: &[],
                returns: true,
            };
            wrong::around(block, asked, finder, report::only_tell)
        }
        state => {
            let skip = if state == State::Filled { LINK } else { 0 };
            wrong::written_after_free(block, record, skip, when, Some(report::only_tell));
            true
        }
    }
}
