//! Guarded blocks: what the processor stops, what is said of it, and that sound programs notice
//! nothing.

mod chosen;
mod sound;
mod stopped;

use hakmem_tests::reported::kinds;
use hakmem_tests::watched::{lines, stack_behind};
use hakmem_tests::{Allocator, Outcome, Run, compile, not_reference};
use std::os::unix::process::ExitStatusExt;

const SIGSEGV: i32 = 11;

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator has no guarded blocks")
}

/// `programs/guard.c` with a case, its arguments, and what is to be guarded.
fn program(guard: &str, case: &str) -> Run {
    Run::new(compile::program("guard.c"))
        .args(case.split(' '))
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
        .env("HAKMEM_GUARD", guard)
}

#[track_caller]
fn run(guard: &str, case: &str) -> Outcome {
    program(guard, case).output()
}

/// The number that the program says behind a word.
#[track_caller]
fn number(outcome: &Outcome, name: &str) -> usize {
    let text = outcome.stdout_text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.unwrap_or_else(|| panic!("no {name}\n{}", outcome.report()))
}

/// It ended with SIGSEGV, and the first line of its report is of that kind and says `what`.
#[track_caller]
fn is_stopped(outcome: &Outcome, kind: &str, what: &str) {
    let lines = lines(outcome);
    let first = lines.first().cloned().unwrap_or_default();
    assert_eq!(
        outcome.status.signal(),
        Some(SIGSEGV),
        "{}",
        outcome.report()
    );
    assert!(
        first.starts_with(&format!("ERROR {kind}: {what}")),
        "expected {kind}: {what}\n{}",
        outcome.report()
    );
    let errors = lines.iter().filter(|line| line.starts_with("ERROR"));
    assert_eq!(errors.count(), 1, "{}", outcome.report());
}

/// It was ended for this alone, which a check has found and not a page.
#[track_caller]
fn is_found(outcome: &Outcome, kind: &str) {
    outcome.aborted();
    assert_eq!(kinds(outcome), [kind], "{}", outcome.report());
}

/// The functions in the stack behind the line that begins with `heading`.
fn stack(outcome: &Outcome, heading: &str) -> Vec<String> {
    stack_behind(&lines(outcome), heading)
}

/// No finding, and it ended well.
#[track_caller]
fn is_sound(outcome: &Outcome) {
    outcome.success();
    let lines = lines(outcome);
    assert!(
        !lines.iter().any(|line| line.starts_with("ERROR")),
        "{}",
        outcome.report()
    );
}
