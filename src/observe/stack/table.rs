//! The walk by unwind tables: exact in code that has them, with frame pointers or without.
//!
//! ```text
//! pc ──► rule (rules.rs) ──► CFA ──► pc of the caller, in the word below it
//!                             └────► its frame pointer, if it was saved
//! ```
//!
//! The plain rules, which are nearly all, are applied in a loop that stays on the thread's own
//! stack; what is not plain, and other stacks, by the slow twin. Code of no file (a compiler's at
//! run time) is taken to keep frame pointers.

use super::bounds::{Bounds, LOWEST_CODE, Range};
use super::frame_pointers::{self, Reader};
use super::near_rules::NearRules;
use super::rule::{Kind, Rule, SavedFp};
use super::rules::Rules;
use super::{Registers, Room};
use crate::observe::modules;

/// Below the stack pointer nothing of a function's is overwritten by a signal.
const RED_ZONE: usize = 128;

/// Writes the return addresses to `room`, `most` of them at most; says how many. The first is
/// where a call returns to. Of each further one `each` is told what the stack pointer is behind
/// it, the word below which holds it, and whether the frame pointer has said so.
#[inline(always)]
pub(super) fn walk(
    bounds: &Bounds,
    from: Registers,
    room: &mut Room,
    most: usize,
    mut each: impl FnMut(usize, bool),
) -> usize {
    let own = bounds.known();
    if !own.contains(from.sp) {
        room[0].write(from.pc as u64);
        return walk_slow(bounds, from, true, room, 1, most, &mut each);
    }
    let rules = Rules::now();
    walk_own(bounds, own, |at| rules.at(at), from, room, most, each)
}

/// As [`walk`], with the rules that the thread has needed lately.
#[inline(always)]
pub(super) fn walk_near(
    bounds: &Bounds,
    near: &NearRules,
    from: Registers,
    room: &mut Room,
    most: usize,
    each: impl FnMut(usize, bool),
) -> usize {
    let own = bounds.known();
    if !own.contains(from.sp) {
        return walk(bounds, from, room, most, each);
    }
    let rules = Rules::now();
    near.keep_up_with(rules);
    walk_own(bounds, own, |at| near.at(at, rules), from, room, most, each)
}

/// As [`walk`], from where the stack pointer is on the thread's own stack; `rule` says the rule at an
/// address.
#[inline(always)]
fn walk_own(
    bounds: &Bounds,
    own: Range,
    rule: impl Fn(usize) -> Rule,
    from: Registers,
    room: &mut Room,
    most: usize,
    mut each: impl FnMut(usize, bool),
) -> usize {
    room[0].write(from.pc as u64);
    let mut at = from;
    let mut count = 1;
    while count < most {
        let rule = rule(at.pc.wrapping_sub(1));
        // SAFETY: the own stack is mapped.
        let Some(next) = (unsafe { plain_step(rule, own, at) }) else {
            return walk_slow(bounds, at, true, room, count, most, &mut each);
        };
        at = next;
        if at.pc < LOWEST_CODE {
            break;
        }
        room[count].write(at.pc as u64);
        each(at.sp, rule.is_from_fp());
        count += 1;
    }
    count
}

/// A step by a plain rule that stays on the thread's own stack.
///
/// # Safety
/// `own` is mapped.
#[inline(always)]
unsafe fn plain_step(rule: Rule, own: Range, at: Registers) -> Option<Registers> {
    let base = if rule.is_from_fp() { at.fp } else { at.sp };
    let cfa = base.wrapping_add(rule.offset());
    let slot = cfa.wrapping_add(rule.fp_offset());
    // Upwards, and on the stack; all words aligned.
    let fits = cfa.wrapping_sub(at.sp + 8) <= own.hi.wrapping_sub(at.sp + 8)
        && slot.wrapping_sub(own.lo) <= (own.hi - 8).wrapping_sub(own.lo)
        && (cfa | slot).is_multiple_of(8);
    if !rule.is_plain() || !fits {
        return None;
    }
    // SAFETY: aligned, and on the thread's own stack, which is mapped from `lo` to `hi`.
    let pc = unsafe { *((cfa - 8) as *const usize) };
    let fp = if rule.saves_fp() {
        // SAFETY: as above.
        unsafe { *(slot as *const usize) }
    } else {
        at.fp
    };
    Some(Registers { pc, sp: cfa, fp })
}

