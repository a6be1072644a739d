//! Rules as text: words with spaces between, a condition, option or list of actions each.
//!
//! ```text
//! addr=0x7f0000001000 on=free do=stack,arm ; site=parse_line size=100-200 do=log
//! ```

use super::rule::{Rule, actions, events};
use crate::observe::LARGE;
use crate::observe::numerals::{hexadecimal, positive, range, split};
use crate::observe::site::Site;
use crate::size_class::CLASSES;
use crate::sys::breakpoint::REGISTERS;

/// What stands in the way of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed {
    /// Bytes before the word that is not understood.
    pub(crate) at: usize,
    /// What would be.
    pub(crate) accepted: &'static str,
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
const WORDS: &str = "accepted are the number of a word and FROM-TO, at most four words";
const SWITCH: &str = "accepted are 0 and 1";
const MILLISECONDS: &str = "accepted is a number of milliseconds above 0";
const EMPTY: &str = "a rule has at least one word";

/// What a rule does, and on what, where it does not say so.
const DEFAULT_ON: u8 = events::ALLOC | events::FREE | events::REALLOC;
const DEFAULT_DO: u8 = actions::LOG;
/// As long as a random block stays armed.
const DEFAULT_ROTATION: u32 = 20;

const _: () = assert!(CLASSES == 40, "the text of CLASS says how many there are");

/// Calls `each` with every rule of a list, or what is wrong with it, and where it begins.
pub(super) fn list(text: &[u8], mut each: impl FnMut(usize, Result<Rule, Malformed>)) {
    let mut begin = 0;
    for piece in text.split(|&byte| byte == b';') {
        if piece.iter().any(|byte| !byte.is_ascii_whitespace()) {
            each(begin, rule(piece, begin));
        }
        begin += piece.len() + 1;
    }
}

/// The rule that a text says; positions count from `begin` on.
pub(super) fn rule(text: &[u8], begin: usize) -> Result<Rule, Malformed> {
    let mut rule = Rule::new();
    let mut words = 0;
    let mut at = begin;
    for word in text.split(u8::is_ascii_whitespace) {
        if !word.is_empty() {
            words += 1;
            term(&mut rule, word).map_err(|accepted| Malformed { at, accepted })?;
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
pub(super) fn of_address(text: &[u8]) -> Result<[Rule; 2], &'static str> {
    let addresses = Some(addresses(text).ok_or(ADDRESS)?);
    let rule = |on, does, hold| {
        let mut rule = Rule::new();
        (rule.addresses, rule.hold) = (addresses, hold);
        (rule.on, rule.does) = (on, does);
        rule
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

fn term(rule: &mut Rule, word: &[u8]) -> Result<(), &'static str> {
    let (key, value) = match word.iter().position(|&byte| byte == b'=') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let value = match (key, value) {
        (b"rotate", None) => {
            rule.rotate = Some(DEFAULT_ROTATION);
            return Ok(());
        }
        (_, None) => return Err(KEYS),
        (_, Some(value)) => value,
    };
    match key {
        b"addr" => rule.addresses = Some(addresses(value).ok_or(ADDRESS)?),
        b"size" => rule.sizes = range(value).ok_or(RANGE)?,
        b"class" => rule.classes = classes(value).ok_or(CLASS)?,
        b"site" => rule.site = Some(Site::parse(value).ok_or(SITE)?),
        b"from" => rule.from = Some(Site::parse(value).ok_or(SITE)?),
        b"depth" => {
            let depth = u32::try_from(positive(value).ok_or(NUMBER)?).map_err(|_| NUMBER)?;
            rule.depth = Some(depth);
        }
        b"nth" => rule.nth = positive(value).ok_or(NUMBER)? as u64,
        b"thread" => {
            rule.thread = u32::try_from(positive(value).ok_or(NUMBER)?).map_err(|_| NUMBER)?;
        }
        b"on" => rule.on |= bits(value, &events::NAMES).ok_or(ON)?,
        b"do" => rule.does |= bits(value, &actions::NAMES).ok_or(DO)?,
        b"words" => rule.words = Some(words(value).ok_or(WORDS)?),
        b"hold" => rule.hold = switch(value)?,
        b"keep" => rule.keep = switch(value)?,
        b"hits" => rule.hits = u32::try_from(positive(value).ok_or(NUMBER)?).map_err(|_| NUMBER)?,
        b"hardware" => rule.hardware = switch(value)?,
        b"rotate" => {
            let period = positive(value).ok_or(MILLISECONDS)?;
            rule.rotate = Some(u32::try_from(period).map_err(|_| MILLISECONDS)?);
        }
        _ => return Err(KEYS),
    }
    Ok(())
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
        return Some(Rule::class_bit(LARGE));
    }
    let (from, to) = range(text)?;
    (to < CLASSES).then(|| (from..=to).fold(0, |bits, class| bits | Rule::class_bit(class)))
}

fn words(text: &[u8]) -> Option<(u32, u32)> {
    let (from, to) = range(text)?;
    let count = to - from + 1;
    (count <= REGISTERS).then_some((u32::try_from(from).ok()?, count as u32))
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
        let rule = rule(all, 0).expect("a rule");
        assert_eq!(rule.addresses, Some((0x1000, 0x2000)));
        assert_eq!(rule.sizes, (100, 200));
        assert_eq!(rule.classes, 1 << 7);
        assert_eq!((rule.nth, rule.thread, rule.hits), (5000, 12, 3));
        assert_eq!(rule.words, Some((1, 2)));
        assert_eq!((rule.hold, rule.keep, rule.hardware), (false, true, false));
        assert_eq!(rule.rotate, Some(5));
        assert_eq!(rule.on, events::FREE | events::HIT);
        assert_eq!(rule.does, actions::STACK | actions::ARM | actions::STOP);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let plain = rule(b"size=5", 0).expect("a rule");
        assert_eq!((plain.on, plain.does), (DEFAULT_ON, DEFAULT_DO));
        let rotating = rule(b"rotate", 0).expect("a rule");
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
        list(b"size=1 ; siz=2; ;do=stack,dump;", |begin, result| {
            seen.push((
                begin,
                result
                    .map(|rule| rule.sizes)
                    .map_err(|e| (e.at, e.accepted)),
            ));
        });
        assert_eq!(
            seen,
            [(0, Ok((1, 1))), (8, Err((9, KEYS))), (17, Err((17, DO))),]
        );
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
            "hold=2",
            "hits=0",
            "rotate=0",
            "site=",
            "site=a+b",
            "=",
            "x",
            "addr=12",
        ] {
            assert!(rule(wrong.as_bytes(), 0).is_err(), "{wrong}");
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
            list(text.as_bytes(), |begin, result| {
                assert!(begin <= text.len());
                assert!(result.err().is_none_or(|e| e.at <= text.len()), "{text}");
            });
        }
    }
}
