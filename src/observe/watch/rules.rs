//! The rules in force.
//!
//! ```text
//! ACTIVE   bit per slot ──► RULES[slot] ──► Rule, in metadata memory, for good
//! PLACES   what all of them together are about: classes, lowest and highest address
//! ```
//!
//! A block's record has the slots of the rules that selected it, and a stamp: a slot counts if
//! its rule was added before that.
//!
//! 1. A rule is complete before its bit in `ACTIVE` is set.
//! 2. A rule's memory is never used again.

use super::Record;
use super::rule::{Rule, events};
use crate::metadata;
use crate::observe::report::turn::Turn;
use crate::observe::site::Site;
use crate::observe::{Block, Request, modules};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Rules that can be in force at once.
pub(crate) const SLOTS: usize = 32;

/// A rule with its number.
pub(super) struct Numbered {
    /// As reports and the program call it; from 1 on.
    pub(super) number: u32,
    pub(super) slot: u32,
    pub(super) rule: Rule,
}

impl core::ops::Deref for Numbered {
    type Target = Rule;
    fn deref(&self) -> &Rule {
        &self.rule
    }
}

/// A bit for each slot in use. Set Release; read Acquire.
static ACTIVE: AtomicU32 = AtomicU32::new(0);
static RULES: [AtomicPtr<Numbered>; SLOTS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; SLOTS];
/// Those of them whose rules are about places alone. As `ACTIVE`.
static PLACE_RULES: AtomicU32 = AtomicU32::new(0);
/// Those that wait for a reuse. Relaxed.
static REUSE_RULES: AtomicU32 = AtomicU32::new(0);
/// Rules that were ever added. Written by who has [`TURN`]; Relaxed: who notices late, looks late.
static ADDED: AtomicU32 = AtomicU32::new(0);
/// Rules whose site has not been found, and the modules among which it was looked for. Relaxed: who
/// notices late, looks late.
static UNKNOWN: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicU32 = AtomicU32::new(0);
static TURN: Turn = Turn::new();

/// What no block outside of is selected by any rule. Relaxed: who notices late, looks late.
struct Places {
    classes: AtomicU64,
    from: AtomicUsize,
    to: AtomicUsize,
    /// Bytes asked for, the least and the most.
    least: AtomicUsize,
    most: AtomicUsize,
    /// Where the caller returns to, from and to: all, if a rule has no site, or one that is
    /// looked for in the stack.
    first: AtomicUsize,
    last: AtomicUsize,
}

static PLACES: Places = Places {
    classes: AtomicU64::new(0),
    from: AtomicUsize::new(usize::MAX),
    to: AtomicUsize::new(0),
    least: AtomicUsize::new(usize::MAX),
    most: AtomicUsize::new(0),
    first: AtomicUsize::new(usize::MAX),
    last: AtomicUsize::new(0),
};

/// Why a rule is not in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// All slots are in use.
    Full,
    /// There is no memory for it.
    NoMemory,
}

/// Whether a block may be one that a rule is about: the first and cheapest question.
#[inline(always)]
pub(super) fn may_cover(address: usize, bytes: usize, class: usize) -> bool {
    PLACES.classes.load(Ordering::Relaxed) & Rule::class_bit(class) != 0
        && PLACES.from.load(Ordering::Relaxed) < address + bytes
        && address < PLACES.to.load(Ordering::Relaxed)
}

/// Whether a request may be one that a rule selects: the second question.
#[inline(always)]
pub(super) fn may_select(size: usize, pc: Option<usize>) -> bool {
    PLACES.least.load(Ordering::Relaxed) <= size
        && size <= PLACES.most.load(Ordering::Relaxed)
        && pc.is_none_or(|pc| {
            PLACES.first.load(Ordering::Relaxed) <= pc && pc <= PLACES.last.load(Ordering::Relaxed)
        })
}

/// Whether any rule is about places alone.
#[inline(always)]
pub(super) fn any_about_places() -> bool {
    PLACE_RULES.load(Ordering::Relaxed) != 0
}

/// Whether any rule waits for the second life of what it selects.
#[inline(always)]
pub(super) fn any_about_reuse() -> bool {
    REUSE_RULES.load(Ordering::Relaxed) != 0
}

/// Whether there has been any rule: until then there is nothing to ask of a block.
#[inline(always)]
pub(super) fn have_been() -> bool {
    ADDED.load(Ordering::Relaxed) != 0
}

/// Whether there is any rule.
pub(super) fn exist() -> bool {
    ACTIVE.load(Ordering::Relaxed) != 0
}

/// The rules of the slots whose bits are set, as far as they are in force, the oldest slot
/// first.
pub(super) fn of(slots: u32) -> impl Iterator<Item = &'static Numbered> {
    let mut rest = slots & ACTIVE.load(Ordering::Acquire);
    core::iter::from_fn(move || {
        let slot = rest.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        // SAFETY: a slot in use has a rule, which is never unmapped and does not change.
        unsafe { RULES.get(slot as usize)?.load(Ordering::Acquire).as_ref() }
    })
}

/// All rules in force.
pub(super) fn all() -> impl Iterator<Item = &'static Numbered> {
    of(u32::MAX)
}

/// The rules that know a block by its place alone, whenever it was handed out.
pub(super) fn about_places() -> impl Iterator<Item = &'static Numbered> {
    of(PLACE_RULES.load(Ordering::Acquire))
}

/// The rule of a number, if it is in force.
pub(super) fn numbered(number: u32) -> Option<&'static Numbered> {
    all().find(|rule| rule.number == number)
}

