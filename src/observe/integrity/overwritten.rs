//! What stands at the end of a place, at the level `light`, has been overwritten: what stood there,
//! and who is likely to have done it.
//!
//! ```text
//!  block              │ pattern  │ word     │ next block
//!  ──────────────────►│ over the end        │
//!                                │ in front of the next one ◄──
//! ```
//!
//! A word of which one half is left says still what it was, if that makes sense: what ran over an end has
//! changed the check first, and what ran below a start what the word says. Of one that has more changed
//! nothing is known, but that no more was asked for than fits in front of it; then what stands in front of it
//! says which way the write came.

use super::damage;
use super::kind::{self, Family, Kind};
use super::light;
use super::pattern::{self, FREED};
use super::record::State;
use super::report::{Finder, Finding, Subject};
use super::untouched;
use super::word::{WORD, Word};
use crate::observe::report::Line;
use crate::walk::{self, BlockState};

/// The word that stood where `word` does, at the end of a place; `None` if that cannot be said.
pub(super) fn before(word: Word, start: usize, bytes: usize) -> Option<Word> {
    let word_at = light::word_of(start, bytes);
    let is_likely = |before: &Word| is_likely(*before, word_at, bytes);
    let is_tail_whole = |before: &Word| tail_damage(start, bytes, *before).is_none();
    let from_check = word.of_check(word_at);
    single_byte(word, word_at)
        .filter(is_likely)
        .or_else(|| Some(from_check).filter(is_likely).filter(is_tail_whole))
        .or_else(|| Some(word.checked_again(word_at)).filter(is_likely))
}

/// One byte was changed.
fn single_byte(word: Word, word_at: usize) -> Option<Word> {
    (0..u64::BITS).step_by(8).find_map(|shift| {
        let others = word.0 & !(0xff << shift);
        let words = (0..=0xff).map(|byte: u64| Word(others | byte << shift));
        words.into_iter().find(|word| word.is_of(word_at))
    })
}

/// Whether a place may have had a word.
fn is_likely(word: Word, word_at: usize, bytes: usize) -> bool {
    match word.state() {
        State::New => word == Word::new_at(word_at),
        _ => {
            let is_freed_by_one = Family::of(word.freed_by()) != Family::Unknown
                && kind::takes_back(word.freed_by(), word.api());
            Family::of(word.api()) != Family::Unknown
                && (word.freed_by() == 0 || is_freed_by_one)
                && (WORD..=bytes).contains(&word.slack())
        }
    }
}

/// Looks for damage at the end of a place, tells it and puts it right; says whether there was some.
pub(super) fn end(start: usize, bytes: usize, finder: Finder<'_>, tell: fn(&Finding<'_>)) -> bool {
    let word_at = light::word_of(start, bytes);
    let word = light::read(word_at);
    let Some(before) = light::valid_word(start, bytes) else {
        tell_unknown(start, bytes, finder, tell);
        light::write(word_at, Word::new_at(word_at));
        return true;
    };
    let damage = all(
        tail_damage(start, bytes, before),
        word_damage(word_at, word, before),
    );
    let is_found = walk::is_carved(start) && damage.is_some();
    if let Some(damage) = damage.filter(|_| is_found) {
        let (below, above) = around(start, bytes);
        if is_live(below) || is_live(above) {
            damage::gap(below, above, damage, finder, tell);
        } else {
            tell_of_nearest(start, below, damage, finder, tell);
        }
        if before.is_live() {
            let from = start + bytes - before.slack();
            // SAFETY: behind what was asked for, in front of the word.
            unsafe { pattern::fill(from, word_at - from, FREED) };
        }
    }
    light::write(word_at, before);
    is_found
}

/// The block of a place, if it is not the one that its slab keeps back, and the next one.
fn around(start: usize, bytes: usize) -> (Option<Subject>, Option<Subject>) {
    let below = Subject::at_place_itself(start);
    let above = match below {
        Some(below) => below.neighbour(1),
        None => Subject::of(start + bytes),
    };
    (below, above)
}

