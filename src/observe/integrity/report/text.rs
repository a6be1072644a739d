//! A report as text.

use super::super::kind::{Family, Kind};
use super::super::record::Moment;
use super::super::stacks;
use super::finding::Finding;
use super::paper::Paper;
use super::subject::Subject;
use super::{advice, dump};
use crate::observe::report::{Line, name_of};
use crate::observe::{Observed, Observer, stack};
use crate::size_class::MIN_ALIGN;
use crate::sys::memory::PAGE;
use core::ops::Range;

/// Frames of a neighbour's stack that are told.
const FRAMES_OF_NEIGHBOUR: usize = 3;

/// Writes all of it.
pub(super) fn write(paper: &mut Paper, finding: &Finding<'_>) {
    paper.line(
        Line::new()
            .text(b"ERROR ")
            .text(finding.kind.name().as_bytes())
            .text(b": ")
            .text(finding.sentence),
    );
    if let Some(subject) = &finding.subject {
        describe(paper, b"  block ", subject);
        if let Some(damage) = finding.damage {
            show_damage(paper, subject, damage);
        }
    }
    found_by(paper, finding);
    if let Some(subject) = &finding.subject {
        history(paper, subject);
        if finding.kind != Kind::Leak {
            events(paper, subject);
            neighbours(paper, subject);
        }
    }
    if !finding.unknown.is_empty() {
        paper.line(Line::new().text(b"  not known: ").text(finding.unknown));
    }
    advice::write(paper, finding);
}

fn describe(paper: &mut Paper, what: &[u8], subject: &Subject) {
    let mut line = Line::new();
    line.text(what)
        .address(subject.address)
        .text(if subject.is_size_unknown() {
            b" of at most "
        } else {
            b" of "
        })
        .number(subject.size)
        .text(b" bytes, ")
        .text(subject.state_name().as_bytes());
    if subject.is_in_slab() {
        line.text(b": class ")
            .number(subject.class)
            .text(b" (")
            .number(subject.bytes)
            .text(b" bytes), block ")
            .number(subject.index)
            .text(b" of the slab at ")
            .address(subject.slab);
    } else if subject.is_guarded {
        line.text(b": guarded, in pages of its own");
    } else {
        line.text(b": large, ")
            .number(subject.bytes)
            .text(b" bytes");
    }
    if subject.life > 0 {
        line.text(b", life ").number(subject.life as usize);
    }
    paper.line(&mut line);
}

fn show_damage(paper: &mut Paper, subject: &Subject, damage: (usize, usize)) {
    let (first, last) = damage;
    let mut line = Line::new();
    line.text(b"  damaged: ").address(first);
    if last > first {
        line.text(b" to ").address(last);
    }
    let end = subject.address + subject.size;
    if first < subject.address {
        line.text(b", from ")
            .number(subject.address - first)
            .text(b" in front of the block's start");
    } else if first >= end && subject.is_live() {
        line.text(b", from ")
            .number(first - end)
            .text(b" behind the end of what was asked for");
    } else {
        line.text(b", at offset ")
            .number(first - subject.address)
            .text(b" of the block");
    }
    paper.line(&mut line);
    dump::explain(paper, damage);
    let place = (
        if subject.is_in_slab() {
            subject.slab
        } else {
            (first & !(PAGE - 1)).min(subject.address)
        },
        (subject.address + subject.bytes).max((last + 1).next_multiple_of(MIN_ALIGN)),
    );
    dump::write(paper, place, damage);
}

fn found_by(paper: &mut Paper, finding: &Finding<'_>) {
    let finder = &finding.finder;
    let mut line = Line::new();
    line.text(b"  found by ").text(finder.what);
    if finder.thread != 0 {
        line.text(b" in thread ").number(finder.thread as usize);
    }
    if !finder.frames.is_empty() {
        line.text(if finder.returns {
            b", called from:"
        } else {
            b", at:"
        });
    }
    paper.line(&mut line);
    frames(paper, finder.frames, finder.returns, 0..usize::MAX);
}

fn frames(paper: &mut Paper, frames: &[u64], first_returns: bool, told: Range<usize>) {
    let told = frames.iter().enumerate().take(told.end).skip(told.start);
    for (number, &frame) in told {
        paper.line(
            Line::new()
                .text(b"    #")
                .number(number)
                .text(b" ")
                .function(frame as usize, number > 0 || first_returns),
        );
    }
}

fn history(paper: &mut Paper, subject: &Subject) {
    moment(
        paper,
        b"  allocated by ",
        subject.allocated,
        subject.allocated_by,
        usize::MAX,
    );
    moment(
        paper,
        b"  freed by ",
        subject.freed,
        subject.freed_by,
        usize::MAX,
    );
}

fn moment(paper: &mut Paper, what: &[u8], moment: Moment, api: u8, most: usize) {
    if api == 0 {
        return;
    }
    let mut line = Line::new();
    line.text(what).text(name_of(api));
    if moment.thread != 0 {
        line.text(b" in thread ").number(moment.thread as usize);
    }
    let mut room = [0; stack::FRAMES];
    let stack = stacks::frames(moment.stack, &mut room);
    line.text(if stack.is_empty() {
        b"; its stack was not kept"
    } else {
        b", called from:"
    });
    paper.line(&mut line);
    // A debug build of Rust has three or four frames of the standard library's and of ours in front.
    let from = match Family::of(api) {
        Family::Rust if most < stack.len() => advice::first_of_program(stack),
        _ => 0,
    };
    frames(paper, stack, true, from..from.saturating_add(most));
}

/// The newest events of the block, where they are recorded.
fn events(paper: &mut Paper, subject: &Subject) {
    let mut is_first = true;
    Observed::recall(subject.address, &mut |event, caller| {
        if core::mem::take(&mut is_first) {
            paper.line(Line::new().text(b"  what was recorded of its address, the newest last:"));
        }
        let mut line = Line::new();
        line.text(b"    ").text(event);
        if caller != 0 {
            line.text(b" from ").function(caller, true);
        }
        paper.line(&mut line);
    });
}

fn neighbours(paper: &mut Paper, subject: &Subject) {
    for (step, what) in [
        (-1, &b"  the block below: "[..]),
        (1, b"  the block above: "),
    ] {
        let Some(neighbour) = subject.neighbour(step) else {
            continue;
        };
        describe(paper, what, &neighbour);
        moment(
            paper,
            b"    allocated by ",
            neighbour.allocated,
            neighbour.allocated_by,
            FRAMES_OF_NEIGHBOUR,
        );
        moment(
            paper,
            b"    freed by ",
            neighbour.freed,
            neighbour.freed_by,
            FRAMES_OF_NEIGHBOUR,
        );
    }
}
