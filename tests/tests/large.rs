//! Large blocks that come and go: the pages of freed ones serve later ones elsewhere.

use hakmem_tests::{Run, cases, find};

const CASES: [&str; 5] = [
    "blocks_keep_what_they_hold",
    "mappings_stay_few",
    "runs_grow_where_they_are",
    "sizes_that_fit_nowhere",
    "what_is_freed_goes_back",
];

#[test]
fn every_case_is_run() {
    cases::compare("large.c", &CASES);
}

#[test]
fn blocks_keep_what_they_hold() {
    Run::program("large.c").arg(CASES[0]).output().success();
}

#[test]
fn mappings_stay_few() {
    Run::program("large.c").arg(CASES[1]).output().success();
}

#[test]
fn runs_grow_where_they_are() {
    Run::program("large.c").arg(CASES[2]).output().success();
}

#[test]
fn sizes_that_fit_nowhere() {
    Run::program("large.c").arg(CASES[3]).output().success();
}

/// Valgrind refuses to move pages and leave their place mapped, as Linux does before 5.7.
#[test]
fn sizes_that_fit_nowhere_where_pages_do_not_move() {
    if find("valgrind").is_none() {
        return;
    }
    let command = "exec valgrind --quiet --tool=none \"$0\" \"$@\"";
    Run::new("sh")
        .args(["-c", command])
        .arg(hakmem_tests::program("large.c"))
        .arg(CASES[3])
        .children_unproven()
        .output()
        .success();
}

#[test]
fn what_is_freed_goes_back() {
    Run::program("large.c").arg(CASES[4]).output().success();
}
