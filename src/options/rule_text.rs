//! Rules of a watch as text: words with spaces between, a condition, option or list of actions each.
//!
//! ```text
//! addr=0x7f0000001000 on=free do=stack,arm ; site=parse_line size=100-200 do=log
//! ```

#![allow(dead_code, reason = "a build without observers checks texts alone")]

use super::misread::Malformed;
use super::numerals::{hexadecimal, positive, range, split};
use super::site_text::SiteText;
use crate::size_class::CLASSES;

/// Words of memory that the processor can watch at once.
pub(crate) const WATCHPOINTS: usize = 4;

/// The bit of blocks without a class in [`RuleText::classes`].
pub(crate) const LARGE_BIT: u64 = 1 << 63;

/// What can happen to a block, a bit each.
pub(crate) mod events {
    pub(crate) const ALLOC: u8 = 1;
    pub(crate) const FREE: u8 = 2;
    pub(crate) const REALLOC: u8 = 4;
    pub(crate) const REUSE: u8 = 8;
    pub(crate) const VERIFY: u8 = 16;
    pub(crate) const HIT: u8 = 32;

    /// Their names in rules and in reports.
    pub(crate) const NAMES: [(&str, u8); 6] = [
        ("alloc", ALLOC),
        ("free", FREE),
        ("realloc", REALLOC),
        ("reuse", REUSE),
        ("verify", VERIFY),
        ("hit", HIT),
    ];
}

/// What can be done about it, a bit each, in the order in which it is done.
pub(crate) mod actions {
    pub(crate) const LOG: u8 = 1;
    pub(crate) const STACK: u8 = 2;
    pub(crate) const VERIFY: u8 = 4;
    pub(crate) const ARM: u8 = 8;
    pub(crate) const STOP: u8 = 16;
    pub(crate) const ABORT: u8 = 32;

    /// Their names in rules.
    pub(crate) const NAMES: [(&str, u8); 6] = [
        ("log", LOG),
        ("stack", STACK),
        ("verify", VERIFY),
        ("arm", ARM),
        ("stop", STOP),
        ("abort", ABORT),
    ];
}

/// What a rule says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RuleText<'t> {
    /// [`events`] and [`actions`].
    pub(crate) on: u8,
    pub(crate) does: u8,
    /// First address, and the one behind the last.
    pub(crate) addresses: Option<(usize, usize)>,
    /// Bytes asked for, from and to.
    pub(crate) sizes: (usize, usize),
    /// A bit for each class.
    pub(crate) classes: u64,
    pub(crate) site: Option<SiteText<'t>>,
    pub(crate) from: Option<SiteText<'t>>,
    /// Innermost calls of a stack of which one has to be at the site; by the face if not said.
    pub(crate) depth: Option<u32>,
    /// The one that counts of all that meet the other conditions; 0 for all.
    pub(crate) nth: u64,
    /// The kernel's number of a thread; 0 for all.
    pub(crate) thread: u32,
    /// The first word to arm, and how many; by the address if there are none. Below 0: one in front.
    pub(crate) words: Option<(i32, u32)>,
    /// A freed block is held back while it is armed.
    pub(crate) hold: bool,
    /// A block stays armed when it is handed out again.
    pub(crate) keep: bool,
    /// Reports of one armed block; what comes then is counted.
    pub(crate) hits: u32,
    /// Watchpoints may be the processor's.
    pub(crate) hardware: bool,
    /// Milliseconds for which an armed block stays before another takes its place; all that
    /// match are armed, if there are none.
    pub(crate) rotate: Option<u32>,
}

const KEYS: &str = "accepted are addr, size, class, site, from, depth, nth, thread, on, do, words, \
                    hold, keep, hits, hardware, rotate";
const ADDRESS: &str = "accepted are 0xADDRESS, 0xFROM-0xTO and 0xADDRESS+BYTES";
const RANGE: &str = "accepted are a number and FROM-TO";
const CLASS: &str = "accepted are a class (0 to 39), FROM-TO, and large";
const SITE: &str = "accepted are 0xADDRESS, MODULE+0xOFFSET and a function's name";
const NUMBER: &str = "accepted is a number above 0";
const ON: &str = "accepted are alloc, free, realloc, reuse, verify, hit, with commas between";
const DO: &str = "accepted are log, stack, verify, arm, stop, abort, with commas between";
const WORDS: &str = "accepted are the number of a word, FROM-TO, at most four words, and -1 to -512 for one in \
                     front of the block";
const SWITCH: &str = "accepted are 0 and 1";
const MILLISECONDS: &str = "accepted is a number of milliseconds above 0";
const EMPTY: &str = "a rule has at least one word";

/// What a rule does, and on what, where it does not say so.
const DEFAULT_ON: u8 = events::ALLOC | events::FREE | events::REALLOC;
const DEFAULT_DO: u8 = actions::LOG;
/// As long as a random block stays armed.
const DEFAULT_ROTATION: u32 = 20;

/// Words in front of a block that can be named.
pub(crate) const MOST_IN_FRONT: usize = 512;

