//! Processes that `hakmem` may not read: each command says so, why, and what to do next.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hakmem_tests::{compile, find, library, skip};

use crate::support::{HAKMEM, Started, hakmem};

/// A user who owns nothing.
const NOBODY: &str = "65534";

/// The beginning of a command line that runs the rest as another user than the one who runs this; says
/// that the test is skipped where that cannot be, or that user cannot reach the command.
pub fn other_user() -> Option<String> {
    let setpriv = find("setpriv")?;
    let words = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let tried = Command::new(&setpriv)
        .args(words)
        .args([HAKMEM, "--version"])
        .output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        skip("programs cannot be run as another user, or that one cannot reach `hakmem`");
        return None;
    }
    Some(format!("{} {}", setpriv.display(), words.join(" ")))
}

/// What the command does when it runs by such a command line.
fn run_as(setpriv: &str, arguments: &[&str]) -> Output {
    let line = format!("exec {setpriv} '{HAKMEM}' \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &line, "sh"]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Each command that can be asked about a process.
fn about(source: &str) -> Vec<Vec<&str>> {
    let alone = [
        "info", "report", "live", "leaks", "verify", "sll", "registry", "stats", "threads",
        "events",
    ];
    let with_address = ["history", "whatis", "refs", "symbolize"];
    let mut all: Vec<Vec<&str>> = alone.iter().map(|name| vec![*name, source]).collect();
    all.extend(
        with_address
            .iter()
            .map(|name| vec![*name, source, "0x1000"]),
    );
    all.push(vec!["diff", source, source]);
    all.push(vec!["config", "show", source]);
    all
}

#[test]
fn each_command_says_why_it_may_not_read_a_process() {
    let Some(setpriv) = other_user() else { return };
    let mut command = Command::new(compile::program("lost.c"));
    command
        .args(["/dev/null", "wait"])
        .env("LD_PRELOAD", library::observed())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Started(command.spawn().unwrap());
    let (pid, source) = (process.0.id(), process.source());
    let maps = format!("/proc/{pid}/maps");
    process.until(|_| fs::read_to_string(&maps).is_ok_and(|maps| maps.contains("libhakmem")));
    for arguments in about(&source) {
        let output = run_as(&setpriv, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for part in [
            &format!("cannot read process {pid}\n"),
            &format!("where: /proc/{pid}"),
            "why:   it runs as user ",
            "this is user 65534",
            "next:  run hakmem as that user",
            "or as root",
        ] {
            assert!(said.contains(part), "{arguments:?}: no `{part}` in {said}");
        }
    }
}

/// Of the same user, but not dumpable: what is wrong is another thing, and so is what to do.
#[test]
fn a_process_that_is_not_dumpable_is_told_as_such() {
    let (Some(setpriv), Some(found)) = (other_user(), find("python3")) else {
        return;
    };
    // The first one on the PATH may lie in a home that others cannot enter.
    let system = PathBuf::from("/usr/bin/python3");
    let python = if system.exists() { system } else { found };
    let hide =
        "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print(flush=True); time.sleep(600)";
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec {setpriv} \"$0\" -c \"$1\"")])
        .arg(&python)
        .arg(hide)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Started(command.spawn().unwrap());
    let mut line = [0; 1];
    let read = process.0.stdout.as_mut().unwrap().read(&mut line).unwrap();
    if read == 0 {
        return skip("another user cannot run python3 here");
    }
    let output = run_as(&setpriv, &["info", &process.source()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["it is of the same user", "CAP_SYS_PTRACE"] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
}

/// What a debugger hands on is named where it is not there, and not the process.
#[test]
fn what_a_debugger_hands_on_is_named_where_it_is_missing() {
    let own = format!("pid:{}", std::process::id());
    for (maps, place, why) in [
        (
            "/nonexistent/maps",
            "where: /nonexistent/maps",
            "No such file",
        ),
        // Standard input is /dev/null.
        (
            "/proc/self/maps",
            "where: /dev/stdin",
            "not the memory of a process",
        ),
    ] {
        let said = hakmem(["info", &format!("{own},{maps}")]).ended(2).stderr;
        for part in [
            "cannot read what the debugger hands on",
            place,
            why,
            "pid:N",
        ] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
    }
}
