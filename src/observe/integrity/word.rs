//! What the level `light` keeps of a block in a slab: a word at the end of its place.
//!
//! ```text
//!  block                                    │ word    │ next block
//!  asked for          │ pattern, 0 or more  │ 8 bytes │ …
//!                                           ▲ at: a multiple of 8
//!
//!  1 │ check 29 │ state 2 │ freed_by 6 │ API 6 │ alignment 4 │ slack 16
//! ```
//!
//! The slack is how much smaller than the place the request was. The check is a hash of all the rest
//! and of the word's address: so a word that is there is what was written there, and nobody else's. It
//! stands in the highest bits, in front of the next block; what runs over the end of a block meets the
//! slack first.
//!
//! 1. Each single byte that is changed shows, whatever the word says.

use super::record::{Asked, State};

const ALIGN_SHIFT: u32 = 16;
const API_SHIFT: u32 = 20;
const FREED_BY_SHIFT: u32 = 26;
const STATE_SHIFT: u32 = 32;
const CHECK_SHIFT: u32 = 34;
const SLACK: u64 = (1 << ALIGN_SHIFT) - 1;
const ALIGN: u64 = 15;
const API: u64 = 63;
const STATE: u64 = 3;
const LIVE: u64 = 1;
const FREED: u64 = 2;
const INFO: u64 = (1 << CHECK_SHIFT) - 1;
/// 2^64 by the golden ratio: of few products the high bits are the same.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Always there: so no text, nor the zero that ends one, leaves the last byte as it was.
const TOP: u64 = 1 << 63;

