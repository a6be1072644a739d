//! All blocks that are armed: which guard is about an address, who makes room for another one, and what
//! disarms them.
//!
//! A table of guards is changed by who has the turn. Hooks ask first whether a block may be armed at all:
//! one load.

use super::guard::{self, Guard};
use super::registers;
use super::rules::Numbered;
use super::target::{self, Means, Target, Words};
use crate::observe::report::turn::{Taken, Turn};
use crate::sys::breakpoint::Refusal;
use crate::sys::clock;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Blocks that can be armed at once, by all means together.
const GUARDS: usize = 16;

static TABLE: [Guard; GUARDS] = [const { Guard::new() }; GUARDS];

static TURN: Turn = Turn::new();
/// Guards that were ever begun. Relaxed: each gets a number of its own.
static SERIAL: AtomicU32 = AtomicU32::new(0);
/// A bit for the hash of each block that is armed: the first question of each hook. Written by who
/// has [`TURN`], as the next two; Relaxed, for who notices late looks late.
static FILTER: AtomicU64 = AtomicU64::new(0);
/// How many are compared.
static COMPARED: AtomicU32 = AtomicU32::new(0);
/// Whether an armed block had to make room for another.
static HAS_EVICTED: AtomicBool = AtomicBool::new(false);

/// What is to be said to the user, once each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The means by which the first block was armed.
    Armed(Means),
    /// The kernel refuses watchpoints, with this error.
    Refused(i32),
    /// The registers are somebody else's.
    Taken,
    /// An armed block made room.
    Evicted,
    /// There are more threads than can be watched.
    TooManyThreads,
}

/// Whether a block may be armed.
#[inline(always)]
pub(super) fn may_have(address: usize) -> bool {
    let filter = FILTER.load(Ordering::Relaxed);
    filter != 0 && filter & bit(address) != 0
}

/// Whether any is compared, and so to be looked at now and then.
#[inline(always)]
pub(super) fn compares() -> bool {
    COMPARED.load(Ordering::Relaxed) > 0
}

/// The guard and the word that a signal's `data` names; `None` in the middle if it has been
/// disarmed since, and at all if the signal is not ours.
pub(super) fn of_data(data: u64) -> Option<Option<(&'static Guard, usize)>> {
    let (index, serial, word) = guard::named(data)?;
    let guard = TABLE.get(index)?;
    Some((guard.serial() == serial).then_some((guard, word)))
}

/// The guard whose pages an address lies in.
pub(super) fn of_page(address: usize) -> Option<&'static Guard> {
    TABLE.iter().find(|guard| {
        let (start, len) = guard.in_pages();
        guard.serial() != 0
            && guard.means() == Means::Pages
            && (start..start + len).contains(&address)
    })
}

/// Whether the pages that an address lies in were guarded a while ago: the write came while
/// they were opened, and is free to be tried again.
pub(super) fn was_page(address: usize) -> bool {
    TABLE.iter().any(|guard| {
        let (start, len) = guard.in_pages();
        guard.means() != Means::Pages && (start..start + len).contains(&address)
    })
}

/// The guard that this thread steps in.
pub(super) fn of_step(thread: u32) -> Option<&'static Guard> {
    TABLE
        .iter()
        .find(|guard| guard.steps.load(Ordering::Relaxed) == thread)
}

/// Opens a guard's pages for one instruction of this thread; its serial number, `None` if it is
/// another thread's turn, or the guard is another one by now.
pub(super) fn begin_step(guard: &Guard, thread: u32) -> Option<u32> {
    let _turn = TURN.take()?;
    let is_free = guard.steps.load(Ordering::Relaxed) == 0;
    if !guard.is_used() || guard.means() != Means::Pages || !is_free {
        return None;
    }
    guard.steps.store(thread, Ordering::Relaxed);
    guard.open_pages(true);
    Some(guard.serial())
}

/// Closes them behind it, if they still are this guard's.
pub(super) fn end_step(guard: &Guard, serial: u32) {
    let _turn = TURN.take();
    if serial != 0 && guard.serial() == serial && guard.means() == Means::Pages {
        guard.open_pages(false);
    }
    guard.steps.store(0, Ordering::Relaxed);
}

