//! What the debug variables say: read by observers when they are set up, and not again.
//!
//! A switch is on if its variable is 1, or if one of the master switches names its area:
//! `HAKMEM_TRACE=ptr,lookup` is `HAKMEM_PTR_TRACE_VERBOSE=1 HAKMEM_SUPER_LOOKUP_DEBUG=1`.
//! `all` names every area of a master switch, and `1` the area that stands for it alone:
//! the table of statistics, and the trace of allocations.

use crate::options::{DEBUG, Kind, PRESETS, PRODUCTION};
use crate::sys::environment;
use crate::sys::stderr::{self, Line};
use core::sync::atomic::{AtomicBool, Ordering};

const STATS: &str = "HAKMEM_STATS";
const TRACE: &str = "HAKMEM_TRACE";

/// The areas of the master switches, and the variable that each stands for.
const AREAS: [(&str, &str, &str); 15] = [
    (STATS, "profile", "HAKMEM_TINY_PROFILE"),
    (STATS, "sll", "HAKMEM_TINY_SLL_DIAG"),
    (STATS, "state", "HAKMEM_TINY_ALLOC_DEBUG"),
    (STATS, "timing", "HAKMEM_TIMING"),
    (STATS, "trace", "HAKMEM_PTR_TRACE_DUMP"),
    (TRACE, "alloc", "HAKMEM_TRACE_ALLOCATIONS"),
    (TRACE, "free", "HAKMEM_SS_FREE_DEBUG"),
    (TRACE, "learn", "HAKMEM_LEARN_DEBUG"),
    (TRACE, "lookup", "HAKMEM_SUPER_LOOKUP_DEBUG"),
    (TRACE, "lru", "HAKMEM_SS_LRU_DEBUG"),
    (TRACE, "mask", "HAKMEM_TINY_FREELIST_MASK"),
    (TRACE, "p0", "HAKMEM_TINY_P0_LOG"),
    (TRACE, "prewarm", "HAKMEM_SS_PREWARM_DEBUG"),
    (TRACE, "ptr", "HAKMEM_PTR_TRACE_VERBOSE"),
    (TRACE, "reg", "HAKMEM_SUPER_REG_DEBUG"),
];

/// The area that `HAKMEM_TRACE=1` stands for.
const FIRST_TRACE: &str = "alloc";

/// The word of `HAKMEM_TRACE` that is no area: lines are objects.
const JSON: &str = "json";

/// Whether the lines of `HAKMEM_TRACE`'s areas are to be JSON.
pub(crate) fn traces_as_json() -> bool {
    text(TRACE).is_some_and(|list| words(list).any(|word| word == JSON.as_bytes()))
}

/// The areas of a master switch.
fn areas(of: &str) -> impl Iterator<Item = &'static str> {
    AREAS
        .iter()
        .filter(move |(master, ..)| *master == of)
        .map(|(_, area, _)| *area)
}

/// The areas of a master switch in this build: what the production build knows of it, or `all`,
/// and the areas here.
fn every_area(of: &str) -> impl Iterator<Item = &'static str> {
    let row = PRODUCTION.iter().find(|row| row.name == of);
    let words: &[&str] = match row.map(|row| row.kind) {
        Some(Kind::List(words)) => words,
        _ => &["all", JSON],
    };
    words.iter().copied().chain(areas(of))
}

/// Where the arena is with fixed addresses: far from where the system puts anything by itself.
const FIXED_BASE: usize = 0x2000_0000_0000;

/// Where the arena is to be; 0 where it does not matter.
pub(crate) fn arena_base() -> usize {
    if is_on("HAKMEM_FIXED_ADDRESSES") {
        FIXED_BASE
    } else {
        0
    }
}

/// The value of a variable, if it is set. Only to be called while the process sets itself up;
/// the value may change later, so it is to be copied.
pub(crate) fn text(name: &str) -> Option<&'static [u8]> {
    // SAFETY: this runs in one of the process's first allocations; a program that changes
    // its environment from another thread by then has undefined behaviour of its own.
    let mut variables = unsafe { environment::variables() }?;
    variables.find_map(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
    })
}