/// As [`walk`], on any stack and by any rule; `count` addresses are there, and `at` is where the
/// walk has come to: where a call `returns` to, or an instruction that was interrupted.
#[cold]
#[inline(never)]
pub(super) fn walk_slow(
    bounds: &Bounds,
    mut at: Registers,
    mut returns: bool,
    room: &mut Room,
    mut count: usize,
    most: usize,
    each: &mut dyn FnMut(usize, bool),
) -> usize {
    let mut reader = Reader::new(bounds, at.sp);
    while count < most {
        let address = at.pc.wrapping_sub(usize::from(returns));
        let rule = Rules::now().at(address);
        let next = if rule.kind() == Kind::Signal {
            returns = false;
            // The handler has returned: on another stack, or higher on this one.
            frame_pointers::saved_registers(at.sp).inspect(|saved| {
                reader = Reader::new(bounds, saved.sp);
            })
        } else {
            let next = step(bounds, &mut reader, at, rule, returns);
            returns = true;
            next
        };
        let Some(next) = next.filter(|next| next.pc >= LOWEST_CODE) else {
            break;
        };
        at = next;
        room[count].write(at.pc as u64);
        each(at.sp, true);
        count += 1;
    }
    count
}

/// One frame up.
fn step(
    bounds: &Bounds,
    reader: &mut Reader,
    at: Registers,
    rule: Rule,
    returns: bool,
) -> Option<Registers> {
    let word = |reader: &mut Reader, address: usize| reader.word(bounds, address, at.sp);
    let cfa = match rule.kind() {
        Kind::FromSp => at.sp.wrapping_add(rule.offset()),
        Kind::FromFp => at.fp.wrapping_add(rule.offset()),
        Kind::AtSp => word(reader, at.sp.wrapping_add(rule.offset()))?.wrapping_add(rule.beyond()),
        Kind::AtFp => word(reader, at.fp.wrapping_add(rule.offset()))?.wrapping_add(rule.beyond()),
        Kind::Chain => return chain(bounds, reader, at, returns),
        Kind::Signal | Kind::Outermost | Kind::Unknown => return None,
    };
    // Upwards: past the return address at least.
    if cfa < at.sp.checked_add(8)? {
        return None;
    }
    let fp = match rule.saved_fp() {
        SavedFp::Kept => at.fp,
        // At a function's return it has been popped, and is below the stack pointer.
        SavedFp::BelowCfa(_) => {
            let slot = cfa.wrapping_add(rule.fp_offset());
            reader.word(bounds, slot, at.sp.saturating_sub(RED_ZONE))?
        }
        SavedFp::AtFp(_) => word(reader, at.fp.wrapping_add(rule.fp_offset()))?,
    };
    let pc = word(reader, cfa - 8)?;
    Some(Registers { pc, sp: cfa, fp })
}

/// One frame up by the frame pointer. Code of a file is not believed to keep one unless the
/// return address is of a file, too.
fn chain(bounds: &Bounds, reader: &mut Reader, at: Registers, returns: bool) -> Option<Registers> {
    let [fp, pc] = reader.frame(bounds, at.fp, at.sp)?;
    let address = at.pc.wrapping_sub(usize::from(returns));
    if modules::of(address).is_some() && modules::meet(pc).is_none() {
        return None;
    }
    let sp = at.fp + frame_pointers::FRAME;
    Some(Registers { pc, sp, fp })
}
