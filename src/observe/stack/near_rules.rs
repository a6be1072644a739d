//! The plain rules that a thread has needed lately, in little memory: the table of all of them is
//! larger than the processor's nearest caches.
//!
//! ```text
//! lower 12 bits of an address ──► ┌ 63 ──────── 29 ┬ 28 ─ 13 ┬ 12 ───── 5 ┬ 2 ┬ 1 ┬ 0 ┐
//!                                 │ address >> 12  │ offset  │ fp_offset  │ 1 │ S │ F │
//!                                 └────────────────┴─────────┴────────────┴───┴───┴───┘
//! offsets in words; S: the frame pointer was saved; F: the CFA counts from it
//! ```
//!
//! 1. An entry is written at once, and says which address it is of: so a signal handler that comes in
//!    the middle of a walk does no harm.
//! 2. All entries are of one state of the modules.

use super::rule::Rule;
use super::rules::Rules;
use core::cell::Cell;

const PLACE_BITS: u32 = 12;
const ADDRESS_SHIFT: u32 = 29;
const OFFSET_SHIFT: u32 = 13;
const FP_OFFSET_SHIFT: u32 = 5;
const IS_THERE: u64 = 1 << 2;
const SAVES_FP: u64 = 1 << 1;
const IS_FROM_FP: u64 = 1 << 0;
const WORD: i64 = size_of::<usize>() as i64;

/// See the head of this file. All bytes zero: none.
pub(crate) struct NearRules {
    generation: Cell<u64>,
    entries: [Cell<u64>; 1 << PLACE_BITS],
}

impl NearRules {
    /// Forgets what is of another state of the modules than `rules`.
    #[inline(always)]
    pub(super) fn keep_up_with(&self, rules: Rules) {
        if self.generation.get() != rules.generation() {
            self.forget(rules.generation());
        }
    }

    #[cold]
    #[inline(never)]
    fn forget(&self, generation: u64) {
        for entry in &self.entries {
            entry.set(0);
        }
        self.generation.set(generation);
    }

    /// As [`Rules::at`].
    #[inline(always)]
    pub(super) fn at(&self, address: usize, rules: Rules) -> Rule {
        let entry = &self.entries[address % self.entries.len()];
        let known = entry.get();
        if known >> ADDRESS_SHIFT == (address >> PLACE_BITS) as u64 && known & IS_THERE != 0 {
            return decode(known);
        }
        let rule = rules.at(address);
        // To look for it may have begun another state of the modules.
        if self.generation.get() == Rules::now().generation()
            && let Some(bits) = encode(rule)
        {
            entry.set(((address >> PLACE_BITS) as u64) << ADDRESS_SHIFT | bits);
        }
        rule
    }
}

/// A plain rule, if its numbers fit in.
#[inline(always)]
fn encode(rule: Rule) -> Option<u64> {
    let (offset, fp_offset) = (rule.offset() as i64, rule.fp_offset() as i64);
    if !rule.is_plain() || (offset | fp_offset) % WORD != 0 {
        return None;
    }
    let offset = i16::try_from(offset / WORD).ok()?;
    let fp_offset = i8::try_from(fp_offset / WORD).ok()?;
    let saves_fp = if rule.saves_fp() { SAVES_FP } else { 0 };
    let is_from_fp = if rule.is_from_fp() { IS_FROM_FP } else { 0 };
    let offsets =
        u64::from(offset as u16) << OFFSET_SHIFT | u64::from(fp_offset as u8) << FP_OFFSET_SHIFT;
    Some(offsets | IS_THERE | saves_fp | is_from_fp)
}

#[inline(always)]
fn decode(bits: u64) -> Rule {
    let offset = i64::from((bits >> OFFSET_SHIFT) as i16) * WORD;
    let fp_offset = i64::from((bits >> FP_OFFSET_SHIFT) as i8) * WORD;
    Rule::plain(
        bits & IS_FROM_FP != 0,
        offset,
        bits & SAVES_FP != 0,
        fp_offset,
    )
}

#[cfg(test)]
mod tests {
    use super::super::rule::{Kind, SavedFp};
    use super::*;

    #[test]
    fn what_is_plain_and_near_comes_out_as_it_went_in() {
        for kind in [Kind::FromSp, Kind::FromFp] {
            for offset in [8, 16, -8, 0x3fff8, -0x40000] {
                for fp in [
                    SavedFp::Kept,
                    SavedFp::BelowCfa(-16),
                    SavedFp::BelowCfa(-1024),
                    SavedFp::BelowCfa(1016),
                ] {
                    let rule = Rule::new(kind, offset, 0, fp);
                    let bits = encode(rule).expect("it fits");
                    assert_eq!(bits >> ADDRESS_SHIFT, 0);
                    assert_eq!(decode(bits | u64::MAX << ADDRESS_SHIFT), rule);
                }
            }
        }
        let kept = SavedFp::Kept;
        for rule in [
            Rule::new(Kind::FromSp, 12, 0, kept),
            Rule::new(Kind::FromSp, 0x40000, 0, kept),
            Rule::new(Kind::FromSp, 16, 0, SavedFp::BelowCfa(-1032)),
            Rule::new(Kind::FromSp, 16, 0, SavedFp::AtFp(8)),
            Rule::new(Kind::AtSp, 16, 0, kept),
            Rule::CHAIN,
            Rule::UNKNOWN,
        ] {
            assert_eq!(encode(rule), None);
        }
    }
}
