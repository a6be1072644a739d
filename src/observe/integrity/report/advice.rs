//! What to run next: the command that is likely to name the culprit.

use super::super::kind::Kind;
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
            watch_writer(paper, finding, false);
            if let Some(block) = finding.subject.filter(|block| block.is_guarded) {
                return other_side(paper, finding.kind, &block);
            }
            paper.line(Line::new().text(
                b"     or: HAKMEM_GUARD=all stops the program at the instruction that writes there",
            ));
        }
        Kind::UseAfterFree if !finding.subject.is_some_and(|block| block.is_guarded) => {
            paper.line(Line::new().text(
                b"  next: HAKMEM_GUARD=all stops the program at the first access after the free",
            ));
        }
        _ => {}
    }
}

/// The side of its pages on which a guarded block has to lie for the write to be stopped.
fn other_side(paper: &mut Paper, kind: Kind, block: &Subject) {
    let is_right = (block.address + block.size).next_multiple_of(MIN_ALIGN) % PAGE == 0;
    let side: &[u8] = match kind {
        Kind::HeapUnderflow => b"left",
        // Not far enough behind for that.
        _ if is_right => return,
        _ => b"right",
    };
    paper.line(
        Line::new()
            .text(b"     or: HAKMEM_GUARD=all,")
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
    // The word where the damage begins; in front of the block is the end of the one below.
    if first >= subject.address {
        line.text(b" words=").number((first - subject.address) / 8);
    }
    line.text(b"' names who writes there, in the next run");
    paper.line(&mut line);
}

/// `site=…`, of who allocated the block; false if that is not known.
fn site(line: &mut Line, subject: &Subject) -> bool {
    let mut room = [0; stack::FRAMES];
    let frames = stacks::frames(subject.allocated.stack, &mut room);
    let Some(&pc) = frames.first() else {
        return false;
    };
    let Some(place) = Place::of(pc as usize) else {
        return false;
    };
    line.text(b"site=")
        .foreign(place.file())
        .text(b"+")
        .address(place.offset);
    true
}
