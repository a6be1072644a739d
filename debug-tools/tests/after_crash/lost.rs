//! What a program has lost on a build with checks: a core file and a process say the same of it as
//! the library in the process itself, whether its blocks lie in slabs or have pages of their own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use hakmem_tests::{Scratch, compile, library};
use serde_json::Value;

use crate::support::{Started, hakmem, leave_core, number, on};

const GUARDED: (&str, &str) = ("HAKMEM_GUARD", "all");
const IN_SLABS: (&str, &str) = ("HAKMEM_GUARD", "none");
/// Every observer that keeps addresses in memory of its own.
const ALL_KEPT: [(&str, &str); 3] = [
    ("HAKMEM_STACKS", "table"),
    ("HAKMEM_TRACE_ALLOCATIONS", "1"),
    ("HAKMEM_TRACE_DIR", "%d/trace"),
];

/// Blocks and bytes, of what nothing points to, and of what only that points to.
type Sums = [(u64, u64); 2];

/// What the library has said in the process.
fn said_inside(stderr: &str) -> Sums {
    let line = stderr
        .lines()
        .find_map(|line| line.strip_prefix("==hakmem== leaks: "))
        .unwrap_or_else(|| panic!("no sums in {stderr}"));
    let numbers: Vec<u64> = line
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    // What follows are places, and what pointers into blocks alone lead to.
    let [bytes, blocks, held_bytes, held_blocks, ..] = numbers[..] else {
        panic!("{line}")
    };
    [(blocks, bytes), (held_blocks, held_bytes)]
}

/// The sums of `hakmem leaks`, and the blocks that it takes for lost by themselves.
fn said_outside(leaks: &Value) -> (Sums, BTreeSet<u64>) {
    let sum = |kind: &str| {
        let field = |name: &str| leaks[kind][name].as_u64().unwrap();
        (field("blocks"), field("bytes"))
    };
    let groups = leaks["groups"].as_array().unwrap();
    let blocks = groups
        .iter()
        .flat_map(|group| group["blocks"].as_array().unwrap());
    let sums = [sum("definite"), sum("indirect")];
    (sums, blocks.map(number).collect())
}

/// The blocks of the program's list that stand for themselves, with all of its ring.
fn heads(list: &str) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let of = |kind: &str| {
        let of_kind = list.lines().filter_map(|line| line.strip_prefix(kind));
        of_kind
            .map(|address| u64::from_str_radix(address.trim_start_matches(" 0x"), 16).unwrap())
            .collect()
    };
    (of("definite"), of("ring"))
}

#[track_caller]
fn agree(leaks: &Value, stderr: &str, list: &str) {
    let (sums, blocks) = said_outside(leaks);
    assert_eq!(sums, said_inside(stderr), "{leaks}\n{stderr}");
    let (definite, ring) = heads(list);
    assert!(definite.is_subset(&blocks), "{definite:x?}, {blocks:x?}");
    let of_ring: Vec<_> = blocks.difference(&definite).collect();
    assert!(
        of_ring.len() == 1 && ring.contains(of_ring[0]),
        "{of_ring:x?}"
    );
    // Each group is known by who asked for its blocks.
    for group in leaks["groups"].as_array().unwrap() {
        assert!(!group["stack"].is_null(), "{group}");
    }
}

fn in_a_core(guard: (&str, &str), others: &[(&str, &str)]) {
    let mut variables = vec![guard];
    variables.extend(others);
    let lost = compile::program("lost.c");
    let Some(left) = leave_core(&lost, &["%d/list", "ask"], Some(&variables)) else {
        return;
    };
    let leaks = on("leaks", &left.core, &["--json", "--top", "0"]);
    let list = fs::read_to_string(left.scratch.file("list")).unwrap();
    agree(&leaks.ended(1).json(), &left.stderr, &list);
}

#[test]
fn guarded_blocks_that_are_lost_are_told_from_a_core() {
    in_a_core(GUARDED, &[("HAKMEM_STACKS", "table")]);
}

#[test]
fn what_is_lost_in_slabs_is_told_by_the_bytes_that_were_asked_for() {
    in_a_core(IN_SLABS, &[("HAKMEM_STACKS", "table")]);
}

#[test]
fn what_observers_remember_hides_nothing() {
    in_a_core(GUARDED, &ALL_KEPT);
    in_a_core(IN_SLABS, &ALL_KEPT);
}

/// The program, which has written its list and what the library says, and waits.
fn waiting(scratch: &Scratch, variables: &[(&str, &str)]) -> Started {
    let list = scratch.file("list");
    let directory = scratch.path().to_str().unwrap();
    let mut command = Command::new(compile::program("lost.c"));
    command
        .arg(&list)
        .arg("wait")
        .env("LD_PRELOAD", library::observed())
        .stdin(Stdio::null())
        .stderr(File::create(scratch.file("stderr")).unwrap());
    for (name, value) in variables {
        command.env(name, value.replace("%d", directory));
    }
    let mut process = Started(command.spawn().unwrap());
    // It writes its list at once, and sleeps then.
    let is_written = || fs::metadata(&list).is_ok_and(|list| list.len() > 0);
    process.until(|process| is_written() && process.sleeps());
    process
}

#[test]
fn guarded_blocks_that_are_lost_are_told_from_a_process() {
    let scratch = Scratch::new();
    let process = waiting(&scratch, &[GUARDED, ("HAKMEM_STACKS", "table")]);
    let leaks = hakmem(["leaks", "--json", "--top", "0", &process.source()]).ended(1);
    let [list, said] =
        ["list", "stderr"].map(|file| fs::read_to_string(scratch.file(file)).unwrap());
    agree(&leaks.json(), &said, &list);
}

/// The process has no end and its heap is whole: what was found is what is wrong.
#[test]
fn a_report_of_a_process_has_one_status_as_text_and_as_json() {
    let scratch = Scratch::new();
    let variables: Vec<_> = ALL_KEPT.into_iter().chain([IN_SLABS]).collect();
    let process = waiting(&scratch, &variables);
    let text = hakmem(["report", &process.source()]).ended(1).stdout;
    assert!(text.contains("found: leak: "), "{text}");
    let json = hakmem(["report", "--json", &process.source()])
        .ended(1)
        .json();
    assert_eq!(json["misdeeds"][0]["kind"], "leak", "{json}");
}
