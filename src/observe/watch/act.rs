//! What a rule has done about an event of a block.

use super::guards::{self, News};
use super::hit;
use super::known::{self, Moment};
use super::rule::{actions, events};
use super::rules::{self, Numbered};
use super::signals;
use super::target::{self, Means, Target};
use crate::observe::report::{self, Line};
use crate::observe::{LARGE, Observed, Observer, stack};
use crate::sys::breakpoint::WORD;
use crate::sys::process;
use crate::walk::{self, BlockState};
use core::sync::atomic::{AtomicU32, Ordering};

/// An event of a block, and who caused it.
pub(super) struct Happening<'a> {
    /// A bit of [`events`].
    pub(super) event: u8,
    /// The program gives the block back.
    pub(super) freed: bool,
    pub(super) address: usize,
    pub(super) bytes: usize,
    pub(super) class: usize,
    /// Bytes asked for; 0 if it is not known.
    pub(super) size: usize,
    pub(super) life: u32,
    /// The other block of a resize; 0 if there is none.
    pub(super) other: usize,
    pub(super) thread: u32,
    pub(super) api: u8,
    /// Return addresses, the caller's first.
    pub(super) stack: &'a [u64],
}

impl Happening<'_> {
    fn pc(&self) -> usize {
        self.stack.first().map_or(0, |&pc| pc as usize)
    }

    fn near(&self, rule: &Numbered) -> &[u64] {
        rule.near(self.api, self.stack)
    }

    /// As which event it counts for a rule: the end of a block whose contents were copied to
    /// another one is a resize, to those that ask for resizes.
    fn event_for(&self, rule: &Numbered) -> u8 {
        if self.event == events::FREE && self.other != 0 && rule.on & events::REALLOC != 0 {
            events::REALLOC
        } else {
            self.event
        }
    }
}

/// What has been said, a bit each. Relaxed: one thread sets a bit first.
static SAID: AtomicU32 = AtomicU32::new(0);

/// Has each rule of `slots` act; whether the block is held back.
pub(super) fn on(happening: &Happening<'_>, slots: u32) -> bool {
    // Whether it is held back, if it is armed: as the first rule says that arms it.
    let mut armed = None;
    let mut at_last = 0;
    for rule in rules::of(slots) {
        let happening = &Happening {
            event: happening.event_for(rule),
            ..*happening
        };
        if !rule.counts(happening.event, happening.near(rule), happening.thread) {
            continue;
        }
        if rule.does & (actions::LOG | actions::STACK) != 0 {
            log(happening, rule);
        }
        if rule.does & actions::VERIFY != 0 && !verify(happening, rule) {
            at_last |= damaged(happening, slots);
        }
        if rule.does & actions::ARM != 0 && armed.is_none() {
            armed = arm(happening, rule);
        }
        at_last |= rule.does;
    }
    finish(at_last);
    armed.unwrap_or(false)
}

/// What is done in the end: it stops.
pub(super) fn finish(does: u8) {
    if does & actions::STOP != 0 {
        process::stop();
    }
    if does & actions::ABORT != 0 {
        process::abort();
    }
}

fn log(happening: &Happening<'_>, rule: &Numbered) {
    let name = |(_, bit): &&(&str, u8)| *bit == happening.event;
    let event = events::NAMES
        .iter()
        .find(name)
        .map_or("?", |(name, _)| *name);
    let mut line = Line::new();
    line.text(b"watch ").number(rule.number as usize);
    line.text(b": ").text(event.as_bytes());
    line.text(b" ").address(happening.address);
    if happening.size > 0 || !happening.freed {
        line.text(b" size ").number(happening.size);
    }
    line.text(b" (").number(happening.bytes).text(b" bytes");
    hit::class(&mut line, happening.class);
    line.text(b") ").text(report::name_of(happening.api));
    if happening.other != 0 {
        line.text(if happening.freed { b" to " } else { b" from " });
        line.address(happening.other);
    }
    line.text(b" life ").number(happening.life as usize);
    line.text(b" thread ").number(happening.thread as usize);
    line.text(b" called from ").place(happening.pc()).write();
    if rule.does & actions::STACK != 0 {
        report::stack(happening.stack, true);
    }
}

