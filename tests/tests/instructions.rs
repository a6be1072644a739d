//! How many instructions the fast paths take.

use std::path::PathBuf;

use hakmem_tests::callgrind::Profile;
use hakmem_tests::{compile, find, library, tool};

/// Sizes of the calls in `programs/hits.cpp`: the edges of classes, to 2 KiB.
const SIZES: [usize; 12] = [1, 16, 17, 64, 128, 129, 500, 1000, 1024, 1025, 2047, 2048];
/// At most, for a hit of malloc.
const MALLOC: u64 = 15;
/// At most, for a free of a block of the thread's own.
const FREE: u64 = 20;
/// At most, for a box of 64 bytes made, filled and dropped: both of the above, and its own.
const BOX: u64 = 50;

#[test]
fn hits_of_malloc_and_free_stay_in_their_bounds() {
    if find("valgrind").is_none() {
        return;
    }
    let program = compile::program("hits.cpp");
    let profile = Profile::of(&program, Some(library::shared()));
    let each = |function: &str| profile.from(function).each();
    for size in SIZES {
        let malloc = each(&format!("take_malloc_{size}"));
        let free = each(&format!("give_malloc_{size}"));
        println!("malloc({size}): {malloc} instructions, its free: {free}");
        assert!(malloc <= MALLOC, "malloc({size}) takes {malloc}");
        assert!(free <= FREE, "free of {size} bytes takes {free}");
    }
    // Valgrind reads symbols only of libraries that are laid out as it expects.
    assert!(profile.to("malloc").calls > 0, "callgrind knows no malloc");
    for (function, call) in [
        ("take_new_64", "operator new(64)"),
        ("give_new_64", "operator delete"),
        ("give_sized_64", "operator delete with a size"),
        ("take_calloc_16", "calloc(1, 16)"),
        ("take_calloc_64", "calloc(1, 64)"),
        ("take_realloc_64", "realloc(NULL, 64)"),
    ] {
        println!("{call}: {} instructions", each(function));
    }
    for function in ["give_new_64", "give_sized_64"] {
        assert!(
            each(function) <= FREE,
            "{function} takes {}",
            each(function)
        );
    }
}

#[test]
fn a_box_costs_what_its_calls_cost() {
    if find("valgrind").is_none() {
        return;
    }
    let profile = Profile::of(&boxes(), None);
    for function in ["box_16", "box_64", "vec_of_1024", "zeroed_64"] {
        let each = profile.to(function).each();
        println!("{function}: {each} instructions, allocated and freed");
        let is_box = function.starts_with("box");
        assert!(!is_box || each <= BOX, "{function} takes {each}");
    }
}

/// The program of `examples/boxes.rs`, as a release build.
fn boxes() -> PathBuf {
    tool::example("boxes", &["--release"])
}
