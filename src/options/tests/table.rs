//! The tables, and the page that has them.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::options::{Builds, DEBUG, Kind, PRODUCTION, Variable};

#[test]
fn names_are_sorted_and_unique() {
    for table in [PRODUCTION, DEBUG] {
        assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(table.iter().all(|row| row.name.starts_with("HAKMEM_")));
    }
    for row in DEBUG {
        assert!(PRODUCTION.iter().all(|other| other.name != row.name));
    }
}

#[test]
fn defaults_are_inside_their_ranges() {
    for row in PRODUCTION.iter().chain(DEBUG) {
        let (Some(range), Some(default)) = (row.range, row.default) else {
            continue;
        };
        assert!(range.contains(default), "{}", row.name);
    }
}

#[test]
fn rows_say_which_builds_read_them() {
    assert_eq!(PRODUCTION.len(), 41);
    assert_eq!(DEBUG.len(), 37);
    for row in PRODUCTION {
        assert_eq!(row.builds, Builds::Every, "{}", row.name);
        let is_read_elsewhere = matches!(row.kind, Kind::Text | Kind::Fields(_));
        assert_eq!(row.setting.is_none(), is_read_elsewhere, "{}", row.name);
        for debug in DEBUG {
            assert!(!row.text.contains(debug.name), "{}", row.name);
        }
    }
    for row in DEBUG {
        assert_eq!(row.builds, Builds::Observed, "{}", row.name);
        assert!(row.setting.is_none(), "{}", row.name);
    }
    for row in PRODUCTION.iter().chain(DEBUG) {
        assert!(row.text.ends_with('.') && !row.text.contains('|'));
        assert!(!row.since.is_empty());
        assert!(row.deprecated_by.is_none());
    }
}

/// A row of the table in `docs/CONFIGURATION.md`.
fn page_row(row: &Variable) -> String {
    let (name, text) = (row.name, row.text);
    let (values, default) = (row.values(), row.shown(row.default));
    format!("| `{name}` | {values} | {default} | {text} |")
}

#[test]
#[cfg_attr(miri, ignore = "reads a file")]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(path).expect(path);
    let (production, debug) = page
        .split_once("\n## Debug variables\n")
        .expect("the heading of the debug variables");
    for (part, table) in [(production, PRODUCTION), (debug, DEBUG)] {
        let mut on_page: Vec<&str> = part
            .lines()
            .filter(|line| line.starts_with("| `HAKMEM_"))
            .collect();
        on_page.sort_unstable();
        let mut expected: Vec<String> = table.iter().map(page_row).collect();
        expected.sort_unstable();
        assert!(
            on_page == expected,
            "the table in {path} has to have these rows, in any order:\n{}\n",
            expected.join("\n")
        );
    }
    for row in DEBUG {
        assert!(
            !production.contains(row.name),
            "{} is not of production",
            row.name
        );
    }
}