/// Whether a switch of [`DEBUG`] is on.
pub(crate) fn is_on(name: &str) -> bool {
    static COMPLAINED: AtomicBool = AtomicBool::new(false);
    if !COMPLAINED.swap(true, Ordering::Relaxed) {
        complain(STATS);
        complain(TRACE);
    }
    let named = AREAS
        .iter()
        .filter(|(_, _, variable)| *variable == name)
        .any(|(master, area, _)| text(master).is_some_and(|list| names(list, area)));
    named || count(name) != 0
}

fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',')
}

/// Whether a list of areas names this one.
fn names(list: &[u8], area: &str) -> bool {
    words(list).any(|word| {
        word == area.as_bytes() || word == b"all" || word == b"1" && area == FIRST_TRACE
    })
}

/// Warns of the words in a master switch's value that name no area.
fn complain(master: &str) {
    let Some(list) = text(master).filter(|list| *list != b"0") else {
        return;
    };
    for word in words(list) {
        let known = word == b"1" || every_area(master).any(|area| area.as_bytes() == word);
        if !known {
            complaint(master, word).write();
        }
    }
}

fn complaint(master: &str, word: &[u8]) -> Line {
    const LONGEST: usize = 32;
    let mut line = Line::new().text(b"hakmem: ").text(master.as_bytes());
    line = line.text(b": there is no area '");
    for &byte in word.iter().take(LONGEST) {
        line = line.text(&[if (b' '..=b'~').contains(&byte) {
            byte
        } else {
            b'?'
        }]);
    }
    line = line.text(b"'; there are 1");
    for area in every_area(master) {
        line = line.text(b", ").text(area.as_bytes());
    }
    line
}

/// The number that a variable of [`DEBUG`] says, or its default.
pub(crate) fn count(name: &str) -> u32 {
    let Some(row) = DEBUG.iter().find(|row| row.name == name) else {
        return 0;
    };
    let Some(value) = text(name) else {
        return of_preset(name).or(row.default).unwrap_or(0);
    };
    row.number(value, &mut |warning| {
        for piece in warning.pieces() {
            stderr::write(piece);
        }
    })
}

/// What the preset says of a variable of [`DEBUG`].
fn of_preset(name: &str) -> Option<u32> {
    let profile = text("HAKMEM_PROFILE")?;
    let mut presets = PRESETS.iter();
    let preset = presets.find(|preset| preset.name.as_bytes() == profile)?;
    let mut values = preset.debug.iter();
    values
        .find(|(variable, _)| *variable == name)
        .map(|(_, value)| *value)
}

/// Whether a value of the production variable `name` that other builds do not understand is
/// one that this build sees to, its warnings included.
pub(crate) fn expects(name: &[u8]) -> bool {
    name == STATS.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn the_table_knows_the_areas() {
        for (_, _, variable) in AREAS {
            assert!(DEBUG.iter().any(|row| row.name == variable), "{variable}");
        }
        let trace = DEBUG.iter().find(|row| row.name == TRACE).expect("a row");
        let Kind::List(listed) = trace.kind else {
            panic!("no list: {trace:?}")
        };
        let mut known: Vec<&str> = every_area(TRACE).collect();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn lists_name_areas() {
        assert!(names(b"lookup,ptr", "ptr") && names(b"ptr", "ptr"));
        assert!(names(b"lookup,all", "reg"));
        assert!(names(b"1", "alloc") && names(b"reg,1", "alloc"));
        for list in ["", "0", "1", "pt", "ptrs", "lookup"] {
            assert!(!names(list.as_bytes(), "ptr"), "{list}");
        }
    }

    #[test]
    fn unknown_areas_are_told_the_known_ones() {
        let line = complaint(STATS, b"profil\x1b");
        assert_eq!(
            String::from_utf8_lossy(line.bytes()),
            "hakmem: HAKMEM_STATS: there is no area 'profil?'; \
             there are 1, all, classes, json, learn, pool, tiers, totals, \
             profile, sll, state, timing, trace"
        );
    }
}
