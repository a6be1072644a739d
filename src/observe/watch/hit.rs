//! What happens when armed memory is written to: the signal handlers, and the report.
//!
//! The processor reports a write behind the instruction that did it. So the address that is
//! named is that of the last byte before, which lies in the instruction, and names its line;
//! but a repeated one (`rep stos`) is stopped in the middle, and is the one itself.
//!
//! 1. What the allocator itself writes is not reported.

use super::guard::{self, Guard};
use super::known::{self, Known, Moment};
use super::rule::events;
use super::{act, rules};
use crate::observe::report::place::Place;
use crate::observe::report::turn::Turn;
use crate::observe::report::{self, Line};
use crate::observe::stack;
use crate::observe::{Event, LARGE, Observed, Observer};
use crate::sys::signal::{self, Outcome, Stopped};
use crate::sys::thread;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Reports are written one after the other.
static REPORTS: Turn = Turn::new();
/// The last write that was tried again, and by which thread: it is not tried for ever. Relaxed: a
/// thread meets its own, and one that meets another's tries once more.
static RETRIED: AtomicUsize = AtomicUsize::new(0);
static RETRIED_BY: AtomicU32 = AtomicU32::new(0);

/// Sees to it that the signals come here; false if the system refuses.
pub(super) fn listen() -> bool {
    signal::TRAP.ensure(on_trap)
}

/// As [`listen`], for pages as well.
pub(super) fn listen_to_pages() -> bool {
    signal::TRAP.ensure(on_trap) && signal::FAULT.ensure(on_fault)
}

/// In a fork's child.
pub(super) fn forked() {
    signal::forked();
    REPORTS.reset();
}

fn on_trap(stopped: &Stopped) -> Outcome {
    if let Some(data) = stopped.breakpoint() {
        return match guard::of_data(data) {
            None => Outcome::Others,
            Some(None) => Outcome::Ours,
            Some(Some((guard, word))) => {
                on_hit(stopped, guard, word);
                Outcome::Ours
            }
        };
    }
    let mut outcome = Outcome::Others;
    // One instruction may write to the pages of two blocks.
    while stopped.is_step()
        && let Some(guard) = guard::of_step(thread::id())
    {
        on_step(stopped, guard);
        outcome = Outcome::Ours;
    }
    outcome
}

fn on_hit(stopped: &Stopped, guard: &'static Guard, word: usize) {
    let serial = guard.serial();
    let pc = writer(stopped.pc());
    let ours = is_ours(pc, stopped.sp());
    // An instruction may write to several words at once, and the kernel sends one signal.
    // The one that it is sent for may have been given up since.
    for at in 0..guard.words().max(word + 1) {
        let Some((address, old, new)) = guard.look(at) else {
            continue;
        };
        if !ours && (at == word || old != new) {
            report(&Hit {
                guard,
                serial,
                address,
                old,
                new: Some(new),
                pc,
                stopped: Some(stopped),
            });
        }
    }
}

/// An address in the instruction before `pc`, or `pc` if the instruction there is repeated and
/// not at its end.
fn writer(pc: usize) -> usize {
    const REPEAT: [u8; 2] = [0xf2, 0xf3];
    // Code that runs can be read, but for its last bytes perhaps, so one at a time.
    // SAFETY: the instruction at `pc` is the next one to run.
    let byte = |at: usize| unsafe { ((pc + at) as *const u8).read_volatile() };
    if !REPEAT.contains(&byte(0)) {
        return pc - 1;
    }
    let operation = match byte(1) {
        // A prefix for operands of 64 bits, or of 16.
        0x40..=0x4f | 0x66 => byte(2),
        other => other,
    };
    // movs and stos.
    if matches!(operation, 0xa4 | 0xa5 | 0xaa | 0xab) {
        pc
    } else {
        pc - 1
    }
}

/// Whether the allocator wrote: its own code, or a function of libc that it called and that has
/// no frame (`memset`, `memcpy`).
fn is_ours(pc: usize, sp: usize) -> bool {
    let ours = |pc: usize| Place::of(pc).is_some_and(|place| place.is_ours());
    if ours(pc) {
        return true;
    }
    let in_libc = Place::of(pc).is_some_and(|place| place.file().starts_with(b"libc.so"));
    // SAFETY: the thread's stack pointer is aligned, and what it points to is in use.
    in_libc && ours(unsafe { (sp as *const usize).read_unaligned() }.wrapping_sub(1))
}

fn on_fault(stopped: &Stopped) -> Outcome {
    let Some(address) = stopped.refused_write() else {
        return Outcome::Others;
    };
    let this = thread::id();
    let Some(guard) = guard::of_page(address) else {
        return if guard::was_page(address) && is_first_try(address, this) {
            Outcome::Ours
        } else {
            Outcome::Others
        };
    };
    // If another thread steps in the same pages, they are open meanwhile, and this write is
    // tried again until it goes through or it is this thread's turn to step.
    let Some(serial) = guard::begin_step(guard, this) else {
        return Outcome::Ours;
    };
    guard.look_at(address & !7);
    guard.pc.store(stopped.pc(), Ordering::Relaxed);
    if !stopped.step(true) {
        // The thread has blocked the signal behind the step: the value is not known then.
        let (address, old) = guard.look(0).map_or((0, 0), |(at, old, _)| (at, old));
        report(&Hit {
            guard,
            serial,
            address,
            old,
            new: None,
            pc: stopped.pc(),
            stopped: Some(stopped),
        });
        guard::disarm_this(guard, serial);
        guard::end_step(guard, serial);
    }
    Outcome::Ours
}

fn is_first_try(address: usize, thread: u32) -> bool {
    let before = RETRIED.swap(address, Ordering::Relaxed);
    let by = RETRIED_BY.swap(thread, Ordering::Relaxed);
    (before, by) != (address, thread)
}

fn on_step(stopped: &Stopped, guard: &'static Guard) {
    let serial = guard.serial();
    stopped.step(false);
    if let Some((address, old, new)) = guard.look(0) {
        report(&Hit {
            guard,
            serial,
            address,
            old,
            new: Some(new),
            pc: guard.pc.load(Ordering::Relaxed),
            stopped: Some(stopped),
        });
    }
    guard::end_step(guard, serial);
}

/// A write that was noticed.
struct Hit<'a> {
    guard: &'static Guard,
    serial: u32,
    address: usize,
    old: u64,
    /// `None` if it is not known.
    new: Option<u64>,
    /// An address in the instruction that wrote; 0 if it is not known.
    pc: usize,
    stopped: Option<&'a Stopped>,
}

fn report(hit: &Hit<'_>) {
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
        guard::disarm_this(guard, hit.serial);
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
    guard::compare_all(|guard, word, old, new| {
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
