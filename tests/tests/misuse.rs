//! Wrong pointers end the program with one line that names them.
//!
//! What only hakmem promises: skipped in reference mode.

use hakmem_tests::{Outcome, Run, not_reference};

/// Whether the tests of this file make sense.
fn applies() -> bool {
    not_reference("the reference promises nothing about wrong pointers")
}

fn misuse(arguments: [&str; 3]) -> Outcome {
    Run::program("misuse.c").args(arguments).output()
}

/// An abort, and one line with the pointer that the program announced.
#[track_caller]
fn caught(outcome: &Outcome) -> String {
    outcome.aborted();
    let stdout = outcome.stdout_text();
    let pointer = stdout
        .lines()
        .find_map(|line| line.strip_prefix("pointer "))
        .unwrap_or_else(|| panic!("no pointer was announced\n{}", outcome.report()));
    let stderr = outcome.stderr_text().into_owned();
    assert_eq!(
        stderr.lines().count(),
        1,
        "expected one line\n{}",
        outcome.report()
    );
    assert!(
        stderr.ends_with('\n'),
        "the line does not end\n{}",
        outcome.report()
    );
    assert!(
        stderr.contains(pointer),
        "expected {pointer} in it\n{}",
        outcome.report()
    );
    stderr
}

/// As `caught`, and the line names the function too.
#[track_caller]
fn caught_at_once(outcome: &Outcome, function: &str) {
    let line = caught(outcome);
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    assert!(
        words.any(|word| word == function),
        "expected {function} in: {line}"
    );
}

/// Runs all, and says of each that failed what it did.
#[track_caller]
fn each(arguments: impl Iterator<Item = [&'static str; 3]>, check: impl Fn([&'static str; 3])) {
    let failed: Vec<_> = arguments
        .filter(|arguments| {
            let checked = std::panic::AssertUnwindSafe(|| check(*arguments));
            std::panic::catch_unwind(checked).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "not caught, of misuse.c: {failed:?}");
}

const FOREIGN: [&str; 13] = [
    "stack",
    "static",
    "mmap",
    "mmap_middle",
    "mmap_aligned",
    "code",
    "low",
    "one",
    "high",
    "kernel",
    "not_canonical",
    "freed_mapping",
    "far_from_block",
];

#[test]
fn free_of_a_foreign_pointer() {
    if !applies() {
        return;
    }
    each(
        FOREIGN.into_iter().map(|kind| ["foreign", kind, "free"]),
        |arguments| {
            caught_at_once(&misuse(arguments), "free");
        },
    );
}

#[test]
fn realloc_of_a_foreign_pointer() {
    if !applies() {
        return;
    }
    for call in ["realloc", "realloc_to_zero"] {
        each(
            FOREIGN.into_iter().map(|kind| ["foreign", kind, call]),
            |arguments| {
                caught_at_once(&misuse(arguments), "realloc");
            },
        );
    }
}

#[test]
fn reallocarray_of_a_foreign_pointer() {
    if !applies() {
        return;
    }
    let kinds = ["stack", "mmap", "low"].into_iter();
    each(
        kinds.map(|kind| ["foreign", kind, "reallocarray"]),
        |arguments| {
            let line = caught(&misuse(arguments));
            assert!(line.contains("realloc"), "expected the function in: {line}");
        },
    );
}

/// From the tiers with caches, and the two without.
const CACHED: [&str; 4] = ["tiny", "tiny_large", "pool", "mid"];
const LARGE: [&str; 2] = ["large", "mapping"];

/// Each kind with each tier, in the main thread and in one that ends.
fn combinations(
    kinds: &'static [&'static str],
    tiers: &'static [&'static str],
) -> impl Iterator<Item = [&'static str; 3]> {
    let kinds = kinds
        .iter()
        .flat_map(|kind| tiers.iter().map(|tier| (*kind, *tier)));
    kinds.flat_map(|(kind, tier)| ["main", "thread"].map(|thread| [thread, kind, tier]))
}

#[test]
fn free_inside_of_a_block() {
    if !applies() {
        return;
    }
    let kinds = &["interior", "interior_odd", "interior_far"];
    each(combinations(kinds, &CACHED), |arguments| {
        caught(&misuse(arguments));
    });
}

/// Slabs of POOL and MID differ in how much there is.
#[test]
fn free_in_front_of_a_slabs_first_block() {
    if !applies() {
        return;
    }
    each(combinations(&["in_front"], &["pool", "mid"]), |arguments| {
        caught(&misuse(arguments));
    });
}

#[test]
fn free_inside_of_a_large_block() {
    if !applies() {
        return;
    }
    let kinds = &["interior", "interior_odd", "interior_far", "interior_page"];
    each(combinations(kinds, &LARGE), |arguments| {
        caught_at_once(&misuse(arguments), "free");
    });
}

#[test]
fn double_free_by_one_thread() {
    if !applies() {
        return;
    }
    each(
        combinations(&["double", "double_later"], &CACHED),
        |arguments| {
            caught(&misuse(arguments));
        },
    );
}

#[test]
fn double_free_by_two_threads() {
    if !applies() {
        return;
    }
    let kinds = &[
        "double_second_remote",
        "double_second_remote_later",
        "double_first_remote",
        "double_both_remote",
    ];
    each(combinations(kinds, &CACHED), |arguments| {
        caught(&misuse(arguments));
    });
}

#[test]
fn double_free_of_a_large_block() {
    if !applies() {
        return;
    }
    let kinds = &[
        "double",
        "double_later",
        "double_second_remote",
        "double_second_remote_later",
        "double_first_remote",
        "double_both_remote",
    ];
    each(combinations(kinds, &LARGE), |arguments| {
        caught_at_once(&misuse(arguments), "free");
    });
}

/// The same program without the abuse: its `main` is right elsewhere, too.
#[test]
fn the_program_is_otherwise_right() {
    let output = Run::program("misuse.c").output();
    assert_eq!(output.status.code(), Some(2), "{}", output.report());
}
