//! `hakmem run` without `--release`: the observed library, and where it records to.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{HAKMEM, MALLOC, Room, maps_show, refusal};

/// `HAKMEM run`, with nothing set that it looks at.
fn observed(hakmem: impl AsRef<Path>) -> Command {
    let mut command = Command::new(hakmem.as_ref());
    command.arg("run");
    for variable in ["LD_PRELOAD", "HAKMEM_TRACE_DIR", "HAKMEM_RUN_LIBRARY"] {
        command.env_remove(variable);
    }
    command
}

/// What the program and hakmem wrote; the program succeeded.
fn texts(command: &mut Command) -> (String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{status}: {said}");
    (String::from_utf8(stdout).unwrap(), said)
}

#[test]
fn it_is_found_under_its_installed_name() {
    let room = Room::new();
    let hakmem = room.copy(HAKMEM, "bin/hakmem");
    // The production library is another one.
    room.shared_library("bin/libhakmem.so", MALLOC);
    let said = refusal(observed(&hakmem).arg("true"), 2);
    assert!(said.contains("there is no libhakmem-observed.so"), "{said}");
    assert!(said.contains("--features observe-all"), "{said}");

    let library = room.shared_library("lib/libhakmem-observed.so", MALLOC);
    let (maps, _) = texts(observed(&hakmem).args(["cat", "/proc/self/maps"]));
    assert!(maps_show(&maps, &library), "{maps}");
}

#[test]
fn a_variable_names_it() {
    let room = Room::new();
    let library = room.library();
    for arguments in [&[][..], &["--release"]] {
        let mut command = observed(HAKMEM);
        command.args(arguments).args(["cat", "/proc/self/maps"]);
        let (maps, _) = texts(command.env("HAKMEM_RUN_LIBRARY", &library));
        assert!(maps_show(&maps, &library), "{maps}");
    }
    let mut command = observed(HAKMEM);
    command
        .arg("true")
        .env("HAKMEM_RUN_LIBRARY", "/nonexistent.so");
    let said = refusal(&mut command, 2);
    assert!(said.contains("/nonexistent.so"), "{said}");
}

#[test]
fn a_clone_builds_it_with_its_features() {
    let room = Room::new();
    let workspace =
        "[workspace]\nmembers = [\"capi\"]\n\n[profile.observed]\ninherits = \"release\"\n";
    room.write("Cargo.toml", workspace, "644");
    room.write(
        "capi/Cargo.toml",
        "[package]\nname = \"hakmem-capi\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [lib]\nname = \"hakmem\"\npath = \"lib.rs\"\ncrate-type = [\"cdylib\"]\n\n\
         [features]\nobserve-all = []\n",
        "644",
    );
    let source = "#[cfg(not(feature = \"observe-all\"))]\ncompile_error!(\"no feature\");\n\
        unsafe extern \"C\" { fn __libc_malloc(size: usize) -> *mut u8; }\n\
        #[unsafe(no_mangle)]\n\
        pub extern \"C\" fn malloc(size: usize) -> *mut u8 { unsafe { __libc_malloc(size) } }\n";
    room.write("capi/lib.rs", source, "644");
    let hakmem = room.copy(HAKMEM, "target/release/hakmem");
    let (maps, said) = texts(observed(&hakmem).args(["cat", "/proc/self/maps"]));
    let library = room.path("target/observed/libhakmem.so");
    assert!(maps_show(&maps, &library), "{maps}");
    assert!(said.contains("has no observed/libhakmem.so yet"), "{said}");
}

#[test]
fn the_program_is_told_where_to_record_and_so_is_the_user() {
    let room = Room::new();
    let library = room.library();
    let run = |arguments: &[&str], set: Option<&str>| {
        let mut command = observed(HAKMEM);
        command
            .current_dir(room.path(""))
            .arg("--lib")
            .arg(&library);
        command.args(arguments);
        command.args(["--", "sh", "-c", "echo $HAKMEM_TRACE_DIR $$"]);
        if let Some(set) = set {
            command.env("HAKMEM_TRACE_DIR", set);
        }
        let (out, said) = texts(&mut command);
        let (directory, id) = out.trim().rsplit_once(' ').unwrap();
        (directory.to_owned(), id.to_owned(), said)
    };
    let here = fs::canonicalize(room.path("")).unwrap();
    let (directory, id, said) = run(&[], None);
    assert_eq!(Path::new(&directory), here.join("hakmem-trace.%p"));
    let filled = here.join(format!("hakmem-trace.{id}"));
    assert!(
        said.contains(&format!("recording to {}\n", filled.display())),
        "{said}"
    );
    // The stand-in for the library records nothing.
    let none = format!("has left no trace in {}\n", filled.display());
    assert!(said.contains(&none), "{said}");

    let (directory, _, said) = run(&["--quiet"], Some("/elsewhere/%p"));
    assert_eq!((directory.as_str(), said.as_str()), ("/elsewhere/%p", ""));

    let (directory, _, said) = run(&["--trace-dir", "mine"], Some("/elsewhere"));
    assert_eq!(Path::new(&directory), here.join("mine"));
    assert!(said.contains("/mine\n"), "{said}");
}

#[test]
fn the_production_library_is_told_nothing() {
    let room = Room::new();
    let mut command = observed(HAKMEM);
    command.args(["--release", "--lib"]).arg(room.library());
    let (out, said) = texts(command.args(["--", "sh", "-c", "echo ${HAKMEM_TRACE_DIR-none}"]));
    assert_eq!((out.as_str(), said.as_str()), ("none\n", ""));
}

