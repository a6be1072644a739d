//! The allocator's own structures: what two of them say of the same thing is compared, for each slab
//! that nobody is changing.

use super::kind::Kind;
use super::record::State;
use super::report::{self, Finder, Finding};
use crate::observe::kept::Kept;
use crate::observe::report::Line;
use crate::observe::{self, Record};
use crate::sys::{fatal_signal, thread};
use crate::walk;

/// Slabs that are told of.
const MOST: usize = 8;

/// Looks at all slabs, and tells what is wrong; says how many are.
pub(super) fn examine(when: &'static [u8]) -> usize {
    let mut found = 0;
    walk::for_each_contradiction(is_out, fatal_signal::wait, &mut |slab, wrong| {
        found += 1;
        if found > MOST {
            return;
        }
        let mut sentence = Line::part();
        sentence
            .text(b"of the slab at ")
            .address(slab)
            .text(b" ")
            .text(wrong.field.as_bytes())
            .text(b" is ")
            .address(wrong.is as usize)
            .text(b", and by ")
            .text(wrong.by.as_bytes())
            .text(b" it would be ")
            .address(wrong.expected as usize)
            .text(b"; found by ")
            .text(when);
        report::only_tell(&Finding {
            kind: Kind::MetadataCorruption,
            sentence: sentence.bytes(),
            address: slab,
            subject: None,
            damage: None,
            finder: Finder {
                what: when,
                thread: thread::id(),
                frames: &[],
                returns: true,
            },
            unknown: b"who wrote: the structures lie apart from all blocks",
        });
    });
    found
}

/// Whether a record says that its block is not free.
fn is_out(record: Kept<'static, Record>) -> bool {
    let state = observe::checked(record).asked().state();
    matches!(state, State::Live | State::Quarantined)
}
