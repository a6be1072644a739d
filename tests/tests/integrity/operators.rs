//! Operators of C++: those of a library's own, and the wrong one.

use hakmem_tests::reported::kinds;
use hakmem_tests::{Run, compile};

use super::applies;

/// Its `new` asks malloc, and what it has made goes to the program's `delete`.
#[test]
fn a_library_with_operators_of_its_own() {
    if !applies() {
        return;
    }
    let plugin = compile::self_contained_library("operators_plugin.cpp");
    for (case, level, kind) in [
        ("theirs_are_dropped", "full", ""),
        ("theirs_are_dropped", "light", ""),
        ("they_drop_ours", "full", ""),
        ("they_drop_ours", "light", ""),
        ("malloc_by_delete", "full", "mismatched-free"),
        ("new_by_free", "full", "mismatched-free"),
        ("new_by_free", "light", "mismatched-free"),
    ] {
        let outcome = Run::new(compile::optimized_program("operators.cpp"))
            .arg(case)
            .allocator(hakmem_tests::Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", level)
            .env("PLUGIN", &plugin)
            .output();
        let expected: Vec<&str> = [kind].into_iter().filter(|kind| !kind.is_empty()).collect();
        assert_eq!(kinds(&outcome), expected, "{case}\n{}", outcome.report());
        assert_eq!(
            outcome.status.success(),
            kind.is_empty(),
            "{case}\n{}",
            outcome.report()
        );
    }
}

/// A program that is not written for this.
#[test]
fn a_cpp_program_with_the_wrong_delete() {
    if !applies() {
        return;
    }
    for (case, kind) in [
        ("array_by_delete", "mismatched-free"),
        ("new_by_free", "mismatched-free"),
        ("malloc_by_delete", "mismatched-free"),
        ("wrong_size", "size-mismatch"),
        ("wrong_alignment", "align-mismatch"),
        ("classes_by_delete", "mismatched-free"),
        ("classes_by_free", "mismatched-free"),
        ("inside_of_an_array", "invalid-free"),
        ("class_by_array_delete", "mismatched-free"),
        ("right", ""),
    ] {
        for program in [compile::optimized_program, compile::program] {
            let outcome = Run::new(program("integrity_cpp.cpp"))
                .arg(case)
                .allocator(hakmem_tests::Allocator::Observed)
                .env("HAKMEM_INTEGRITY_CHECKS", "1")
                .output();
            let expected: Vec<&str> = [kind].into_iter().filter(|kind| !kind.is_empty()).collect();
            assert_eq!(kinds(&outcome), expected, "{case}\n{}", outcome.report());
        }
    }
}
