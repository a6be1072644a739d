//! Signal handlers that allocate.
//!
//! What only hakmem promises: skipped in reference mode, where it deadlocks.

use hakmem_tests::{Run, cases, reference, skip};

const CASES: [&str; 7] = [
    "a_timer_beside_malloc",
    "a_timer_whose_handler_gives_all_back",
    "a_timer_on_an_alternate_stack",
    "signals_inside_of_signals",
    "every_thread_is_interrupted",
    "threads_start_and_end_beside_a_timer",
    "forks_beside_a_timer",
];

#[track_caller]
fn run(case: &str) {
    if reference() {
        return skip("the reference may not be called by signal handlers");
    }
    Run::program("signals.c").arg(case).output().success();
}

#[test]
fn every_case_is_run() {
    cases::compare("signals.c", &CASES);
}

#[test]
fn a_timer_beside_malloc() {
    run(CASES[0]);
}

#[test]
fn a_timer_whose_handler_gives_all_back() {
    run(CASES[1]);
}

#[test]
fn a_timer_on_an_alternate_stack() {
    run(CASES[2]);
}

#[test]
fn signals_inside_of_signals() {
    run(CASES[3]);
}

#[test]
fn every_thread_is_interrupted() {
    run(CASES[4]);
}

#[test]
fn threads_start_and_end_beside_a_timer() {
    run(CASES[5]);
}

#[test]
fn forks_beside_a_timer() {
    run(CASES[6]);
}
