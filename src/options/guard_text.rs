//! Which blocks are guarded, as `HAKMEM_GUARD` says it: words with commas between, all of which
//! have to hold.
//!
//! ```text
//! 1/1000,size=16-512,site=parse_line,left
//! ```

#![allow(dead_code, reason = "a build without observers checks texts alone")]

use super::numerals::{positive, range, split};
use super::site_text::SiteText;

/// Where blocks lie in their pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// At the start of a page.
    Left,
    /// At the end of one, as far as what every caller is promised allows.
    Right,
    /// At the end of one, to the byte.
    Exact,
    /// The one or the other.
    Random,
}

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GuardText<'t> {
    /// One of so many blocks that meet the conditions; 0 for none of all.
    pub(crate) one_in: u32,
    /// Bytes asked for, from and to.
    pub(crate) sizes: (usize, usize),
    /// What calls the allocator.
    pub(crate) site: Option<SiteText<'t>>,
    /// The kernel's number of a thread; 0 for all.
    pub(crate) thread: u32,
    /// Where they lie.
    pub(crate) side: Side,
}

impl<'t> GuardText<'t> {
    /// What a text may say.
    pub(crate) const ACCEPTED: &'static str = "all, none, 1/N, size=A-B, site=FUNCTION, \
        site=MODULE+0xOFFSET, site=0xADDRESS, thread=T, right, exact, left, random, with commas between";

    /// What a text says; `None` if it is not understood.
    pub(crate) fn parse(text: &'t [u8]) -> Option<Self> {
        let mut guard = Self {
            one_in: 1,
            sizes: (0, usize::MAX),
            site: None,
            thread: 0,
            side: Side::Right,
        };
        if text == b"none" || text == b"0" {
            guard.one_in = 0;
            return Some(guard);
        }
        // What was said, a bit each: nothing is said twice.
        let mut said = 0u8;
        for word in text.split(|&byte| byte == b',') {
            let bit = guard.take(word)?;
            if said & bit != 0 {
                return None;
            }
            said |= bit;
        }
        Some(guard)
    }

    /// Takes a word; the bit of what it is about.
    fn take(&mut self, word: &'t [u8]) -> Option<u8> {
        let (key, value) = match split(word, b'=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        match (key, value) {
            (b"all", None) => return Some(1),
            (b"right", None) => self.side = Side::Right,
            (b"exact", None) => self.side = Side::Exact,
            (b"left", None) => self.side = Side::Left,
            (b"random", None) => self.side = Side::Random,
            (b"size", Some(value)) => {
                self.sizes = range(value)?;
                return Some(2);
            }
            (b"site", Some(value)) => {
                self.site = Some(SiteText::parse(value)?);
                return Some(4);
            }
            (b"thread", Some(value)) => {
                self.thread = u32::try_from(positive(value)?).ok()?;
                return Some(8);
            }
            (_, None) => {
                let of = key.strip_prefix(b"1/")?;
                self.one_in = u32::try_from(positive(of)?).ok()?;
                return Some(1);
            }
            _ => return None,
        }
        Some(16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_understood() {
        let parse = |text: &'static str| GuardText::parse(text.as_bytes());
        let guard = parse("1/1000,size=16-512,thread=7,site=0x1234,left").expect("a guard");
        assert_eq!((guard.one_in, guard.sizes), (1000, (16, 512)));
        assert_eq!((guard.thread, guard.side), (7, Side::Left));
        assert_eq!(guard.site, Some(SiteText::Address(0x1234)));
        let all = parse("all").expect("a guard");
        assert_eq!((all.one_in, all.sizes), (1, (0, usize::MAX)));
        assert_eq!(all.side, Side::Right);
        assert_eq!(parse("random").expect("a guard").side, Side::Random);
        assert_eq!(parse("all,exact").expect("a guard").side, Side::Exact);
        assert_eq!(parse("none").expect("a guard").one_in, 0);
        for wrong in [
            "",
            "al",
            "all,",
            "1/0",
            "1/x",
            "2/3",
            "size=9-3",
            "size",
            "thread=0",
            "site=",
            "site=a+b",
            "left,right",
            "exact,left",
            "exact=1",
            "all,1/3",
            "all=1",
            "none,all",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
