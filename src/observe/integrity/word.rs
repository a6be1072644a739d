//! What the level `light` keeps of a block in a slab: a word at the end of its place.
//!
//! ```text
//!  block                                    │ word    │ next block
//!  asked for          │ pattern, 0 or more  │ 8 bytes │ …
//!                                           ▲ at: a multiple of 8
//!
//!  64         58    52          48      32         0
//!  │ freed_by │ API │ alignment │ slack │ check    │
//! ```
//!
//! The slack is how much smaller than the place the request was. Who freed the block stands there with all
//! bits the other way round: so while it is out the highest bits are ones, and no text in front of the next
//! block, nor the zero that ends one, leaves the last byte as it was. The check is a hash of the upper half
//! and of the word's address: so a word that is there is what was written there, and nobody else's.
//!
//! 1. Each single byte that is changed shows, whatever the word says.
//! 2. Of the halves each follows from the other one.

use super::record::{Asked, State};

/// From the lowest bit of the upper half, whose numbers are called info here.
const ALIGN_SHIFT: u32 = 16;
const API_SHIFT: u32 = 20;
const FREED_BY_SHIFT: u32 = 26;
const INFO_SHIFT: u32 = 32;
const SLACK: u32 = (1 << ALIGN_SHIFT) - 1;
const ALIGN: u32 = 15;
const API: u32 = 63;
/// Freed by nobody.
const OUT: u32 = API << FREED_BY_SHIFT;
/// 2^32 by the golden ratio, and odd: so no two infos have the same check at an address.
const FACTOR: u32 = 0x9e37_79b1;
/// What takes the factor back: their product is 1.
const INVERSE: u32 = inverse(FACTOR);

/// The inverse of an odd number, by Newton's iteration: each step doubles the bits that are right, of which
/// there are three at first.
const fn inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    let mut bits = 3;
    while bits < u32::BITS {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

/// Bytes of a word.
pub(super) const WORD: usize = size_of::<u64>();

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// Where in a word, in bits, a reader of a core file finds what, each up to the next one and the last up
    /// to the end; and what the check is made with.
    pub(super) const PARTS: [(&'static str, usize); 5] = [
        ("word.slack", INFO_SHIFT as usize),
        ("word.align", (INFO_SHIFT + ALIGN_SHIFT) as usize),
        ("word.api", (INFO_SHIFT + API_SHIFT) as usize),
        ("word.freed_by", (INFO_SHIFT + FREED_BY_SHIFT) as usize),
        ("word.factor", FACTOR as usize),
    ];

    /// What places differ in: they are 16 bytes apart, at least.
    #[inline(always)]
    fn place(at: usize) -> u32 {
        (at >> 4) as u32
    }

    /// One that says `info`, at `at`.
    #[inline(always)]
    fn of(info: u32, at: usize) -> Word {
        let check = info.wrapping_mul(FACTOR).wrapping_add(Word::place(at));
        Word(u64::from(info) << INFO_SHIFT | u64::from(check))
    }

    #[inline(always)]
    fn info(self) -> u32 {
        (self.0 >> INFO_SHIFT) as u32
    }

    #[inline(always)]
    fn check(self) -> u32 {
        self.0 as u32
    }

    /// Of a place that nobody has had, or of whose block nothing is known.
    #[inline(always)]
    pub(super) fn new_at(at: usize) -> Word {
        Word::of(OUT, at)
    }

    /// Of a live block; `api` is that of a function.
    #[inline(always)]
    pub(super) fn live(at: usize, slack: usize, align_log2: u32, api: u8) -> Word {
        let info = OUT
            | u32::from(api) << API_SHIFT
            | align_log2.min(ALIGN) << ALIGN_SHIFT
            | slack as u32 & SLACK;
        Word::of(info, at)
    }

    /// This one of a live block, when `freed_by` has freed it.
    #[inline(always)]
    pub(super) fn freed(self, freed_by: u8) -> Word {
        // The bits of nobody are ones, so this borrows nothing from others; and the check is a product.
        let less = (u32::from(freed_by) & API) << FREED_BY_SHIFT;
        let info = self.info() ^ less;
        let check = self.check().wrapping_sub(less.wrapping_mul(FACTOR));
        Word(u64::from(info) << INFO_SHIFT | u64::from(check))
    }

    /// Whether it is one that was written at `at`.
    #[inline(always)]
    pub(super) fn is_of(self, at: usize) -> bool {
        let check = self.info().wrapping_mul(FACTOR);
        check.wrapping_add(Word::place(at)) == self.check()
    }

    /// One that says the same, with its check.
    pub(super) fn checked_again(self, at: usize) -> Word {
        Word::of(self.info(), at)
    }

    /// The one that has this check at `at`.
    pub(super) fn of_check(self, at: usize) -> Word {
        let product = self.check().wrapping_sub(Word::place(at));
        Word::of(product.wrapping_mul(INVERSE), at)
    }

    /// The function that handed a block out, if that is live.
    #[inline(always)]
    pub(super) fn live_api(self) -> Option<u8> {
        // Above it are the ones of nobody.
        let api = (self.info().cast_signed() >> API_SHIFT).wrapping_add(1 << 6);
        (1..1 << 6).contains(&api).then_some(api as u8)
    }

    #[inline(always)]
    pub(super) fn is_live(self) -> bool {
        self.live_api().is_some()
    }

    #[inline(always)]
    pub(super) fn api(self) -> u8 {
        (self.info() >> API_SHIFT & API) as u8
    }

    #[inline(always)]
    pub(super) fn slack(self) -> usize {
        (self.info() & SLACK) as usize
    }

    #[inline(always)]
    pub(super) fn align_log2(self) -> u32 {
        self.info() >> ALIGN_SHIFT & ALIGN
    }

    /// The function that freed the block; 0 if none has.
    pub(super) fn freed_by(self) -> u8 {
        (!self.info() >> FREED_BY_SHIFT) as u8
    }

    pub(super) fn state(self) -> State {
        match (self.api(), self.freed_by()) {
            (0, _) => State::New,
            (_, 0) => State::Live,
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
                (at, live.freed(Api::Free as u8)),
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
        let freed = live.freed(Api::DeleteSizedAligned as u8);
        assert!(freed.is_of(AT) && !freed.is_live());
        assert_eq!(freed.freed_by(), Api::DeleteSizedAligned as u8);
        assert_eq!(freed.asked(128), asked.with_state(State::Freed));
        assert_eq!(Word::live(AT, 32_768, 63, 1).slack(), 32_768);
        assert_eq!(Word::new_at(AT).state(), State::New);
    }

    #[test]
    fn each_byte_that_is_changed_shows() {
        for (at, word) in words() {
            assert!(word.is_of(at) && (word.0 >> 56 >= 0x80 || !word.is_live()));
            for byte in 0..WORD {
                for change in 1..=0xffu64 {
                    let changed = Word(word.0 ^ change << (8 * byte));
                    assert!(!changed.is_of(at), "{word:?} at {at:#x}: {changed:?}");
                }
            }
        }
    }

    #[test]
    fn each_half_follows_from_the_other_one() {
        for (at, word) in words() {
            assert_eq!(Word(word.0 ^ 0xffff_1234).checked_again(at), word);
            assert_eq!(Word(word.0 ^ 0x1234_ffff << 32).of_check(at), word);
        }
        assert_eq!(FACTOR.wrapping_mul(INVERSE), 1);
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
