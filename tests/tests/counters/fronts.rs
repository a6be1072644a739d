//! What a thread's fronts and lists do.

use hakmem_tests::statistics::{applies, exercise};

use super::plainly;

/// A front that runs empty and full by turns grows until it does neither.
#[test]
fn misses_of_a_swinging_class_end() {
    if !applies() {
        return;
    }
    let rounds = |count| ["take a 48 300", "give a"].repeat(count);
    let steps = [
        rounds(50),
        vec!["report before"],
        rounds(50),
        vec!["report after"],
    ];
    let run = plainly(&steps.concat());
    let misses = |report| run.at(report).class(48, "misses");
    assert!(misses("before") > 0);
    assert_eq!(misses("after"), misses("before"));
}

/// A front that is empty and one that is full: the requests in between miss nothing.
#[test]
fn misses() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 16", "report one", "take b 48 1", "report two"]);
    assert_eq!(run.at("one").class(48, "misses"), 1);
    assert_eq!(run.at("two").class(48, "misses"), 2);
}

#[test]
fn refills() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        "take a 48 1",
        "report one",
        "take b 48 16",
        "report two",
    ]);
    let refills = |report| run.at(report).class(48, "refills");
    assert_eq!([refills("none"), refills("one"), refills("two")], [0, 1, 2]);
}

#[test]
fn refilled() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1", "report one"]);
    let one = run.at("one");
    assert_eq!(one.class(48, "refilled"), 16);
    assert_eq!(one.class(48, "live") + one.class(48, "cached"), 16);
}

/// Freed blocks overflow into the list, and come out of it again.
#[test]
fn list_hits() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 100",
        "give a",
        "report before",
        "take b 48 100",
        "report after",
    ]);
    assert_eq!(run.at("before").class(48, "list_hits"), 0);
    assert!(run.at("after").class(48, "list_hits") > 0);
}

#[test]
fn drains() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1000", "report before", "give a", "report after"]);
    assert_eq!(run.at("before").class(48, "drains"), 0);
    assert!(run.at("after").class(48, "drains") > 0);
}

/// The blocks that are not cached have gone back, with fronts and without.
#[test]
fn drained() {
    if !applies() {
        return;
    }
    for front in ["1", "0"] {
        let run = exercise(
            &[("HAKMEM_TINY_SFC_ENABLE", front)],
            &["take a 48 1000", "report before", "give a", "report after"],
        );
        let (before, after) = (run.at("before"), run.at("after"));
        assert_eq!(before.class(48, "drained"), 0);
        let returned = before.class(48, "cached") + 1000 - after.class(48, "cached");
        assert_eq!(after.class(48, "drained"), returned, "SFC_ENABLE={front}");
    }
}
