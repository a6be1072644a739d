//! Every number of the statistics moves when its mechanism is at work, stays when it is
//! not, and agrees with what can be seen from outside.
//!
//! The programs allocate nothing but what their steps say, so most counts are exact. They
//! rest on the heap's geometry: a SuperSlab of 2 MiB has 32 slots; a slab of 32 KiB blocks
//! takes 16 of them and has 32 blocks, one of 2 KiB blocks takes one and has 32 blocks,
//! one of 8 KiB blocks takes 4 and has 32 blocks.

mod acquire;
mod blocks;
mod caches;
mod fronts;
mod large;
mod learning;
mod memory;
mod remote;
mod superslabs;

use hakmem_tests::statistics::{Exercise, applies, exercise};

const MIB: u64 = 1 << 20;
const SUPERSLAB: u64 = 2 * MIB;
/// A step: as many small blocks as take 64 MiB.
const TAKE_64_MIB: &str = "take all 1024 65536";

/// Runs the steps with the default settings.
#[track_caller]
fn plainly(steps: &[&str]) -> Exercise {
    exercise(&[], steps)
}

/// The sources of the tests.
const SOURCES: [&str; 9] = [
    include_str!("acquire.rs"),
    include_str!("blocks.rs"),
    include_str!("caches.rs"),
    include_str!("fronts.rs"),
    include_str!("large.rs"),
    include_str!("learning.rs"),
    include_str!("memory.rs"),
    include_str!("remote.rs"),
    include_str!("superslabs.rs"),
];

/// A number without a test of its name is one that nobody has seen move.
#[test]
fn every_number_has_a_test() {
    if !applies() {
        return;
    }
    let names = plainly(&["report now"]).at("now").names();
    let is_tested = |name: &str| {
        let test = format!("#[test]\nfn {name}() {{");
        SOURCES.iter().any(|source| source.contains(&test))
    };
    let missing: Vec<_> = names
        .iter()
        .flatten()
        .filter(|name| !is_tested(name))
        .collect();
    assert!(missing.is_empty(), "not tested: {missing:?}");
    assert!(names.iter().all(|names| !names.is_empty()));
}
