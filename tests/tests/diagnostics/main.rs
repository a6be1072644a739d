//! What the debug variables print, from the library with observers in it; and that the
//! release library does not know them.
//!
//! A slab of blocks of 1000 bytes (1024 with their class) has 64 of them, one word of its
//! bitmap. The front has 16 entries, and a refill brings 16.

mod files;
mod fronts;
mod lines;
mod paths;
mod registry;
mod superslabs;
mod switches;

use hakmem_tests::statistics::Exercise;
use hakmem_tests::{Allocator, Run};

/// The areas that this file is about: each variable, its master switch, and its area there.
const AREAS: [(&str, &str, &str); 12] = [
    ("HAKMEM_TINY_PROFILE", "HAKMEM_STATS", "profile"),
    ("HAKMEM_TINY_SLL_DIAG", "HAKMEM_STATS", "sll"),
    ("HAKMEM_TINY_ALLOC_DEBUG", "HAKMEM_STATS", "state"),
    ("HAKMEM_TIMING", "HAKMEM_STATS", "timing"),
    ("HAKMEM_SS_FREE_DEBUG", "HAKMEM_TRACE", "free"),
    ("HAKMEM_LEARN_DEBUG", "HAKMEM_TRACE", "learn"),
    ("HAKMEM_SUPER_LOOKUP_DEBUG", "HAKMEM_TRACE", "lookup"),
    ("HAKMEM_SS_LRU_DEBUG", "HAKMEM_TRACE", "lru"),
    ("HAKMEM_TINY_FREELIST_MASK", "HAKMEM_TRACE", "mask"),
    ("HAKMEM_TINY_P0_LOG", "HAKMEM_TRACE", "p0"),
    ("HAKMEM_SS_PREWARM_DEBUG", "HAKMEM_TRACE", "prewarm"),
    ("HAKMEM_SUPER_REG_DEBUG", "HAKMEM_TRACE", "reg"),
];

/// Steps in which something of every area happens, with [`EVERYTHING_SETTINGS`].
const EVERYTHING: [&str; 12] = [
    "churn 1000 400 3",
    "take a 1000 100",
    "usable a",
    "give a",
    "thread",
    "take b 32768 320",
    "give b",
    "end",
    "take c 32768 320",
    "resize c 40000",
    "give c",
    "trim",
];

const EVERYTHING_SETTINGS: [(&str, &str); 4] = [
    ("HAKMEM_SUPERSLAB_PREWARM", "2"),
    ("HAKMEM_SUPERSLAB_LRU_CAP", "3"),
    ("HAKMEM_MEM_LEARN", "1"),
    ("HAKMEM_LEARN_ADVANCED", "budget_mb=1"),
];

fn run(allocator: Allocator, settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    let mut run = Run::program("exercise.c").args(steps).allocator(allocator);
    for (name, value) in settings {
        run = run.env(name, value);
    }
    Exercise::of(run.output())
}

/// The program under the observed library.
fn observed(settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    run(Allocator::Observed, settings, steps)
}

/// The lines of an area, without what they begin with.
fn lines(run: &Exercise, area: &str) -> Vec<String> {
    let said = run.said().into_iter();
    let tag = format!("hakmem: [{area}] ");
    said.filter_map(|line| Some(line.strip_prefix(&tag)?.to_owned()))
        .collect()
}

/// Those that hold `what`.
fn with<'a>(lines: &'a [String], what: &str) -> Vec<&'a str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| line.contains(what)).collect()
}

/// A table of an area: its rows as words, for the rows of `thread` (or `all`) and a class.
#[track_caller]
fn cells(lines: &[String], first: &[&str]) -> Vec<String> {
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect();
    let mut rows = lines.iter().map(words).filter(|words: &Vec<String>| {
        words.len() > first.len() && first.iter().zip(words).all(|(a, b)| a == b)
    });
    rows.next_back()
        .unwrap_or_else(|| panic!("no row {first:?} in\n{}", lines.join("\n")))
}

fn numbers(words: &[String]) -> Vec<u64> {
    let number = |word: &String| word.parse().ok();
    words.iter().filter_map(number).collect()
}

/// The number behind `label` in a line.
#[track_caller]
fn number(line: &str, label: &str) -> u64 {
    let at = line
        .find(label)
        .unwrap_or_else(|| panic!("no {label} in {line}"));
    let rest = line[at + label.len()..].trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|_| panic!("no number behind {label}: {line}"))
}

/// The address at the beginning of a text, in hexadecimal.
#[track_caller]
fn address(text: &str) -> usize {
    let digits = text.trim_start_matches("0x");
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    usize::from_str_radix(&digits[..end], 16).unwrap_or_else(|_| panic!("no address: {text}"))
}

/// What tags the lines have, sorted.
fn tags(run: &Exercise) -> Vec<String> {
    let mut tags: Vec<String> = run
        .said()
        .iter()
        .filter_map(|line| {
            let (tag, _) = line.strip_prefix("hakmem: [")?.split_once(']')?;
            Some(tag.to_owned())
        })
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
