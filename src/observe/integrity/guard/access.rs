//! What an access to the pages of guarded blocks is that the processor refused.

use super::region;
use super::slot::Slot;
use crate::observe::integrity::kind::Kind;
use crate::observe::integrity::record::State;
use crate::observe::report::Line;

/// How memory was accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum How {
    Read,
    Write,
    /// A jump there.
    Execution,
}

impl How {
    /// `a read`, …
    pub(in super::super) fn name(self) -> &'static [u8] {
        match self {
            How::Read => b"a read",
            How::Write => b"a write",
            How::Execution => b"a jump",
        }
    }
}

/// What an access is, and the sentence that says it; `None` if no block has to do with the address.
pub(in super::super) fn explain(address: usize, how: How) -> Option<(Kind, Line)> {
    let slot = region::find(address)?;
    let asked = slot.record.asked();
    let (start, end) = (slot.start(), slot.start() + asked.size());
    let is_live = match asked.state() {
        State::New => return None,
        State::Live => true,
        _ => false,
    };
    let (from, to) = slot.accessible();
    if is_live && (from..to).contains(&address) {
        // The program has taken the access away itself, perhaps.
        return None;
    }
    let mut sentence = Line::part();
    sentence.text(how.name()).text(b" ");
    let kind = if address < start {
        distance(&mut sentence, start - address).text(b"in front of a ");
        Kind::HeapUnderflow
    } else if address >= end {
        distance(&mut sentence, address - end).text(b"behind the end of a ");
        Kind::HeapOverflow
    } else {
        sentence
            .text(b"at offset ")
            .number(address - start)
            .text(b" of a ");
        Kind::UseAfterFree
    };
    sentence.text(if is_live { b"" } else { b"freed " });
    sentence
        .text(b"block of ")
        .number(asked.size())
        .text(b" bytes at ")
        .address(start);
    let kind = if is_live { kind } else { Kind::UseAfterFree };
    // In the bytes of a block itself it is an access to that one.
    if !(start..end).contains(&address) {
        other(&mut sentence, slot, address);
    }
    Some((kind, sentence))
}

/// The live block on the other side of the pages between, if the access may have come from there.
fn other(sentence: &mut Line, slot: &Slot, address: usize) {
    let (first, end) = slot.run();
    let neighbour = if address < slot.start() {
        region::find(region::address_of(first) - 1)
    } else {
        region::find(region::address_of(end))
    };
    let Some(neighbour) = neighbour else {
        return;
    };
    let asked = neighbour.record.asked();
    if asked.state() != State::Live {
        return;
    }
    let (start, end) = (neighbour.start(), neighbour.start() + asked.size());
    sentence.text(b", and ");
    if address < start {
        distance(sentence, start - address).text(b"in front of");
    } else {
        distance(sentence, address - end).text(b"behind the end of");
    }
    sentence
        .text(b" one of ")
        .number(asked.size())
        .text(b" bytes at ")
        .address(start);
}

fn distance(sentence: &mut Line, bytes: usize) -> &mut Line {
    match bytes {
        0 => sentence.text(b"directly "),
        1 => sentence.text(b"1 byte "),
        _ => sentence.number(bytes).text(b" bytes "),
    }
}
