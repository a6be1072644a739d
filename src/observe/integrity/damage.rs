//! What was written where no program has business: around live blocks, and into freed ones. Looks for it,
//! and makes a finding of it.

use super::check;
use super::kind::Kind;
use super::known::Known;
use super::light;
use super::overwritten;
use super::pattern::{self, FREED, FRONT};
use super::record::{Asked, BlockRecord};
use super::report::{self, Finder, Finding, Subject};
use super::wrong::with_caller;
use super::{stacks, untouched};
use crate::observe::caller::Caller;
use crate::observe::report::Line;
use crate::observe::{Block, stack};
use crate::walk;

/// Looks for damage around a live block, and tells it; says whether there was some.
pub(super) fn around(
    block: &Block<'_, BlockRecord>,
    asked: Asked,
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) -> bool {
    if light::has_word(block) {
        return around_word(block, finder, tell);
    }
    let address = block.address.as_ptr() as usize;
    let [front, tail] = check::guards(block, asked.size());
    let mut found = false;
    // SAFETY: the end of the place below, and the rest of the block's own.
    if let Some((first, last)) = unsafe { pattern::damage(tail.0, tail.1) } {
        let damage = (first, untouched::through(address, block.bytes, last));
        let below = Subject::of(address).map(Subject::as_live);
        let above = below.and_then(|block| block.neighbour(1));
        let above = above.filter(|above| !is_of_this_call(above, finder));
        gap(below, above, damage, finder, tell);
        // SAFETY: behind what was asked for.
        unsafe { pattern::fill(tail.0, tail.1, FREED) };
        untouched::make_whole(address, block.bytes, damage.1);
        found = true;
    }
    // SAFETY: as above.
    if let Some(damage) = unsafe { pattern::damage(front.0, front.1) } {
        let above = Subject::of(address).map(Subject::as_live);
        let below = above.and_then(|block| block.neighbour(-1));
        gap(below, above, damage, finder, tell);
        // SAFETY: the end of the place below, which is no program's.
        unsafe { pattern::fill(front.0, front.1, FREED) };
        found = true;
    }
    found
}

/// Looks for damage around a block with a word, in a call.
#[cold]
pub(super) fn look_around(block: &Block<'_, BlockRecord>, caller: Caller) {
    with_caller(caller, |finder| {
        around_word(block, finder, report::tell);
    });
}

/// As [`around`], of a block with a word.
fn around_word(block: &Block<'_, BlockRecord>, finder: Finder<'_>, tell: fn(&Finding<'_>)) -> bool {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let finds = |start| overwritten::end(start, bytes, finder, tell);
    let is_own = finds(start);
    finds(start - bytes) || is_own
}

/// Whether a block was handed out by the call that has found something, as far as stacks say: a
/// resize looks at the old block when it has the new one, in front of which nobody has written yet.
fn is_of_this_call(block: &Subject, finder: Finder<'_>) -> bool {
    let mut room = [0; stack::FRAMES];
    let frames = stacks::frames(block.allocated.stack, &mut room);
    let is_same = frames.iter().zip(finder.frames).all(|(a, b)| a == b);
    block.is_live() && is_same && !frames.is_empty() && !finder.frames.is_empty()
}

/// Tells of damage between what was asked for of one block and the start of the next one: who
/// ran over its end, or below its start?
pub(super) fn gap(
    below: Option<Subject>,
    above: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let (first, last) = damage;
    let overflows = is_overflow(below.as_ref(), above.as_ref(), damage);
    let (kind, subject) = if overflows {
        (Kind::HeapOverflow, below.or(above))
    } else {
        (Kind::HeapUnderflow, above)
    };
    let mut sentence = were_written(damage);
    if let Some(subject) = &subject {
        if overflows {
            let end = subject.address + subject.size;
            distance(&mut sentence, first.wrapping_sub(end));
            sentence.text(b"behind the end of a block of ");
        } else {
            // As of an access: where it begins.
            let is_beside = last + 1 == subject.address;
            let before = subject.address.wrapping_sub(first);
            distance(&mut sentence, if is_beside { 0 } else { before });
            sentence.text(b"in front of a block of ");
        }
        sentence.bytes_at(subject.size, subject.address);
    }
    sentence.text(b"; found by ").text(finder.what);
    tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address: first,
        subject,
        damage: Some(damage),
        finder,
        unknown:
            b"who wrote; it happened after the block was allocated, and before it was looked at",
    });
}

