//! Freed blocks that are used.

use std::os::unix::process::ExitStatusExt;

use hakmem_tests::reported::{checked, findings, kinds, the_finding};
use hakmem_tests::watched::address;

use super::{STATUS, applies};

#[test]
fn a_late_write_is_told_for_what_it_wrote() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("late_write"));
    assert_eq!(finding.kind, "write-after-free");
    let below = address(&outcome, "below ");
    assert!(
        finding.says("at offset 16 of a block of 40 bytes"),
        "{}",
        outcome.report()
    );
    assert!(finding.says(&format!(
        "{below:#x} is an address in a block ({below:#x}+0)"
    )));
    assert_eq!(finding.stack("freed by free")[0], "drop_item");
}

#[test]
fn a_resize_of_what_was_freed_or_damaged() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("realloc_after_free"));
    assert_eq!(finding.kind, "use-after-free");
    let (_, finding) = the_finding(checked("realloc_of_damaged"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("found by realloc"));
}

/// The signal goes its way, to the program's handler where it has one.
#[test]
fn a_fault_through_freed_memory_is_explained() {
    if !applies() {
        return;
    }
    let outcome = checked("use_of_filling").output();
    assert_eq!(outcome.status.signal(), Some(11), "{}", outcome.report());
    let found = findings(&outcome);
    assert_eq!(kinds(&outcome), ["use-after-free"], "{}", outcome.report());
    assert!(found[0].says("which is what freed memory is filled with"));
    assert!(
        found[0]
            .stack("found by SIGSEGV")
            .contains(&"use_of_filling".to_owned())
    );
    let outcome = checked("with_handler").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert!(outcome.stdout_text().contains("the program's own handler"));
}

#[test]
fn what_stdout_writes_at_exit_from_a_freed_block_is_told() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("freed_buffer_of_stdout"));
    assert_eq!(finding.kind, "use-after-free");
    assert!(finding.says("5 bytes that stdout writes at exit are in a block of 4096 bytes"));
    let outcome = checked("flushed_buffer_of_stdout").output();
    assert!(findings(&outcome).is_empty(), "{}", outcome.report());
}

#[test]
fn without_quarantine_a_late_write_shows_at_exit_or_reuse() {
    if !applies() {
        return;
    }
    let outcome = checked("late_write")
        .env("HAKMEM_QUARANTINE_KB", "0")
        .output();
    assert_eq!(
        kinds(&outcome),
        ["write-after-free"],
        "{}",
        outcome.report()
    );
}
