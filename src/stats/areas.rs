//! Which parts of the statistics are printed.

/// Parts of the table, a bit each: the words of `HAKMEM_STATS` in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Areas(u32);

impl Areas {
    pub(super) const CLASSES: Areas = Areas(1 << 2);
    pub(super) const JSON: Areas = Areas(1 << 3);
    pub(super) const LEARN: Areas = Areas(1 << 4);
    pub(super) const POOL: Areas = Areas(1 << 5);
    pub(super) const TIERS: Areas = Areas(1 << 6);
    pub(super) const TOTALS: Areas = Areas(1 << 7);
    pub(crate) const ALL: Areas = Areas(0b1111_0100);

    /// Those of the option: 1 and `all` are all of them.
    pub(crate) fn of(option: u32) -> Self {
        match option & 0b11 {
            0 => Areas(option),
            _ => Areas(option | Self::ALL.0),
        }
    }

    pub(super) fn has(self, area: Areas) -> bool {
        self.0 & area.0 != 0
    }

    /// Whether JSON is wanted in place of the table.
    pub(crate) fn json(self) -> bool {
        self.has(Self::JSON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Kind, PRODUCTION};

    #[test]
    fn areas_are_the_words_of_their_variable() {
        let row = PRODUCTION.iter().find(|row| row.name == "HAKMEM_STATS");
        let Some(Kind::List(words)) = row.map(|row| row.kind) else {
            panic!("no list: {row:?}")
        };
        for (word, area) in [
            ("classes", Areas::CLASSES),
            ("json", Areas::JSON),
            ("learn", Areas::LEARN),
            ("pool", Areas::POOL),
            ("tiers", Areas::TIERS),
            ("totals", Areas::TOTALS),
        ] {
            let place = words.iter().position(|known| *known == word);
            assert_eq!(place.map(|place| 2 << place), Some(area.0), "{word}");
        }
        assert_eq!(words.first(), Some(&"all"));
        assert_eq!(
            (Areas::of(1), Areas::of(2).has(Areas::ALL)),
            (Areas(1 | Areas::ALL.0), true)
        );
        assert!(Areas::of(1 | 8).json() && !Areas::of(1).json());
    }
}
