//! Places that nobody has had since their slab was opened: filled as freed ones are, so that it
//! shows when somebody writes far past the end of a block, over all that is kept around it.
//!
//! ```text
//!  block handed out    │ place that nobody has had          │ next place
//!  … asked for │DE DE …│DE DE DE … DE│ as it comes │DE…│ …
//!                       0         FILLED            its last page
//! ```
//!
//! 1. They are filled some way ahead of those that are handed out, and no farther: the memory of
//!    the rest of a slab is never touched.

use super::damage;
use super::kind::Kind;
use super::pattern::{self, FREED, LINK};
use super::record::{BlockRecord, State};
use super::report::{self, Finder, Finding, Subject};
use crate::block;
use crate::observe::Block;
use crate::walk;

/// Bytes from the start of a place that are filled; and as always those in front of the next one.
pub(super) const FILLED: usize = 8 << 10;

/// So many times nearer is the block above that a write far from all is told of.
const OVERFLOWS: usize = 4;
/// Bytes at the end of a larger one that are.
pub(super) const FILLED_AT_END: usize = 4 << 10;

/// Where the filling stands in a place: from and to, as offsets.
#[inline(always)]
fn ranges(start: usize, bytes: usize) -> [(usize, usize); 2] {
    let from = if has_link(start) { LINK } else { 0 };
    ranges_from(from, bytes)
}

/// As [`ranges`], of a place that begins with a link of so many bytes, or of none.
#[inline(always)]
fn ranges_from(from: usize, bytes: usize) -> [(usize, usize); 2] {
    if bytes <= FILLED + FILLED_AT_END {
        return [(from, bytes), (bytes, bytes)];
    }
    [(from, FILLED), (bytes - FILLED_AT_END, bytes)]
}

/// Whether the place is on a list of free blocks, or was: then it begins with null or the address of
/// another block, encoded.
fn has_link(start: usize) -> bool {
    // SAFETY: a place that is nobody's.
    let word = unsafe { (start as *const usize).read_volatile() };
    let next = word ^ block::key();
    word != usize::from_ne_bytes([FREED; 8])
        && (next == 0
            || walk::find(next)
                .is_some_and(|next_one| next_one.block.address.as_ptr() as usize == next))
}

/// Fills a place that nobody has had, if it is one.
pub(super) fn fill(block: &Block<'_, BlockRecord>) {
    let Some(record) = block.record else {
        return;
    };
    record.fault_in();
    if record.asked().state() == State::New {
        // None is read of the place: its page may not be there yet.
        fill_ranges(block.address.as_ptr() as usize, ranges_from(0, block.bytes));
        record.set_state(State::Untouched);
    }
}

fn fill_place(start: usize, bytes: usize) {
    fill_ranges(start, ranges(start, bytes));
}

fn fill_ranges(start: usize, ranges: [(usize, usize); 2]) {
    for (from, to) in ranges {
        // SAFETY: of a place that is nobody's, as `fill` and `written` are told.
        unsafe { pattern::fill(start + from, to - from, FREED) };
    }
}

/// Whether nobody has written to such a place.
#[inline(always)]
pub(super) fn is_whole(start: usize, bytes: usize) -> bool {
    let [(from, to), front] = ranges(start, bytes);
    // SAFETY: the place, or what another thread may have of it meanwhile.
    unsafe {
        pattern::is_whole(start + from, to - from)
            && pattern::is_whole(start + front.0, front.1 - front.0)
    }
}

/// The first and the last byte that somebody wrote to.
fn damage(start: usize, bytes: usize) -> Option<(usize, usize)> {
    let mut all = None;
    for (from, to) in ranges(start, bytes) {
        // SAFETY: as above.
        if let Some((first, last)) = unsafe { pattern::damage(start + from, to - from) } {
            all = Some((all.map_or(first, |(before, _)| before), last));
        }
    }
    all
}

/// Such a place is handed out: looks at it, and says what it is from then on.
#[inline(never)]
pub(super) fn handed_out(block: &Block<'_, BlockRecord>, record: &BlockRecord) -> State {
    let start = block.address.as_ptr() as usize;
    if !is_whole(start, block.bytes) {
        let finder = Finder::uncalled(b"the first use of a place");
        written(start, block.bytes, finder, report::tell);
    }
    if block.bytes <= FILLED + FILLED_AT_END {
        return State::Filled;
    }
    record.set_state(State::Freed);
    State::New
}

