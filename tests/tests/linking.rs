//! hakmem otherwise than by a preload: opened by a running program, linked
//! dynamically, linked statically.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{
    Allocator, Outcome, Run, Scratch, cases, compile, library, reference, skip, tool,
};

const GUEST: [&str; 7] = [
    "two_allocators_side_by_side",
    "foreign_pointers_are_handed_on",
    "threads_use_the_guest",
    "dlclose_beside_threads",
    "opened_and_closed_many_times",
    "opened_by_a_thread",
    "a_wild_pointer_is_glibcs_matter",
];

/// Runs a case of the program that opens the library, except in reference mode.
fn guest(case: &str) -> Option<Outcome> {
    if reference() {
        skip("without a library there is no guest");
        return None;
    }
    let run = Run::program("guest.c").arg(case).allocator(Allocator::Own);
    Some(run.env("GUEST_LIBRARY", library::shared()).output())
}

#[track_caller]
fn guest_succeeds(case: &str) {
    if let Some(outcome) = guest(case) {
        outcome.success();
    }
}

#[test]
fn every_case_is_run() {
    cases::compare("guest.c", &GUEST);
}

#[test]
fn two_allocators_side_by_side() {
    guest_succeeds(GUEST[0]);
}

#[test]
fn foreign_pointers_are_handed_on() {
    guest_succeeds(GUEST[1]);
}

#[test]
fn threads_use_the_guest() {
    guest_succeeds(GUEST[2]);
}

#[test]
fn dlclose_beside_threads() {
    guest_succeeds(GUEST[3]);
}

#[test]
fn opened_and_closed_many_times() {
    guest_succeeds(GUEST[4]);
}

#[test]
fn opened_by_a_thread() {
    guest_succeeds(GUEST[5]);
}

#[test]
fn a_wild_pointer_is_glibcs_matter() {
    if let Some(outcome) = guest(GUEST[6]) {
        outcome.aborted();
    }
}

/// Runs a case of the program that opens a library whose symbols are to be its own.
#[track_caller]
fn opens_deeply(case: &str) {
    let program = compile::program_with_runpath("deepbind.c");
    let library = compile::shared_library("deepbound.c");
    for allocator in [Allocator::Tested, Allocator::Observed] {
        let run = Run::new(&program).arg(case).allocator(allocator);
        run.env("DEEPBOUND", &library).output().success();
    }
}

#[test]
fn blocks_of_a_deeply_bound_library() {
    opens_deeply("blocks_are_exchanged");
}

#[test]
fn a_library_is_found_as_its_caller_looks() {
    opens_deeply("found_as_the_caller_looks");
}

#[test]
fn a_library_that_is_missing_is_told() {
    opens_deeply("what_is_missing_is_told");
}

fn archive() -> Option<&'static Path> {
    (!reference()).then(library::archive)
}

/// What nm says that the program defines.
fn symbols(program: &Path) -> String {
    let output = Command::new("nm")
        .arg("--defined-only")
        .arg(program)
        .output();
    let output = output.expect("nm, which comes with gcc");
    assert!(output.status.success(), "nm {}", program.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn defines(symbols: &str, name: &str) -> bool {
    symbols
        .lines()
        .any(|line| line.split_whitespace().last() == Some(name))
}

/// Nothing of libc's allocator came in beside ours.
#[track_caller]
fn has_one_allocator(program: &Path) {
    let symbols = symbols(program);
    assert!(
        defines(&symbols, "malloc"),
        "{} defines no malloc",
        program.display()
    );
    assert_eq!(
        defines(&symbols, "hakmem_version"),
        !reference(),
        "hakmem_version"
    );
    assert_eq!(
        defines(&symbols, "_int_malloc"),
        reference(),
        "libc's _int_malloc"
    );
}

#[track_caller]
fn says_version(outcome: &Outcome) {
    let said = outcome.success().stdout_text();
    let version = said
        .strip_prefix("hakmem ")
        .unwrap_or_else(|| panic!("{}", outcome.report()));
    assert_eq!(
        version.trim() == "none",
        reference(),
        "{}",
        outcome.report()
    );
}

#[test]
fn static_c_program() {
    let program = compile::static_program("linked.c", archive());
    has_one_allocator(&program);
    says_version(&Run::new(program).allocator(Allocator::Linked).output());
}

/// The forms that the static C++ library would bring along come from ours.
#[test]
fn static_cpp_program() {
    let program = compile::static_program("cpp_operators.cpp", archive());
    has_one_allocator(&program);
    for case in [
        "plain_forms",
        "aligned_forms",
        "failure_throws_bad_alloc",
        "containers_work",
    ] {
        let run = Run::new(&program).arg(case).allocator(Allocator::Linked);
        run.output().success();
    }
}

/// The archive in a program that loads libc: the program's malloc is libc's, too.
#[test]
fn archive_in_a_dynamic_program() {
    let program = compile::program_with("linked.c", archive());
    says_version(&Run::new(program).allocator(Allocator::Linked).output());
}

/// The library named at link time, as `-lhakmem` does.
#[test]
fn linked_dynamically() {
    if reference() {
        return skip("without a library nothing can be linked");
    }
    let program = compile::program_with("linked.c", Some(library::shared()));
    // An installed library has its SONAME for a name; the one that was built has not.
    let installed = Scratch::new();
    symlink(library::shared(), installed.file("libhakmem.so.0")).expect("a link");
    let run = Run::new(program)
        .env("LD_LIBRARY_PATH", installed.path())
        .allocator(Allocator::Linked);
    says_version(&run.output());
}

/// As cargo builds a program that says nothing else: of this workspace's settings none reaches
/// the crates that use it.
#[test]
fn a_rust_program_with_cargo_s_own_settings() {
    let elsewhere = concat!(env!("CARGO_TARGET_TMPDIR"), "/as_users");
    let build = ["build", "--release", "--quiet", "-p", "hakmem-examples"];
    let program = ["--bin", "hash_map", "--target-dir", elsewhere];
    let settings = [
        "profile.release.codegen-units=16",
        "profile.release.lto=false",
        "profile.release.panic=\"unwind\"",
    ];
    let settings = settings.iter().flat_map(|setting| ["--config", setting]);
    let arguments = build.into_iter().chain(program).chain(settings);
    tool::output(&tool::cargo(), arguments);
}