const _: () = assert!(CLASSES == 40, "the text of CLASS says how many there are");

impl<'t> RuleText<'t> {
    /// One without conditions.
    const NEW: Self = Self {
        on: 0,
        does: 0,
        addresses: None,
        sizes: (0, usize::MAX),
        classes: u64::MAX,
        site: None,
        from: None,
        depth: None,
        nth: 0,
        thread: 0,
        words: None,
        hold: true,
        keep: false,
        hits: 8,
        hardware: true,
        rotate: None,
    };

    /// Calls `each` with every rule of a list, or what is wrong with it; positions count from the
    /// start of the list.
    pub(crate) fn each(text: &'t [u8], mut each: impl FnMut(Result<Self, Malformed>)) {
        let mut begin = 0;
        for piece in text.split(|&byte| byte == b';') {
            if piece.iter().any(|byte| !byte.is_ascii_whitespace()) {
                each(Self::parse_at(piece, begin));
            }
            begin += piece.len() + 1;
        }
    }

    /// The rule that a text says.
    ///
    /// # Errors
    ///
    /// Says which word is not understood, and what would be.
    pub(crate) fn parse(text: &'t [u8]) -> Result<Self, Malformed> {
        Self::parse_at(text, 0)
    }

    /// As [`RuleText::parse`]; positions count from `begin` on.
    fn parse_at(text: &'t [u8], begin: usize) -> Result<Self, Malformed> {
        let mut rule = Self::NEW;
        let mut words = 0;
        let mut at = begin;
        for word in text.split(u8::is_ascii_whitespace) {
            if !word.is_empty() {
                words += 1;
                rule.take(word)
                    .map_err(|accepted| Malformed { at, accepted })?;
            }
            at += word.len() + 1;
        }
        if words == 0 {
            return Err(Malformed {
                at: begin,
                accepted: EMPTY,
            });
        }
        let rotates = rule.rotate.is_some();
        if rule.on == 0 {
            rule.on = if rotates { events::FREE } else { DEFAULT_ON };
        }
        if rule.does == 0 {
            rule.does = if rotates { actions::ARM } else { DEFAULT_DO };
        }
        Ok(rule)
    }

    /// The rules that an address alone stands for: what happens to its block is told, and what
    /// writes to it while it is free is looked for, without a change to where blocks lie.
    ///
    /// # Errors
    ///
    /// Says what is accepted.
    pub(crate) fn of_address(text: &[u8]) -> Result<[Self; 2], &'static str> {
        let addresses = Some(addresses(text).ok_or(ADDRESS)?);
        let rule = |on, does, hold| Self {
            addresses,
            hold,
            on,
            does,
            ..Self::NEW
        };
        Ok([
            rule(
                DEFAULT_ON | events::REUSE,
                actions::LOG | actions::STACK,
                false,
            ),
            rule(events::FREE, actions::ARM, false),
        ])
    }

    /// Takes a word; what would be accepted if it is not understood.
    fn take(&mut self, word: &'t [u8]) -> Result<(), &'static str> {
        let (key, value) = match split(word, b'=') {
            Some((key, value)) => (key, value),
            None if word == b"rotate" => {
                self.rotate = Some(DEFAULT_ROTATION);
                return Ok(());
            }
            None => return Err(KEYS),
        };
        let below_2_32 = |value| u32::try_from(positive(value)?).ok();
        match key {
            b"addr" => self.addresses = Some(addresses(value).ok_or(ADDRESS)?),
            b"size" => self.sizes = range(value).ok_or(RANGE)?,
            b"class" => self.classes = classes(value).ok_or(CLASS)?,
            b"site" => self.site = Some(SiteText::parse(value).ok_or(SITE)?),
            b"from" => self.from = Some(SiteText::parse(value).ok_or(SITE)?),
            b"depth" => self.depth = Some(below_2_32(value).ok_or(NUMBER)?),
            b"nth" => self.nth = positive(value).ok_or(NUMBER)? as u64,
            b"thread" => self.thread = below_2_32(value).ok_or(NUMBER)?,
            b"on" => self.on |= bits(value, &events::NAMES).ok_or(ON)?,
            b"do" => self.does |= bits(value, &actions::NAMES).ok_or(DO)?,
            b"words" => self.words = Some(words(value).ok_or(WORDS)?),
            b"hold" => self.hold = switch(value)?,
            b"keep" => self.keep = switch(value)?,
            b"hits" => self.hits = below_2_32(value).ok_or(NUMBER)?,
            b"hardware" => self.hardware = switch(value)?,
            b"rotate" => self.rotate = Some(below_2_32(value).ok_or(MILLISECONDS)?),
            _ => return Err(KEYS),
        }
        Ok(())
    }
}

fn switch(text: &[u8]) -> Result<bool, &'static str> {
    match text {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(SWITCH),
    }
}

