//! What an access beside a block, or to a freed one, ends with, and what is said of it.

use hakmem_tests::watched::lines;
use hakmem_tests::{Allocator, Run, compile};

use super::{applies, is_found, is_sound, is_stopped, program, run, stack};

#[test]
fn an_access_beside_a_block_is_stopped_and_told() {
    if !applies() {
        return;
    }
    for (guard, case, kind, what) in [
        (
            "all",
            "write 64 64",
            "heap-overflow",
            "a write directly behind the end of a block of 64 bytes",
        ),
        ("all", "read 64 65", "heap-overflow", "a read 1 byte behind"),
        (
            "all,right",
            "write 100 112",
            "heap-overflow",
            "a write 12 bytes behind",
        ),
        (
            "all,left",
            "write 100 -1",
            "heap-underflow",
            "a write 1 byte in front of a block of 100",
        ),
        (
            "all,left",
            "read 100 -8",
            "heap-underflow",
            "a read 8 bytes in front of",
        ),
        (
            "all",
            "write-freed 64 5",
            "use-after-free",
            "a write at offset 5 of a freed block of 64",
        ),
        (
            "all",
            "read-freed 64 0",
            "use-after-free",
            "a read at offset 0 of a freed block of 64",
        ),
        (
            "size=64",
            "read-freed 64 64",
            "use-after-free",
            "a read directly behind the end of a freed",
        ),
    ] {
        let outcome = run(guard, case);
        is_stopped(&outcome, kind, what);
        let access = if case.starts_with("write") {
            "write_at"
        } else {
            "read_at"
        };
        assert_eq!(
            stack(&outcome, "found by SIGSEGV")[0],
            access,
            "{}",
            outcome.report()
        );
        // In its own bytes there is no doubt which block is meant.
        let text = outcome.stderr_text();
        let error = text.lines().find(|line| line.contains(" ERROR "));
        let in_it = error.is_some_and(|line| line.contains(" at offset "));
        assert!(!in_it || !text.contains(", and "), "{}", outcome.report());
        let allocated = stack(&outcome, "allocated by malloc");
        assert_eq!(allocated[0], "make", "{}", outcome.report());
        assert!(
            allocated.contains(&"main".to_owned()),
            "{}",
            outcome.report()
        );
        if case.contains("freed") {
            assert_eq!(
                stack(&outcome, "freed by free")[0],
                "drop",
                "{}",
                outcome.report()
            );
        }
    }
}

/// With nothing asked for: in front of them, far enough behind, and after their free.
#[test]
fn large_blocks_are_guarded_where_all_is_checked() {
    if !applies() {
        return;
    }
    let large = |case: &str| {
        Run::new(compile::program("guard.c"))
            .args(case.split(' '))
            .allocator(Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .output()
    };
    is_stopped(
        &large("write 40960 -1"),
        "heap-underflow",
        "a write 1 byte in front of",
    );
    is_stopped(
        &large("read 40960 40960"),
        "heap-overflow",
        "a read directly behind",
    );
    is_stopped(
        &large("read-freed 40000 7"),
        "use-after-free",
        "a read at offset 7 of",
    );
    is_stopped(
        &large("write-freed 3000000 2999999"),
        "use-after-free",
        "a write at offset 2999999",
    );
    is_found(&large("write 40000 40000"), "heap-overflow");
    is_sound(&run("none", "read-freed 40000 7"));
}

/// What does not reach an inaccessible page shows at the free, or at exit.
#[test]
fn the_bytes_between_a_block_and_its_page_are_checked() {
    if !applies() {
        return;
    }
    for (guard, case, what) in [
        (
            "all",
            "write 100 100",
            "ERROR heap-overflow: 1 byte was written directly behind the end",
        ),
        (
            "all",
            "write 100 -1",
            "ERROR heap-underflow: 1 byte was written directly in front",
        ),
        (
            "all,left",
            "write 100 4000",
            "ERROR heap-overflow: 1 byte was written 3900 bytes behind",
        ),
        (
            "all",
            "kept 100 -100",
            "ERROR heap-underflow: 1 byte was written 100 bytes in front",
        ),
        (
            "all,left",
            "kept 100 100",
            "ERROR heap-overflow: 1 byte was written directly behind",
        ),
        ("all", "twice 100", "ERROR double-free: "),
        ("all", "interior 100 8", "ERROR invalid-free: "),
    ] {
        let outcome = run(guard, case);
        outcome.aborted();
        let first = &lines(&outcome)[0];
        assert!(
            first.starts_with(what),
            "{guard} {case}\n{}",
            outcome.report()
        );
    }
}

/// The action after a finding is not for a signal: that takes its way.
#[test]
fn what_follows_a_finding_is_the_signal() {
    if !applies() {
        return;
    }
    let outcome = program("all", "write 64 64").env("HAKMEM_ON_ERROR", "continue");
    is_stopped(
        &outcome.output(),
        "heap-overflow",
        "a write directly behind",
    );
    let twice = program("all", "twice 64")
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    twice.success();
    assert!(
        lines(&twice)[0].starts_with("ERROR double-free"),
        "{}",
        twice.report()
    );
}
