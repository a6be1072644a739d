//! Has the kernel put the session's files into a core file.
//!
//! They are shared mappings of files, which `coredump_filter` leaves out by default: with them, a core
//! file alone tells the history of each block.

use crate::sys::file;
use core::ffi::CStr;

const FILTER: &CStr = c"/proc/self/coredump_filter";
/// Shared mappings of files, in the kernel's mask.
const SHARED_FILES: u32 = 1 << 3;

/// Adds them to what this process's core file has, and that of its children.
pub(super) fn include() {
    let mut text = [0; 16];
    let length = file::read(FILTER, &mut text).unwrap_or(0);
    let Some(filter) = hexadecimal(&text[..length]) else {
        return;
    };
    if filter & SHARED_FILES == 0 {
        // One that the kernel refuses leaves the core file as it would have been.
        let _ = file::write_at_once(FILTER, &written(filter | SHARED_FILES));
    }
}

/// The number that the kernel says, without `0x`.
fn hexadecimal(text: &[u8]) -> Option<u32> {
    let digits = text.trim_ascii();
    let digit = |number: u32, byte: &u8| {
        let digit = char::from(*byte).to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, digit)
}

/// The number as the kernel reads it.
fn written(number: u32) -> [u8; 10] {
    let mut text = *b"0x00000000";
    for (place, digit) in text[2..].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_read_and_written() {
        assert_eq!(hexadecimal(b"00000033\n"), Some(0x33));
        assert_eq!(hexadecimal(b"\n"), None);
        assert_eq!(hexadecimal(b"33x"), None);
        assert_eq!(hexadecimal(b"123456789"), None);
        assert_eq!(written(0x3b), *b"0x0000003b");
    }
}