/// Bytes of a word.
pub(super) const WORD: usize = size_of::<u64>();

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// Where in a word, in bits, a reader of a core file finds what, each up to the next one, the slack
    /// from 0; and what the check is made with.
    pub(super) const PARTS: [(&'static str, usize); 6] = [
        ("word.align", ALIGN_SHIFT as usize),
        ("word.api", API_SHIFT as usize),
        ("word.freed_by", FREED_BY_SHIFT as usize),
        ("word.state", STATE_SHIFT as usize),
        ("word.check", CHECK_SHIFT as usize),
        ("word.factor", FACTOR as usize),
    ];

    /// What has the check in its upper bits.
    #[inline(always)]
    fn hash(info: u64, at: usize) -> u64 {
        (info ^ at as u64).wrapping_mul(FACTOR) | TOP
    }

    /// One that says `info`, at `at`.
    #[inline(always)]
    fn of(info: u64, at: usize) -> Word {
        Word(info | Word::hash(info, at) & !INFO)
    }

    /// Of a place that nobody has had, or of whose block nothing is known.
    #[inline(always)]
    pub(super) fn new_at(at: usize) -> Word {
        Word::of(0, at)
    }

    /// Of a live block.
    #[inline(always)]
    pub(super) fn live(at: usize, slack: usize, align_log2: u32, api: u8) -> Word {
        let info = LIVE << STATE_SHIFT
            | u64::from(api) << API_SHIFT
            | u64::from(align_log2).min(ALIGN) << ALIGN_SHIFT
            | slack as u64 & SLACK;
        Word::of(info, at)
    }

    /// This one of a live block, when `freed_by` has freed it.
    #[inline(always)]
    pub(super) fn freed(self, at: usize, freed_by: u8) -> Word {
        const LIVE_TO_FREED: u64 = (LIVE ^ FREED) << STATE_SHIFT;
        let info = (self.0 & INFO) ^ LIVE_TO_FREED | (u64::from(freed_by) & API) << FREED_BY_SHIFT;
        Word::of(info, at)
    }

    /// Whether it is one that was written at `at`.
    #[inline(always)]
    pub(super) fn is_of(self, at: usize) -> bool {
        (Word::hash(self.0 & INFO, at) ^ self.0) >> CHECK_SHIFT == 0
    }

    /// One that says the same, with its check.
    pub(super) fn checked_again(self, at: usize) -> Word {
        Word::of(self.0 & INFO, at)
    }

    #[inline(always)]
    pub(super) fn is_live(self) -> bool {
        self.0 >> STATE_SHIFT & STATE == LIVE
    }

    #[inline(always)]
    pub(super) fn api(self) -> u8 {
        (self.0 >> API_SHIFT & API) as u8
    }

    #[inline(always)]
    pub(super) fn slack(self) -> usize {
        (self.0 & SLACK) as usize
    }

    #[inline(always)]
    pub(super) fn align_log2(self) -> u32 {
        (self.0 >> ALIGN_SHIFT & ALIGN) as u32
    }

    pub(super) fn freed_by(self) -> u8 {
        (self.0 >> FREED_BY_SHIFT & API) as u8
    }

    pub(super) fn state(self) -> State {
        match self.0 >> STATE_SHIFT & STATE {
            0 => State::New,
            LIVE => State::Live,
            _ => State::Freed,
        }
    }

    /// What was asked for, as a record has it, of a place of so many bytes.
    pub(super) fn asked(self, bytes: usize) -> Asked {
        let size = bytes.saturating_sub(self.slack());
        Asked::new(size, self.align_log2(), self.api()).with_state(self.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::api::Api;

    const AT: usize = 0x7e10_64e0_0038;

    fn words() -> impl Iterator<Item = (usize, Word)> {
        (0..200).flat_map(|place| {
            let at = AT + 16 * place;
            let live = Word::live(at, 8 + 37 * place % 32_000, 4, Api::Malloc as u8);
            [
                (at, Word::new_at(at)),
                (at, live),
                (at, live.freed(at, Api::Free as u8)),
            ]
        })
    }

    #[test]
    fn a_word_says_what_was_said_to_it() {
        let live = Word::live(AT, 24, 9, Api::NewAligned as u8);
        assert!(live.is_of(AT) && live.is_live() && !live.is_of(AT + 16));
        let asked = live.asked(128);
        assert_eq!((asked.size(), asked.align_log2()), (104, 9));
        assert_eq!(asked.api(), Api::NewAligned as u8);
        let freed = live.freed(AT, Api::DeleteSizedAligned as u8);
        assert!(freed.is_of(AT) && !freed.is_live());
        assert_eq!(freed.freed_by(), Api::DeleteSizedAligned as u8);
        assert_eq!(freed.asked(128), asked.with_state(State::Freed));
        assert_eq!(Word::live(AT, 32_768, 63, 1).slack(), 32_768);
        assert_eq!(Word::new_at(AT).state(), State::New);
    }

    #[test]
    fn each_byte_that_is_changed_shows() {
        for (at, word) in words() {
            assert!(word.is_of(at) && word.0 >> 56 >= 0x80);
            for byte in 0..WORD {
                for change in 1..=0xffu64 {
                    let changed = Word(word.0 ^ change << (8 * byte));
                    assert!(!changed.is_of(at), "{word:?} at {at:#x}: {changed:?}");
                }
            }
        }
    }

    /// A change of a byte changes what is multiplied by so many times its lowest bit, at most, up or
    /// down: that is seen in the bits of the check, in which the byte may have a part.
    #[test]
    fn a_change_of_a_byte_is_seen_in_the_check_of_every_word() {
        let least = |shift: u32, most: u64| {
            let changes = (1..=most).map(|change| (change << shift).wrapping_mul(FACTOR) % TOP);
            changes.map(|hash| hash.min(TOP - hash)).min()
        };
        for shift in [0, 8, 16, 24] {
            assert!(least(shift, 0xff) >= Some(1 << CHECK_SHIFT));
        }
        assert!(least(STATE_SHIFT, STATE) >= Some(1 << (STATE_SHIFT + 8)));
    }

    /// Of other places' words, and of what memory is filled with.
    #[test]
    fn what_was_written_elsewhere_is_no_word() {
        for (at, word) in words() {
            for other in (16..1 << 20).step_by(4112).chain([16, 32, 48, 64]) {
                assert!(!word.is_of(at + other) && !word.is_of(at - other));
            }
            for filling in [0, u64::MAX, 0xdede_dede_dede_dede, 0xa5a5_a5a5_a5a5_a5a5] {
                assert!(!Word(filling).is_of(at));
            }
        }
    }
}
