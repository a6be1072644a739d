//! Commands on traces, and on core files with the traces that belong to them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use hakmem_tests::{Scratch, compile, library};
use serde_json::Value;

use crate::support::{hakmem, leave_core, number, on};

/// A program that has been recorded.
pub struct Recorded {
    scratch: Scratch,
    pub stdout: String,
}

impl Recorded {
    pub fn directory(&self) -> PathBuf {
        self.scratch.file("trace")
    }
}

/// Records `recorded.c`, with stacks by unwind tables.
pub fn recorded(argument: &str) -> Recorded {
    let scratch = Scratch::new();
    let output = Command::new(compile::program("recorded.c"))
        .arg(argument)
        .current_dir(scratch.path())
        .env("LD_PRELOAD", library::observed())
        .env("HAKMEM_TRACE_DIR", scratch.file("trace"))
        .env("HAKMEM_STACKS", "table")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Recorded { scratch, stdout }
}

/// The address that the program printed behind a name.
fn told(stdout: &str, name: &str) -> String {
    let line = stdout
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {stdout}"))
        .to_owned()
}

#[test]
fn live_blocks_of_a_trace_are_grouped_by_who_asked_for_them() {
    let recorded = recorded("x");
    let live = on("live", &recorded.directory(), &["--json"])
        .ended(0)
        .json();
    let groups = live["groups"].as_array().unwrap();
    let of = |function: &str| -> (u64, u64) {
        let is_it = |group: &&Value| {
            let stack = group["stack"].as_array().unwrap();
            stack.iter().any(|frame| frame["function"] == function)
        };
        let groups = groups.iter().filter(is_it);
        groups.fold((0, 0), |sum, group| {
            (
                sum.0 + group["blocks"].as_u64().unwrap(),
                sum.1 + group["bytes"].as_u64().unwrap(),
            )
        })
    };
    // 100 of 30 bytes kept, 50 of 200 of which half are freed by another thread, a resized one.
    assert_eq!(of("keep_small"), (100, 3000));
    assert_eq!(of("keep_large"), (25, 5000));
    assert_eq!(of("resize"), (1, 900));
    let by_size = on("live", &recorded.directory(), &["--json", "--by", "size"])
        .ended(0)
        .json();
    let size = by_size["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["size"] == 30);
    assert_eq!(size.unwrap()["blocks"], 100);
    let text = on("live", &recorded.directory(), &[]).ended(0).stdout;
    assert!(
        text.contains("keep_small (") && text.contains("recorded.c:"),
        "{text}"
    );
}

#[test]
fn events_are_filtered_and_numbered() {
    let recorded = recorded("x");
    let directory = recorded.directory();
    let events = |more: &[&str]| -> Vec<Value> {
        let more: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
        let answer = on("events", &directory, &more);
        answer
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let all = events(&[]);
    let times: Vec<i64> = all
        .iter()
        .map(|event| event["time_ns"].as_i64().unwrap())
        .collect();
    assert!(all.len() > 200 && times.is_sorted(), "{} events", all.len());
    let remote = events(&["--kind", "remote-free", "--size", "200"]);
    assert_eq!(remote.len(), 25);
    assert!(events(&["--size", "30", "--kind", "allocate", "--site", "keep_small"]).len() == 100);
    let kept = told(&recorded.stdout, "kept");
    let of_block = events(&["--address", &kept]);
    assert!(!of_block.is_empty() && of_block.iter().all(|e| e["address"] == kept.as_str()));
    let around = events(&["--around", "50", "--context", "2"]);
    let numbers: Vec<u64> = around
        .iter()
        .map(|event| event["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [48, 49, 50, 51, 52]);
    assert_eq!(events(&["--last", "7"]), all[all.len() - 7..]);
    assert!(events(&["--since", "-0s"]).len() < all.len());
    let none = on("events", &directory, &["--size", "12345678"]).ended(1);
    assert!(
        none.stderr.contains("hakmem: of the trace's ") && none.stderr.contains(" events none is")
    );
    let wrong = on("events", &directory, &["--kind", "nothing"]).ended(2);
    assert!(wrong.stderr.contains("allocate, free"), "{}", wrong.stderr);
}

#[test]
fn info_threads_and_stats_of_a_trace() {
    let recorded = recorded("x");
    let directory = recorded.directory();
    let info = on("info", &directory, &["--json"]).ended(0).json();
    assert_eq!(
        (&info["source"], &info["torn"], &info["lost"]),
        (&"trace".into(), &0.into(), &0.into())
    );
    assert_eq!(info["ended"], "it exited with status 0");
    assert_eq!(info["hakmem_version"], env!("CARGO_PKG_VERSION"));
    let threads = on("threads", &directory, &["--json"]).ended(0).stdout;
    let began = threads
        .lines()
        .filter(|line| !line.contains("\"began_ns\":null"));
    assert_eq!(began.count(), 2, "{threads}");
    let stats = on("stats", &directory, &["--json"]).ended(0).json();
    let kinds = stats["kept"].as_array().unwrap();
    let remote = kinds
        .iter()
        .find(|kind| kind["kind"] == "remote-free")
        .unwrap();
    assert_eq!(remote["events"], 25);
    let kept: u64 = kinds
        .iter()
        .map(|kind| kind["events"].as_u64().unwrap())
        .sum();
    let total = |what: &str| stats["totals"][what].as_u64();
    assert_eq!(
        (total("events"), total("threads"), total("lost")),
        (Some(kept), Some(2), Some(0))
    );
    on("report", &directory, &[]).ended(0);
    // Of a block of the trace alone.
    let kept = told(&recorded.stdout, "kept");
    let said = on("whatis", &directory, &[&kept]).ended(0).stdout;
    assert!(said.starts_with(&format!("live: {kept} begins")), "{said}");
    let freed = told(&recorded.stdout, "freed");
    let said = on("whatis", &directory, &[&freed]).ended(0).stdout;
    assert!(said.starts_with(&format!("free: {freed} ")), "{said}");
}

#[test]
fn what_one_trace_has_more_of_than_another() {
    let (less, more) = (recorded("x"), recorded("xx"));
    let (less, more) = (less.directory(), more.directory());
    let same = on("diff", &less, &[less.to_str().unwrap()]).ended(0).stdout;
    assert!(same.contains("together: +0 blocks"), "{same}");
    let diff = on("diff", &less, &[more.to_str().unwrap(), "--json"])
        .ended(1)
        .json();
    assert_eq!(
        (&diff["blocks"], &diff["bytes"]),
        (&100.into(), &3000.into())
    );
    let group = &diff["groups"][0];
    assert!(
        group["site"].as_array().unwrap()[0]
            .as_str()
            .unwrap()
            .starts_with("keep_small"),
        "{group}"
    );
    // The same trace at two times: nothing was there at its start.
    let arguments = ["--from", "0s", "--json", more.to_str().unwrap()];
    let grown = on("diff", &more, &arguments).ended(1).json();
    assert!(grown["blocks"].as_i64().unwrap() >= 226, "{grown}");
}

#[test]
fn a_core_has_its_trace_in_it_or_beside_it() {
    let program = compile::program("recorded.c");
    let variables = [("HAKMEM_TRACE_DIR", "%d/trace"), ("HAKMEM_STACKS", "table")];
    let Some(left) = leave_core(&program, &["abort"], Some(&variables)) else {
        return;
    };
    let kept = told(&left.stdout, "kept");
    let asked_for = |source: &std::path::Path, more: &[&str]| {
        let more: Vec<&str> = [kept.as_str()]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let said = on("whatis", source, &more).ended(0).stdout;
        assert!(
            said.starts_with("live: ")
                && said.contains("keep_small (")
                && said.contains("recorded.c:"),
            "{said}"
        );
    };
    // Where the process had it.
    asked_for(&left.core, &[]);
    let info = on("info", &left.core, &["--json"]).ended(0).json();
    assert_eq!(info["build"], "observed, records");
    let session = info["session"].as_str().unwrap().to_owned();
    // In the core file alone: the directory is gone.
    let elsewhere = Scratch::new();
    let alone = elsewhere.file("core.alone");
    std::fs::rename(&left.core, &alone).unwrap();
    let moved = elsewhere.file("moved");
    std::fs::create_dir(elsewhere.file("apart")).unwrap();
    std::fs::rename(left.scratch.file("trace"), elsewhere.file("apart/moved")).unwrap();
    asked_for(&alone, &[]);
    let history = on("history", &alone, &[&kept]).ended(0).stdout;
    assert!(history.contains("allocate"), "{history}");
    // Beside it, under another name, and named.
    std::fs::rename(elsewhere.file("apart/moved"), &moved).unwrap();
    asked_for(&alone, &["--trace", moved.to_str().unwrap()]);
    let info = on(
        "info",
        &alone,
        &["--json", "--trace", moved.to_str().unwrap()],
    )
    .ended(0)
    .json();
    assert_eq!(info["session"], session.as_str());
    // Another process's is refused.
    let other = recorded("x");
    let refused = on(
        "whatis",
        &alone,
        &[&kept, "--trace", other.directory().to_str().unwrap()],
    )
    .ended(2);
    assert!(
        refused.stderr.contains("of another process"),
        "{}",
        refused.stderr
    );
    // The sums hold of observed builds too.
    on("verify", &alone, &[]).ended(0);
    let live = on("live", &alone, &["--json"]).ended(0).json();
    let groups = live["groups"].as_array().unwrap();
    let small = groups
        .iter()
        .find(|group| group["stack"].to_string().contains("keep_small"))
        .unwrap();
    assert_eq!(
        (&small["blocks"], &small["bytes"]),
        (&100.into(), &3000.into())
    );
    let block = on("whatis", &alone, &["--json", &kept]).ended(0).json();
    assert_eq!(number(&block["block"]), number(&Value::from(kept.as_str())));
}

#[test]
fn names_pages_and_completions_are_made() {
    let scratch = Scratch::new();
    hakmem(["man", scratch.path().to_str().unwrap()]).ended(0);
    for command in ["", "-run", "-whatis", "-verify", "-leaks", "-history"] {
        let page = std::fs::read_to_string(scratch.file(&format!("hakmem{command}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains("NAME"), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = hakmem(["completions", shell]).ended(0).stdout;
        assert!(script.contains("whatis") && script.contains("hakmem"));
    }
    let recorded = recorded("x");
    let directory = recorded.directory();
    let function = told(&recorded.stdout, "code");
    let named = on("symbolize", &directory, &[&function]).ended(0).stdout;
    assert!(named.contains("keep_small ("), "{named}");
    let offsets = on("symbolize", &directory, &["--symbols=off", &function])
        .ended(0)
        .stdout;
    assert!(offsets.contains("recorded_c+0x"), "{offsets}");
    // Without a name it is the address that was asked for, in the file's counting too.
    let nowhere = on("symbolize", &directory, &["0x10"]).ended(1).stdout;
    assert_eq!(nowhere, "0x10 0x10\n");
    let digits = |number: &str| {
        number
            .trim()
            .rsplit_once("0x")
            .map(|(_, digits)| digits.to_owned())
    };
    let last = |number: &str| digits(number).map(|digits| digits[digits.len() - 3..].to_owned());
    assert_eq!(last(&offsets), last(&function), "{offsets} {function}");
}
