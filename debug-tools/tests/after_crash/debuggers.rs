//! The commands for gdb and lldb, on core files and on programs that they have stopped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::{Scratch, compile, find, library, skip, tool};

use crate::support::{HAKMEM, Left, leave_core};

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
        "hakmem whatis small[0][1] &small[0][2]",
        "hakmem history resized",
        "hakmem heap",
        "hakmem report",
        "hakmem refs --json small[0][1]",
        "print $hakmem_state(small[0][3])",
        "print $hakmem_size((char *)resized + 10) >= 900",
        "print $hakmem_block((char *)resized + 10) == resized",
        "frame function main",
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
            "in resize (",
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
    assert!(
        pointers
            .iter()
            .any(|line| line.starts_with("freed ") && !line.contains("live")),
        "{said}"
    );
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

/// Where only the debugger may read the process, it writes a core file for `hakmem`, one for each time
/// that the process stops.
#[test]
fn gdb_on_a_process_that_others_may_not_read() {
    let scratch = Scratch::new();
    let refusing = scratch.file("hakmem");
    let script = format!(
        "#!/bin/sh\ncase $2 in pid:*) echo 'hakmem: error: cannot read process' >&2; exit 2;; esac\n\
         echo \"$1\" >> {}\nexec {HAKMEM} \"$@\"\n",
        scratch.file("asked").display()
    );
    // Written by another process: a descriptor of this one might be open in what another test starts.
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &script])
        .arg(&refusing)
        .status();
    assert!(written.unwrap().success());
    fs::set_permissions(&refusing, fs::Permissions::from_mode(0o755)).unwrap();
    let prefix = installed(&refusing);
    let program = compile::program("recorded.c");
    let mut commands = start_on(library::shared(), "keep_large", "x");
    commands.extend(owned(&ON_PROCESS));
    let Some(said) = gdb(&prefix, &commands, &[&program]) else {
        return;
    };
    if may_trace(&said) {
        knows_the_process(&said);
        has(
            &said,
            &["(release, or records nothing), core file of process "],
        );
        let asked = fs::read_to_string(scratch.file("asked")).unwrap();
        assert_eq!(asked, "whatis\ninfo\nstats\nverify\nwhatis\nwhatis\n");
    }
}

/// `libhakmem.so` with debug information of its types.
fn debug_library() -> PathBuf {
    let arguments = [
        "build",
        "-p",
        "hakmem-capi",
        "--message-format=json-render-diagnostics",
    ];
    let messages = tool::output(&tool::cargo(), arguments);
    let mut words = messages.split('"');
    let is_it = |word: &&str| word.starts_with('/') && word.ends_with("/libhakmem.so");
    words.find(is_it).expect("cargo built the library").into()
}

/// The header of the slab of an address, as debug information describes it, agrees with what the
/// command reads of it without.
#[test]
fn gdb_prints_the_allocators_structures() {
    let prefix = installed(HAKMEM.as_ref());
    let program = compile::program("recorded.c");
    let mut commands = start_on(&debug_library(), "resize", "x");
    commands.extend(owned(&[
        "print $hakmem_slab(large[0])",
        "print *$hakmem_slab(large[0]).constant.superslab.value.value",
        "hakmem registry --json",
        "hakmem slab large[0]",
        "print $hakmem_slab(&small)",
    ]));
    let Some(said) = gdb(&prefix, &commands, &[&program]) else {
        return;
    };
    if !may_trace(&said) {
        return;
    }
    let registry = said.lines().find(|line| line.starts_with('{')).unwrap();
    let registry: serde_json::Value = serde_json::from_str(registry).unwrap();
    let printed = said.lines().find(|line| line.contains(" = slab at 0x"));
    let printed = printed.unwrap_or_else(|| panic!("{said}"));
    let slabs = registry["slabs"].as_array().unwrap();
    let slab = slabs
        .iter()
        .find(|slab| printed.contains(&format!("slab at {}:", slab["start"].as_str().unwrap())));
    let slab = slab.unwrap_or_else(|| panic!("{said}"));
    has(
        printed,
        &[
            &format!("class {}, {} blocks, ", slab["class"], slab["blocks"]),
            "kind = \"blocks\"",
        ],
    );
    has(
        &said,
        &[
            "SuperSlab at 0x",
            " of 32 slots free",
            "\n  kind     blocks\n",
            "is in no slab, but: module",
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
        "hakmem history resized",
        "hakmem heap",
        "hakmem nothing",
        "hakmem whatis no_such_variable",
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
            "in resize (",
            " mapped: ",
            "clean: nothing is wrong",
            "there is no `hakmem nothing` here",
            "no_such_variable",
        ],
    );
}

#[test]
fn lldb_on_a_process() {
    let prefix = installed(HAKMEM.as_ref());
    let program = compile::program("recorded.c");
    let mut commands = vec![
        format!(
            "settings set target.env-vars LD_PRELOAD={}",
            debug_library().display()
        ),
        "breakpoint set -n keep_large".into(),
        "process launch -- x".into(),
    ];
    commands.extend(owned(&ON_PROCESS));
    commands.extend(owned(&["hakmem slab large[0]", SUMMARY]));
    let Some(said) = lldb(&prefix, &commands, &[&program]) else {
        return;
    };
    if said.contains("Operation not permitted") || said.contains("personality set failed") {
        skip("lldb may not trace here");
        return;
    }
    knows_the_process(&said);
    let header = said.lines().find(|line| line.starts_with("slab at 0x"));
    let header = header.unwrap_or_else(|| panic!("{said}"));
    // The summary of the value is the same, with the members behind it.
    has(
        &said,
        &[
            "\n  kind     blocks\n",
            &format!("summary: {header}; start 0x"),
        ],
    );
}

/// Has lldb print the value of a slab's header, as it does for a variable.
const SUMMARY: &str = "script h = hakmem_lldb.HAKMEM[lldb.debugger.GetID()]; \
    a = h.header(h.debugger.address('large[0]')); \
    n = h.debugger.structure('hakmem_alloc::slab::Slab', a); \
    print('summary: ' + n.value.GetSummary())";