/// The slots of the rules that select a block that is handed out now.
pub(super) fn selecting(block: &Block<'_, Record>, request: &Request, stack: &[u64]) -> u32 {
    all()
        .filter(|rule| rule.selects(block, request, stack))
        .fold(0, |slots, rule| slots | 1 << rule.slot)
}

/// How many calls of a stack that begins in `api` there have to be for all rules' sites.
pub(super) fn depth_for(api: u8) -> usize {
    let with_sites = all().filter(|rule| rule.site.is_some());
    with_sites
        .map(|rule| rule.depth_for(api))
        .max()
        .unwrap_or(1)
}

/// Puts a rule in force; its number.
pub(super) fn add(rule: Rule) -> Result<u32, Refusal> {
    let turn = TURN.take();
    let active = ACTIVE.load(Ordering::Relaxed);
    let slot = active.trailing_ones();
    if slot as usize >= SLOTS || turn.is_none() {
        return Err(Refusal::Full);
    }
    let memory = metadata::allocate(size_of::<Numbered>()).ok_or(Refusal::NoMemory)?;
    let number = ADDED.load(Ordering::Relaxed) + 1;
    let place = memory.as_ptr().cast::<Numbered>();
    let numbered = Numbered { number, slot, rule };
    // SAFETY: memory of that size and a larger alignment, for good.
    unsafe { place.write(numbered) };
    ADDED.store(number, Ordering::Relaxed);
    RULES[slot as usize].store(place, Ordering::Release);
    ACTIVE.store(active | 1 << slot, Ordering::Release);
    resolve();
    Ok(number)
}

/// Ends a rule; false if there is none of this number.
pub(super) fn remove(number: u32) -> bool {
    let Some(_turn) = TURN.take() else {
        return false;
    };
    let Some(rule) = numbered(number) else {
        return false;
    };
    ACTIVE.fetch_and(!(1 << rule.slot), Ordering::Release);
    summarize();
    true
}

fn summarize() {
    let (mut classes, mut places, mut reuse) = (0, 0, 0);
    let (mut from, mut to) = (usize::MAX, 0);
    let (mut least, mut most) = (usize::MAX, 0);
    let (mut first, mut last) = (usize::MAX, 0);
    for rule in all() {
        let bit = 1 << rule.slot;
        if rule.is_about_places() {
            places |= bit;
        }
        if rule.on & events::REUSE != 0 {
            reuse |= bit;
        }
        let (begin, end) = rule.addresses.unwrap_or((0, usize::MAX));
        classes |= rule.classes;
        (from, to) = (from.min(begin), to.max(end));
        if rule.is_about_places() && rule.on & (events::ALLOC | events::REUSE) == 0 {
            // It knows its blocks when it sees them.
            continue;
        }
        (least, most) = (least.min(rule.sizes.0), most.max(rule.sizes.1));
        let (begin, end) = rule.callers();
        (first, last) = (first.min(begin), last.max(end));
    }
    PLACE_RULES.store(places, Ordering::Release);
    REUSE_RULES.store(reuse, Ordering::Relaxed);
    for (place, value) in [
        (&PLACES.from, from),
        (&PLACES.to, to),
        (&PLACES.least, least),
        (&PLACES.most, most),
        (&PLACES.first, first),
        (&PLACES.last, last),
    ] {
        place.store(value, Ordering::Relaxed);
    }
    PLACES.classes.store(classes, Ordering::Relaxed);
}

/// Looks for the sites that have not been found. Called by who has the turn.
fn resolve() {
    let sites = || {
        all()
            .flat_map(|rule| [&rule.rule.site, &rule.rule.from])
            .flatten()
    };
    let unknown = || sites().filter(|site| !site.is_known());
    if unknown().next().is_some() {
        unknown().for_each(Site::resolve);
    }
    SEEN.store(modules::generation(), Ordering::Relaxed);
    UNKNOWN.store(unknown().count() as u32, Ordering::Relaxed);
    summarize();
}

/// Whether some site has not been found.
#[inline(always)]
pub(super) fn any_unknown() -> bool {
    UNKNOWN.load(Ordering::Relaxed) > 0
}

/// Looks for sites again, if some were not found and `pc` lies in a file that is new.
pub(super) fn see(pc: usize) {
    if any_unknown() {
        see_slow(pc);
    }
}

#[cold]
fn see_slow(pc: usize) {
    if modules::of(pc).or_else(|| modules::meet(pc)).is_some()
        && SEEN.load(Ordering::Relaxed) != modules::generation()
        && let Some(_turn) = TURN.take()
    {
        resolve();
    }
}

/// Calls `each` with the number of every rule whose site was not found.
pub(super) fn for_each_unknown(mut each: impl FnMut(u32)) {
    for rule in all() {
        let sites = [&rule.rule.site, &rule.rule.from];
        if sites.into_iter().flatten().any(|site| !site.is_known()) {
            each(rule.number);
        }
    }
}

/// The slots of the rules that selected a block in its present life.
pub(super) fn selected(record: &Record) -> u32 {
    let stamp = record.stamp.load(Ordering::Relaxed);
    of(record.rules.load(Ordering::Relaxed))
        .filter(|rule| rule.number <= stamp)
        .fold(0, |slots, rule| slots | 1 << rule.slot)
}

/// Notes which rules selected a block.
pub(super) fn select(record: &Record, slots: u32) {
    record.rules.store(slots, Ordering::Relaxed);
    record
        .stamp
        .store(ADDED.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The one thread of a fork's child.
pub(super) fn forked() {
    TURN.reset();
}
