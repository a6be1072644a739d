//! How `hakmem run` comes to its library.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{HAKMEM, MALLOC, Room, maps_show, quiet_output, refusal, run, run_with};

/// A package that stands in for the one that the library is built from.
const CAPI_MANIFEST: &str = r#"
[package]
name = "hakmem-capi"
version = "0.0.0"
edition = "2024"

[lib]
name = "hakmem"
path = "lib.rs"
crate-type = ["cdylib"]
"#;

const CAPI_SOURCE: &str = r#"
unsafe extern "C" { fn __libc_malloc(size: usize) -> *mut u8; }
#[unsafe(no_mangle)]
pub extern "C" fn malloc(size: usize) -> *mut u8 { unsafe { __libc_malloc(size) } }
"#;

#[test]
fn it_is_found_beside_the_command_and_in_its_prefix() {
    for place in [
        "bin/libhakmem.so",
        "lib/libhakmem.so",
        "lib/x86_64-linux-gnu/libhakmem.so",
    ] {
        let room = Room::new();
        let hakmem = room.copy(HAKMEM, "bin/hakmem");
        let library = room.shared_library(place, MALLOC);
        let maps = quiet_output(run(&hakmem).args(["cat", "/proc/self/maps"]));
        assert!(maps_show(&maps, &library), "{maps}");

        // Through a link to the command, too.
        let link = room.path("link");
        symlink(&hakmem, &link).unwrap();
        let maps = quiet_output(run(&link).args(["cat", "/proc/self/maps"]));
        assert!(maps_show(&maps, &library), "{maps}");
    }
}

#[test]
fn it_is_missing() {
    let room = Room::new();
    let hakmem = room.copy(HAKMEM, "bin/hakmem");
    let said = refusal(run(&hakmem).arg("true"), 2);
    for place in ["bin/libhakmem.so", "lib/libhakmem.so"] {
        assert!(said.contains(room.path(place).to_str().unwrap()), "{said}");
    }
    assert!(
        said.contains("cargo build --release -p hakmem-capi"),
        "{said}"
    );

    let said = refusal(run_with(&room.path("none.so")).arg("true"), 2);
    assert!(said.contains("No such file"), "{said}");
}

#[test]
fn it_is_something_else() {
    let room = Room::new();
    let text = room.write("libhakmem.so", "not a library\n", "644");
    let said = refusal(run_with(&text).arg("true"), 2);
    assert!(said.contains("not an ELF shared library"), "{said}");
    assert!(said.contains(text.to_str().unwrap()), "{said}");

    let other = room.shared_library("other.so", "int other;");
    let said = refusal(run_with(&other).arg("true"), 2);
    assert!(said.contains("does not define `malloc`"), "{said}");

    let said = refusal(run_with("/bin/true".as_ref()).arg("true"), 2);
    assert!(said.contains("no shared library"), "{said}");

    // One that is found is not passed over for the next place either.
    let hakmem = room.copy(HAKMEM, "bin/hakmem");
    let found = room.write("bin/libhakmem.so", "not a library\n", "644");
    room.shared_library("lib/libhakmem.so", MALLOC);
    let said = refusal(run(&hakmem).arg("true"), 2);
    assert!(said.contains(found.to_str().unwrap()), "{said}");
}

#[test]
fn its_path_cannot_be_preloaded_but_a_link_to_it_can() {
    let room = Room::new();
    for name in ["a b/libhakmem.so", "a:b/libhakmem.so", "a$LIB/libhakmem.so"] {
        let library = room.shared_library(name, MALLOC);
        let said = refusal(run_with(&library).arg("true"), 2);
        assert!(said.contains("cannot read in LD_PRELOAD"), "{said}");
        assert!(said.contains("ln -s"), "{said}");

        let link = room.path("link.so");
        symlink(&library, &link).unwrap();
        let maps = quiet_output(run_with(&link).args(["cat", "/proc/self/maps"]));
        assert!(maps_show(&maps, &library), "{maps}");
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_clone_builds_it_once() {
    let room = Room::new();
    room.write("Cargo.toml", "[workspace]\nmembers = [\"capi\"]\n", "644");
    room.write("capi/Cargo.toml", CAPI_MANIFEST, "644");
    room.write("capi/lib.rs", "this is no Rust\n", "644");
    let hakmem = room.copy(HAKMEM, "target/debug/hakmem");
    let mut command = run(&hakmem);
    command.args(["cat", "/proc/self/maps"]);

    let said = refusal(&mut command, 2);
    assert!(
        said.contains("`cargo build --release -p hakmem-capi` failed"),
        "{said}"
    );

    room.write("capi/lib.rs", CAPI_SOURCE, "644");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let maps = String::from_utf8(output.stdout).unwrap();
    let library = room.path("target/release/libhakmem.so");
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("has no release/libhakmem.so yet; building it in"),
        "{said}"
    );
    assert!(maps_show(&maps, &library), "{maps}");

    let maps = quiet_output(&mut command);
    assert!(maps_show(&maps, &library), "{maps}");
}

#[test]
fn a_clone_without_cargo_says_what_is_missing() {
    let room = Room::new();
    room.write("Cargo.toml", "[workspace]\nmembers = [\"capi\"]\n", "644");
    room.write("capi/Cargo.toml", CAPI_MANIFEST, "644");
    let hakmem = room.copy(HAKMEM, "target/release/hakmem");
    let said = refusal(run(&hakmem).arg("/bin/true").env("PATH", "/nonexistent"), 2);
    assert!(said.contains("cargo could not be started"), "{said}");
}

#[test]
fn a_program_that_cannot_run_is_told_before_anything_is_built() {
    let room = Room::new();
    room.write("Cargo.toml", "[workspace]\nmembers = [\"capi\"]\n", "644");
    room.write("capi/Cargo.toml", CAPI_MANIFEST, "644");
    let hakmem = room.copy(HAKMEM, "target/release/hakmem");
    let said = refusal(run(&hakmem).arg("no-such-program-here"), 127);
    assert!(!said.contains("building"), "{said}");
}