/// First address, and the one behind the last.
fn addresses(text: &[u8]) -> Option<(usize, usize)> {
    let (from, to) = if let Some((from, to)) = split(text, b'-') {
        (hexadecimal(from)?, hexadecimal(to)?)
    } else if let Some((from, len)) = split(text, b'+') {
        let from = hexadecimal(from)?;
        (from, from.checked_add(positive(len)?)?)
    } else {
        let from = hexadecimal(text)?;
        (from, from.checked_add(1)?)
    };
    (from < to).then_some((from, to))
}

fn classes(text: &[u8]) -> Option<u64> {
    if text == b"large" {
        return Some(LARGE_BIT);
    }
    let (from, to) = range(text)?;
    (to < CLASSES).then(|| (from..=to).fold(0, |bits, class| bits | 1 << class))
}

fn words(text: &[u8]) -> Option<(i32, u32)> {
    if let Some(text) = text.strip_prefix(b"-") {
        let in_front = positive(text).filter(|word| *word <= MOST_IN_FRONT)?;
        return Some((-i32::try_from(in_front).ok()?, 1));
    }
    let (from, to) = range(text)?;
    let count = to - from + 1;
    (count <= WATCHPOINTS).then_some((i32::try_from(from).ok()?, count as u32))
}

fn bits(text: &[u8], names: &[(&str, u8)]) -> Option<u8> {
    text.split(|&byte| byte == b',').try_fold(0, |bits, word| {
        let (_, bit) = names.iter().find(|(name, _)| name.as_bytes() == word)?;
        Some(bits | bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn each_term_is_understood() {
        let all = b"addr=0x1000-0x2000 size=100-200 class=7 nth=5000 thread=12 words=1-2 hold=0 \
                    keep=1 hits=3 hardware=0 rotate=5 on=free,hit do=stack,arm,stop";
        let rule = RuleText::parse(all).expect("a rule");
        assert_eq!(rule.addresses, Some((0x1000, 0x2000)));
        assert_eq!(rule.sizes, (100, 200));
        assert_eq!(rule.classes, 1 << 7);
        assert_eq!((rule.nth, rule.thread, rule.hits), (5000, 12, 3));
        assert_eq!(rule.words, Some((1, 2)));
        let in_front = RuleText::parse(b"words=-2").expect("a rule");
        assert_eq!(in_front.words, Some((-2, 1)));
        assert_eq!((rule.hold, rule.keep, rule.hardware), (false, true, false));
        assert_eq!(rule.rotate, Some(5));
        assert_eq!(rule.on, events::FREE | events::HIT);
        assert_eq!(rule.does, actions::STACK | actions::ARM | actions::STOP);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let plain = RuleText::parse(b"size=5").expect("a rule");
        assert_eq!((plain.on, plain.does), (DEFAULT_ON, DEFAULT_DO));
        let rotating = RuleText::parse(b"rotate").expect("a rule");
        assert_eq!((rotating.on, rotating.does), (events::FREE, actions::ARM));
        assert_eq!(rotating.rotate, Some(DEFAULT_ROTATION));
    }

    #[test]
    fn addresses_have_three_forms() {
        assert_eq!(addresses(b"0x10"), Some((0x10, 0x11)));
        assert_eq!(addresses(b"0x10-0x20"), Some((0x10, 0x20)));
        assert_eq!(addresses(b"0x10+16"), Some((0x10, 0x20)));
        for wrong in [
            "",
            "10",
            "0x",
            "0xg",
            "0x20-0x10",
            "0x10-",
            "0x10+0",
            "0x10,0x20",
        ] {
            assert_eq!(addresses(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(addresses(b"0xffffffffffffffff"), None);
    }

    #[test]
    fn a_list_is_split_and_positions_count_from_its_start() {
        let mut seen = Vec::new();
        RuleText::each(b"size=1 ; siz=2; ;do=stack,dump;", |result| {
            seen.push(
                result
                    .map(|rule| rule.sizes)
                    .map_err(|e| (e.at, e.accepted)),
            );
        });
        assert_eq!(seen, [Ok((1, 1)), Err((9, KEYS)), Err((17, DO))]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for wrong in [
            "size",
            "size=",
            "size=2-1",
            "size=x",
            "class=40",
            "class=huge",
            "nth=0",
            "thread=",
            "thread=99999999999",
            "on=",
            "on=free,",
            "do=everything",
            "words=0-4",
            "words=-0",
            "words=-513",
            "words=-2-1",
            "hold=2",
            "hits=0",
            "rotate=0",
            "site=",
            "site=a+b",
            "=",
            "x",
            "addr=12",
        ] {
            assert!(RuleText::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    /// Whatever the text, the parser comes to an end, and positions lie in it.
    #[test]
    fn arbitrary_text() {
        const PIECES: [&str; 16] = [
            "addr=", "size=", "0x", "-", "+", "1", "9", ";", " ", "site=", "on=", "free", ",",
            "do=", "words=", "\u{e9}",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..if cfg!(miri) { 50 } else { 20_000 } {
            let mut text = String::new();
            for _ in 0..12 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                text += PIECES[(state >> 20) as usize % PIECES.len()];
            }
            RuleText::each(text.as_bytes(), |result| {
                assert!(result.err().is_none_or(|e| e.at <= text.len()), "{text}");
            });
        }
    }
}