/// Looks at all that is compared.
pub(super) fn compare_all(mut each: impl FnMut(&'static Guard, usize, u64, u64)) {
    let Some(_turn) = TURN.take() else {
        return;
    };
    for guard in &TABLE {
        if guard.is_used() && guard.means() == Means::Comparison {
            guard.compare(|word, old, new| each(guard, word, old, new));
            guard.looked.store(clock::now_ms(), Ordering::Relaxed);
        }
    }
}

/// A freed block that is armed and held back.
pub(super) fn is_held(address: usize) -> bool {
    TABLE
        .iter()
        .any(|guard| guard.is_at(address) && guard.held.load(Ordering::Relaxed))
}

/// Arms a block that is not held back yet, as `rule` says; whether it is armed, and is held back
/// from here on. Others make room.
pub(super) fn arm(target: &Target, rule: &Numbered, mut tell: impl FnMut(News)) -> Option<bool> {
    let turn = TURN.take()?;
    if is_held(target.address) {
        return None;
    }
    disarm_at(&turn, target.address);
    let words = target::words(target, rule)?;
    let means = target::means(target, rule);
    let count = match means {
        Means::Watchpoints => free_registers(&turn, &words, rule, &mut tell)?,
        _ => words.needed,
    };
    let index = free_guard(&turn)?;
    TABLE[index].fill(target, rule, &words, count);
    let means = begin(index, target, means, &mut tell)?;
    refresh();
    tell(News::Armed(means));
    if registers::overflows() {
        tell(News::TooManyThreads);
    }
    Some(target.hold)
}

/// Has others give up watchpoints that a block needs; how many words it can watch.
fn free_registers(
    turn: &Taken<'_>,
    words: &Words,
    rule: &Numbered,
    tell: &mut impl FnMut(News),
) -> Option<usize> {
    while registers::free() < words.needed && give_up_spare(turn, 1).is_some() {}
    while registers::free() < words.needed {
        if rule.rotate.is_none() && !HAS_EVICTED.swap(true, Ordering::Relaxed) {
            tell(News::Evicted);
        }
        disarm_oldest(turn, Some(Means::Watchpoints))?;
    }
    // Of what is to spare it gets as much as the others have.
    let may_have = || registers::free().min(words.useful);
    while may_have() < words.useful && give_up_spare(turn, may_have() + 1).is_some() {}
    Some(may_have())
}

/// The place of a guard that guards nothing; the oldest one makes room.
fn free_guard(turn: &Taken<'_>) -> Option<usize> {
    // A thread that steps in one of them has yet to come back.
    let is_unused = |guard: &Guard| !guard.is_used() && guard.steps.load(Ordering::Relaxed) == 0;
    if !TABLE.iter().any(is_unused) {
        disarm_oldest(turn, None)?;
    }
    TABLE.iter().position(is_unused)
}

/// Arms a guard that is filled, by these means or by what is left if they are refused; says by
/// which.
fn begin(
    index: usize,
    target: &Target,
    mut means: Means,
    tell: &mut impl FnMut(News),
) -> Option<Means> {
    let serial = (SERIAL.fetch_add(1, Ordering::Relaxed) + 1).max(1);
    while let Err(why) = TABLE[index].arm(index, serial, means) {
        match why {
            Refusal::Forbidden(error) => {
                target::without_watchpoints();
                tell(News::Refused(error));
            }
            _ => tell(News::Taken),
        }
        means = target::without(target);
        if target.freed && !target.hold {
            // The allocator is about to write to it.
            return None;
        }
    }
    Some(means)
}

/// Called by who has the turn.
fn disarm_at(_: &Taken<'_>, address: usize) {
    if may_have(address) {
        TABLE
            .iter()
            .filter(|guard| guard.is_at(address))
            .for_each(Guard::disarm);
        refresh();
    }
}

/// Has the block that has most watchpoints to spare give up one, if it has more words than `than`.
/// Called by who has the turn.
fn give_up_spare(_: &Taken<'_>, than: usize) -> Option<()> {
    let guards = TABLE.iter().filter(|guard| guard.has_spare(than));
    guards.max_by_key(|guard| guard.words())?.give_up_spare();
    Some(())
}

fn disarm_oldest(_: &Taken<'_>, means: Option<Means>) -> Option<()> {
    let of_means = |guard: &&Guard| means.is_none_or(|means| guard.means() == means);
    let used = TABLE.iter().filter(|guard| guard.is_used());
    let oldest = used.filter(of_means).min_by_key(|guard| guard.serial())?;
    oldest.disarm();
    Some(())
}

/// Disarms what is armed at `address`.
pub(super) fn disarm(address: usize) {
    if may_have(address)
        && let Some(turn) = TURN.take()
    {
        disarm_at(&turn, address);
    }
}

/// The block at `address` is handed out again: disarms it, unless its rule says otherwise.
pub(super) fn reused(address: usize) {
    let stays = |guard: &Guard| guard.is_at(address) && guard.keep.load(Ordering::Relaxed);
    if may_have(address) && !TABLE.iter().any(stays) {
        disarm(address);
    }
}

/// Disarms blocks of a slab that is closed, whose memory may become something else.
pub(super) fn closed(start: usize, class: usize, span: usize) {
    if FILTER.load(Ordering::Relaxed) == 0 {
        return;
    }
    let Some(_turn) = TURN.take() else {
        return;
    };
    let inside = |guard: &&Guard| {
        guard.is_used()
            && guard.class.load(Ordering::Relaxed) == class
            && (start..start + span).contains(&guard.address.load(Ordering::Relaxed))
    };
    TABLE.iter().filter(inside).for_each(Guard::disarm);
    refresh();
}

/// Disarms what a rule has armed.
pub(super) fn disarm_of(number: u32) {
    let Some(_turn) = TURN.take() else {
        return;
    };
    let of_rule =
        |guard: &&Guard| guard.is_used() && guard.number.load(Ordering::Relaxed) == number;
    TABLE.iter().filter(of_rule).for_each(Guard::disarm);
    refresh();
}

/// Disarms one, from a signal handler or a hook, if it still is the one of this number.
pub(super) fn disarm_this(guard: &Guard, serial: u32) {
    if let Some(_turn) = TURN.take()
        && guard.serial() == serial
    {
        guard.disarm();
        refresh();
    }
}

/// In a fork's child: the events are the parent's, and the child gets its own on the same words.
pub(super) fn forked() {
    TURN.reset();
    let Some(_turn) = TURN.take() else {
        return;
    };
    for (index, guard) in TABLE.iter().enumerate() {
        guard.forked(index);
    }
    refresh();
}

/// Takes note of which blocks are armed, and how many are compared. Called by who has the turn.
fn refresh() {
    let used = || TABLE.iter().filter(|guard| guard.is_used());
    let bits = used().fold(0, |bits, guard| {
        bits | bit(guard.address.load(Ordering::Relaxed))
    });
    FILTER.store(bits, Ordering::Relaxed);
    let compared = used().filter(|guard| guard.means() == Means::Comparison);
    COMPARED.store(compared.count() as u32, Ordering::Relaxed);
}

fn bit(address: usize) -> u64 {
    1 << ((address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}
