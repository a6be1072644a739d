//! Programs that handle SIGSEGV themselves: what has to do with blocks is told first, and the program
//! notices nothing.

use hakmem_tests::reported::{findings, kinds};
use hakmem_tests::{Allocator, Outcome, Run, Scratch, compile, not_reference};
use std::os::unix::process::ExitStatusExt;

const SIGSEGV: i32 = 11;

/// Cases that go on behind their faults, and how many of them are told, if these are writes behind
/// blocks.
const GO_ON: [(&str, usize); 12] = [
    ("recovers", 2),
    ("on_small_stack", 2),
    ("on_own_stack", 1),
    ("nested", 2),
    ("masks", 1),
    ("reads_back", 0),
    ("ignores", 0),
    ("probes", 0),
    ("sent", 0),
    ("in_thread", 1),
    ("in_child", 1),
    ("mends", 0),
];
/// Cases that the second fault ends.
const END: [&str; 2] = ["once", "gives_up"];

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator explains no signals")
}

fn program(case: &str) -> Run {
    Run::new(compile::program("handlers.c")).arg(case)
}

fn observed(case: &str) -> Run {
    program(case)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
}

/// The writes behind blocks were told, by the function that wrote.
#[track_caller]
fn told(outcome: &Outcome, count: usize) {
    assert_eq!(
        kinds(outcome),
        vec!["heap-overflow"; count],
        "{}",
        outcome.report()
    );
    for finding in findings(outcome) {
        assert!(finding.says("a write 12 bytes behind the end of a block of 100 bytes"));
        let stack = finding.stack("found by SIGSEGV");
        assert_eq!(stack[0], "write_at", "{}", outcome.report());
        assert!(stack.contains(&"overrun".to_owned()), "{stack:?}");
    }
}

#[test]
fn the_programs_do_as_they_say_without_the_library() {
    for (case, _) in GO_ON {
        program(case)
            .allocator(Allocator::Own)
            .env("ELSEWHERE", "1")
            .output()
            .success();
    }
}

#[test]
fn accesses_to_blocks_are_told_first_and_the_handler_runs_as_it_would() {
    if !applies() {
        return;
    }
    for (case, count) in GO_ON {
        let outcome = observed(case).env("HAKMEM_GUARD", "all").output();
        outcome.success();
        told(&outcome, count);
    }
}

#[test]
fn an_action_that_is_gone_is_the_default() {
    if !applies() {
        return;
    }
    for case in END {
        let outcome = observed(case).env("HAKMEM_GUARD", "all").output();
        assert_eq!(
            outcome.status.signal(),
            Some(SIGSEGV),
            "{}",
            outcome.report()
        );
        assert!(!kinds(&outcome).is_empty());
    }
}

/// Also beside the flight recorder, whose handlers are there as well.
#[test]
fn other_faults_are_the_program_s_own_affair() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    let session = scratch.file("%p");
    for directory in ["", session.to_str().expect("a path in UTF-8")] {
        for (case, _) in GO_ON {
            let outcome = observed(case)
                .env("ELSEWHERE", "1")
                .env("HAKMEM_TRACE_DIR", directory)
                .output();
            outcome.success();
            assert!(
                !outcome.stderr_text().contains("SIGSEGV"),
                "{}",
                outcome.report()
            );
            told(&outcome, 0);
        }
    }
}

/// A program that handles aborts if nobody does is not kept from it, and sees the ones that follow
/// findings.
#[test]
fn an_abort_is_for_the_program_to_handle() {
    if !applies() {
        return;
    }
    let outcome = observed("keeps_input").output();
    assert_eq!(outcome.status.code(), Some(77), "{}", outcome.report());
    assert_eq!(outcome.stdout_text(), "the input is kept\n");
    assert_eq!(kinds(&outcome), ["heap-overflow"]);

    let outcome = observed("handled_abort").output();
    outcome.aborted();
    assert_eq!(kinds(&outcome), ["heap-overflow"], "{}", outcome.report());
    assert!(findings(&outcome)[0].says("after a signal that ends the program"));
}

/// With nothing checked the program's actions are the kernel's.
#[test]
fn where_nothing_is_checked_nobody_stands_between() {
    if !applies() {
        return;
    }
    for (case, _) in GO_ON {
        let outcome = observed(case)
            .env("HAKMEM_INTEGRITY_CHECKS", "0")
            .env("ELSEWHERE", "1")
            .output();
        outcome.success();
        assert_eq!(outcome.stderr_text(), "", "{case}");
    }
}