/// Whether what the allocator knows of the block agrees with the event. Says so.
fn verify(happening: &Happening<'_>, rule: &Numbered) -> bool {
    let found = match walk::state_of(happening.address) {
        // An observer's own block, which that one looks at.
        Err(_) if Observed::owns(happening.address) => return true,
        found => found,
    };
    // A block that is about to be freed, or was handed out, is the program's.
    let sound = found == Ok(BlockState::Live);
    let result: &[u8] = match found {
        Ok(BlockState::Live) => b"registered, at the start of a block, the program's: sound",
        Ok(BlockState::Free) => b"DAMAGED: free in its slab",
        Ok(BlockState::Cached) => b"DAMAGED: free, in a thread's cache",
        Ok(BlockState::Returning) => b"DAMAGED: free, on its way to its slab",
        Err(walk::NoBlock::Unregistered) => b"DAMAGED: not registered",
        Err(walk::NoBlock::Interior) => b"DAMAGED: not at the start of a block",
    };
    Line::new()
        .text(b"watch ")
        .number(rule.number as usize)
        .text(b": verify ")
        .address(happening.address)
        .text(b": ")
        .text(result)
        .write();
    sound
}

/// An examination found damage: what the rules do that wait for that.
fn damaged(happening: &Happening<'_>, slots: u32) -> u8 {
    let mut at_last = 0;
    for rule in rules::of(slots) {
        if rule.counts(events::VERIFY, happening.near(rule), happening.thread) {
            let found = Happening {
                event: events::VERIFY,
                ..*happening
            };
            if rule.does & (actions::LOG | actions::STACK) != 0 {
                log(&found, rule);
            }
            at_last |= rule.does;
        }
    }
    at_last
}

/// Whether the block is held back from here on, if it is armed.
fn arm(happening: &Happening<'_>, rule: &Numbered) -> Option<bool> {
    let now = crate::sys::clock::now_ms();
    if happening.freed && Observed::owns(happening.address) {
        // It cannot be touched from here on, which tells more.
        return None;
    }
    if happening.bytes < WORD || !rule.is_due(now) || !signals::listen() {
        return None;
    }
    let freed = happening.freed;
    let target = Target {
        address: happening.address,
        bytes: happening.bytes,
        class: happening.class,
        life: happening.life,
        freed,
        // What becomes of the memory of a large block is not ours to know; and without
        // watchpoints the allocator's own writes cannot be told from others.
        hold: freed && (rule.hold || happening.class == LARGE || !target::has_watchpoints(rule)),
    };
    if target::takes_pages(&target, rule) && !signals::listen_to_pages() {
        return None;
    }
    guards::arm(&target, rule, tell)
}

fn tell(news: News) {
    let bit = match news {
        News::Armed(means) => means as u32,
        News::Refused(_) => 4,
        News::Taken => 5,
        News::Evicted => 6,
        News::TooManyThreads => 7,
    };
    if matches!(news, News::Refused(_) | News::Taken) {
        // What comes next may be pages.
        signals::listen_to_pages();
    }
    if SAID.fetch_or(1 << bit, Ordering::Relaxed) & 1 << bit != 0 {
        return;
    }
    let mut line = Line::new();
    line.text(b"watch: ");
    match news {
        News::Armed(Means::Watchpoints) => {
            line.text(b"armed with the processor's watchpoints, four words at a time")
        }
        News::Armed(Means::Pages) => {
            line.text(b"armed by page protection: freed blocks that have their pages to themselves")
        }
        News::Armed(_) => line.text(
            b"armed by comparison: a write shows at the next call of the allocator that looks",
        ),
        News::Refused(error) => line
            .text(b"the system refuses watchpoints (perf_event_open: error ")
            .number(error.unsigned_abs() as usize)
            .text(b"); see /proc/sys/kernel/perf_event_paranoid"),
        News::Taken => line.text(b"watchpoints are in use by somebody else, a debugger perhaps"),
        News::Evicted => {
            line.text(b"there are four watchpoints: the block armed first makes room for the next")
        }
        News::TooManyThreads => line.text(b"there are too many threads to watch them all"),
    };
    line.write();
}

/// Keeps who allocated a block.
pub(super) fn remember_allocation(happening: &Happening<'_>, slots: u32) {
    known::note(happening.address, |known| {
        known.bytes = happening.bytes;
        known.class = happening.class;
        known.size = happening.size;
        known.life = happening.life;
        known.slots = slots;
        known.allocated = Moment::new(happening.thread, happening.api, happening.stack);
        known.freed = Moment::NONE;
    });
}

/// Keeps who freed a block.
pub(super) fn remember_free(happening: &Happening<'_>, slots: u32) {
    known::note(happening.address, |known| {
        known.bytes = happening.bytes;
        known.class = happening.class;
        known.life = happening.life;
        known.slots |= slots;
        known.freed = Moment::new(happening.thread, happening.api, happening.stack);
    });
}

const _: () = assert!(stack::FRAMES >= known::FRAMES);
