//! Numbers as people write them, in rules and in the lists of variables.

/// A number in decimal, or in hexadecimal behind `0x`.
pub(crate) fn number(text: &[u8]) -> Option<usize> {
    let (digits, base) = match text.strip_prefix(b"0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |number, &byte| {
        let digit = char::from(byte).to_digit(base)?;
        number
            .checked_mul(base as usize)?
            .checked_add(digit as usize)
    })
}

/// A number behind `0x`.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<usize> {
    number(text).filter(|_| text.starts_with(b"0x"))
}

/// A number above 0.
pub(crate) fn positive(text: &[u8]) -> Option<usize> {
    number(text).filter(|&number| number > 0)
}

/// What stands before the first `at`, and what behind it.
pub(crate) fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|&byte| byte == at)?;
    Some((&text[..position], &text[position + 1..]))
}

/// A number, or two with a hyphen between, the larger one last.
pub(crate) fn range(text: &[u8]) -> Option<(usize, usize)> {
    let (from, to) = match split(text, b'-') {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (number(text)?, number(text)?),
    };
    (from <= to).then_some((from, to))
}
