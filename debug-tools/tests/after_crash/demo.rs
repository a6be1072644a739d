//! `hakmem demo`: it finds what it set out to find, with watchpoints and without.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hakmem_tests::{Scratch, library};

use crate::support::HAKMEM;

const SOURCE: &str = include_str!("../../src/command/demo/books.c");

/// The demonstration, with the library that the tests have built.
fn demo(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(HAKMEM)
        .arg("demo")
        .args(arguments)
        .env("HAKMEM_RUN_LIBRARY", library::observed())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// The number of the one line with this in it.
fn line(of: &str) -> usize {
    let mut lines = SOURCE
        .lines()
        .enumerate()
        .filter(|(_, text)| text.contains(of));
    let (index, _) = lines.next().unwrap();
    assert!(lines.next().is_none(), "{of}");
    index + 1
}

fn keep() -> (Scratch, String) {
    let scratch = Scratch::new();
    let directory = scratch.file("demo").to_str().unwrap().to_owned();
    (scratch, directory)
}

/// What each step has to say, by what is asked of the whole.
fn check(said: &str) {
    let verdict = format!(
        "The culprit is ship, books.c:{}:",
        line("order->state = SHIPPED")
    );
    assert!(said.contains(&verdict), "{said}");
    // The first run: what is wrong, who asked for the block and who gave it back, the rule.
    assert!(said.contains("ERROR write-after-free: "), "{said}");
    assert!(said.contains("hakmem run --watch 'site="), "{said}");
    // The report: the culprit first, and the owners.
    let culprit = format!("books.c:{}", line("order->state = SHIPPED"));
    assert!(
        said.lines()
            .any(|text| text.starts_with("culprit: ship (") && text.contains(&culprit)),
        "{said}"
    );
    let owners = [
        ("allocated by", line("malloc(sizeof *order)")),
        ("freed by", line("NOINLINE long cancel_order") + 2),
    ];
    for (what, number) in owners {
        let place = format!("books.c:{number}");
        let has = |text: &str| text.trim_start().starts_with(what) && text.contains(&place);
        assert!(said.lines().any(has), "{what} {place}\n{said}");
    }
    assert!(!said.contains('\x1b'), "colours in a pipe");
}

/// The commands that were shown.
fn commands(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect()
}

#[test]
fn the_culprit_is_named() {
    let (_scratch, directory) = keep();
    let (status, said, complaints) = demo(&["--keep", &directory], &[]);
    assert_eq!(status, Some(0), "{said}{complaints}");
    check(&said);
    let shown = commands(&said);
    let has = |what: &str| shown.iter().any(|command| command.starts_with(what));
    for what in [
        "./books",
        "hakmem run --stacks",
        "hakmem run --watch",
        "hakmem report",
        "hakmem history",
        "hakmem whatis",
    ] {
        assert!(has(what), "{what}\n{said}");
    }
    // What was typed can be typed again.
    let directory = Path::new(&directory);
    assert!(directory.join("books.c").is_file() && directory.join("first/session").is_file());
    assert!(said.contains(directory.to_str().unwrap()), "{said}");
    let (status, _, complaints) = demo(&["--keep", directory.to_str().unwrap()], &[]);
    assert_eq!(status, Some(2));
    assert!(complaints.contains("is not empty"), "{complaints}");
}

#[test]
fn without_watchpoints_pages_stop_the_write() {
    let (_scratch, directory) = keep();
    let (status, said, complaints) =
        demo(&["--keep", &directory], &[("HAKMEM_WATCH_HARDWARE", "0")]);
    assert_eq!(status, Some(0), "{said}{complaints}");
    check(&said);
    assert!(said.contains("hakmem run --guard size=32"), "{said}");
}

#[test]
fn what_is_in_the_way_is_told() {
    let (status, said, complaints) = demo(&[], &[("PATH", "/nonexistent")]);
    assert_eq!((status, said.as_str()), (Some(2), ""));
    assert!(
        complaints.contains("there is no C compiler"),
        "{complaints}"
    );
    let (status, said, complaints) = demo(&["--keep", "/proc/demo"], &[]);
    assert_eq!((status, said.as_str()), (Some(2), ""));
    assert!(complaints.contains("cannot write"), "{complaints}");
    // What others have set for their programs is not meant for it.
    let set = [
        ("HAKMEM_INTEGRITY_CHECKS", "0"),
        ("HAKMEM_WATCH", "do=stop"),
    ];
    let (status, said, complaints) = demo(&[], &set);
    assert_eq!(status, Some(0), "{said}{complaints}");
    assert!(said.contains("The files are removed now"), "{said}");
}
