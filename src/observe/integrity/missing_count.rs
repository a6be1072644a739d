//! `delete[]` of one object: C++ keeps in front of an array's objects how many there are, if they have
//! a destructor, and begins with the last. In front of a block that is no such array stands the
//! filling, so the last object is taken to be where no address is, and its destructor faults there:
//!
//! ```text
//! last object = block + (filling - 1) * bytes of an object, modulo 2^64
//! ```
//!
//! No other address comes out so by chance.

use super::guard;
use super::kind::{Family, Kind};
use super::pattern::FREED;
use super::report::{self, Finder, Finding, Subject};
use crate::observe::report::{Line, name_of};
use crate::sys::fatal_signal::{self, Delivery};

/// Bytes of an object that is looked for, at most.
const LARGEST: usize = 4096;

/// An access through an address that was computed so: tells it; says whether it is one. `words` are
/// what the function has at hand.
pub(super) fn tell(
    delivery: Delivery,
    words: impl Iterator<Item = usize>,
    finder: Finder<'_>,
) -> bool {
    let registers = delivery.registers();
    let named = fatal_signal::general(&registers);
    let mut blocks = words.filter_map(start_of_block);
    let object = |block: &Subject| {
        let bytes = |(_, value): &(&str, u64)| object_of(*value as usize, block.address);
        named.iter().find_map(bytes)
    };
    let Some((block, object)) = blocks.find_map(|block| Some((block, object(&block)?))) else {
        return false;
    };
    let mut sentence = Line::part();
    sentence
        .text(b"delete[] of a block of ")
        .bytes_at(block.size, block.address)
        .text(b", which ")
        .text(name_of(block.allocated_by))
        .text(b" handed out: the count of objects of ")
        .number(object)
        .text(b" bytes was read in front of it, where there is none");
    report::only_tell(&Finding {
        kind: Kind::MismatchedFree,
        sentence: sentence.bytes(),
        address: block.address,
        subject: Some(block),
        damage: None,
        finder,
        unknown: b"",
    });
    true
}

/// The live block that begins at an address, if it is no array of objects that `new` has made.
fn start_of_block(address: usize) -> Option<Subject> {
    Subject::of(address).filter(|block| {
        let family = Family::of(block.allocated_by);
        let is_other = matches!(family, Family::New | Family::Malloc);
        block.address == address && block.is_live() && is_other && guard::around(address).is_none()
    })
}

/// Bytes of an object, if an address is what it would be of the last one, or of its end.
fn object_of(address: usize, block: usize) -> Option<usize> {
    const FILLING: usize = usize::from_ne_bytes([FREED; 8]);
    let distance = address.wrapping_sub(block);
    let is_of = |bytes: &usize| {
        let end = FILLING.wrapping_mul(*bytes);
        distance == end || distance == end.wrapping_sub(*bytes)
    };
    (1..=LARGEST).find(is_of)
}
