//! A path or a name under construction, with a zero byte at its end.

use crate::sys::file::Refusal;
use crate::sys::stderr::Line;
use core::ffi::CStr;

/// The most bytes of a path, the zero byte among them.
const LONGEST: usize = 1024;

/// The text of a path; what does not fit makes it no path.
#[derive(Clone, Copy)]
pub(super) struct Path {
    bytes: [u8; LONGEST],
    len: usize,
    fits: bool,
}

impl Path {
    pub(super) const EMPTY: Path = Path {
        bytes: [0; LONGEST],
        len: 0,
        fits: true,
    };

    /// Adds text.
    pub(super) fn push(&mut self, text: &[u8]) {
        for &byte in text {
            if self.len + 1 >= LONGEST || byte == 0 {
                self.fits = false;
                return;
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    /// Adds a decimal number.
    pub(super) fn push_number(&mut self, number: u32) {
        self.push(Line::new().number(u64::from(number)).bytes());
    }

    /// Adds text, with `%p` replaced by a number; says whether there was one.
    pub(super) fn push_template(&mut self, template: &[u8], number: u32) -> bool {
        let mut rest = template;
        let mut is_numbered = false;
        while let Some(at) = rest.windows(2).position(|two| two == b"%p") {
            self.push(&rest[..at]);
            self.push_number(number);
            rest = &rest[at + 2..];
            is_numbered = true;
        }
        self.push(rest);
        is_numbered
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// As the system takes it.
    pub(super) fn as_c_str(&self) -> Result<&CStr, Refusal> {
        if !self.fits {
            return Err(Refusal::TOO_LONG);
        }
        CStr::from_bytes_until_nul(&self.bytes).map_err(|_| Refusal::TOO_LONG)
    }

    /// The paths of the directories above it that have a name, from the top down.
    pub(super) fn above(&self) -> impl Iterator<Item = Path> {
        (1..self.len)
            .filter(|&at| self.bytes[at] == b'/')
            .map(|at| {
                let mut path = Path::EMPTY;
                path.push(&self.bytes[..at]);
                path
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_process_s_number_takes_its_place() {
        for (template, expected, numbered) in [
            (&b"/a/b"[..], &b"/a/b"[..], false),
            (b"/a.%p", b"/a.123", true),
            (b"%p/%p", b"123/123", true),
            (b"%", b"%", false),
            (b"%%p", b"%123", true),
        ] {
            let mut path = Path::EMPTY;
            assert_eq!(path.push_template(template, 123), numbered);
            assert_eq!(path.bytes(), expected);
        }
    }

    #[test]
    fn directories_above() {
        let mut path = Path::EMPTY;
        path.push(b"/a/bc/d");
        let above: Vec<_> = path.above().map(|p| p.bytes().to_vec()).collect();
        assert_eq!(above, [b"/a".to_vec(), b"/a/bc".to_vec()]);
    }

    #[test]
    fn too_long_is_no_path() {
        let mut path = Path::EMPTY;
        path.push(&[b'a'; LONGEST - 1]);
        assert!(path.as_c_str().is_ok());
        path.push(b"b");
        assert_eq!(path.as_c_str(), Err(Refusal::TOO_LONG));
    }
}