/// Such a place was written to: tells who is likely to have done it.
#[cold]
#[inline(never)]
pub(super) fn written(start: usize, bytes: usize, finder: Finder<'_>, tell: fn(&Finding<'_>)) {
    let Some((first, last)) = damage(start, bytes) else {
        return;
    };
    let last = through(start, bytes, last);
    let below = nearest(start, -1).or_else(|| Subject::of(start.wrapping_sub(1)));
    let above = nearest(start, 1);
    if let Some((below, first)) = below.and_then(|below| Some((below, tail_before(&below, start)?)))
    {
        damage::gap(Some(below), None, (first, last), finder, tell);
        let end = below.address + below.size;
        // SAFETY: the rest of the place below.
        unsafe { pattern::fill(end, start - end, FREED) };
    } else {
        // Who misses far runs over the end more often, but for the place in front of all.
        let is_kept_back = walk::find(start).is_none();
        let weight = if is_kept_back { 1 } else { OVERFLOWS };
        let is_nearer = |above: &Subject| {
            let in_front = above.address.wrapping_sub(last + 1);
            let behind = |below: &Subject| first.wrapping_sub(below.address + below.size);
            let is_farther = |below| behind(below) > in_front.saturating_mul(weight);
            below.as_ref().is_none_or(is_farther)
        };
        let above = above.filter(is_nearer);
        tell_of_nearest(below, above, (first, last), finder, tell);
    }
    make_whole(start, bytes, last);
    fill_place(start, bytes);
}

/// The nearest block that somebody has, or has had, in a direction.
pub(super) fn nearest(start: usize, step: isize) -> Option<Subject> {
    let mut at = Subject::at_place(start, step)?;
    while matches!(at.state, State::New | State::Untouched) {
        at = at.neighbour(step)?;
    }
    Some(at)
}

/// What runs on in the places that follow, and where it ends. They stay as they are, for the report
/// to show: see [`make_whole`].
pub(super) fn through(start: usize, bytes: usize, last: usize) -> usize {
    let mut last = last;
    let mut at = start;
    while last + 1 == at + bytes {
        let next = Subject::at_place(at, 1).filter(|next| next.state == State::Untouched);
        let Some((first, end)) = next.and_then(|next| damage(next.address, bytes)) else {
            break;
        };
        at += bytes;
        if first > at + LINK {
            break;
        }
        last = end;
    }
    last
}

/// Fills the places again that damage from one at `start` on has run [through](through) to `last`.
pub(super) fn make_whole(start: usize, bytes: usize, last: usize) {
    let mut at = start;
    while last >= at + bytes {
        let next = Subject::at_place(at, 1);
        if next.is_none_or(|next| next.state != State::Untouched) {
            break;
        }
        at += bytes;
        fill_place(at, bytes);
    }
}

/// Where damage begins that goes through the pattern behind a live block to the next place.
fn tail_before(below: &Subject, start: usize) -> Option<usize> {
    if !below.is_live() || below.address + below.bytes != start {
        return None;
    }
    let end = below.address + below.size;
    // SAFETY: the rest of the place below.
    let (first, _) = unsafe { pattern::damage(end, start - end) }?;
    Some(first)
}

/// Tells of a write that touches no block: `above`, if it is nearer, or `below`.
fn tell_of_nearest(
    below: Option<Subject>,
    above: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let (first, _) = damage;
    let mut sentence = damage::were_written(damage);
    match (&above, &below) {
        (Some(above), _) => sentence
            .number(above.address - first)
            .text(b" bytes in front of "),
        (None, Some(below)) => sentence
            .number(first.wrapping_sub(below.address + below.size))
            .text(b" bytes behind the end of "),
        (None, None) => sentence.text(b"at ").address(first),
    };
    if let Some(nearest) = above.as_ref().or(below.as_ref()) {
        sentence
            .text(if nearest.is_live() {
                b"a block of "
            } else {
                b"a freed block of "
            })
            .bytes_at(nearest.size, nearest.address);
    }
    sentence
        .text(b", in memory that nobody has had; found by ")
        .text(finder.what);
    tell(&Finding {
        kind: match above {
            Some(_) => Kind::HeapUnderflow,
            None => Kind::HeapOverflow,
        },
        sentence: sentence.bytes(),
        address: first,
        subject: above.or(below),
        damage: Some(damage),
        finder,
        unknown: b"who wrote, and which block was meant: this one is the nearest",
    });
}
