//! A place in the program's code, as rules name it.

#![allow(dead_code, reason = "a build without observers checks texts alone")]

use super::numerals;

/// The longest name of a file or function, bytes.
pub(crate) const NAME_MAX: usize = 128;

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SiteText<'t> {
    /// `0xADDRESS`: what a call returns to.
    Address(usize),
    /// `MODULE+0xOFFSET`: an offset in a file of code.
    Offset(&'t [u8], usize),
    /// A function's name.
    Function(&'t [u8]),
}

impl<'t> SiteText<'t> {
    /// The place that a text names; `None` if it is not understood.
    pub(crate) fn parse(text: &'t [u8]) -> Option<Self> {
        if let Some(address) = numerals::hexadecimal(text) {
            return (address < usize::MAX).then_some(Self::Address(address));
        }
        if text.starts_with(b"0x") {
            return None;
        }
        let is_name = |name: &[u8]| (1..=NAME_MAX).contains(&name.len());
        match text.iter().rposition(|&byte| byte == b'+') {
            Some(at) => {
                let offset = numerals::hexadecimal(&text[at + 1..])?;
                is_name(&text[..at]).then_some(Self::Offset(&text[..at], offset))
            }
            None => is_name(text).then_some(Self::Function(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_three_forms() {
        let parse = |text: &'static str| SiteText::parse(text.as_bytes());
        assert_eq!(parse("0x1234"), Some(SiteText::Address(0x1234)));
        assert_eq!(parse("a.so+0x10"), Some(SiteText::Offset(b"a.so", 0x10)));
        assert_eq!(parse("a+b+0x1"), Some(SiteText::Offset(b"a+b", 1)));
        assert_eq!(parse("a::run"), Some(SiteText::Function(b"a::run")));
        for wrong in ["", "0x", "0xzz", "+0x10", "a+10", "a+"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        let name = [b'a'; NAME_MAX + 1];
        assert_eq!(SiteText::parse(&name), None);
        assert!(SiteText::parse(&name[1..]).is_some());
    }
}
