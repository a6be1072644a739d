//! What the tests that run hakmem from outside share.
//!
//! A test starts a program with `libhakmem.so` preloaded ([`Run`]) and judges
//! what came out of it ([`Outcome`]). The library is built once for all tests
//! of a binary ([`library`]), for `cargo test` builds no cdylib. The programs
//! are real ones of the distribution, or C and C++ files of `programs/`,
//! compiled when first asked for ([`compile`]). That the library was really
//! loaded is testified by the processes themselves ([`witness`]): the loader
//! only warns about a preload that it cannot find.
//!
//! Environment:
//! - `HAKMEM_TESTS_REFERENCE=1`: no preload. The same expectations are run
//!   against glibc's allocator, and what only hakmem promises is skipped. This
//!   shows that the expectations are glibc's semantics and not ours alone.
//! - `HAKMEM_TESTS_LIBRARY=/path/libhakmem.so`: test this file, and the
//!   `libhakmem.a` beside it, instead of building one.
//! - `HAKMEM_TESTS_OBSERVED=/path/libhakmem.so`: the same for the library with observers.

use std::io::Write;

pub mod callgrind;
pub mod cases;
mod cgroup;
pub mod compile;
pub mod corpus;
pub mod library;
mod outcome;
pub mod recording;
pub mod reported;
mod run;
mod scratch;
pub mod statistics;
pub mod tool;
pub mod watched;
pub mod witness;

pub use cgroup::Cgroup;
pub use compile::program;
pub use outcome::Outcome;
pub use recording::Recording;
pub use run::{Allocator, Run, Running};
pub use scratch::Scratch;

/// Whether glibc's allocator stands in for hakmem (`HAKMEM_TESTS_REFERENCE=1`).
pub fn reference() -> bool {
    std::env::var_os("HAKMEM_TESTS_REFERENCE").is_some_and(|mode| mode == "1")
}

/// Whether hakmem is what is tested; where glibc's allocator stands in for it, says that the test is
/// skipped, and why.
pub fn not_reference(why: &str) -> bool {
    if reference() {
        skip(why);
    }
    !reference()
}

/// Says loudly that a test did not run, and why.
pub fn skip(why: &str) {
    // Not `eprintln!`, which the test harness keeps to itself when the test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Where `name` is on the `PATH`; without it, says that the test is skipped.
pub fn find(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}
