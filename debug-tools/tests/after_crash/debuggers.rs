//! The commands for gdb and lldb, on core files and on programs that they have stopped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::{Scratch, compile, find, library, skip, tool};

use serde_json::Value;

use crate::support::{HAKMEM, Left, leave_core, leave_core_on, on};

const RECORDED: [(&str, &str); 2] = [("HAKMEM_TRACE_DIR", "%d/trace"), ("HAKMEM_STACKS", "table")];
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/debuggers");

/// The scripts as they are installed, with the command under test beside them, or one in its place.
fn installed(command: &Path) -> Scratch {
    let prefix = Scratch::new();
    fs::create_dir_all(prefix.file("share/hakmem")).unwrap();
    fs::create_dir_all(prefix.file("bin")).unwrap();
    for script in fs::read_dir(SCRIPTS).unwrap() {
        let path = script.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.file_name().unwrap();
            fs::copy(&path, prefix.file("share/hakmem").join(name)).unwrap();
        }
    }
    symlink(command, prefix.file("bin/hakmem")).unwrap();
    prefix
}

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

/// All that a debugger says; it leaves nothing beside the scripts.
fn said_by(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn owned(commands: &[&str]) -> Vec<String> {
    commands
        .iter()
        .map(|command| (*command).to_owned())
        .collect()
}

fn recorded_core() -> Option<(PathBuf, Left)> {
    let program = compile::program("recorded.c");
    let left = leave_core(&program, &["abort"], Some(&RECORDED))?;
    Some((program, left))
}

#[track_caller]
fn has(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
}

#[test]
fn gdb_on_a_core_file() {
    let prefix = installed(HAKMEM.as_ref());
    let Some((program, left)) = recorded_core() else {
        return;
    };
    let commands = owned(&[
        "frame function main",
        "hakmem whatis small[0][1] &small[0][2]",
        "hakmem history large[1]",
        "hakmem heap",
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
    ]);
    let Some(said) = gdb(&prefix, &commands, &[&program, &left.core]) else {
        return;
    };
    let kept = left
        .stdout
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("kept ");
    has(
        &said,
        &[
            &format!("live: {kept} begins a block of "),
            "keep_small (",
            "module: ",
            "keep_large < main",
            " mapped: ",
            "clean: nothing is wrong",
            "ended: SIGABRT",
            "\"holder\":",
            "= \"live\"\n",
            "there is no `hakmem nothing` here",
            "No symbol \"no_such_variable\"",
            "takes an expression",
            "cannot open the source",
            "/nonexistent",
            "\"balances\":true",
        ],
    );
    assert_eq!(said.matches(" = 1\n").count(), 2, "{said}");
    let pointers: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(": block of "))
        .collect();
    let freed = pointers.iter().find(|line| line.starts_with("freed "));
    assert!(
        freed.is_some_and(|line| line.ends_with("block of 96 bytes")),
        "{said}"
    );
    let errors = said.matches("Python").count();
    assert_eq!(errors, 0, "{said}");
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

const ON_PROCESS: [&str; 5] = [
    "hakmem whatis small[0][1] large[0]",
    "hakmem heap",
    "finish",
    "hakmem whatis large[0]",
    "hakmem pointers",
];

#[track_caller]
fn knows_the_process(said: &str) {
    has(
        said,
        &[
            "unmapped: 0x0",
            "begins a block of 32 bytes",
            "begins a block of 224 bytes",
            "clean: nothing is wrong",
        ],
    );
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

/// Where the kernel lets only the debugger read the process, it is said how to change that.
#[test]
fn gdb_on_a_process_that_others_may_not_read() {
    let scratch = Scratch::new();
    let refusing = scratch.file("hakmem");
    let script = "#!/bin/sh\necho 'hakmem: error: cannot read process 1' >&2\nexit 2\n";
    // Written by another process: a descriptor of this one might be open in what another test starts.
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\"", "sh", script])
        .arg(&refusing)
        .status();
    assert!(written.unwrap().success());
    fs::set_permissions(&refusing, fs::Permissions::from_mode(0o755)).unwrap();
    let prefix = installed(&refusing);
    let program = compile::program("recorded.c");
    let mut commands = start_on(library::shared(), "keep_large", "x");
    commands.extend(owned(&["hakmem heap", "call (int) prctl(0x59616d61, -1L)"]));
    let Some(said) = gdb(&prefix, &commands, &[&program]) else {
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

/// The core file of a debug build of a Rust program, which has debug information of the allocator's own
/// types; with an address of a block of its.
fn debug_core() -> Option<(PathBuf, Left, String)> {
    let program = tool::example("plain", &[]);
    let left = leave_core_on(None, &program, &[], None)?;
    let of_40_bytes = |line: &&str| line.starts_with("live ") && line.ends_with(" 40");
    let line = left.stdout.lines().find(of_40_bytes).unwrap();
    let address = line.split(' ').nth(1).unwrap().to_owned();
    Some((program, left, address))
}

/// What `registry` says of the slab of an address.
fn slab_of(left: &Left, address: &str) -> Value {
    let slab = on("whatis", &left.core, &["--json", address]).json()["slab"].clone();
    let registry = on("registry", &left.core, &["--json"]).json();
    let slabs = registry["slabs"].as_array().unwrap();
    let found = slabs.iter().find(|other| other["start"] == slab);
    found.unwrap().clone()
}

/// What debug information says of a slab's header agrees with what the command reads without it.
#[test]
fn gdb_prints_the_allocators_structures() {
    let prefix = installed(HAKMEM.as_ref());
    let Some((program, left, address)) = debug_core() else {
        return;
    };
    let commands = [
        format!("print $hakmem_slab({address})"),
        format!("hakmem slab {address}"),
        "python v = slab_of(number_of(gdb.parse_and_eval('$hakmem_block(ADDRESS)')))"
            .replace("ADDRESS", &address),
        "python gdb.write('of it: %s\\n' % single(v['constant']['superslab']).dereference())"
            .into(),
        "print $hakmem_slab(8)".into(),
    ];
    let Some(said) = gdb(&prefix, &commands, &[&program, &left.core]) else {
        return;
    };
    let slab = slab_of(&left, &address);
    let text = format!(
        "slab at {}: class {}, {} blocks, ",
        slab["start"].as_str().unwrap(),
        slab["class"],
        slab["blocks"]
    );
    has(
        &said,
        &[
            &format!("$1 = {text}"),
            "kind = blocks, ",
            &format!("\n{text}"),
            "\n  kind     blocks\n",
            "of it: SuperSlab at 0x",
            " of 32 slots free",
            "is in no slab, but: unmapped",
        ],
    );
}

/// lldb with its Python, which Debian's does not find by itself.
fn lldb(prefix: &Scratch, commands: &[String], arguments: &[&Path]) -> Option<String> {
    let lldb = find("lldb")?;
    let mut command = Command::new(lldb);
    let modules = fs::read_dir("/usr/lib")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let python = entry.path().join("lib");
            let mut inside = fs::read_dir(python).ok()?.flatten();
            inside.find_map(|entry| {
                let packages = entry.path().join("dist-packages");
                packages
                    .join("lldb/embedded_interpreter.py")
                    .exists()
                    .then_some(packages)
            })
        });
    let script = prefix.file("share/hakmem/hakmem_lldb.py");
    command
        .args(["--no-lldbinit", "--batch", "-o"])
        .arg(format!("command script import {}", script.display()))
        .env("PYTHONPATH", std::env::join_paths(modules).unwrap());
    for line in commands {
        command.args(["-o", line]);
    }
    Some(said_by(command.args(arguments)))
}

