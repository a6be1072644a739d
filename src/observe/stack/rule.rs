//! How to get from one frame to the one that called it, in 64 bits.
//!
//! ```text
//! 63            32 31        16 15     8 7   5 4   3 2    0
//! ┌───────────────┬────────────┬────────┬─────┬─────┬──────┐
//! │ offset (CFA)  │ fp_offset  │ beyond │  0  │ fp  │ kind │
//! └───────────────┴────────────┴────────┴─────┴─────┴──────┘
//! ```
//!
//! The canonical frame address (CFA) is what the stack pointer is after the return. The return
//! address stands in the word below it; on x86-64 the unwind tables never say otherwise, but for
//! signal frames.
//!
//! | kind | CFA |
//! |---|---|
//! | `FROM_SP` `FROM_FP` | `sp + offset`, `fp + offset` |
//! | `AT_SP` `AT_FP` | the word at `sp + offset`, at `fp + offset`, and `beyond` added |
//! | `SIGNAL` | the kernel has put all registers on the stack |
//! | `CHAIN` | the code's file has no tables, or it is of no file: as the frame pointer says |
//! | `OUTERMOST` | nothing called it |
//! | `UNKNOWN` | the tables say nothing of this place, or what does not fit in here |
//!
//! | fp | the caller's frame pointer |
//! |---|---|
//! | `KEPT` | is still in the register |
//! | `BELOW_CFA` | the word at `CFA + fp_offset` |
//! | `AT_FP` | the word at `fp + fp_offset` |

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct Rule(u64);

const KIND: u64 = 7;
const FP: u64 = 3 << 3;
const FROM_FP_BIT: u64 = 1;

/// Where the CFA comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(super) enum Kind {
    FromSp = 0,
    FromFp = FROM_FP_BIT,
    AtSp = 2,
    AtFp = 3,
    Signal = 4,
    Chain = 5,
    Outermost = 6,
    Unknown = 7,
}

/// Where the caller's frame pointer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SavedFp {
    Kept,
    BelowCfa(i64),
    AtFp(i64),
}

impl Rule {
    pub(super) const SIGNAL: Rule = Rule(Kind::Signal as u64);
    pub(super) const CHAIN: Rule = Rule(Kind::Chain as u64);
    pub(super) const OUTERMOST: Rule = Rule(Kind::Outermost as u64);
    pub(super) const UNKNOWN: Rule = Rule(Kind::Unknown as u64);

    /// The rule with a CFA that is computed; [`Rule::UNKNOWN`] where a number does not fit.
    pub(super) fn new(kind: Kind, offset: i64, beyond: i64, fp: SavedFp) -> Rule {
        let (saved, fp_offset) = match fp {
            SavedFp::Kept => (0, 0),
            SavedFp::BelowCfa(offset) => (1, offset),
            SavedFp::AtFp(offset) => (2, offset),
        };
        match (
            i32::try_from(offset),
            i16::try_from(fp_offset),
            u8::try_from(beyond),
        ) {
            (Ok(offset), Ok(fp_offset), Ok(beyond)) => Rule(
                u64::from(offset as u32) << 32
                    | u64::from(fp_offset as u16) << 16
                    | u64::from(beyond) << 8
                    | saved << 3
                    | kind as u64,
            ),
            _ => Rule::UNKNOWN,
        }
    }

    /// The plain rule with these numbers, which fit: a CFA from `fp` or from `sp`, and a frame pointer
    /// that was saved below it or is kept.
    #[inline(always)]
    pub(super) fn plain(is_from_fp: bool, offset: i64, saves_fp: bool, fp_offset: i64) -> Rule {
        Rule(
            (offset as u64) << 32
                | u64::from(fp_offset as u16) << 16
                | u64::from(saves_fp) << 3
                | u64::from(is_from_fp),
        )
    }

    /// The rule of which this is [`Rule::bits`].
    #[inline(always)]
    pub(super) fn from_bits(bits: u64) -> Rule {
        Rule(bits)
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(super) fn kind(self) -> Kind {
        match self.0 & KIND {
            0 => Kind::FromSp,
            1 => Kind::FromFp,
            2 => Kind::AtSp,
            3 => Kind::AtFp,
            4 => Kind::Signal,
            5 => Kind::Chain,
            6 => Kind::Outermost,
            _ => Kind::Unknown,
        }
    }

    /// Whether the CFA is `sp` or `fp` and an offset, and the frame pointer is kept or below it.
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & (KIND & !FROM_FP_BIT | 2 << 3) == 0
    }

    /// Of a plain rule, whether the CFA counts from `fp`.
    #[inline(always)]
    pub(super) fn is_from_fp(self) -> bool {
        self.0 & FROM_FP_BIT != 0
    }

    /// Of a plain rule, whether the frame pointer was saved.
    #[inline(always)]
    pub(super) fn saves_fp(self) -> bool {
        self.0 & FP != 0
    }

    pub(super) fn saved_fp(self) -> SavedFp {
        match (self.0 & FP) >> 3 {
            0 => SavedFp::Kept,
            1 => SavedFp::BelowCfa(self.fp_offset() as i64),
            _ => SavedFp::AtFp(self.fp_offset() as i64),
        }
    }

    /// What is added to `sp` or `fp`, as a word.
    #[inline(always)]
    pub(super) fn offset(self) -> usize {
        ((self.0 as i64) >> 32) as usize
    }

    #[inline(always)]
    pub(super) fn fp_offset(self) -> usize {
        (self.0 >> 16) as i16 as usize
    }

    pub(super) fn beyond(self) -> usize {
        (self.0 >> 8) as u8 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for kind in [Kind::FromSp, Kind::FromFp, Kind::AtSp, Kind::AtFp] {
            for offset in [0, 8, -8, 1 << 20, i64::from(i32::MAX), i64::from(i32::MIN)] {
                for fp in [
                    SavedFp::Kept,
                    SavedFp::BelowCfa(-16),
                    SavedFp::BelowCfa(-32768),
                    SavedFp::AtFp(0),
                    SavedFp::AtFp(8),
                ] {
                    let rule = Rule::new(kind, offset, 8, fp);
                    assert_eq!(Rule::from_bits(rule.bits()), rule);
                    assert_eq!((rule.kind(), rule.beyond()), (kind, 8));
                    assert_eq!(rule.offset() as i64, offset);
                    assert_eq!(rule.saved_fp(), fp);
                    let plain = matches!(kind, Kind::FromSp | Kind::FromFp)
                        && !matches!(fp, SavedFp::AtFp(_));
                    assert_eq!(rule.is_plain(), plain);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_unknown() {
        let kept = SavedFp::Kept;
        assert_eq!(Rule::new(Kind::FromSp, 1 << 31, 0, kept), Rule::UNKNOWN);
        assert_eq!(Rule::new(Kind::AtFp, 0, 256, kept), Rule::UNKNOWN);
        assert_eq!(Rule::new(Kind::AtFp, 0, -8, kept), Rule::UNKNOWN);
        let far = SavedFp::BelowCfa(-32769);
        assert_eq!(Rule::new(Kind::FromSp, 0, 0, far), Rule::UNKNOWN);
        for rule in [Rule::SIGNAL, Rule::CHAIN, Rule::OUTERMOST, Rule::UNKNOWN] {
            assert!(!rule.is_plain());
        }
    }
}
