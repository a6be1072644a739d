//! One Rust test for each case of a C program.

use crate::Run;

/// Makes a `#[test]` of each case that the program has, and one more test that
/// no case was forgotten here.
#[macro_export]
macro_rules! cases {
    ($program:literal: $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::Run::program($program).arg(stringify!($case)).output().success();
            }
        )+

        #[test]
        fn every_case_is_run() {
            $crate::cases::compare($program, &[$(stringify!($case)),+]);
        }
    };
}

/// Checks that the program's list of cases is `cases`, in any order.
pub fn compare(program: &str, cases: &[&str]) {
    let output = Run::program(program).arg("--list").output();
    let listed = output.success().stdout_text();
    let mut listed: Vec<&str> = listed.lines().collect();
    let mut cases = cases.to_vec();
    listed.sort_unstable();
    cases.sort_unstable();
    assert_eq!(cases, listed, "the cases of {program}");
}
