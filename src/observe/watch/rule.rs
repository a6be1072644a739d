//! A rule: which blocks, what happens to them, and what is to be done then.
//!
//! A rule *selects* a block when it is handed out, by what is known then: its address, size
//! and class, the place that asked for it, and its number among the others. The selection
//! holds for that life of the block, through resizes. Of the events of a selected block `on`,
//! `from` and `thread` say which count.
//!
//! 1. A rule does not change while it is in force, but for its counters.

use crate::observe::api::Api;
use crate::observe::site::Site;
use crate::observe::{Block, LARGE, Request};
use crate::options::rule_text::{LARGE_BIT, RuleText, WATCHPOINTS};
pub(super) use crate::options::rule_text::{actions, events};
use crate::sys::breakpoint::REGISTERS;
use crate::sys::process;
use core::sync::atomic::{AtomicU64, Ordering};

/// Between a function of a Rust program and the allocator are those of the standard library.
const RUST_DEPTH: u32 = 8;

const _: () = assert!(
    WATCHPOINTS == REGISTERS,
    "rules name as many words as can be armed"
);

/// See the head of this file.
pub(super) struct Rule {
    /// [`events`] and [`actions`].
    pub(super) on: u8,
    pub(super) does: u8,
    /// First address, and the one behind the last.
    pub(super) addresses: Option<(usize, usize)>,
    /// Bytes asked for, from and to.
    pub(super) sizes: (usize, usize),
    /// A bit for each class.
    pub(super) classes: u64,
    pub(super) site: Option<Site>,
    pub(super) from: Option<Site>,
    /// Innermost calls of a stack of which one has to be at the site; by the face if not said.
    pub(super) depth: Option<u32>,
    /// The one that counts of all that meet the other conditions; 0 for all.
    pub(super) nth: u64,
    /// The kernel's number of a thread; 0 for all.
    pub(super) thread: u32,
    /// The first word to arm, and how many; by the address if there are none. Below 0: one in front.
    pub(super) words: Option<(i32, u32)>,
    /// A freed block is held back while it is armed.
    pub(super) hold: bool,
    /// A block stays armed when it is handed out again.
    pub(super) keep: bool,
    /// Reports of one armed block; what comes then is counted.
    pub(super) hits: u32,
    /// Watchpoints may be the processor's.
    pub(super) hardware: bool,
    /// Milliseconds for which an armed block stays before another takes its place; all that
    /// match are armed, if there are none.
    pub(super) rotate: Option<u32>,
    /// Blocks that met the other conditions. Relaxed: a count.
    counted: AtomicU64,
    /// The time at which the next block is armed. Relaxed: nothing hangs on the order.
    due: AtomicU64,
    /// A random number; its rest is how many blocks are passed over. As above.
    chance: AtomicU64,
}

/// Blocks that a rotating rule may pass over before it arms one.
const PASSED_OVER: u64 = 32;

impl Rule {
    /// The one that a text says.
    pub(super) fn new(text: &RuleText<'_>) -> Rule {
        Rule {
            on: text.on,
            does: text.does,
            addresses: text.addresses,
            sizes: text.sizes,
            classes: text.classes,
            site: text.site.map(Site::new),
            from: text.from.map(Site::new),
            depth: text.depth,
            nth: text.nth,
            thread: text.thread,
            words: text.words,
            hold: text.hold,
            keep: text.keep,
            hits: text.hits,
            hardware: text.hardware,
            rotate: text.rotate,
            counted: AtomicU64::new(0),
            due: AtomicU64::new(0),
            chance: AtomicU64::new(process::random() as u64 & !(PASSED_OVER - 1)),
        }
    }

    /// The bit of a class in [`Rule::classes`].
    pub(super) const fn class_bit(class: usize) -> u64 {
        if class == LARGE {
            LARGE_BIT
        } else {
            1 << class
        }
    }

    /// Whether a block's place is one that the rule is about.
    pub(super) fn covers(&self, address: usize, bytes: usize, class: usize) -> bool {
        let overlaps = |(from, to)| from < address + bytes && address < to;
        self.classes & Rule::class_bit(class) != 0 && self.addresses.is_none_or(overlaps)
    }

    /// Whether the place alone decides.
    pub(super) fn is_about_places(&self) -> bool {
        self.sizes == (0, usize::MAX) && self.site.is_none() && self.nth == 0
    }

    /// The part of a stack that the rule's sites are looked for in.
    pub(super) fn near<'a>(&self, api: u8, stack: &'a [u64]) -> &'a [u64] {
        &stack[..self.depth_for(api).min(stack.len())]
    }

    /// How many calls of a stack that begins in `api` the rule has to know for its sites.
    pub(super) fn depth_for(&self, api: u8) -> usize {
        let is_rust = api < Api::Malloc as u8;
        let usual = if is_rust { RUST_DEPTH } else { 1 };
        self.depth.unwrap_or(usual) as usize
    }

    /// The lowest and the highest address to which a call of a C face may return whose block is
    /// selected.
    pub(super) fn callers(&self) -> (usize, usize) {
        match &self.site {
            Some(site) if self.depth.is_none_or(|depth| depth == 1) => site.bounds(),
            _ => (0, usize::MAX),
        }
    }

    /// Whether a block is selected that is handed out now, by a call with this stack.
    pub(super) fn selects<R>(
        &self,
        block: &Block<'_, R>,
        request: &Request,
        stack: &[u64],
    ) -> bool {
        let (least, most) = self.sizes;
        let near = self.near(request.caller.api(), stack);
        self.covers(block.address.as_ptr() as usize, block.bytes, block.class)
            && (least..=most).contains(&request.size)
            && self.site.as_ref().is_none_or(|site| site.is_in(near))
            && (self.nth == 0 || self.counted.fetch_add(1, Ordering::Relaxed) + 1 == self.nth)
    }

    /// Whether an event of a selected block counts, by who caused it.
    pub(super) fn counts(&self, event: u8, near: &[u64], thread: u32) -> bool {
        self.on & event != 0
            && (self.thread == 0 || self.thread == thread)
            && self.from.as_ref().is_none_or(|from| from.is_in(near))
    }

    /// Whether it may be time to arm a block.
    pub(super) fn may_be_due(&self, now: u64) -> bool {
        self.rotate.is_none() || now >= self.due.load(Ordering::Relaxed)
    }

    /// Whether it is time to arm a block: always, or when the last one has had its time, and
    /// then by chance, so that not the first free after a pause is the one each time.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let Some(period) = self.rotate else {
            return true;
        };
        let due = self.due.load(Ordering::Relaxed);
        let passed_over = self.chance.load(Ordering::Relaxed);
        if now < due {
            return false;
        }
        if !passed_over.is_multiple_of(PASSED_OVER) {
            self.chance.store(passed_over - 1, Ordering::Relaxed);
            return false;
        }
        // Of two threads one is first.
        let next = now + u64::from(period);
        let is_first = self
            .due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_first {
            let mixed = (passed_over ^ now).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.chance.store(mixed >> 16, Ordering::Relaxed);
        }
        is_first
    }
}
