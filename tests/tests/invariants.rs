//! `docs/INVARIANTS.md` has the numbered invariants of the files' heads, word for word, and
//! the tests that it names exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/INVARIANTS.md");

/// Invariants by file, first to last.
type Invariants = BTreeMap<String, Vec<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("it lies in the root")
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let files = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"));
    files
        .chain(directories.iter().flat_map(|inner| sources(inner)))
        .collect()
}

/// The numbered paragraphs of a head: `1. ` begins one, four spaces continue it.
fn of_head(source: &str) -> Vec<String> {
    let mut invariants: Vec<String> = Vec::new();
    let mut inside = false;
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let next = format!(" {}. ", invariants.len() + 1);
        if let Some(begun) = line.strip_prefix(&next) {
            invariants.push(begun.to_owned());
            inside = true;
        } else if inside && line.starts_with("    ") {
            let last = invariants.last_mut().expect("inside of one");
            *last += " ";
            *last += line.trim();
        } else {
            inside = false;
        }
    }
    // The page has no links of rustdoc.
    let unlinked = |text: &String| text.replace("[`", "`").replace("`]", "`");
    invariants.iter().map(unlinked).collect()
}

fn of_sources() -> Invariants {
    let files = sources(&root().join("src")).into_iter().filter_map(|file| {
        let source = fs::read_to_string(&file).expect("a source");
        let name = file.strip_prefix(root()).expect("below the root");
        Some((name.display().to_string(), of_head(&source))).filter(|(_, found)| !found.is_empty())
    });
    files.collect()
}

/// The cells of a row, if the line is a numbered row.
fn row(line: &str) -> Option<(&str, &str)> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    match cells[..] {
        ["", number, invariant, shown, ""] if number.parse::<u32>().is_ok() => {
            Some((invariant, shown))
        }
        _ => None,
    }
}

fn of_page() -> Invariants {
    let mut invariants = Invariants::new();
    let mut file = "";
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            file = name.trim_matches('`');
        } else if let Some((invariant, _)) = row(line) {
            let of_file = invariants.entry(file.to_owned()).or_default();
            of_file.push(invariant.to_owned());
        }
    }
    invariants
}

#[test]
fn the_page_has_the_heads_invariants() {
    let (page, sources) = (of_page(), of_sources());
    assert!(!page.is_empty());
    for (file, invariants) in &sources {
        assert_eq!(
            page.get(file),
            Some(invariants),
            "{file}: the page, and the head"
        );
    }
    let gone: Vec<_> = page
        .keys()
        .filter(|file| !sources.contains_key(*file))
        .collect();
    assert!(gone.is_empty(), "without invariants: {gone:?}");
}

#[test]
fn the_tests_that_it_names_exist() {
    let directories = ["src", "tests", "examples"].map(|name| sources(&root().join(name)));
    let text: String = directories
        .iter()
        .flatten()
        .map(|file| fs::read_to_string(file).expect("a source"))
        .collect();
    // A test, or a case that a macro makes one of.
    let words: BTreeSet<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    for (invariant, shown) in PAGE.lines().filter_map(row) {
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !words.contains(**name))
            .collect();
        assert!(missing.is_empty(), "{missing:?} is to show: {invariant}");
        assert!(
            !names.is_empty()
                || shown.contains("by construction")
                || shown.contains("compile time"),
            "nothing shows: {invariant}"
        );
    }
}

#[test]
fn a_head_is_read() {
    let head =
        "//! A thing.\n//!\n//! 1. It is\n//!    a [`Thing`].\n//! 2. So.\n//!\n//! 3 more.\n";
    assert_eq!(of_head(head), ["It is a `Thing`.", "So."]);
}
