//! Large blocks that come and go: the pages of freed ones serve later ones elsewhere.

use hakmem_tests::{Run, cases};

const CASES: [&str; 2] = ["blocks_keep_what_they_hold", "mappings_stay_few"];

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
