//! A watched program under a debugger: both do their work.

use std::process::Command;

use hakmem_tests::watched::{self, has_watchpoints};
use hakmem_tests::{find, library, reference, skip};

const RULE: &str = "site=make_item on=free do=arm words=0";

/// What gdb and the program in it say when gdb is told so many things, one after the other.
fn gdb(case: &str, commands: &[&str]) -> Option<String> {
    if reference() {
        skip("glibc's allocator does not watch");
        return None;
    }
    let gdb = find("gdb").filter(|_| has_watchpoints())?;
    let preload = format!("set env LD_PRELOAD={}", library::observed().display());
    let rule = format!("set env HAKMEM_WATCH={RULE}");
    let mut command = Command::new(gdb);
    command.args(["-batch", "-nx"]);
    let before = [
        "set pagination off",
        "set confirm off",
        "set startup-with-shell off",
        &preload,
        &rule,
    ];
    for line in before.iter().chain(commands) {
        command.args(["-ex", line]);
    }
    command.arg("--args").arg(watched::program()).arg(case);
    let output = command.output().expect("gdb runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if said.contains("ptrace: Operation not permitted") || said.contains("Cannot PTRACE") {
        skip("gdb may not trace here");
        return None;
    }
    Some(said)
}

/// gdb stops at the write itself, and its own breakpoints and steps are as always.
#[test]
fn gdb_stops_at_the_write() {
    let commands = [
        "break drop_item",
        "run",
        "next",
        "break write_other_word",
        "continue",
        "info symbol $pc",
        "continue",
        "bt 1",
        "continue",
    ];
    let Some(said) = gdb("plain", &commands) else {
        return;
    };
    let at = |what: &str| {
        said.find(what)
            .unwrap_or_else(|| panic!("no {what}\n{said}"))
    };
    let order = [
        "Breakpoint 1, drop_item",
        "received signal SIGTRAP",
        "write_late + ",
        "Breakpoint 2, write_other_word",
        "exited normally",
    ]
    .map(at);
    assert!(order.is_sorted(), "{said}");
}

/// Told to pass the signal on, gdb lets the report be made.
#[test]
fn gdb_passes_the_signal_on() {
    let commands = ["break drop_item", "run", "continue", "signal SIGTRAP"];
    let Some(said) = gdb("plain", &commands) else {
        return;
    };
    assert!(said.contains("WATCH hit: written by"), "{said}");
    assert!(said.contains("(write_late+"), "{said}");
    assert!(said.contains("exited normally"), "{said}");
}

/// gdb's watchpoints are kept, and where it has all of them, another means is in force.
#[test]
fn gdb_keeps_its_registers() {
    let commands = [
        "break drop_item",
        "run",
        "watch -l item->second",
        "watch -l item->third",
        "watch -l item->fourth",
        "watch -l item->first",
        "continue",
        "continue",
        "continue",
        "delete",
        "continue",
    ];
    let Some(said) = gdb("plain", &commands) else {
        return;
    };
    assert!(
        said.contains("Hardware watchpoint 2: -location item->second"),
        "{said}"
    );
    assert!(
        said.contains("watchpoints are in use by somebody else"),
        "{said}"
    );
    assert!(said.contains("armed by comparison"), "{said}");
    assert!(said.contains("exited normally"), "{said}");
}

/// Under a tracer that passes signals on nothing changes.
#[test]
fn strace_sees_it_and_the_report_is_made() {
    if reference() {
        return skip("glibc's allocator does not watch");
    }
    let Some(strace) = find("strace").filter(|_| has_watchpoints()) else {
        return;
    };
    let output = Command::new(strace)
        .args(["-f", "-e", "trace=none"])
        .arg("-E")
        .arg(format!("LD_PRELOAD={}", library::observed().display()))
        .arg("-E")
        .arg(format!("HAKMEM_WATCH={RULE}"))
        .arg(watched::program())
        .arg("threads")
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("PTRACE_TRACEME: Operation not permitted") {
        return skip("strace may not trace here");
    }
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("WATCH hit: ").count(), 3, "{said}");
    assert!(said.contains("si_code=TRAP_PERF"), "{said}");
}
