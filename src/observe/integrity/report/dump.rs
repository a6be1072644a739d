//! A dump of the bytes around damage, with marks, and what the damage looks like.

use super::paper::Paper;
use crate::observe::modules;
use crate::observe::report::Line;
use crate::observe::report::place::Place;
use crate::walk;

const IN_A_LINE: usize = 16;
/// Lines of a dump.
const LINES: usize = 6;

/// Dumps what can be read from `from` to `to`; marks the bytes from `first` to `last`.
pub(super) fn write(paper: &mut Paper, (from, to): (usize, usize), (first, last): (usize, usize)) {
    let begin = (first & !(IN_A_LINE - 1))
        .saturating_sub(IN_A_LINE)
        .max(from & !(IN_A_LINE - 1));
    for number in 0..LINES {
        let start = begin + number * IN_A_LINE;
        if start >= to || number > 1 && start > last + IN_A_LINE {
            break;
        }
        paper.line(&mut row(start, (from, to), (first, last)));
    }
}

fn row(start: usize, (from, to): (usize, usize), (first, last): (usize, usize)) -> Line {
    let mut line = Line::new();
    line.text(b"    ").address(start).text(b" ");
    let is_there = |at: &usize| (from..to).contains(at);
    // SAFETY: a byte of a block's place, or of its neighbours' in one slab, which are committed.
    let byte = |at: usize| unsafe { (at as *const u8).read_volatile() };
    for at in start..start + IN_A_LINE {
        if !is_there(&at) {
            line.text(b"   ");
            continue;
        }
        let is_marked = (first..=last).contains(&at);
        let was_marked = (first..=last).contains(&(at.wrapping_sub(1))) && at > start;
        line.text(match (is_marked, was_marked) {
            (true, false) => b"[",
            (false, true) => b"]",
            _ => b" ",
        });
        line.byte(byte(at));
    }
    let ends_marked = (first..=last).contains(&(start + IN_A_LINE - 1));
    line.text(if ends_marked { b"] " } else { b"  " });
    for at in (start..start + IN_A_LINE).filter(is_there) {
        let byte = byte(at);
        line.text(&[if (b' '..=b'~').contains(&byte) {
            byte
        } else {
            b'.'
        }]);
    }
    line
}

/// Says what a word that was written looks like: an address of something, or text.
pub(super) fn explain(paper: &mut Paper, (first, last): (usize, usize)) {
    let mut line = Line::new();
    line.text(b"  written: ")
        .number(last - first + 1)
        .text(if first == last { b" byte" } else { b" bytes" });
    let word_at = first & !7;
    // SAFETY: the word that the first damaged byte lies in, in the same block.
    let word = unsafe { (word_at as *const usize).read_volatile() };
    let len = (last - first + 1).min(32);
    // SAFETY: bytes of the damage.
    let byte = |at: usize| unsafe { ((first + at) as *const u8).read_volatile() };
    let is_letter = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\n';
    // With the zero that ends it, and no other: small numbers have more.
    let is_text = |at: usize| is_letter(byte(at)) || byte(at) == 0 && at + 1 == len;
    if let Some(found) = walk::find(word).filter(|_| last - first >= 3) {
        let offset = word.wrapping_sub(found.block.address.as_ptr() as usize);
        line.text(b"; ")
            .address(word)
            .text(b" is an address in a block (");
        line.address(found.block.address.as_ptr() as usize)
            .text(b"+")
            .number(offset)
            .text(b")");
    } else if modules::of(word).is_some() && last - first >= 3 {
        line.text(b"; ").address(word).text(b" is an address in ");
        match Place::of(word) {
            Some(_) => line.function(word, false),
            None => line.address(word),
        };
    } else if (0..len).all(is_text) && byte(0) != 0 {
        line.text(b"; as text: \"");
        for at in 0..len {
            line.foreign(&[byte(at)]);
        }
        line.text(b"\"");
    } else if first == last && byte(0) == 0 {
        line.text(b"; a zero, as ends a string");
    } else {
        line.text(b"; the word there is ").address(word);
    }
    paper.line(&mut line);
}
