//! The calls of threads in core files of programs that keep no frame pointers: as gdb has them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{compile, find};
use serde_json::Value;

use crate::support::{leave_core, number, on};

/// Of each thread the addresses of its calls, the innermost first, as gdb says.
fn by_gdb(gdb: &Path, program: &Path, core: &Path) -> BTreeMap<u64, Vec<u64>> {
    // Inlined calls have the address of the function that they are in; what has called the next one as
    // its last deed is not on the stack any more, and gdb infers it.
    let script = "python
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame, list = gdb.newest_frame(), []
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            list.append(hex(frame.pc()))
        frame = frame.older()
    print('STACK', thread.ptid[1], *list)
";
    let scratch = hakmem_tests::Scratch::new();
    let file = scratch.file("script.gdb");
    std::fs::write(&file, script).unwrap();
    let output = Command::new(gdb)
        .args(["-nx", "-batch", "-ex", "set backtrace past-main on"])
        .args(["-ex", "set debuginfod enabled off", "-x"])
        .arg(&file)
        .arg(program)
        .arg(core)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let address = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
    let stacks: BTreeMap<u64, Vec<u64>> = said
        .lines()
        .filter_map(|line| line.strip_prefix("STACK "))
        .map(|line| {
            let mut words = line.split(' ');
            let thread = words.next().unwrap().parse().unwrap();
            let mut all: Vec<u64> = words.map(address).collect();
            // As below.
            all.dedup();
            (thread, all)
        })
        .collect();
    assert!(
        !stacks.is_empty(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stacks
}

/// The same by hakmem; of inlined calls one.
fn addresses(stack: &Value) -> Vec<u64> {
    let mut all: Vec<u64> = stack
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| number(&frame["pc"]))
        .collect();
    all.dedup();
    all
}

fn names(stack: &Value) -> Vec<&str> {
    let frames = stack.as_array().unwrap().iter();
    frames.map(|f| f["function"].as_str().unwrap()).collect()
}

/// Each thread's calls, from `hakmem threads`.
fn threads(core: &Path) -> BTreeMap<u64, Value> {
    let said = on("threads", core, &["--json"]).ended(0).stdout;
    said.lines()
        .map(|line| {
            let thread: Value = serde_json::from_str(line).unwrap();
            (thread["thread"].as_u64().unwrap(), thread)
        })
        .collect()
}

#[test]
fn calls_of_a_program_without_frame_pointers_are_as_gdb_has_them() {
    let program = compile::without_frame_pointers("deep.cpp");
    let Some(left) = leave_core(&program, &[], None) else {
        return;
    };
    let threads = threads(&left.core);
    assert_eq!(threads.len(), 4);
    for thread in threads.values() {
        assert_eq!(thread["stack_is_whole"], true, "{thread}");
    }
    let all: Vec<Vec<&str>> = threads.values().map(|t| names(&t["stack"])).collect();
    // The calls that have to be there, in this order, each in some thread.
    let has = |wanted: &[&str]| {
        let found = all.iter().any(|names| {
            let mut names = names.iter();
            wanted.iter().all(|w| names.any(|name| name.contains(w)))
        });
        assert!(found, "{wanted:?} in {all:#?}");
    };
    has(&["crash", "handler", "compare", "sorts", "main", "_start"]);
    has(&["Square::area", "middle"]);
    has(&["aligned", "growing", "growing", "growing"]);
    has(&["spin", "turn"]);
    // The report has the same of the thread that died, and the table of the others.
    let report = on("report", &left.core, &[]).ended(1).stdout;
    for name in ["crash", "handler", "compare", "sorts", "main", "_start"] {
        assert!(
            report.contains(&format!("    {name}")),
            "{name} in {report}"
        );
    }
    let text = on("threads", &left.core, &["--stacks"]).ended(0).stdout;
    assert!(
        text.contains("    middle") && text.contains("deep.cpp:"),
        "{text}"
    );
    let Some(gdb) = find("gdb") else { return };
    let by_gdb = by_gdb(&gdb, &program, &left.core);
    let ours: BTreeMap<u64, Vec<u64>> = threads
        .iter()
        .map(|(thread, said)| (*thread, addresses(&said["stack"])))
        .collect();
    assert_eq!(ours, by_gdb);
}

#[test]
fn a_call_of_an_address_without_code_has_its_caller() {
    let program = compile::without_frame_pointers("overrun.cpp");
    let Some(left) = leave_core(&program, &[], None) else {
        return;
    };
    let said = threads(&left.core);
    let crashed = said.values().find(|t| t["signal"] == 11).unwrap();
    let names = names(&crashed["stack"]);
    assert!(
        names.iter().any(|name| name.contains("use_session")),
        "{names:?}"
    );
    assert!(names.contains(&"main"), "{names:?}");
}
