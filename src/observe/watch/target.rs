//! What is to be armed: which words of a block, and by which means.

use super::rules::Numbered;
use crate::sys::breakpoint::{REGISTERS, WORD};
use crate::sys::memory::PAGE;
use crate::sys::stack;
use core::sync::atomic::{AtomicBool, Ordering};

/// How a write is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Means {
    Nothing = 0,
    Watchpoints = 1,
    Pages = 2,
    Comparison = 3,
}

/// A block that is to be armed.
pub(super) struct Target {
    pub(super) address: usize,
    pub(super) bytes: usize,
    pub(super) class: usize,
    pub(super) life: u32,
    /// The program has given it back.
    pub(super) freed: bool,
    /// Its free is to be put off.
    pub(super) hold: bool,
}

/// The kernel has refused watchpoints, or is not to be asked. Relaxed: who notices late is refused.
static NO_WATCHPOINTS: AtomicBool = AtomicBool::new(false);

/// Has all blocks armed without watchpoints.
pub(super) fn without_watchpoints() {
    NO_WATCHPOINTS.store(true, Ordering::Relaxed);
}

/// Words of a block that are to be armed.
pub(super) struct Words {
    /// Their addresses, the most important first.
    pub(super) addresses: [usize; REGISTERS],
    /// How many have to be.
    pub(super) needed: usize,
    /// How many may be, where nobody else needs a watchpoint.
    pub(super) useful: usize,
}

/// The words that a rule says, or those of its addresses; else the first one, and of a freed
/// block those behind it as well if there are watchpoints to spare: nobody writes there.
pub(super) fn words(target: &Target, rule: &Numbered) -> Option<Words> {
    let last = (target.bytes / WORD).checked_sub(1)?;
    let (first, needed, useful) = match (rule.words, rule.addresses) {
        (Some((in_front, _)), _) if in_front < 0 => return in_front_of(target, in_front),
        (Some((first, count)), _) => (first as usize, count as usize, 0),
        (None, Some((from, to))) => {
            let from = from.saturating_sub(target.address) / WORD;
            let to = (to - 1).saturating_sub(target.address) / WORD;
            (from, (to.saturating_sub(from) + 1).min(REGISTERS), 0)
        }
        (None, None) => (0, 1, if target.freed { REGISTERS } else { 1 }),
    };
    let first = first.min(last);
    let most = last - first + 1;
    let needed = needed.min(most);
    let useful = useful.clamp(needed, most.max(needed));
    Some(Words {
        addresses: core::array::from_fn(|at| target.address + (first + at) * WORD),
        needed,
        useful,
    })
}

/// A word in front of a block, where memory is: the end of the place below, or of the pages of a block
/// that is guarded.
fn in_front_of(target: &Target, word: i32) -> Option<Words> {
    let address = target
        .address
        .checked_sub(WORD * word.unsigned_abs() as usize)?;
    stack::is_readable(address).then_some(Words {
        addresses: [address; REGISTERS],
        needed: 1,
        useful: 1,
    })
}

/// Whether a block would be armed by page protection.
pub(super) fn takes_pages(target: &Target, rule: &Numbered) -> bool {
    means(target, rule) == Means::Pages
}

/// Whether a rule's blocks would be armed with watchpoints.
pub(super) fn has_watchpoints(rule: &Numbered) -> bool {
    rule.hardware && !NO_WATCHPOINTS.load(Ordering::Relaxed)
}

pub(super) fn means(target: &Target, rule: &Numbered) -> Means {
    if has_watchpoints(rule) {
        Means::Watchpoints
    } else {
        without(target)
    }
}

/// The means where there are no watchpoints. A system call that writes into a page that is not
/// writable fails: so only what the program must not use any more is protected.
pub(super) fn without(target: &Target) -> Means {
    let has_its_pages = target.address.is_multiple_of(PAGE) && target.bytes.is_multiple_of(PAGE);
    if target.freed && target.hold && has_its_pages {
        Means::Pages
    } else {
        Means::Comparison
    }
}