#[test]
fn lldb_on_a_core_file() {
    let prefix = installed(HAKMEM.as_ref());
    let Some((program, left)) = recorded_core() else {
        return;
    };
    let commands = owned(&[
        "hakmem whatis small[0][1] 8",
        "hakmem history large[1]",
        "hakmem heap",
    ]);
    let core = left.core.to_str().unwrap();
    let arguments = [Path::new("--core"), Path::new(core), &program];
    let Some(said) = lldb(&prefix, &commands, &arguments) else {
        return;
    };
    let kept = left
        .stdout
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("kept ");
    has(
        &said,
        &[
            &format!("live: {kept} begins a block of "),
            "keep_small (",
            "unmapped: 0x8",
            "keep_large < main",
            " mapped: ",
            "clean: nothing is wrong",
        ],
    );
    // It ends with the first command that fails.
    for (command, error) in [
        ("hakmem nothing", "error: there is no `hakmem nothing` here"),
        (
            "hakmem whatis no_such_variable",
            "error: no_such_variable: ",
        ),
    ] {
        let said = lldb(&prefix, &owned(&[command]), &arguments).unwrap();
        has(&said, &[error]);
    }
}

#[test]
fn lldb_on_a_process() {
    let prefix = installed(HAKMEM.as_ref());
    let program = compile::program("recorded.c");
    let mut commands = vec![
        format!(
            "settings set target.env-vars LD_PRELOAD={}",
            library::shared().display()
        ),
        "breakpoint set -n keep_large".into(),
        "process launch -- x".into(),
    ];
    commands.extend(owned(&ON_PROCESS));
    let Some(said) = lldb(&prefix, &commands, &[&program]) else {
        return;
    };
    if said.contains("Operation not permitted") || said.contains("personality set failed") {
        skip("lldb may not trace here");
        return;
    }
    knows_the_process(&said);
}

#[test]
fn lldb_prints_the_allocators_structures() {
    let prefix = installed(HAKMEM.as_ref());
    let Some((program, left, address)) = debug_core() else {
        return;
    };
    let commands = [
        format!("hakmem slab {address}"),
        SUMMARY.replace("ADDRESS", &address),
    ];
    let arguments = [Path::new("--core"), &left.core, &program];
    let Some(said) = lldb(&prefix, &commands, &arguments) else {
        return;
    };
    let slab = slab_of(&left, &address);
    let start = slab["start"].as_str().unwrap();
    let text = format!(
        "slab at {start}: class {}, {} blocks, ",
        slab["class"], slab["blocks"]
    );
    let header = said.lines().find(|line| line.starts_with(&text));
    let header = header.unwrap_or_else(|| panic!("{said}"));
    // The summary of the value is the same, with the members behind it.
    has(
        &said,
        &[
            "\n  kind     blocks\n",
            &format!("summary: {header}; start {start}; kind blocks; "),
        ],
    );
}

/// Has lldb print the value of a slab's header, as it does for a variable.
const SUMMARY: &str = "script h = hakmem_lldb.HAKMEM[lldb.debugger.GetID()]; \
    n = h.debugger.structure('hakmem_alloc::slab::Slab', h.header(ADDRESS)); \
    print('summary: ' + n.value.GetSummary())";