/// Whether damage between two blocks is of a write over the end of the one below.
fn is_overflow(
    below: Option<&Subject>,
    above: Option<&Subject>,
    (first, last): (usize, usize),
) -> bool {
    let touches_below =
        below.is_some_and(|block| block.is_live() && first == block.address + block.size);
    let touches_above = above.is_some_and(|block| block.is_live() && last + 1 == block.address);
    // The nearer one of the two, if they do not touch it both, or neither.
    let is_nearer_below = match (below, above) {
        (Some(below), Some(above)) if above.is_live() => {
            let behind = first.wrapping_sub(below.address + below.size);
            behind <= above.address.wrapping_sub(last + 1)
        }
        _ => true,
    };
    match (below, above) {
        (Some(below), _) if below.is_live() => touches_below || !touches_above && is_nearer_below,
        (_, Some(_)) => false,
        _ => true,
    }
}

/// A sentence that begins with how many bytes were written.
pub(super) fn were_written((first, last): (usize, usize)) -> Line {
    let mut sentence = Line::part();
    sentence.number(last - first + 1).text(if first == last {
        b" byte was written "
    } else {
        b" bytes were written "
    });
    sentence
}

/// How far from a block's end something lies.
fn distance(sentence: &mut Line, bytes: usize) {
    match bytes {
        0 => sentence.text(b"directly "),
        1 => sentence.text(b"1 byte "),
        _ => sentence.number(bytes).text(b" bytes "),
    };
}

/// A freed block was written to, which shows when its place is handed out again, or looked at.
/// Its first `skip` bytes may be the allocator's.
#[cold]
#[inline(never)]
pub(super) fn written_after_free(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    skip: usize,
    when: &[u8],
    tell: Option<fn(&Finding<'_>)>,
) {
    let start = block.address.as_ptr() as usize;
    let finder = Finder::uncalled(when);
    let tell = tell.unwrap_or(report::tell);
    written(start, block.bytes, record, skip, finder, tell);
}

/// A block in quarantine was written to, which shows when it leaves.
#[cold]
#[inline(never)]
pub(super) fn written_in_quarantine(address: usize, record: &BlockRecord) {
    let bytes = walk::find(address).map_or(0, |found| found.block.bytes);
    let finder = Finder::uncalled(b"the look at a block that leaves the quarantine");
    written(address, bytes, record, 0, finder, report::tell);
}

/// Looks for what was written into a freed block, and tells who ran over what.
fn written(
    start: usize,
    bytes: usize,
    record: &BlockRecord,
    skip: usize,
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    // SAFETY: the place of a block that no program has.
    let Some(damage) = (unsafe { pattern::damage(start + skip, bytes - skip) }) else {
        return;
    };
    let (first, last) = damage;
    let mut subject = Subject::of(start);
    if let Some(subject) = &mut subject {
        subject.tell(&Known::of_record(record));
    }
    // What touches the block above alone, and begins close to it, ran below its start.
    let above = subject.and_then(|block| block.neighbour(1));
    let below = subject.and_then(|block| block.neighbour(-1));
    let is_underflow = first + FRONT >= start + bytes
        && above.is_some_and(|above| above.is_live())
        && first >= start + record.asked().size();
    // What begins at the block's start, and has gone through the end of the one below, ran over it.
    let overflowing = below.filter(|below| {
        let end = below.address + below.size;
        // SAFETY: the rest of the place below.
        below.is_live() && first == start && unsafe { pattern::damage(end, start - end) }.is_some()
    });
    if is_underflow {
        gap(subject, above, damage, finder, tell);
    } else if let Some(below) = overflowing {
        let end = below.address + below.size;
        gap(Some(below), subject, (end, last), finder, tell);
        // SAFETY: the rest of the place below.
        unsafe { pattern::fill(end, start - end, FREED) };
    } else {
        late_write(
            (start, record.asked().size()),
            subject,
            damage,
            finder,
            tell,
        );
    }
    // SAFETY: the place of a block that no program has.
    unsafe { pattern::fill(start + skip, bytes - skip, FREED) };
}

/// Tells of a write into a freed block, whose place begins at an address, and which had a size.
fn late_write(
    (start, size): (usize, usize),
    subject: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let mut sentence = were_written(damage);
    sentence
        .text(b"at offset ")
        .number(damage.0 - start)
        .text(b" of a block of ")
        .number(size)
        .text(b" bytes at ")
        .address(start)
        .text(b", after it was freed; found by ")
        .text(finder.what);
    tell(&Finding {
        kind: Kind::WriteAfterFree,
        sentence: sentence.bytes(),
        address: damage.0,
        subject,
        damage: Some(damage),
        finder,
        unknown: b"who wrote; it happened after the free, and before the block was looked at",
    });
}
