//! Sources that another version of hakmem wrote: it is said, and what can be read is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hakmem_tests::{compile, library};

use crate::support::{Answer, Started, leave_core, on};
use crate::traces::{Recorded, recorded};

/// What is said of a source that version 7.8.9 wrote.
fn note() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!("was written by hakmem 7.8.9, and this is hakmem {own}")
}

#[track_caller]
fn says_once(answer: &Answer) {
    let said = &answer.stderr;
    assert_eq!(said.matches(&note()).count(), 1, "{said}");
}

#[test]
fn a_core_of_another_version_is_read_and_told() {
    for change in ["version", "added"] {
        let program = compile::program("other_version.c");
        let Some(left) = leave_core(&program, &[change, "abort"], None) else {
            return;
        };
        let block = left.stdout.trim();
        let whatis = on("whatis", &left.core, &[block]).ended(0);
        assert!(whatis.stdout.starts_with("live: "), "{}", whatis.stdout);
        says_once(&whatis);
        for command in ["info", "stats", "verify", "registry", "live", "threads"] {
            says_once(&on(command, &left.core, &[]).ended(0));
        }
        let info = on("info", &left.core, &["--json"]).ended(0).json();
        assert_eq!(info["hakmem_version"], "7.8.9");
    }
}

#[test]
fn a_core_that_this_version_cannot_read_is_refused() {
    for (change, why) in [
        ("format", "root structure has format 2, and this is hakmem"),
        (
            "missing",
            "of hakmem 7.8.9, or damaged: it does not say slab.free",
        ),
    ] {
        let program = compile::program("other_version.c");
        let Some(left) = leave_core(&program, &[change, "abort"], None) else {
            return;
        };
        let refused = on("whatis", &left.core, &[left.stdout.trim()]).ended(2);
        let said = refused.stderr;
        assert!(said.contains(why), "{said}");
        assert!(said.contains("use the `hakmem` that belongs"), "{said}");
        // What does not take the heap is answered.
        let info = on("info", &left.core, &["--json"]).ended(0).json();
        assert!(info["command_line"].to_string().contains(change), "{info}");
    }
}

#[test]
fn nothing_is_said_of_its_own_version() {
    let program = compile::program("other_version.c");
    let Some(left) = leave_core(&program, &["none", "abort"], None) else {
        return;
    };
    let answer = on("whatis", &left.core, &[left.stdout.trim()]).ended(0);
    assert_eq!(answer.stderr, "");
    assert_eq!(
        on("events", &recorded("x").directory(), &[])
            .ended(0)
            .stderr,
        ""
    );
}

#[test]
fn a_process_of_another_version_is_read_and_told() {
    let child = Command::new(compile::program("other_version.c"))
        .args(["version", "wait"])
        .env("LD_PRELOAD", library::shared())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Started(child);
    let mut block = String::new();
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    stdout.read_line(&mut block).unwrap();
    let whatis = on("whatis", Path::new(&child.source()), &[block.trim()]).ended(0);
    assert!(whatis.stdout.starts_with("live: "), "{}", whatis.stdout);
    says_once(&whatis);
}

/// Overwrites bytes of a trace's file `session`.
fn patch(recorded: &Recorded, offset: u64, bytes: &[u8]) {
    let path = recorded.directory().join("session");
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn a_trace_of_another_version_is_read_and_told() {
    let recorded = recorded("x");
    let directory = recorded.directory();
    let before = on("live", &directory, &["--json"]).ended(0).stdout;
    patch(&recorded, 544, b"7.8.9\0");
    for command in ["info", "events", "stats", "threads"] {
        says_once(&on(command, &directory, &[]).ended(0));
    }
    let live = on("live", &directory, &["--json"]).ended(0);
    says_once(&live);
    assert_eq!(live.stdout, before);
    // A later minor version of the format: what is new in it is not read, and that is said.
    patch(&recorded, 10, &9_u16.to_le_bytes());
    let newer = on("live", &directory, &["--json"]).ended(3);
    assert!(
        newer.stderr.contains("session: it has format 1.9"),
        "{}",
        newer.stderr
    );
    assert_eq!(newer.stdout, before);
    // Another major version would be misread.
    patch(&recorded, 8, &2_u16.to_le_bytes());
    let refused = on("live", &directory, &[]).ended(2).stderr;
    assert!(
        refused.contains("it has format 2, and this reader knows 1"),
        "{refused}"
    );
    assert!(
        refused.contains("use the `hakmem` that belongs"),
        "{refused}"
    );
}
