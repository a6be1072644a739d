//! A Rust program that watches itself, built apart from the workspace, for features unite.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hakmem_tests::tool;
use hakmem_tests::watched::{has_watchpoints, line_of};

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/rust/Cargo.toml");
        let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/rust");
        let build = ["build", "--release", "--quiet", "--manifest-path", manifest];
        tool::output(
            &tool::cargo(),
            [&build[..], &["--target-dir", target]].concat(),
        );
        Path::new(target).join("release/hakmem-watched")
    })
}

/// What it writes to its standard error.
fn said() -> String {
    let output = Command::new(program()).output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(output.stdout, b"end\n");
    said
}

/// The site is a function that allocates by way of the standard library.
#[test]
fn a_late_write_is_named_by_function_and_line() {
    if !has_watchpoints() {
        return;
    }
    let said = said();
    let hits: Vec<&str> = said.lines().filter(|l| l.contains("WATCH hit: ")).collect();
    assert_eq!(hits.len(), 1, "{said}");
    assert!(
        hits[0].contains("write_late") && hits[0].ends_with("-> 0x2a"),
        "{}",
        hits[0]
    );
    let (_, rest) = hits[0].split_once("hakmem-watched+0x").expect("a place");
    let offset = rest
        .split(' ')
        .next()
        .and_then(|n| u64::from_str_radix(n, 16).ok());
    let place = line_of(program(), offset.expect("an offset"));
    let number: usize = place
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .parse()
        .expect("a line");
    let source = include_str!("../rust/src/main.rs");
    let line = source.lines().nth(number - 1).unwrap_or_default();
    // The line is the call's, or one of the core library that was inlined there.
    let inlined = place.contains("/core/src/ptr/");
    assert!(inlined || line.contains("// THE WRITE"), "{place}: {line}");
    assert!(said.contains("GlobalAlloc::dealloc:"), "{said}");
}

#[test]
fn the_list_of_a_function_is_followed_through_its_growth() {
    let said = said();
    let of_list: Vec<&str> = said.lines().filter(|l| l.contains("watch 4: ")).collect();
    let count = |what: &str| of_list.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        (count(": free "), count(" GlobalAlloc::alloc ")),
        (1, 1),
        "{said}"
    );
    assert!(count(" GlobalAlloc::realloc ") >= 4, "{said}");
}
