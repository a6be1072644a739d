//! A block of ours that was given to glibc's `free`, where the program's `malloc` is not ours: a Rust
//! program on the crate, whose C code frees a box. glibc looks at the bytes in front of the block,
//! finds that they are none of its own, and aborts; from its stack the report makes out what it was
//! given.
//!
//! What its functions were passed is in no register any more. But they keep the registers of their
//! caller, which has the address as a rule, on the stack: so the block is the first one that a word
//! there is the start of.

use super::kind::Kind;
use super::report::{self, Finder, Finding, Subject};
use crate::observe::report::{Line, place::Place};
use crate::observe::stack;
use crate::sys::fatal_signal::{Delivery, SIGABRT};
use crate::sys::{stack as own_stack, system_malloc};

/// Words of the stack that are looked at.
const WORDS: usize = 512;

/// Tells it, if that is why glibc has aborted.
pub(super) fn tell(delivery: Delivery, finder: Finder<'_>) {
    if delivery.signal != SIGABRT || system_malloc::is_exported() {
        return;
    }
    let called = finder.frames.iter().enumerate().skip(1);
    let found = called
        .take(stack::FRAMES)
        .find_map(|(at, &frame)| Some((at, function(frame as usize)?)));
    let Some((at, function)) = found else {
        return;
    };
    let (_, sp, _) = delivery.place();
    let Some(block) = block_on_stack(sp) else {
        return;
    };
    let mut sentence = Line::part();
    sentence
        .text(function)
        .text(b"(")
        .address(block.address)
        .text(
            b"): the C library's, which has aborted, was given a block that it has not handed out",
        );
    report::only_tell(&Finding {
        kind: Kind::MismatchedFree,
        sentence: sentence.bytes(),
        address: block.address,
        subject: Some(block),
        damage: None,
        finder: Finder {
            what: function,
            frames: &finder.frames[at + 1..],
            returns: true,
            ..finder
        },
        unknown: b"whether it is this block: its address was on the stack of the call",
    });
}

/// The function of the C library that takes blocks back which a frame's call returns into.
fn function(frame: usize) -> Option<&'static [u8]> {
    let place = Place::of(frame - 1)?;
    let name = place.function()?;
    match name.name() {
        b"free" | b"cfree" | b"__libc_free" => Some(b"free"),
        b"realloc" | b"__libc_realloc" => Some(b"realloc"),
        _ => None,
    }
}

/// The block that the first word is the address of.
fn block_on_stack(sp: usize) -> Option<Subject> {
    (0..WORDS)
        .map(|word| sp + word * size_of::<usize>())
        .take_while(|&at| own_stack::is_readable(at))
        .find_map(|at| {
            // SAFETY: it can be read, and is the thread's own stack.
            let word = unsafe { (at as *const usize).read_volatile() };
            Subject::of(word).filter(|block| block.address == word && block.is_live())
        })
}
