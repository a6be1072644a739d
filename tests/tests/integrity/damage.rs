//! Writes around blocks, and into memory that nobody has.

use hakmem_tests::reported::{checked, the_finding};
use hakmem_tests::watched::address;

use super::{STATUS, applies};

/// Over all that is kept around blocks, into memory that nobody has had.
#[test]
fn what_is_written_far_from_blocks_is_told() {
    if !applies() {
        return;
    }
    for (case, block, kind, distance) in [
        (
            "far_overflow",
            "above ",
            "heap-overflow",
            "260 bytes behind the end of a block",
        ),
        (
            "far_overflow_of_a_freed",
            "above ",
            "heap-overflow",
            "260 bytes behind the end of a freed block",
        ),
        (
            "far_underflow",
            "below ",
            "heap-underflow",
            "50 bytes in front of a block",
        ),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, kind, "{}", outcome.report());
        let block = address(&outcome, block);
        let told = format!("1 byte was written {distance} of 40 bytes at {block:#x}");
        assert!(finding.says(&told), "{}", outcome.report());
        assert!(finding.says("found by the scan at exit"));
    }
    let (outcome, finding) = the_finding(checked("far_overflow_found_at_use"));
    assert_eq!(finding.kind, "heap-overflow", "{}", outcome.report());
    assert!(
        finding.says("found by the first use of a place"),
        "{}",
        outcome.report()
    );
}

/// What runs through all places behind a block is one finding.
#[test]
fn a_long_overflow_is_told_once() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("long_overflow"));
    assert_eq!(finding.kind, "heap-overflow");
    let above = address(&outcome, "above ");
    let told = format!(
        "180 bytes were written directly behind the end of a block of 40 bytes at {above:#x}"
    );
    assert!(finding.says(&told), "{}", outcome.report());
}

/// Also where it went on into places that nobody has had.
#[test]
fn what_was_written_is_shown_as_it_stands_there() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("overflow_of_160"));
    let start = "160 bytes were written directly behind the end of a block of 40 bytes";
    assert!(finding.says(start), "{}", outcome.report());
    let is_whole = |line: &&String| line.contains("[4c 4c 4c");
    let whole = finding.lines.iter().filter(is_whole).count();
    assert!(whole > 3, "{}", outcome.report());
    assert!(!finding.says("[de "), "{}", outcome.report());
}

#[test]
fn places_ahead_are_filled_and_no_others() {
    if !applies() {
        return;
    }
    let outcome = checked("ahead").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert_eq!(outcome.stderr_text(), "", "{}", outcome.report());
}

#[test]
fn damage_around_a_block_is_told_with_its_bytes() {
    if !applies() {
        return;
    }
    for case in [
        "overflow",
        "overflow_never_freed",
        "aligned_overflow",
        "large_overflow",
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "heap-overflow", "{case}");
        assert!(
            finding.says("directly behind the end of a block"),
            "{}",
            outcome.report()
        );
        assert!(finding.says("not known: who wrote"));
        assert!(!finding.stack("allocated by")[0].is_empty(), "{case}");
    }
    let (outcome, finding) = the_finding(checked("overflow"));
    assert!(
        finding.says("written: 2 bytes; as text: \"A?\""),
        "{}",
        outcome.report()
    );
    assert!(finding.says("[41 00]de"), "{}", outcome.report());
    for (case, how) in [
        ("underflow", "found by free"),
        ("underflow_never_freed", "found by the scan at exit"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "heap-underflow", "{}", outcome.report());
        let item = address(&outcome, "item ");
        assert!(finding.says(&format!("in front of a block of 40 bytes at {item:#x}")));
        assert!(finding.says(how), "{}", outcome.report());
    }
}

/// The block that takes the place of a resized one may lie right behind what was overrun.
#[test]
fn an_overrun_is_not_an_underflow_of_the_block_that_a_resize_has_just_made() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("grown_too_little"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("16 bytes were written 8 bytes behind the end of a block of 8 bytes"));
}
