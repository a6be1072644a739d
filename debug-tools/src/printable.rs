//! Text from a trace, as it may stand on a terminal.

use std::fmt::{self, Write};

/// Text whose control characters are printed as escapes, so that no trace tells a terminal
/// what to do.
pub struct Printable<'t>(pub &'t str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if c.is_control() => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = Printable("a b\n\u{1b}[31mä\u{7f}\u{9b}").to_string();
        assert_eq!(text, "a b\\n\\u{1b}[31mä\\u{7f}\\u{9b}");
    }
}
