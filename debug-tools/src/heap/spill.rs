//! What runs over the end of a block into the next one: the trace of a write that went too far, which
//! nobody has checked.
//!
//! ```text
//!  … ┊ A A A A A A A A ┊ A A A A 00 … ┊
//!      the block below   the next one
//! ```
//!
//! That the same text or the same words stand on both sides says what is likely, and proves nothing.

use super::Heap;

/// Bytes of each of the two that are looked at.
const MOST: u64 = 4096;
/// Bytes of text on each side that are no accident: of the block below, and of the next one.
const TEXT: (usize, usize) = (8, 4);
/// The same of words that repeat themselves.
const WORDS: (usize, usize) = (2, 1);
/// Bytes that are kept for telling.
const SAMPLE: usize = 32;

/// What it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Characters that can be printed.
    Text,
    /// One word again and again.
    Word(u64),
}

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// Where the next block begins.
    pub border: u64,
    /// Bytes in the block below, and in the next one.
    pub bytes: (u64, u64),
    /// What they look like.
    pub pattern: Pattern,
    /// Those at the border, as many as are told.
    pub sample: Vec<u8>,
}

impl Heap<'_> {
    /// What runs into a block of a slab from the one below it.
    pub fn spill(&self, slab: usize, index: usize) -> Option<Spill> {
        let slab = &self.slabs[slab];
        if slab.is_large() || index <= usize::from(slab.first) {
            return None;
        }
        let border = slab.block(index);
        let length = slab.bytes.min(MOST);
        let below = self.memory().bytes(border - length, length as usize)?;
        let above = self.memory().bytes(border, length as usize)?;
        let (pattern, bytes) = run(&below, &above)?;
        let from = below.len() - bytes.0.min(SAMPLE / 2);
        let to = bytes.1.min(SAMPLE - (below.len() - from));
        Some(Spill {
            border,
            bytes: (bytes.0 as u64, bytes.1 as u64),
            pattern,
            sample: [&below[from..], &above[..to]].concat(),
        })
    }
}

/// What the end of some bytes and the beginning of others have in common, and how many bytes of each.
fn run(below: &[u8], above: &[u8]) -> Option<(Pattern, (usize, usize))> {
    let is_text = |byte: &&u8| matches!(**byte, b' '..=b'~' | b'\n' | b'\t');
    let text = (
        below.iter().rev().take_while(is_text).count(),
        above.iter().take_while(is_text).count(),
    );
    if text.0 >= TEXT.0 && text.1 >= TEXT.1 {
        return Some((Pattern::Text, text));
    }
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let last = word(below.last_chunk()?);
    let is_same = |bytes: &&[u8; 8]| word(bytes) == last;
    let words = (
        below
            .as_rchunks::<8>()
            .1
            .iter()
            .rev()
            .take_while(is_same)
            .count(),
        above.as_chunks::<8>().0.iter().take_while(is_same).count(),
    );
    let repeats = last != 0 && words.0 >= WORDS.0 && words.1 >= WORDS.1;
    repeats.then_some((Pattern::Word(last), (8 * words.0, 8 * words.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_goes_on_is_seen_and_what_ends_before_is_not() {
        let (below, above) = (*b"12345678\0\0ends here", *b"AAAA\0bcdefgh");
        assert_eq!(run(&below, &above), Some((Pattern::Text, (9, 4))));
        assert_eq!(run(b"a text with its end\0", &above), None);
        assert_eq!(run(&below, b"abc\0defghijk"), None);
        assert_eq!(run(b"1234567", b"abcd"), None);
    }

    #[test]
    fn words_that_go_on_are_seen_and_zeros_are_nothing() {
        let words = |word: u64, count: usize| word.to_le_bytes().repeat(count);
        let sevens = (words(7, 3), words(7, 2));
        assert_eq!(
            run(&sevens.0, &sevens.1),
            Some((Pattern::Word(7), (24, 16)))
        );
        assert_eq!(run(&words(0, 3), &words(0, 3)), None);
        assert_eq!(run(&words(7, 1), &words(7, 3)), None);
        assert_eq!(run(&words(7, 3), &words(8, 3)), None);
        assert_eq!(run(b"", b""), None);
    }
}