/// The damage in the pattern behind a live block.
fn tail_damage(start: usize, bytes: usize, word: Word) -> Option<(usize, usize)> {
    let from = start + bytes - word.slack();
    let len = light::word_of(start, bytes).saturating_sub(from);
    if !word.is_live() {
        return None;
    }
    // SAFETY: behind what was asked for, in front of the word.
    unsafe { pattern::damage(from, len) }
}

/// The damage in a word.
fn word_damage(word_at: usize, word: Word, before: Word) -> Option<(usize, usize)> {
    let changed = word.0 ^ before.0;
    let first = changed.trailing_zeros() as usize / 8;
    let last = WORD - 1 - changed.leading_zeros() as usize / 8;
    (changed != 0).then_some((word_at + first, word_at + last))
}

fn all(tail: Option<(usize, usize)>, word: Option<(usize, usize)>) -> Option<(usize, usize)> {
    match (tail, word) {
        (Some((first, _)), Some((_, last))) => Some((first, last)),
        (tail, word) => tail.or(word),
    }
}

fn is_live(block: Option<Subject>) -> bool {
    block.is_some_and(|block| block.is_live())
}

/// Tells of a write at the end of a place that nobody has, below one that nobody has either: it was
/// the block there that was freed, or the nearest one below ran over its end, or the nearest one above.
fn tell_of_nearest(
    start: usize,
    place: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let (first, last) = damage;
    let freed = place.filter(Subject::is_freed);
    let below = freed.or_else(|| untouched::nearest(start, -1));
    let mut sentence = Line::part();
    sentence
        .number(last - first + 1)
        .text(b" bytes or fewer were written ");
    let (kind, subject) = match below {
        Some(below) => {
            sentence
                .number(first.saturating_sub(below.address + below.size))
                .text(b" bytes behind the end of ");
            let kind = match freed {
                Some(_) => Kind::WriteAfterFree,
                None => Kind::HeapOverflow,
            };
            (kind, Some(below))
        }
        None => {
            sentence.text(b"in front of ");
            (Kind::HeapUnderflow, untouched::nearest(start, 1))
        }
    };
    match &subject {
        Some(subject) => sentence
            .text(if subject.is_live() {
                b"a block of "
            } else {
                b"a freed block of "
            })
            .bytes_at(subject.size, subject.address),
        None => sentence.text(b"all blocks of a slab"),
    };
    sentence
        .text(b", at the end of a place that nobody has; found by ")
        .text(finder.what);
    tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address: first,
        subject,
        damage: Some(damage),
        finder,
        unknown: b"who wrote, and which block was meant: this one is the nearest",
    });
}

/// Tells of a word of which nothing is left.
fn tell_unknown(start: usize, bytes: usize, finder: Finder<'_>, tell: fn(&Finding<'_>)) {
    let word_at = light::word_of(start, bytes);
    let (below, above) = around(start, bytes);
    let is_out = below.is_some() && walk::state_of(start) == Ok(BlockState::Live);
    if !is_out && !is_live(above) {
        return tell_of_nearest(start, below, (word_at, word_at + WORD - 1), finder, tell);
    }
    // SAFETY: the byte in front of the word, in the same place.
    let is_in_front_whole = unsafe { ((word_at - 1) as *const u8).read_volatile() } == FREED;
    let is_overflow = is_out && !(is_in_front_whole && is_live(above));
    let mut sentence = Line::part();
    sentence.text(b"bytes were written ");
    let subject = match (below, above) {
        (Some(below), _) if is_overflow => {
            sentence.text(b"behind the end of a block of at most ");
            Some(below)
        }
        (below, above) => {
            sentence.text(b"directly in front of a block of ");
            above.or(below)
        }
    };
    if let Some(subject) = &subject {
        sentence.bytes_at(subject.size, subject.address);
    }
    sentence.text(b"; found by ").text(finder.what);
    tell(&Finding {
        kind: if is_overflow {
            Kind::HeapOverflow
        } else {
            Kind::HeapUnderflow
        },
        sentence: sentence.bytes(),
        address: word_at,
        subject,
        damage: Some((word_at, word_at + WORD - 1)),
        finder,
        unknown: b"who wrote, and what was kept of the block below: its size, and who allocated it",
    });
}
