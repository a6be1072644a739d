//! Every environment variable, one row each.
//!
//! ```text
//! production.rs  PRODUCTION   what the parser reads, in every build
//! observed.rs    DEBUG        what builds with observers read as well
//! preset.rs      PRESETS      what HAKMEM_PROFILE sets
//! older.rs       OLDER        names of earlier versions, which nothing reads
//! ```
//!
//! It is one table in parts, and it matters that the parts are apart: the parser never mentions
//! [`DEBUG`], so a build without observers contains none of those names. All are constants and not
//! statics: a constant that nothing uses leaves nothing in the binary, and the parser copies
//! out of [`PRODUCTION`] what it needs, so that the texts stay out as well.
//!
//! What holds, checked at compile time below:
//! 1. names begin with `HAKMEM_`, are in the order of their bytes, and are unique;
//! 2. a default is inside its range, and a range is not empty;
//! 3. a switch has the range 0 to 1, a word one number for each of its words, and a list,
//!    address or text has none.

use super::Setting;
use super::observed::DEBUG;
use super::production::PRODUCTION;
use super::variable::{Builds, Field, Kind, Range, Variable};

const _: () = check(PRODUCTION);
const _: () = check(DEBUG);

/// The row of every build that is as this one of the builds with observers, and sets something.
const fn of_every_build(setting: Setting, row: Variable) -> Variable {
    Variable {
        builds: Builds::Every,
        setting: Some(setting),
        ..row
    }
}

/// A variable of every build that is 0 or 1.
pub(super) const fn switch(
    setting: Setting,
    name: &'static str,
    default: u32,
    text: &'static str,
) -> Variable {
    of_every_build(setting, debug(name, default, text))
}

/// A variable of every build that is a number with bounds (smallest, largest).
pub(super) const fn count(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    of_every_build(
        setting,
        debug_count(name, Kind::Count, bounds, default, text),
    )
}

/// As [`count`], in megabytes.
pub(super) const fn megabytes(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    of_every_build(
        setting,
        debug_count(name, Kind::Megabytes, bounds, default, text),
    )
}

/// As [`count`], in milliseconds.
pub(super) const fn milliseconds(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    of_every_build(
        setting,
        debug_count(name, Kind::Milliseconds, bounds, default, text),
    )
}

/// As [`count`], in hundredths.
pub(super) const fn percent(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    of_every_build(
        setting,
        debug_count(name, Kind::Percent, bounds, default, text),
    )
}

/// A variable of every build that sets a limit where there is none by default.
pub(super) const fn limit(
    setting: Setting,
    name: &'static str,
    kind: Kind,
    text: &'static str,
) -> Variable {
    Variable {
        kind,
        range: Some(Range::UNBOUNDED),
        default: None,
        ..switch(setting, name, 0, text)
    }
}

/// A variable of every build that is one of some words; its number is the word's place.
pub(super) const fn word(
    setting: Setting,
    name: &'static str,
    words: &'static [&'static str],
    default: Option<u32>,
    text: &'static str,
) -> Variable {
    of_every_build(setting, debug_word(name, words, default, text))
}

/// A variable of every build that lists areas; 0, which names none, is the default.
pub(super) const fn list(
    setting: Setting,
    name: &'static str,
    areas: &'static [&'static str],
    text: &'static str,
) -> Variable {
    of_every_build(setting, debug_list(name, areas, text))
}

/// A variable of every build whose value has numbers with names.
pub(super) const fn fields(
    name: &'static str,
    fields: &'static [Field],
    text: &'static str,
) -> Variable {
    Variable {
        kind: Kind::Fields(fields),
        setting: None,
        ..self::text(name, text)
    }
}

/// A variable of every build whose value the parser leaves to whoever needs it.
pub(super) const fn text(name: &'static str, text: &'static str) -> Variable {
    Variable {
        builds: Builds::Every,
        ..debug_text(name, text)
    }
}

/// A switch of the builds with observers.
pub(super) const fn debug(name: &'static str, default: u32, text: &'static str) -> Variable {
    Variable {
        name,
        kind: Kind::Switch,
        range: Some(Range::SWITCH),
        default: Some(default),
        builds: Builds::Observed,
        since: "0.1.0",
        deprecated_by: None,
        text,
        setting: None,
    }
}

/// A number of the builds with observers, with bounds (smallest, largest).
pub(super) const fn debug_count(
    name: &'static str,
    kind: Kind,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    Variable {
        kind,
        range: Some(Range {
            min: bounds.0,
            max: bounds.1,
        }),
        ..debug(name, default, text)
    }
}

/// A text of the builds with observers.
pub(super) const fn debug_text(name: &'static str, text: &'static str) -> Variable {
    Variable {
        kind: Kind::Text,
        range: None,
        default: None,
        ..debug(name, 0, text)
    }
}

/// A word of the builds with observers, as [`word`].
pub(super) const fn debug_word(
    name: &'static str,
    words: &'static [&'static str],
    default: Option<u32>,
    text: &'static str,
) -> Variable {
    Variable {
        kind: Kind::Word(words),
        range: Some(Range {
            min: 0,
            max: words.len() as u32 - 1,
        }),
        default,
        ..debug(name, 0, text)
    }
}

/// A list of areas of the builds with observers, as [`list`].
pub(super) const fn debug_list(
    name: &'static str,
    areas: &'static [&'static str],
    text: &'static str,
) -> Variable {
    Variable {
        kind: Kind::List(areas),
        range: None,
        ..debug(name, 0, text)
    }
}

/// Fails the build where a table breaks one of the rules at the head of the file.
const fn check(table: &[Variable]) {
    let mut i = 0;
    while i < table.len() {
        let row = &table[i];
        let (prefix, _) = row.name.as_bytes().split_at(7);
        assert!(!less(prefix, b"HAKMEM_") && !less(b"HAKMEM_", prefix));
        assert!(i == 0 || less(table[i - 1].name.as_bytes(), row.name.as_bytes()));
        let numeric = match row.kind {
            Kind::Switch => matches!(row.range, Some(Range { min: 0, max: 1 })),
            Kind::Word(words) => match row.range {
                Some(Range { min: 0, max }) => max as usize == words.len() - 1,
                _ => false,
            },
            Kind::Count | Kind::Megabytes | Kind::Seconds | Kind::Milliseconds | Kind::Percent => {
                row.range.is_some()
            }
            Kind::List(_) | Kind::Fields(_) | Kind::Address | Kind::Text => row.range.is_none(),
        };
        assert!(numeric, "a range where there must be none, or none");
        if let Some(range) = row.range {
            assert!(range.min <= range.max);
            if let Some(default) = row.default {
                assert!(range.contains(default));
            }
        }
        i += 1;
    }
}

/// Whether `a` comes before `b` in the order of bytes.
pub(super) const fn less(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}
