//! What is wrong with a value that is a text with a grammar of its own.
//!
//! The observers that the values are for say the same when a program starts with them. Here
//! programs that start others are told beforehand.

use super::guard_text::GuardText;
use super::rule_text::RuleText;

/// The word that stands in the way of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Malformed {
    /// Bytes of the text before the word that is not understood.
    pub at: usize,
    /// What would be, as a sentence without its end.
    pub accepted: &'static str,
}

impl Malformed {
    /// The word, out of the text.
    #[must_use]
    pub fn word<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let rest = text.get(self.at..).unwrap_or_default();
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b';';
        let end = rest.iter().position(is_end);
        &rest[..end.unwrap_or(rest.len())]
    }
}

/// What is wrong with the first part that is not understood of the value of `name`, one of
/// `HAKMEM_WATCH`, `HAKMEM_WATCH_ADDR` and `HAKMEM_GUARD`. `None` for all others, and where
/// everything is understood.
#[must_use]
pub fn misread(name: &str, value: &[u8]) -> Option<Malformed> {
    let mut found = None;
    match name {
        "HAKMEM_WATCH" => RuleText::each(value, |rule| found = found.or(rule.err())),
        "HAKMEM_WATCH_ADDR" => {
            let mut at = 0;
            for address in value.split(|&byte| byte == b',') {
                let refused = RuleText::of_address(address).err();
                found = found.or(refused.map(|accepted| Malformed { at, accepted }));
                at += address.len() + 1;
            }
        }
        "HAKMEM_GUARD" if GuardText::parse(value).is_none() => {
            let accepted = GuardText::ACCEPTED;
            found = Some(Malformed { at: 0, accepted });
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_that_is_not_understood_is_named() {
        let at = |name, value: &str| misread(name, value.as_bytes()).map(|found| found.at);
        assert_eq!(at("HAKMEM_WATCH", "size=8 do=arm; rotate"), None);
        assert_eq!(at("HAKMEM_WATCH", "size=8; siez=9; x"), Some(8));
        assert_eq!(at("HAKMEM_WATCH_ADDR", "0x10,0x20+8"), None);
        assert_eq!(at("HAKMEM_WATCH_ADDR", "0x10,20"), Some(5));
        assert_eq!(at("HAKMEM_GUARD", "1/8,left"), None);
        assert_eq!(at("HAKMEM_GUARD", "1/8,left,some"), Some(0));
        assert_eq!(at("HAKMEM_REPORT", "anything"), None);
        let text = b"size=8; siez=9;";
        let found = misread("HAKMEM_WATCH", text).expect("a word");
        assert_eq!(found.word(text), b"siez=9");
        assert_eq!(found.word(b"short"), b"");
    }
}
