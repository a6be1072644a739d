//! Allocation before main and after it, and a file descriptor 2 that is not
//! standard error any more.

use std::fs;

use hakmem_tests::{Run, Scratch, cases, reference, skip};

const CASES: [&str; 9] = [
    "allocation_before_main",
    "quick_exit_runs_its_handlers",
    "libraries_come_and_go",
    "without_an_environment",
    "allocation_after_main",
    "misuse_with_a_users_file_as_stderr",
    "misuse_without_stderr",
    "exit_with_a_users_file_as_stderr",
    "prints_into_a_broken_pipe",
];

fn process(case: &str) -> Run {
    Run::program("process_ends.c").arg(case)
}

#[test]
fn every_case_is_run() {
    cases::compare("process_ends.c", &CASES);
}

#[test]
fn allocation_before_main() {
    process(CASES[0]).output().success();
}

#[test]
fn quick_exit_runs_its_handlers() {
    let output = process(CASES[1]).output();
    let expected = "ok quick_exit_runs_its_handlers\nat_quick_exit\n";
    assert_eq!(output.success().stdout_text(), expected);
}

#[test]
fn libraries_come_and_go() {
    process(CASES[2]).output().success();
}

#[test]
fn without_an_environment() {
    process(CASES[3]).output().success();
}

/// All places were reached, the last registered first.
#[test]
fn allocation_after_main() {
    let output = process(CASES[4]).output();
    let expected = "ok allocation_after_main\nthread at exit\non_exit\natexit\ndestructor\n";
    assert_eq!(output.success().stdout_text(), expected);
}

/// The message about a wrong pointer goes to standard error or nowhere.
#[test]
fn misuse_does_not_write_into_a_users_file() {
    if reference() {
        return skip("the reference writes into it");
    }
    let scratch = Scratch::new();
    let file = scratch.file("users");
    let run = process(CASES[5]).env("USERS_FILE", &file);
    run.output().aborted();
    assert_eq!(fs::read_to_string(&file).expect("the user's file"), "");
}

#[test]
fn misuse_without_stderr() {
    if reference() {
        return skip("the reference promises nothing about wrong pointers");
    }
    let output = process(CASES[6]).output();
    assert_eq!(output.aborted().stderr_text(), "");
}

#[test]
fn a_broken_pipe_for_standard_error_ends_no_program() {
    if reference() {
        return skip("glibc's statistics end the program");
    }
    for variables in [&[][..], &[("HAKMEM_STATS", "1")]] {
        let run = process(CASES[8]);
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        run.output().success();
    }
}

/// Neither do the statistics that the environment asks for at exit.
#[test]
fn statistics_do_not_go_into_a_users_file() {
    let scratch = Scratch::new();
    let file = scratch.file("users");
    let run = process(CASES[7])
        .env("USERS_FILE", &file)
        .env("HAKMEM_STATS", "1");
    run.output().success();
    assert_eq!(fs::read_to_string(&file).expect("the user's file"), "");
}
