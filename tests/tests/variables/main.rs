//! Every variable has the effect that `docs/CONFIGURATION.md` says, seen from outside.
//!
//! The geometry that the numbers rest on: a SuperSlab of 2 MiB has 32 slots; a slab of
//! 32 KiB blocks takes 16 of them and has 32 blocks, one of 8 KiB blocks takes 4 and has
//! 32 blocks. A thread's built-in front has 31 entries for small blocks.

mod environment;
mod fronts;
mod learning;
mod memory;
mod pool_arenas;
mod prewarm;
mod statistics;
mod superslabs;
mod tiers;
mod values;

use hakmem_tests::statistics::{Exercise, exercise};

const MIB: u64 = 1 << 20;
const SUPERSLAB: u64 = 2 * MIB;

/// A row of the page's table of all variables.
struct Variable {
    name: &'static str,
    /// `None` for switches and for numbers without an upper bound.
    range: Option<(u64, u64)>,
    /// `None` for limits that do not exist by default.
    default: Option<u64>,
    /// What is said to happen in place of a malformed value; `None` where any text will do.
    instead: Option<String>,
}

fn variables() -> Vec<Variable> {
    let page = include_str!("../../../docs/CONFIGURATION.md");
    // Those behind it are not the release library's.
    let (page, _) = page.split_once("## Debug variables").expect("a heading");
    let rows = page.lines().filter(|line| line.starts_with("| `HAKMEM_"));
    let variables: Vec<_> = rows.map(variable).collect();
    assert!(variables.len() >= 27, "{} variables", variables.len());
    variables
}

fn variable(row: &'static str) -> Variable {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, name, values, default, ..] = cells[..] else {
        panic!("a row of the table: {row}")
    };
    let digits = values.split(' ').next().unwrap_or_default();
    let number = |text: &str| text.parse::<u64>().ok();
    let range = digits
        .split_once('-')
        .and_then(|(min, max)| Some((number(min)?, number(max)?)));
    let instead = match (values, default) {
        ("text", _) => None,
        (_, "none") => Some("it is ignored".to_owned()),
        (_, "no limit") => Some("using the default, no limit".to_owned()),
        // A list of areas.
        (values, _) if values.starts_with("0, 1, ") => Some("using its areas alone".to_owned()),
        (_, default) => Some(format!("using the default {default}")),
    };
    Variable {
        name: name.trim_matches('`'),
        range,
        default: number(default),
        instead,
    }
}

/// What the program reports under one setting.
fn under(name: &str, value: &str, steps: &[&str]) -> Exercise {
    exercise(&[(name, value)], steps)
}

/// The lines that are said under these settings, in the order of the alphabet.
fn said_under(settings: &[(&str, &str)]) -> Vec<String> {
    // Threads are no reason to say it again.
    let steps = [
        "take a 48 1",
        "thread",
        "take b 48 100",
        "end",
        "thread",
        "give b",
        "end",
    ];
    let mut said = exercise(settings, &steps).said();
    said.sort_unstable();
    said
}

/// One line for each variable, and the program runs as if there were none.
/// The sources of the tests.
const SOURCES: [&str; 10] = [
    include_str!("environment.rs"),
    include_str!("fronts.rs"),
    include_str!("learning.rs"),
    include_str!("memory.rs"),
    include_str!("pool_arenas.rs"),
    include_str!("prewarm.rs"),
    include_str!("statistics.rs"),
    include_str!("superslabs.rs"),
    include_str!("tiers.rs"),
    include_str!("values.rs"),
];

/// A variable without a test that names it is one of which nobody has seen an effect.
#[test]
fn every_variable_has_a_test() {
    for variable in variables() {
        let function = variable.name["HAKMEM_".len()..].to_lowercase();
        let tested = format!("#[test]\nfn {function}() {{");
        let is_tested = SOURCES.iter().any(|source| source.contains(&tested));
        assert!(is_tested, "{} has no test", variable.name);
    }
}
