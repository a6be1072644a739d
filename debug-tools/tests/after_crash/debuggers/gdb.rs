//! The commands for gdb.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::{Scratch, compile, find, library, skip};

use super::structures::{self, Structures};
use super::{
    ON_CORE, ON_PROCESS, has, installed, knows_the_core, knows_the_process, owned, recorded_core,
    said_by,
};
use crate::refused::other_user;
use crate::support::HAKMEM;

/// What gdb prints when it is told so many things, one after the other.
fn gdb(prefix: &Scratch, commands: &[String], program: &[&Path]) -> Option<String> {
    let mut command = Command::new(find("gdb")?);
    command.args(["-batch", "-nx"]);
    let script = prefix.file("share/hakmem/hakmem_gdb.py");
    let before = [
        "set pagination off".into(),
        "set confirm off".into(),
        "set startup-with-shell off".into(),
        "set style enabled off".into(),
        format!("source {}", script.display()),
    ];
    for line in before.iter().chain(commands) {
        command.args(["-ex", line]);
    }
    Some(said_by(command.args(program)))
}

/// What gdb alone is asked of the core file, and what it has to say.
const ALSO_ON_CORE: [&str; 14] = [
    "hakmem whatis &small[0][2]",
    "hakmem report",
    "hakmem refs --json small[0][1]",
    "print $hakmem_state(small[0][3])",
    "print $hakmem_size((char *)large[1] + 10) >= 200",
    "print $hakmem_block((char *)large[1] + 10) == large[1]",
    "hakmem pointers",
    "hakmem nothing",
    "hakmem whatis no_such_variable",
    "hakmem whatis",
    "hakmem use /nonexistent",
    "hakmem heap",
    "hakmem use -",
    "hakmem stats --json",
];
const SAID_OF_CORE: [&str; 10] = [
    "module: ",
    "ended: SIGABRT",
    "\"holder\":",
    "= \"live\"\n",
    "there is no `hakmem nothing` here",
    "No symbol \"no_such_variable\"",
    "takes an expression",
    "cannot open the source",
    "/nonexistent",
    "\"balances\":true",
];

#[test]
fn gdb_on_a_core_file() {
    let prefix = installed(HAKMEM.as_ref());
    let Some(recorded) = recorded_core() else {
        return;
    };
    let commands = [&["frame function main"][..], &ON_CORE, &ALSO_ON_CORE].concat();
    let core = &recorded.left.core;
    let Some(said) = gdb(&prefix, &owned(&commands), &[&recorded.program, core]) else {
        return;
    };
    knows_the_core(&said, &recorded);
    has(&said, &SAID_OF_CORE);
    assert_eq!(said.matches(" = 1\n").count(), 2, "{said}");
    let is_freed = |line: &str| line.starts_with("freed ") && line.ends_with(": block of 96 bytes");
    assert!(said.lines().any(is_freed), "{said}");
    assert_eq!(said.matches("Python").count(), 0, "{said}");
    let left_behind = prefix.file("share/hakmem/__pycache__").exists();
    assert!(!left_behind, "the scripts leave something beside them");
}

/// Commands by which gdb starts a program on a library and stops it in a function.
fn start_on(library: &Path, function: &str, arguments: &str) -> Vec<String> {
    vec![
        format!("set environment LD_PRELOAD={}", library.display()),
        format!("break {function}"),
        format!("run {arguments}"),
    ]
}

/// Whether gdb could start the program; else says that the test is skipped.
fn may_trace(said: &str) -> bool {
    let refused = ["ptrace: Operation not permitted", "Cannot PTRACE"];
    let may = !refused.iter().any(|text| said.contains(text));
    if !may {
        skip("gdb may not trace here");
    }
    may
}

#[test]
fn gdb_on_a_process() {
    let prefix = installed(HAKMEM.as_ref());
    let program = compile::program("recorded.c");
    let mut commands = start_on(library::shared(), "keep_large", "x");
    commands.extend(owned(&ON_PROCESS));
    let Some(said) = gdb(&prefix, &commands, &[&program]) else {
        return;
    };
    if may_trace(&said) {
        knows_the_process(&said);
        has(&said, &["(release, or records nothing), process "]);
    }
}

/// A command in the place of `hakmem`.
fn another(scratch: &Scratch, script: &str) -> PathBuf {
    let path = scratch.file("hakmem");
    // Written by another process: a descriptor of this one might be open in what another test starts.
    let written = Command::new("sh")
        .args([
            "-c",
            "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\"",
            "sh",
            script,
        ])
        .arg(&path)
        .status();
    assert!(written.unwrap().success());
    for (path, mode) in [(path.as_path(), 0o755), (scratch.path(), 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    path
}

/// Where the kernel lets only the debugger read the process, as it does for a user who is not its own,
/// gdb hands on what it may read.
#[test]
fn gdb_on_a_process_that_only_it_may_read() {
    let Some(setpriv) = other_user() else { return };
    let scratch = Scratch::new();
    let script = format!("exec {setpriv} '{HAKMEM}' \"$@\"");
    let prefix = installed(&another(&scratch, &script));
    let program = compile::program("recorded.c");
    let mut commands = start_on(library::shared(), "keep_large", "x");
    commands.extend(owned(&ON_PROCESS));
    commands.extend(owned(&["hakmem live --by size", "hakmem leaks"]));
    let Some(said) = gdb(&prefix, &commands, &[&program]) else {
        return;
    };
    if may_trace(&said) {
        knows_the_process(&said);
        has(&said, &["reachable: ", "definite:  0 blocks"]);
    }
}

/// Where it may not either, it is said how to change that.
#[test]
fn gdb_on_a_process_that_nobody_may_read() {
    let scratch = Scratch::new();
    let script = "echo 'hakmem: error: cannot read process 1' >&2; exit 2";
    let prefix = installed(&another(&scratch, script));
    let mut commands = owned(&["hakmem use pid:0", "hakmem heap"]);
    commands.extend(owned(&["call (int) prctl(0x59616d61, -1L)"]));
    let mut all = start_on(library::shared(), "keep_large", "x");
    all.extend(commands);
    let program = compile::program("recorded.c");
    let Some(said) = gdb(&prefix, &all, &[&program]) else {
        return;
    };
    if may_trace(&said) {
        has(
            &said,
            &[
                "cannot read process 1\n",
                "  or:    have the process allow it",
                "call (int) prctl(0x59616d61, -1L)\n",
            ],
        );
        // Where there is no such rule, the kernel does not know the call.
        assert!(
            said.contains("$1 = 0") || said.contains("$1 = -1"),
            "{said}"
        );
    }
}

#[test]
fn gdb_prints_the_allocators_structures() {
    let prefix = installed(HAKMEM.as_ref());
    let Some(there) = structures::there() else {
        return;
    };
    let address = &there.address;
    let mut commands = vec![
        format!("print $hakmem_slab({address})"),
        format!("hakmem slab {address}"),
        "print $hakmem_slab(8)".into(),
    ];
    let printed = |name: &str, kind: &str, at: u64| {
        format!("python gdb.write('{name}: %s\\n' % structure('hakmem_alloc::{kind}', {at:#x}))")
    };
    commands.extend(there.each(printed));
    let Structures { program, left, .. } = &there;
    let Some(said) = gdb(&prefix, &commands, &[program, &left.core]) else {
        return;
    };
    there.are_printed(&said);
    has(
        &said,
        &[
            &format!("$1 = {}", there.slab_text),
            "kind = blocks, ",
            "is in no slab, but: unmapped",
        ],
    );
}
