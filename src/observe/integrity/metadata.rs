//! The allocator's own structures: what two of them say of the same thing is compared, for each slab
//! that nobody is changing, and for each cache that no thread has.

use super::kind::Kind;
use super::known::Known;
use super::light;
use super::record::State;
use super::report::{self, Finder, Finding};
use crate::observe::report::Line;
use crate::observe::{self, Block, Record};
use crate::sys::fatal_signal;
use crate::walk::{self, Whose};

/// Contradictions that are told.
const MOST: usize = 8;

/// Looks at all of them, and tells what is wrong; says how much is.
pub(super) fn examine(when: &'static [u8]) -> usize {
    let mut found = 0;
    let mut tell = |whose, address, wrong: walk::Contradiction| {
        found += 1;
        if found > MOST {
            return;
        }
        let mut sentence = Line::part();
        sentence
            .text(match whose {
                Whose::Slab => b"of the slab at ",
                Whose::Cache => b"of the thread cache at ",
            })
            .address(address)
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
            address,
            subject: None,
            damage: None,
            finder: Finder::uncalled(when),
            unknown: b"who wrote: the structures lie apart from all blocks",
        });
    };
    walk::for_each_contradiction(is_out, live_bytes, fatal_signal::wait, &mut tell);
    found
}

/// Whether what is kept of a block says that it is not free.
fn is_out(block: &Block<'static, Record>, is_carved: bool) -> bool {
    let block = observe::checked_block(block);
    // In a place that is free, and that nobody was shown, an old word may stand.
    let is_known = is_carved || !light::has_word(&block);
    let known = is_known.then(|| Known::of(&block)).flatten();
    known.is_some_and(|known| matches!(known.asked.state(), State::Live | State::Quarantined))
}

/// The bytes asked for of a block that the program has.
fn live_bytes(block: &Block<'static, Record>) -> Option<usize> {
    Known::of(&observe::checked_block(block))?.asked.live_size()
}
