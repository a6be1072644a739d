//! What to run next: the command that is likely to name the culprit.

use super::super::kind::{Family, Kind};
use super::super::stacks;
use super::finding::Finding;
use super::paper::Paper;
use super::subject::Subject;
use crate::observe::report::Line;
use crate::observe::report::place::Place;
use crate::observe::{LARGE, stack};
use crate::size_class::MIN_ALIGN;
use crate::sys::memory::PAGE;

/// Writes it, if there is something to advise.
pub(super) fn write(paper: &mut Paper, finding: &Finding<'_>) {
    match finding.kind {
        Kind::WriteAfterFree | Kind::LinkCorruption => watch_writer(paper, finding, true),
        Kind::HeapOverflow | Kind::HeapUnderflow if finding.damage.is_some() => {
            let is_watched = is_watchable(finding);
            if is_watched {
                watch_writer(paper, finding, false);
            }
            stop_writer(
                paper,
                finding,
                if is_watched {
                    b"     or"
                } else {
                    &b"  next"[..]
                },
            );
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

/// Whether the damage begins in the block or behind it, in its place: words of that can be watched.
fn is_watchable(finding: &Finding<'_>) -> bool {
    let first = finding.damage.map_or(0, |(first, _)| first);
    finding.subject.is_none_or(|block| {
        !block.is_size_unknown() && (block.address..block.address + block.bytes).contains(&first)
    })
}

/// The side of its pages on which the block has to lie for the write to be stopped.
fn stop_writer(paper: &mut Paper, finding: &Finding<'_>, head: &[u8]) {
    let (Some(block), Some((_, last))) = (&finding.subject, finding.damage) else {
        return;
    };
    let end = block.address + block.size;
    // Up to there pages of a block go that lies right.
    let slack = block.size.next_multiple_of(MIN_ALIGN) - block.size;
    let side: &[u8] = match finding.kind {
        Kind::HeapUnderflow => b",left",
        _ if last < end + slack && !block.is_size_unknown() => b",exact",
        _ => b"",
    };
    let is_there = block.is_guarded && end.next_multiple_of(MIN_ALIGN).is_multiple_of(PAGE);
    // It lies so already, and was not stopped: not far enough behind for that.
    if is_there && side.is_empty() {
        return;
    }
    paper.line(
        Line::new()
            .text(head)
            .text(b": HAKMEM_GUARD=all")
            .text(side)
            .text(b" stops the program at the instruction that writes there"),
    );
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
    if first >= subject.address {
        line.text(b" words=").number((first - subject.address) / 8);
    }
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
    let chosen = if frames.len() > own + 1 && Place::of(frames[own + 1] as usize).is_some() {
        own + 1
    } else {
        own
    };
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

/// The first frame that is not one of the standard library's, by its name.
fn first_of_program(frames: &[u64]) -> usize {
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
