//! Places that nobody has had since their slab was opened: filled as freed ones are, so that it
//! shows when somebody writes far past the end of a block, over all that is kept around it.
//!
//! ```text
//!  block handed out    │ place that nobody has had          │ next place
//!  … asked for │DE DE …│ link │DE DE … DE│ as it comes │DE…│ …
//!                       0      8      FILLED             front
//! ```
//!
//! 1. They are filled some way ahead of those that are handed out, and no farther: the memory of
//!    the rest of a slab is never touched.

use super::kind::Kind;
use super::pattern::{self, FREED, LINK};
use super::record::{BlockRecord, State};
use super::report::{self, Finder, Finding, Subject};
use super::{check, wrong};
use crate::observe::Block;
use crate::observe::report::Line;
use crate::sys::thread;

/// Bytes from the start of a place that are filled; and as always those in front of the next one.
const FILLED: usize = 8 << 10;

/// Where the filling stands in a place of so many bytes: from and to, as offsets. The link may be
/// the allocator's.
#[inline(always)]
fn ranges(bytes: usize) -> [(usize, usize); 2] {
    if bytes <= FILLED {
        return [(LINK, bytes), (bytes, bytes)];
    }
    [(LINK, FILLED), (bytes - check::front_bytes(bytes), bytes)]
}

/// Fills a place that nobody has had, if it is one.
pub(super) fn fill(block: &Block<'_, BlockRecord>) {
    if let Some(record) = block.record
        && record.asked().state() == State::New
    {
        fill_place(block.address.as_ptr() as usize, block.bytes);
        record.set_state(State::Untouched);
    }
}

fn fill_place(start: usize, bytes: usize) {
    for (from, to) in ranges(bytes) {
        // SAFETY: of a place that is nobody's, as `fill` and `written` are told.
        unsafe { pattern::fill(start + from, to - from, FREED) };
    }
}

/// Whether nobody has written to such a place.
#[inline(always)]
pub(super) fn is_whole(start: usize, bytes: usize) -> bool {
    let [(from, to), front] = ranges(bytes);
    // SAFETY: the place, or what another thread may have of it meanwhile.
    unsafe {
        pattern::is_whole(start + from, to - from)
            && pattern::is_whole(start + front.0, front.1 - front.0)
    }
}

/// The first and the last byte that somebody wrote to.
fn damage(start: usize, bytes: usize) -> Option<(usize, usize)> {
    let mut all = None;
    for (from, to) in ranges(bytes) {
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
        let finder = Finder {
            what: b"the first use of a place",
            thread: thread::id(),
            frames: &[],
            returns: true,
        };
        written(start, block.bytes, finder, report::tell);
    }
    if block.bytes <= FILLED {
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
    let above = nearest(start, 1).filter(Subject::is_live);
    let is_of_above = |above: &Subject| {
        let in_front = above.address.wrapping_sub(last + 1);
        let is_nearer = |below: &Subject| first - (below.address + below.size) > in_front;
        above.address > last && below.as_ref().is_none_or(is_nearer)
    };
    if let Some(below) =
        below.filter(|below| !above.as_ref().is_some_and(is_of_above) && below.is_live())
    {
        let first = tail_before(&below, start).unwrap_or(first);
        wrong::gap(Some(below), None, (first, last), finder, tell);
    } else if above.is_some() {
        wrong::gap(None, above, (first, last), finder, tell);
    } else {
        tell_of_nobody(below, (first, last), finder, tell);
    }
    fill_place(start, bytes);
}

/// The nearest block that somebody has, or has had, in a direction.
fn nearest(start: usize, step: isize) -> Option<Subject> {
    let mut at = Subject::at_place(start, step)?;
    while matches!(at.state, State::New | State::Untouched) {
        at = at.neighbour(step)?;
    }
    Some(at)
}

/// What runs on in the places that follow, and where it ends; those are filled again.
pub(super) fn through(start: usize, bytes: usize, last: usize) -> usize {
    let mut last = last;
    let mut at = start;
    while last + 1 == at + bytes {
        let next = Subject::at_place(at, 1).filter(|next| next.state == State::Untouched);
        let Some((first, end)) = next.and_then(|next| damage(next.address, bytes)) else {
            break;
        };
        at += bytes;
        if first != at + LINK {
            break;
        }
        fill_place(at, bytes);
        last = end;
    }
    last
}

/// Where damage begins that goes through the pattern behind a live block to the next place, which
/// is made whole.
fn tail_before(below: &Subject, start: usize) -> Option<usize> {
    if below.address + below.bytes != start {
        return None;
    }
    let end = below.address + below.size;
    // SAFETY: the rest of the place below.
    let (first, _) = unsafe { pattern::damage(end, start - end) }?;
    // SAFETY: as above.
    unsafe { pattern::fill(end, start - end, FREED) };
    Some(first)
}

/// Tells of a write to memory that is far from each live block.
fn tell_of_nobody(
    below: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let (first, last) = damage;
    let mut sentence = Line::part();
    sentence.number(last - first + 1).text(if first == last {
        b" byte was written "
    } else {
        b" bytes were written "
    });
    if let Some(below) = &below {
        let end = below.address + below.size;
        sentence
            .number(first.wrapping_sub(end))
            .text(b" bytes behind the end of a freed block of ")
            .number(below.size)
            .text(b" bytes at ")
            .address(below.address);
    } else {
        sentence
            .text(b"to memory that nobody has had, at ")
            .address(first);
    }
    sentence.text(b"; found by ").text(finder.what);
    tell(&Finding {
        kind: Kind::HeapOverflow,
        sentence: sentence.bytes(),
        address: first,
        subject: below,
        damage: Some(damage),
        finder,
        unknown: b"who wrote, and when: nobody has had that place since its slab was opened",
    });
}