/// A name that nobody reads has no effect, and nobody would know.
#[test]
fn variables_that_are_set_in_vain_are_told() {
    let room = Room::new();
    let run = |options: &[&str]| {
        let mut command = observed(HAKMEM);
        command.args(options).arg("--lib").arg(room.library());
        command.env("HAKMEM_LEAK", "1").env("HAKMEM_GUARD", "all");
        texts(command.args(["--", "true"])).1
    };
    let unknown =
        "hakmem: note: HAKMEM_LEAK is not a variable of hakmem; did you mean HAKMEM_LEAKS?\n";
    let ignored =
        "hakmem: note: HAKMEM_GUARD is a debug variable, which the release build does not read\n";
    let said = run(&[]);
    assert_eq!(said.matches(unknown).count(), 1, "{said}");
    assert!(!said.contains("HAKMEM_GUARD"), "{said}");
    let said = run(&["--release"]);
    assert!(said.contains(unknown) && said.contains(ignored), "{said}");
    assert_eq!(run(&["--quiet"]), "");
}

/// A stand-in that knows the variables.
fn knowing(room: &Room) -> std::path::PathBuf {
    let names = "const char *names[] = {\"HAKMEM_WATCH_ADDR\", \"HAKMEM_GUARD\", \"HAKMEM_LEAKS\", \
        \"HAKMEM_ON_ERROR\", \"HAKMEM_INTEGRITY_CHECKS\", \"HAKMEM_STACKS\"};";
    room.shared_library("knowing.so", &format!("{MALLOC}{names}"))
}

#[test]
fn options_set_variables() {
    let room = Room::new();
    let library = knowing(&room);
    let mut command = observed(HAKMEM);
    command.args(["--quiet", "--lib"]).arg(&library).args([
        "--watch=size=8 do=arm",
        "--watch=0x10",
        "--watch=rotate",
        "--guard=1/8,left",
        "--leaks",
        "--on-error=stop",
        "--check=off",
        "--stacks=table",
        "--",
        "env",
    ]);
    command.env("HAKMEM_WATCH", "what was set before");
    let (out, said) = texts(&mut command);
    assert_eq!(said, "");
    for line in [
        "HAKMEM_WATCH=size=8 do=arm;rotate",
        "HAKMEM_WATCH_ADDR=0x10",
        "HAKMEM_GUARD=1/8,left",
        "HAKMEM_LEAKS=1",
        "HAKMEM_ON_ERROR=stop",
        "HAKMEM_INTEGRITY_CHECKS=0",
        "HAKMEM_STACKS=table",
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    assert!(!out.contains("HAKMEM_RUN_WAITED_FOR"), "{out}");
}

#[test]
fn what_cannot_be_done_is_told_before_the_program_starts() {
    let room = Room::new();
    let library = knowing(&room);
    for (options, expected) in [
        (
            &["--watch", "size=8 od=arm"][..],
            "`od=arm` is not understood",
        ),
        (&["--watch", ""], "it is empty"),
        (&["--guard", "some"], "all, none, 1/N"),
        (&["--release", "--leaks"], "leave --release out"),
        (&["--release", "--watch", "rotate"], "leave --release out"),
    ] {
        for quiet in [&["--quiet"][..], &[]] {
            let mut command = observed(HAKMEM);
            command.args(options).args(quiet);
            command
                .arg("--lib")
                .arg(&library)
                .args(["--", "echo", "ran"]);
            let said = refusal(&mut command, 2);
            assert!(said.contains(expected), "{said}");
        }
    }
    let mut command = observed(HAKMEM);
    command.args(["--leaks", "--lib"]).arg(room.library());
    let said = refusal(command.args(["--", "echo", "ran"]), 2);
    assert!(said.contains("it does not know HAKMEM_LEAKS"), "{said}");
    let mut command = observed(HAKMEM);
    command.args(["--check", "half", "--", "echo", "ran"]);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn what_is_done_is_said_if_asked_for() {
    let room = Room::new();
    let library = knowing(&room);
    let mut command = Command::new(HAKMEM);
    command
        .args(["-v", "run", "--quiet", "--leaks", "--lib"])
        .arg(&library);
    let (out, said) = texts(command.args(["--", "true"]).env_remove("LD_PRELOAD"));
    assert_eq!(out, "");
    assert!(
        said.contains("INFO") && said.contains("sets HAKMEM_LEAKS=1"),
        "{said}"
    );
    assert!(
        said.contains(library.to_str().unwrap()) && !said.contains('\x1b'),
        "{said}"
    );
}

#[test]
fn fixed_addresses_come_again() {
    let room = Room::new();
    let source = "#include <stdio.h>\n#include <stdlib.h>\n\
        int main(void) { int here; printf(\"%p %p %s\\n\", (void *)&here, (void *)main, \
        getenv(\"HAKMEM_FIXED_ADDRESSES\")); }";
    let program = room.compile("where", source, &["-pie", "-fPIE"]);
    let once = || {
        let mut command = observed(HAKMEM);
        command.args(["--quiet", "--fixed-addresses", "--lib"]);
        command.arg(room.library()).arg(&program);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if said.contains("personality(2) was refused") {
            eprintln!("SKIPPED: this system does not let randomisation be switched off");
            return String::from("1");
        }
        String::from_utf8(output.stdout).unwrap()
    };
    let first = once();
    assert!(first.trim_end().ends_with('1'), "{first}");
    assert_eq!(first, once());
}
