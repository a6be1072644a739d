//! A write to armed memory that was noticed, and the report of it.

use super::guard::Guard;
use super::guards;
use super::known::{self, Known, Moment};
use super::rule::events;
use super::{act, rules};
use crate::observe::report::turn::Turn;
use crate::observe::report::{self, Line};
use crate::observe::stack;
use crate::observe::{Event, LARGE, Observed, Observer};
use crate::sys::signal::{self, Stopped};
use crate::sys::thread;
use core::sync::atomic::Ordering;

/// Reports are written one after the other.
static REPORTS: Turn = Turn::new();

/// In a fork's child.
pub(super) fn forked() {
    REPORTS.reset();
}

/// A write that was noticed.
pub(super) struct Hit<'a> {
    pub(super) guard: &'static Guard,
    pub(super) serial: u32,
    pub(super) address: usize,
    pub(super) old: u64,
    /// `None` if it is not known.
    pub(super) new: Option<u64>,
    /// An address in the instruction that wrote; 0 if it is not known.
    pub(super) pc: usize,
    pub(super) stopped: Option<&'a Stopped>,
}

/// Reports a write, and does what rules say of it; no more of a block than its rule asks for.
pub(super) fn report(hit: &Hit<'_>) {
    let guard = hit.guard;
    let number = guard.hits.fetch_add(1, Ordering::Relaxed) + 1;
    let limit = guard.limit.load(Ordering::Relaxed);
    if number > limit || hit.serial == 0 {
        return;
    }
    let mut frames = [0; stack::FRAMES];
    let depth = hit.stopped.map_or(0, |stopped| {
        let local = stack::Local::NEW;
        local.began();
        stack::capture_from(
            &local,
            stopped.pc(),
            stopped.sp(),
            stopped.fp(),
            &mut frames,
        )
    });
    // The instruction that wrote, and not the next one.
    frames[0] = hit.pc as u64;
    let frames = &frames[..depth];
    let known = known::of(guard.address.load(Ordering::Relaxed));
    let this = thread::id();
    notice(hit, frames);
    {
        let _turn = REPORTS.take();
        write(hit, this, frames, known.as_ref());
        if number == limit {
            Line::new()
                .text(b"  no more reports of this block: ")
                .number(limit as usize)
                .text(b" were asked for (hits=); it is disarmed")
                .write();
        }
    }
    if number == limit {
        guards::disarm_this(guard, hit.serial);
    }
    let rule = rules::numbered(guard.number.load(Ordering::Relaxed));
    let slots = known.map_or(0, |known| known.slots) | rule.map_or(0, |rule| 1 << rule.slot);
    let does = rules::of(slots)
        .filter(|rule| rule.counts(events::HIT, &[hit.pc as u64], this))
        .fold(0, |does, rule| does | rule.does);
    act::finish(does);
}

/// Tells other observers of it.
fn notice(hit: &Hit<'_>, frames: &[u64]) {
    Observed::notice(Event::WatchHit {
        address: hit.address,
        pc: hit.pc,
        old: hit.old,
        new: hit.new.unwrap_or(hit.old),
        class: hit.guard.class.load(Ordering::Relaxed),
        frames,
    });
}

fn write(hit: &Hit<'_>, this: u32, frames: &[u64], known: Option<&Known>) {
    let guard = hit.guard;
    let block = guard.address.load(Ordering::Relaxed);
    let mut line = Line::new();
    line.text(b"WATCH hit: ");
    match hit.stopped {
        Some(_) => line.text(b"written by ").function(hit.pc, false),
        None => line.text(b"written by somebody"),
    };
    if hit.stopped.is_some_and(Stopped::is_late) {
        line.text(b" or before, while SIGTRAP was blocked,");
    }
    line.text(b" in thread ").number(this as usize);
    line.text(b": 8 bytes at ").address(hit.address);
    match hit.address.checked_sub(block) {
        Some(offset) => line.text(b" (block+").number(offset),
        None => line.text(b" (block-").number(block - hit.address),
    };
    line.text(b"): ").address(hit.old as usize).text(b" -> ");
    match hit.new {
        Some(new) => line.address(new as usize),
        None => line.text(b"?"),
    };
    line.write();
    let mut line = Line::new();
    line.text(b"  block ").address(block).text(b" of ");
    line.number(guard.bytes.load(Ordering::Relaxed))
        .text(b" bytes");
    if let Some(known) = known.filter(|known| known.size > 0) {
        line.text(b" (").number(known.size).text(b" asked for)");
    }
    class(&mut line, guard.class.load(Ordering::Relaxed));
    line.text(b", life ")
        .number(guard.life.load(Ordering::Relaxed) as usize);
    line.text(if guard.freed.load(Ordering::Relaxed) {
        b", freed"
    } else {
        b", allocated"
    });
    line.text(b"; watch ")
        .number(guard.number.load(Ordering::Relaxed) as usize);
    line.write();
    if let Some(stopped) = hit.stopped {
        Line::new().text(b"  written at:").write();
        report::stack(frames, false);
        registers(stopped);
    }
    if let Some(known) = known {
        moment(b"  allocated by thread ", &known.allocated);
        if guard.freed.load(Ordering::Relaxed) {
            moment(b"  freed by thread ", &known.freed);
        }
    }
}

/// `, class N`, or what it is without one.
pub(super) fn class(line: &mut Line, class: usize) {
    if class == LARGE {
        line.text(b", large");
    } else {
        line.text(b", class ").number(class);
    }
}

fn moment(what: &[u8], moment: &Moment) {
    if moment.thread == 0 {
        return;
    }
    Line::new()
        .text(what)
        .number(moment.thread as usize)
        .text(b", ")
        .text(report::name_of(moment.api))
        .text(b":")
        .write();
    report::stack(moment.frames(), true);
}

fn registers(stopped: &Stopped) {
    const IN_A_LINE: usize = 6;
    let values = stopped.registers();
    for (values, names) in values
        .chunks(IN_A_LINE)
        .zip(signal::NAMES.chunks(IN_A_LINE))
    {
        let mut line = Line::new();
        line.text(b"   ");
        for (value, name) in values.iter().zip(names) {
            line.text(b" ")
                .text(name.as_bytes())
                .text(b" ")
                .address(*value);
        }
        line.write();
    }
}

/// Looks at what is compared, and reports what has changed since it was looked at last.
pub(super) fn compare(after: &[u8], pc: usize) {
    guards::compare_all(|guard, word, old, new| {
        let number = guard.hits.fetch_add(1, Ordering::Relaxed) + 1;
        if number > guard.limit.load(Ordering::Relaxed) {
            return;
        }
        let known = known::of(guard.address.load(Ordering::Relaxed));
        let hit = Hit {
            guard,
            serial: guard.serial(),
            address: word,
            old,
            new: Some(new),
            pc: 0,
            stopped: None,
        };
        notice(&hit, &[]);
        let _turn = REPORTS.take();
        write(&hit, thread::id(), &[], known.as_ref());
        let since = crate::sys::clock::now_ms().wrapping_sub(guard.looked.load(Ordering::Relaxed));
        let mut line = Line::new();
        line.text(b"  noticed by comparison, at ").text(after);
        if pc != 0 {
            line.text(b" called from ").function(pc, true);
        }
        line.text(b"; unchanged at the look before, about ");
        line.number(since as usize).text(b" ms ago").write();
    });
}
