//! What is wrong is found, and told so that the reader needs nothing else.

mod after_free;
mod damage;
mod frees;
mod operators;
mod policy;
mod reports;
mod second_run;

use hakmem_tests::not_reference;
use hakmem_tests::reported::checked;

/// The status of `integrity.c` where nothing stops it.
const STATUS: i32 = 7;

fn applies() -> bool {
    not_reference("glibc's allocator does not check")
}

#[test]
fn a_sound_program_is_left_alone() {
    if !applies() {
        return;
    }
    for case in ["nothing", "exact_end"] {
        let outcome = checked(case).output();
        assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
        assert_eq!(outcome.stderr_text(), "", "{}", outcome.report());
        assert!(outcome.stdout_text().ends_with("end\n"));
    }
}
