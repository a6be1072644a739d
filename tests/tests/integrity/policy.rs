//! How much is looked at, when, and what follows a finding.

use hakmem_tests::reported::{checked, kinds, the_finding};

use super::{STATUS, applies};

#[test]
fn a_program_that_ends_otherwise_is_looked_at() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("overflow_and_abort"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("the scan after a signal"));
}

#[test]
fn a_forked_child_is_checked() {
    if !applies() {
        return;
    }
    let outcome = checked("forked").output();
    assert_eq!(kinds(&outcome), ["heap-overflow"], "{}", outcome.report());
    // The child died of SIGABRT.
    assert_eq!(outcome.status.code(), Some(16), "{}", outcome.report());
}

#[test]
fn what_follows_a_finding_is_as_said() {
    if !applies() {
        return;
    }
    let go_on = |case: &str| checked(case).env("HAKMEM_ON_ERROR", "continue").output();
    for (case, expected) in [
        ("freed_twice", &["double-free"][..]),
        ("interior", &["invalid-free"]),
        ("of_stack", &["invalid-free"]),
        ("realloc_after_free", &["use-after-free"]),
        // Each damage is told once, though the blocks are looked at again at exit.
        ("overflow", &["heap-overflow"]),
        ("underflow", &["heap-underflow"]),
        (
            "all_at_once",
            &["heap-overflow", "write-after-free", "heap-overflow"],
        ),
    ] {
        let outcome = go_on(case);
        assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
        assert!(outcome.stdout_text().ends_with("end\n"), "{case}");
        let mut found = kinds(&outcome);
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", outcome.report());
    }
    let mut stopped = checked("freed_twice")
        .env("HAKMEM_ON_ERROR", "stop")
        .start();
    stopped.wait_until_stopped();
    assert!(stopped.stderr().contains("ERROR double-free"));
    stopped.go_on();
    let outcome = stopped.finish();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
}

#[test]
fn levels_differ_in_what_they_find() {
    if !applies() {
        return;
    }
    let at = |level: &str, case: &str| {
        let run = checked(case).env("HAKMEM_INTEGRITY_CHECKS", level);
        run.env("HAKMEM_ON_ERROR", "continue").output()
    };
    for (level, case, expected) in [
        ("light", "freed_twice", &["double-free"][..]),
        ("light", "overflow", &["heap-overflow"]),
        ("light", "underflow", &["heap-underflow"]),
        ("light", "interior", &["invalid-free"]),
        ("light", "late_write", &[]),
        ("full", "late_write", &["write-after-free"]),
        ("0", "overflow", &[]),
    ] {
        let outcome = at(level, case);
        assert_eq!(
            kinds(&outcome),
            expected,
            "{level} {case}\n{}",
            outcome.report()
        );
    }
    let outcome = at("much", "overflow");
    let said = "HAKMEM_INTEGRITY_CHECKS=much is not 0, 1, light or full; using the default 1";
    assert!(outcome.stderr_text().contains(said), "{}", outcome.report());
    assert_eq!(kinds(&outcome), ["heap-overflow"]);
}
