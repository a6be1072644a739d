//! C's standard streams, when the program ends: what they still hold is written then, and libc reads
//! it from a buffer that the program may have given them by `setvbuf`, and freed.

use super::kind::Kind;
use super::report::{self, Finder, Finding, Subject};
use crate::observe::report::{Line, name_of};
use crate::sys::stream;

/// Looks at them; says how many are written from a freed block.
pub(super) fn examine(when: &'static [u8]) -> usize {
    // A program may have put one in their place that it has closed.
    let is_there = |stream| !Subject::of(stream).is_some_and(|block| block.is_freed());
    stream::pending(is_there)
        .into_iter()
        .filter(|(name, start, len)| tell(name, *start, *len, when))
        .count()
}

/// Tells of a stream whose bytes wait in a freed block; says whether it is one.
fn tell(name: &str, start: usize, len: usize, when: &'static [u8]) -> bool {
    let freed = Subject::of(start).filter(Subject::is_freed);
    let Some(block) = freed.filter(|_| len > 0) else {
        return false;
    };
    let mut sentence = Line::part();
    sentence
        .number(len)
        .text(if len == 1 { b" byte" } else { b" bytes" })
        .text(b" that ")
        .text(name.as_bytes())
        .text(b" writes at exit are in a block of ")
        .bytes_at(block.size, block.address)
        .text(b", which was freed by ")
        .text(name_of(block.freed_by));
    report::only_tell(&Finding {
        kind: Kind::UseAfterFree,
        sentence: sentence.bytes(),
        address: start,
        subject: Some(block),
        damage: None,
        finder: Finder::uncalled(when),
        unknown: b"",
    });
    true
}
