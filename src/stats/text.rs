//! Text that goes to a sink piece by piece, without allocation.

use crate::decimal::Decimal;

/// See the head of this file.
pub(crate) struct Text<'a>(pub(crate) &'a mut dyn FnMut(&[u8]));

impl Text<'_> {
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        (self.0)(text.as_bytes());
        self
    }

    /// A number, padded on the left to `width`.
    pub(crate) fn number(&mut self, number: u64, width: usize) -> &mut Self {
        let number = Decimal::new(number);
        let digits = number.bytes();
        self.spaces(width, digits.len());
        (self.0)(digits);
        self
    }

    pub(super) fn left(&mut self, text: &str, width: usize) -> &mut Self {
        self.text(text).spaces(width, text.len())
    }

    pub(super) fn right(&mut self, text: &str, width: usize) -> &mut Self {
        self.spaces(width, text.len()).text(text)
    }

    /// What fills up a column of `width` beside `len` bytes.
    fn spaces(&mut self, width: usize, len: usize) -> &mut Self {
        for _ in len..width {
            self.text(" ");
        }
        self
    }
}
