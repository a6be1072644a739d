//! Text without allocation.

/// Text that goes to a sink piece by piece, without allocation.
pub(crate) struct Text<'a>(pub(crate) &'a mut dyn FnMut(&[u8]));

impl Text<'_> {
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        (self.0)(text.as_bytes());
        self
    }

    /// A number, padded on the left to `width`.
    pub(crate) fn number(&mut self, number: u64, width: usize) -> &mut Self {
        let mut digits = [b' '; 24];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let from = at.min(digits.len() - width.min(digits.len()));
        (self.0)(&digits[from..]);
        self
    }

    pub(super) fn left(&mut self, text: &str, width: usize) -> &mut Self {
        self.text(text);
        for _ in text.len()..width {
            self.text(" ");
        }
        self
    }

    pub(super) fn right(&mut self, text: &str, width: usize) -> &mut Self {
        for _ in text.len()..width {
            self.text(" ");
        }
        self.text(text)
    }
}
