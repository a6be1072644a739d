//! Processes that `hakmem` may not read: each command says so, why, and what to do next.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hakmem_tests::{compile, find, library, skip};

use crate::support::{HAKMEM, Started};

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

#[test]
fn each_command_says_why_it_may_not_read_a_process() {
    let Some(setpriv) = other_user() else { return };
    let mut command = Command::new(compile::program("lost.c"));
    command
        .args(["/dev/null", "wait"])
        .env("LD_PRELOAD", library::observed())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let process = Started(command.spawn().unwrap());
    let pid = process.0.id();
    let begun = Instant::now();
    while !fs::read_to_string(format!("/proc/{pid}/maps"))
        .is_ok_and(|maps| maps.contains("libhakmem"))
    {
        assert!(begun.elapsed() < Duration::from_secs(300));
        thread::sleep(Duration::from_millis(20));
    }
    let source = format!("pid:{pid}");
    let as_nobody = |arguments: &[&str]| {
        let line = format!("exec {setpriv} '{HAKMEM}' \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &line, "sh"]).args(arguments);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let alone = [
        "info", "report", "live", "leaks", "verify", "sll", "registry", "stats", "threads",
        "events",
    ];
    let with_address = ["history", "whatis", "refs", "symbolize"];
    let mut asked: Vec<Vec<&str>> = alone.iter().map(|name| vec![*name, &source]).collect();
    asked.extend(
        with_address
            .iter()
            .map(|name| vec![*name, &source, "0x1000"]),
    );
    asked.push(vec!["diff", &source, &source]);
    asked.push(vec!["config", "show", &source]);
    for arguments in asked {
        let output = as_nobody(&arguments);
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
    let line = format!("exec {setpriv} '{HAKMEM}' info pid:{}", process.0.id());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["it is of the same user", "CAP_SYS_PTRACE"] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
}
