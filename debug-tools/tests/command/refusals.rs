//! `hakmem run` on programs that cannot run on hakmem: it says so before they start.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{HAKMEM, Room, refusal, run_with};

/// A program that would give itself away if it ran.
const LOUD: &str = "#include <stdio.h>\nint main(void) { puts(\"it ran\"); return 0; }";

#[test]
fn static_programs() {
    let room = Room::new();
    let library = room.library();
    for flag in ["-static", "-static-pie"] {
        let program = room.compile(&flag[1..], LOUD, &[flag]);
        let alone = Command::new(&program).output().unwrap();
        assert_eq!(alone.stdout, b"it ran\n");
        let said = refusal(run_with(&library).arg(&program), 2);
        assert!(said.contains("statically linked"), "{said}");
        assert!(said.contains(program.to_str().unwrap()), "{said}");
    }
}

#[test]
fn scripts_whose_interpreter_is_static() {
    let room = Room::new();
    let library = room.library();
    let interpreter = room.compile("interpreter", LOUD, &["-static"]);
    let direct = format!("#!{}\n", interpreter.display());
    for (name, line) in [
        ("direct", direct.as_str()),
        ("env", "#!/usr/bin/env interpreter\n"),
    ] {
        let script = room.script(name, line);
        let path = format!("{}:/usr/bin:/bin", room.path("").display());
        let mut command = run_with(&library);
        let said = refusal(command.arg(&script).env("PATH", path), 2);
        assert!(said.contains("statically linked"), "{said}");
        assert!(said.contains(script.to_str().unwrap()), "{said}");
    }
}

#[test]
fn programs_of_other_machines() {
    let room = Room::new();
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    header[16] = 2;
    header[18] = 3;
    let program = room.write("i386", &header, "755");
    let said = refusal(run_with(&room.library()).arg(program), 2);
    assert!(said.contains("32-bit x86"), "{said}");

    header[4] = 2;
    header[18] = 183;
    let program = room.write("arm", &header, "755");
    let said = refusal(run_with(&room.library()).arg(program), 2);
    assert!(said.contains("64-bit AArch64"), "{said}");
}

/// A program that runs as another user than the one of this test.
fn setuid_program(room: &Room) -> PathBuf {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        return "/usr/bin/su".into();
    }
    let program = room.copy("/bin/true", "setuid");
    for (tool, argument) in [("chown", "65534"), ("chmod", "u+s")] {
        let status = Command::new(tool).arg(argument).arg(&program).status();
        assert!(status.unwrap().success());
    }
    program
}

#[test]
fn setuid_programs() {
    let room = Room::new();
    let program = setuid_program(&room);
    let said = refusal(run_with(&room.library()).arg(&program), 2);
    assert!(said.contains("(setuid)"), "{said}");
    assert!(said.contains(program.to_str().unwrap()), "{said}");
}

#[test]
fn programs_that_do_not_exist() {
    let room = Room::new();
    let library = room.library();
    for name in ["no-such-program-here", "./no/such/program", ""] {
        let said = refusal(run_with(&library).arg(name), 127);
        assert!(
            said.contains(&format!("there is no program `{name}`")),
            "{said}"
        );
    }
}

#[test]
fn files_that_cannot_be_executed() {
    let room = Room::new();
    let library = room.library();
    let text = room.write("text", "#!/bin/sh\n", "644");
    let said = refusal(run_with(&library).arg(&text), 126);
    assert!(said.contains("no execute permission"), "{said}");
    let said = refusal(run_with(&library).arg(room.path("")), 126);
    assert!(said.contains("it is a directory"), "{said}");
}

#[test]
fn scripts_without_an_interpreter() {
    let room = Room::new();
    let library = room.library();
    let script = room.script("script", "#!/nonexistent/interpreter\n");
    let said = refusal(run_with(&library).arg(&script), 127);
    assert!(said.contains("/nonexistent/interpreter"), "{said}");
    let script = room.script("env", "#!/usr/bin/env no-such-interpreter\n");
    let said = refusal(run_with(&library).arg(&script), 127);
    assert!(said.contains("no-such-interpreter"), "{said}");
}

#[test]
fn argument_lists_that_are_too_long() {
    let room = Room::new();
    // The kernel takes 128 KiB in one argument (MAX_ARG_STRLEN). What hakmem got itself is
    // shorter by the library's path in LD_PRELOAD; an environment just below the limit of an
    // entry grows over it.
    let existing = "x".repeat((128 << 10) - "LD_PRELOAD=".len() - 1);
    let said = refusal(
        run_with(&room.library())
            .arg("true")
            .env("LD_PRELOAD", existing),
        126,
    );
    assert!(said.contains("Argument list too long"), "{said}");
}

#[test]
fn command_lines_that_are_wrong() {
    for arguments in [
        &[][..],
        &["walk"],
        &["run"],
        &["run", "--release"],
        &["run", "--release", "--no-such-flag", "true"],
        &["run", "--release", "--lib"],
        &["run", "--trace-dir"],
        &["run", "--release", "--trace-dir", "d", "true"],
    ] {
        let output = Command::new(HAKMEM).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_is_data() {
    for (arguments, expected) in [
        (&["--help"][..], "hakmem run -- ./program"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["run", "--help"], "HAKMEM_STATS=1 hakmem run --release"),
        (&["help", "run"], "HAKMEM_STATS=1 hakmem run --release"),
    ] {
        let output = Command::new(HAKMEM).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(text.contains(expected), "{text}");
    }
}
