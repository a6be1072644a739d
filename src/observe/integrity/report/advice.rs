//! What to run next: the command that is likely to name the culprit.

use super::super::kind::{Family, Kind};
use super::super::stacks;
use super::finding::Finding;
use super::paper::Paper;
use super::subject::Subject;
use crate::observe::report::Line;
use crate::observe::report::place::Place;
use crate::observe::{LARGE, stack};
use crate::options::rule_text::MOST_IN_FRONT;
use crate::size_class::MIN_ALIGN;
use crate::sys::memory::PAGE;

/// What a watchpoint has.
const WORD: usize = size_of::<u64>();

/// Writes it, if there is something to advise.
pub(super) fn write(paper: &mut Paper, finding: &Finding<'_>) {
    match finding.kind {
        Kind::WriteAfterFree | Kind::LinkCorruption => watch_writer(paper, finding, true),
        Kind::HeapOverflow | Kind::HeapUnderflow if finding.damage.is_some() => {
            let is_watchable = is_in_place(finding)
                && !finding.subject.is_some_and(|block| block.is_size_unknown());
            if is_watchable {
                watch_writer(paper, finding, false);
            }
            if let Some(block) = finding.subject.filter(|block| block.is_guarded) {
                return other_side(paper, finding.kind, &block);
            }
            let begin: &[u8] = if is_watchable {
                b"     or: "
            } else {
                b"  next: "
            };
            stop_writer(paper, begin, placement(finding));
        }
        // The call that uses it stands in the report already.
        Kind::UseAfterFree if finding.finder.returns && !finding.finder.frames.is_empty() => {}
        Kind::UseAfterFree if !finding.subject.is_some_and(|block| block.is_guarded) => {
            paper.line(Line::new().text(
                b"  next: HAKMEM_GUARD=all stops the program at the first access after the free",
            ));
        }
        _ => {}
    }
}

/// Whether the damage begins in the block's place, or the one below: words of those can be watched.
fn is_in_place(finding: &Finding<'_>) -> bool {
    let first = finding.damage.map_or(0, |(first, _)| first);
    finding
        .subject
        .is_none_or(|block| first < block.address + block.bytes)
}

/// Where a block has to lie in its pages for the write to be stopped: what is behind the last byte, and
/// not beyond what alignment leaves there, is stopped only where that is given up.
fn placement(finding: &Finding<'_>) -> &'static [u8] {
    let (Some(block), Some((_, last))) = (finding.subject, finding.damage) else {
        return b"all";
    };
    let end = block.address + block.size;
    let aligned = match Family::of(block.allocated_by) {
        Family::Rust => end,
        _ if block.size < MIN_ALIGN => end.next_multiple_of(MIN_ALIGN / 2),
        _ => end.next_multiple_of(MIN_ALIGN),
    };
    match finding.kind {
        Kind::HeapUnderflow => b"all,left",
        _ if last < aligned => b"all,exact",
        _ => b"all",
    }
}

fn stop_writer(paper: &mut Paper, begin: &[u8], placement: &[u8]) {
    paper.line(
        Line::new()
            .text(begin)
            .text(b"HAKMEM_GUARD=")
            .text(placement)
            .text(b" stops the program at the instruction that writes there"),
    );
}

/// The side of its pages on which a guarded block has to lie for the write to be stopped.
fn other_side(paper: &mut Paper, kind: Kind, block: &Subject) {
    let is_right = (block.address + block.size)
        .next_multiple_of(MIN_ALIGN)
        .is_multiple_of(PAGE);
    let side: &[u8] = match kind {
        Kind::HeapUnderflow => b"all,left",
        // Not far enough behind for that.
        _ if is_right => b"all,exact",
        _ => b"all,right",
    };
    stop_writer(paper, b"     or: ", side);
}

/// A rule that arms the words that were written to.
fn watch_writer(paper: &mut Paper, finding: &Finding<'_>, freed: bool) {
    let (Some(subject), Some((first, _))) = (&finding.subject, finding.damage) else {
        return;
    };
    let mut line = Line::new();
    line.text(b"  next: HAKMEM_WATCH='");
    if !site(&mut line, subject) {
        line.text(b"size=").number(subject.size);
    } else if subject.class != LARGE {
        line.text(b" size=").number(subject.size);
    }
    line.text(if freed { b" on=free" } else { b" on=alloc" });
    line.text(b" do=arm");
    // The word where the damage begins.
    match first.checked_sub(subject.address) {
        Some(offset) => line.text(b" words=").number(offset / WORD),
        None => {
            let in_front = (subject.address - first).div_ceil(WORD);
            line.text(b" words=-").number(in_front.min(MOST_IN_FRONT))
        }
    };
    line.text(b"' names who writes there, in the next run");
    paper.line(&mut line);
}

/// `site=…`, of who allocated the block; false if that is not known.
///
/// The caller's caller says more than the caller, which is often a function that all allocate
/// through.
fn site(line: &mut Line, subject: &Subject) -> bool {
    let mut room = [0; stack::FRAMES];
    let frames = stacks::frames(subject.allocated.stack, &mut room);
    let own = match Family::of(subject.allocated_by) {
        Family::Rust => first_of_program(frames),
        _ => 0,
    };
    let is_callers = frames
        .get(own + 1)
        .is_some_and(|&frame| is_of_program(frame));
    let chosen = own + usize::from(is_callers);
    let Some(place) = frames.get(chosen).and_then(|&pc| Place::of(pc as usize)) else {
        return false;
    };
    line.text(b"site=")
        .foreign(place.file())
        .text(b"+")
        .address(place.offset);
    if chosen > 0 {
        line.text(b" depth=").number(chosen + 1);
    }
    true
}

/// Whether a call comes from a file of code that is none of the system's: libc calls `main`, and it and the
/// C++ library begin threads, which says nothing of who asked.
fn is_of_program(frame: u64) -> bool {
    const SYSTEM: [&[u8]; 3] = [b"libc.so.", b"libpthread.so.", b"libstdc++.so."];
    let place = Place::of(frame as usize);
    place.is_some_and(|place| !SYSTEM.iter().any(|name| place.file().starts_with(name)))
}

/// The first frame that is not one of the standard library's, by its name.
pub(super) fn first_of_program(frames: &[u64]) -> usize {
    const STANDARD: [&[u8]; 4] = [b"5alloc", b"4core", b"__rust", b"hakmem_alloc"];
    let is_standard = |&frame: &u64| {
        let function = Place::of(frame as usize - 1).and_then(|place| place.function());
        function.is_none_or(|function| {
            let has = |part: &&[u8]| {
                function
                    .name()
                    .windows(part.len())
                    .any(|name| name == *part)
            };
            STANDARD.iter().any(has)
        })
    };
    let first = frames.iter().position(|frame| !is_standard(frame));
    first.unwrap_or(0)
}
