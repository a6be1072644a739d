//! Armed blocks where watchpoints are refused or not wanted: page protection, and comparison.

use hakmem_tests::watched::{address, hits, lines, lines_with, run, watched};
use hakmem_tests::{Outcome, not_reference, skip};

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator does not watch")
}

const NONE: [(&str, &str); 1] = [("HAKMEM_WATCH_HARDWARE", "0")];

#[track_caller]
fn software(rules: &str, case: &str) -> Outcome {
    let [(name, value)] = NONE;
    let outcome = watched(case)
        .env("HAKMEM_WATCH", rules)
        .env(name, value)
        .output();
    outcome.success();
    outcome
}

#[test]
fn a_block_with_pages_of_its_own_is_protected() {
    if !applies() {
        return;
    }
    let outcome = software("size=100000 on=free do=arm", "large");
    let armed = lines_with(&outcome, "watch: armed by page protection");
    assert_eq!(armed.len(), 1, "{}", outcome.report());
    let block = address(&outcome, "block ");
    let hits = hits(&outcome);
    let seen: Vec<_> = hits.iter().map(|h| (h.address - block, h.new)).collect();
    let expected = [(40000, Some(4711)), (40008, Some(4712)), (0, Some(4713))];
    assert_eq!(seen, expected, "{}", outcome.report());
    assert!(
        hits[0].line().contains("/* THE LARGE WRITE */"),
        "{}",
        hits[0].line()
    );
    assert_eq!(hits[0].stack("freed by")[0], "large");
    // The writes went through.
    assert!(outcome.stdout_text().ends_with("4711 4713\n"));
}

#[test]
fn a_rule_may_ask_for_it_alone() {
    if !applies() {
        return;
    }
    let outcome = run("size=100000 on=free do=arm hardware=0", "large");
    outcome.success();
    assert_eq!(hits(&outcome).len(), 3, "{}", outcome.report());
}

#[test]
fn all_writes_of_several_threads_go_through() {
    if !applies() {
        return;
    }
    let outcome = software("size=100000 on=free do=arm hits=1000000", "large_threads");
    assert!(!hits(&outcome).is_empty(), "{}", outcome.report());
    let outcome = software("size=100000 on=free do=arm hits=3", "large_threads");
    assert_eq!(hits(&outcome).len(), 3, "{}", outcome.report());
}

#[test]
fn the_program_s_own_faults_are_its_own() {
    if !applies() {
        return;
    }
    let outcome = software("size=100000 on=free do=arm", "faults");
    assert_eq!(hits(&outcome).len(), 3, "{}", outcome.report());
    assert!(outcome.stdout_text().ends_with("faults 1\n"));
}

#[test]
fn other_blocks_are_compared() {
    if !applies() {
        return;
    }
    let outcome = software("site=make_item on=free do=arm", "plain");
    let armed = lines_with(&outcome, "watch: armed by comparison");
    assert_eq!(armed.len(), 1, "{}", outcome.report());
    let seen: Vec<_> = hits(&outcome).iter().map(|h| (h.within, h.new)).collect();
    let expected = [(0, Some(42)), (8, Some(42)), (16, Some(43))];
    assert_eq!(seen, expected, "{}", outcome.report());
    let hit = &hits(&outcome)[0];
    assert!(hit.lines[0].contains("written by somebody"), "{hit:?}");
    assert_eq!(hit.stack("freed by")[0], "drop_item");
    assert!(
        hit.says("noticed by comparison, at the program's exit"),
        "{hit:?}"
    );
    // In a program whose other threads come by, the window is narrow.
    let outcome = software("site=make_item on=free do=arm", "threads");
    let noticed = |line: &&String| line.starts_with("  noticed by comparison, at a");
    assert!(
        lines(&outcome).iter().any(|line| noticed(&line)),
        "{}",
        outcome.report()
    );
}

#[test]
fn without_watchpoints_a_rule_that_does_not_hold_does() {
    if !applies() {
        return;
    }
    let outcome = software("size=32 from=drop_item on=free do=arm hold=0", "not_held");
    assert!(hits(&outcome).is_empty(), "{}", outcome.report());
}

#[test]
fn a_refusal_is_said_once_and_something_else_is_in_force() {
    if !applies() {
        return;
    }
    let outcome = run("site=make_item on=free do=arm", "refused");
    if outcome.status.code() == Some(77) {
        return skip("no seccomp filter can be set here");
    }
    outcome.success();
    let said = lines_with(&outcome, "watch: the system refuses watchpoints");
    assert_eq!(said.len(), 1, "{}", outcome.report());
    assert!(said[0].contains("error 13"), "{}", said[0]);
    assert_eq!(lines_with(&outcome, "watch: armed by comparison").len(), 1);
    assert_eq!(hits(&outcome).len(), 3, "{}", outcome.report());
}
