//! `hakmem run` on programs that can run: the library is in them, and all else is as without.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::support::{HAKMEM, Room, maps_show, quiet_output, run, run_with};

/// Prints the memory map of the process itself.
const MAPS: [&str; 2] = ["cat", "/proc/self/maps"];

#[test]
fn the_library_is_in_the_program() {
    let room = Room::new();
    let library = room.library();
    let without = Command::new(MAPS[0]).arg(MAPS[1]).output().unwrap();
    assert!(!maps_show(
        &String::from_utf8(without.stdout).unwrap(),
        &library
    ));
    assert!(maps_show(
        &quiet_output(run_with(&library).args(MAPS)),
        &library
    ));
}

#[test]
fn the_library_is_in_the_programs_that_the_program_starts() {
    let room = Room::new();
    let library = room.library();
    // A relative path for the library, another directory for the child.
    let maps = quiet_output(
        run(HAKMEM)
            .current_dir(room.path(""))
            .args(["--lib", "libhakmem.so", "--"])
            .args(["sh", "-c", "cd / && cat /proc/self/maps; exit $?"]),
    );
    assert!(maps_show(&maps, &library), "{maps}");
}

#[test]
fn the_exit_status_is_the_programs() {
    let room = Room::new();
    let library = room.library();
    for code in [0, 1, 3, 255] {
        let status = run_with(&library)
            .args(["sh", "-c", &format!("exit {code}")])
            .status();
        assert_eq!(status.unwrap().code(), Some(code));
    }
}

#[test]
fn the_signal_is_the_programs() {
    let room = Room::new();
    let library = room.library();
    for signal in [9, 13, 15] {
        let status = run_with(&library)
            .args(["sh", "-c", &format!("kill -{signal} $$")])
            .status();
        assert_eq!(status.unwrap().signal(), Some(signal));
    }
}

#[test]
fn the_process_is_the_same() {
    let room = Room::new();
    let child = run_with(&room.library())
        .args(["sh", "-c", "echo $$"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, format!("{id}\n").as_bytes());
}

#[test]
fn the_arguments_arrive_as_they_are() {
    let room = Room::new();
    let library = room.library();
    let arguments = ["-n", "--release", "--", "a b", "", "--lib=x", "$HOME"];
    let expected = format!("printf\n{}\n", arguments.join("\n"));
    // The shell takes its own name from argv[0].
    let print = "echo $0; printf '%s\\n' \"$@\"";
    let printed = quiet_output(
        run_with(&library)
            .args(["sh", "-c", print, "printf"])
            .args(arguments),
    );
    assert_eq!(printed, expected);
    // The separator may be left out.
    let printed = quiet_output(
        run(HAKMEM)
            .arg("--lib")
            .arg(&library)
            .args(["sh", "-c", print, "printf"])
            .args(arguments),
    );
    assert_eq!(printed, expected);
}

#[test]
fn the_program_keeps_the_name_that_it_was_called_by() {
    let room = Room::new();
    let printer = room.compile(
        "bin/printer",
        "#include <stdio.h>\nint main(int c, char **v) { return puts(v[0]) < 0; }",
        &[],
    );
    let printed = quiet_output(
        run_with(&room.library())
            .arg("printer")
            .env("PATH", printer.parent().unwrap()),
    );
    assert_eq!(printed, "printer\n");
}

#[test]
fn a_preload_that_is_set_is_kept_behind() {
    let room = Room::new();
    let library = room.library();
    let first = room.shared_library("first.so", "int first;");
    let second = room.shared_library("second.so", "int second;");
    let existing = format!("{} {}", first.display(), second.display());
    let output = quiet_output(
        run_with(&library)
            .args(["sh", "-c", "echo $LD_PRELOAD; exec cat /proc/self/maps"])
            .env("LD_PRELOAD", existing),
    );
    let (preload, maps) = output.split_once('\n').unwrap();
    let expected = [&library, &first, &second].map(|path| path.to_str().unwrap());
    assert_eq!(preload, expected.join(":"));
    for library in [&library, &first, &second] {
        assert!(maps_show(maps, library), "{maps}");
    }
}

#[test]
fn the_library_is_not_preloaded_twice() {
    let room = Room::new();
    let library = room.library();
    let printed = quiet_output(
        run_with(&library)
            .args(["sh", "-c", "echo $LD_PRELOAD"])
            .env("LD_PRELOAD", &library),
    );
    assert_eq!(printed.trim_end(), library.to_str().unwrap());
}

#[test]
fn scripts_run_with_the_library_in_their_interpreter() {
    let room = Room::new();
    let library = room.library();
    let body = "while read -r line; do echo \"$line\"; done < /proc/$$/maps";
    for (name, first_line) in [
        ("plain", "#!/bin/sh\n"),
        ("env", "#!/usr/bin/env sh\n"),
        ("split", "#!/usr/bin/env -S sh -e\n"),
        ("bare", ""),
    ] {
        let script = room.script(name, &format!("{first_line}{body}\n"));
        let maps = quiet_output(run_with(&library).arg(script));
        assert!(maps_show(&maps, &library), "{name}: {maps}");
    }
}

#[test]
fn the_loader_can_be_the_program() {
    let room = Room::new();
    let library = room.library();
    let maps = quiet_output(run_with(&library).args([
        "/lib64/ld-linux-x86-64.so.2",
        "/bin/cat",
        "/proc/self/maps",
    ]));
    assert!(maps_show(&maps, &library), "{maps}");
}

#[test]
fn a_setuid_program_of_the_callers_own_gains_nothing_and_runs() {
    let room = Room::new();
    let library = room.library();
    let cat = room.copy("/bin/cat", "cat");
    let set = Command::new("chmod").arg("u+s").arg(&cat).status();
    assert!(set.unwrap().success());
    let maps = quiet_output(run_with(&library).arg(cat).arg(MAPS[1]));
    assert!(maps_show(&maps, &library), "{maps}");
}
