//! The known word that an unknown one was most likely meant to be.

use super::{DEBUG, OLDER, PRODUCTION};

/// Letters up to which words are compared.
const LONGEST: usize = 48;

/// The name of a variable, of any build or earlier version, that is nearest to `name`; `None` where
/// none is near. Letters count the same in both cases.
#[must_use]
pub fn nearest(name: &[u8]) -> Option<&'static str> {
    let known = PRODUCTION.iter().chain(DEBUG).map(|row| row.name);
    let older = OLDER.iter().map(|older| older.name);
    nearest_of(name, known.chain(older))
}

/// The nearest of some words, the first of several.
pub(super) fn nearest_of(
    word: &[u8],
    words: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    words
        .map(|known| (distance(word, known.as_bytes()), known))
        .filter(|(distance, known)| *distance <= tolerance(known.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters of a word may be wrong.
fn tolerance(len: usize) -> usize {
    // `HAKMEM_` is no part of what can be mistaken.
    (len.saturating_sub(7) / 3).clamp(1, 5)
}

/// Insertions, removals, exchanges and swaps of neighbours that make one word of the other;
/// [`usize::MAX`] for long ones.
fn distance(a: &[u8], b: &[u8]) -> usize {
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let (mut before, mut last) = ([0; LONGEST + 1], [0; LONGEST + 1]);
    for (column, cell) in last.iter_mut().enumerate() {
        *cell = column;
    }
    for (row, &left) in a.iter().enumerate() {
        let mut now = [0; LONGEST + 1];
        now[0] = row + 1;
        for (column, &right) in b.iter().enumerate() {
            let differ = usize::from(!left.eq_ignore_ascii_case(&right));
            let mut cost = (last[column] + differ)
                .min(last[column + 1] + 1)
                .min(now[column] + 1);
            let swapped = row > 0
                && column > 0
                && left.eq_ignore_ascii_case(&b[column - 1])
                && a[row - 1].eq_ignore_ascii_case(&right);
            if swapped {
                cost = cost.min(before[column - 1] + 1);
            }
            now[column + 1] = cost;
        }
        before = last;
        last = now;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, steps) in [
            ("", "", 0),
            ("abc", "ABC", 0),
            ("abc", "abd", 1),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("abc", "xabc", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), steps, "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes()), steps, "{b} {a}");
        }
        assert_eq!(distance(&[b'a'; LONGEST + 1], b"a"), usize::MAX);
    }

    #[test]
    fn mistakes_are_recognised() {
        for (wrong, right) in [
            ("HAKMEM_TINY_TLS_CPA", Some("HAKMEM_TINY_TLS_CAP")),
            ("hakmem_stats", Some("HAKMEM_STATS")),
            ("HAKMEM_SUPERSLAB_LRUCAP", Some("HAKMEM_SUPERSLAB_LRU_CAP")),
            ("HAKMEM_WATCH_ADRR", Some("HAKMEM_WATCH_ADDR")),
            ("HAKMEM_SOMETHING_ELSE_ALTOGETHER", None),
            ("HAKMEM_X", None),
        ] {
            assert_eq!(nearest(wrong.as_bytes()), right, "{wrong}");
        }
        for row in PRODUCTION.iter().chain(DEBUG) {
            assert_eq!(nearest(row.name.as_bytes()), Some(row.name));
        }
    }
}
