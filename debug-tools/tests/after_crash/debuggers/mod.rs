//! The commands for gdb and lldb, on core files and on programs that they have stopped.

mod gdb;
mod lldb;
mod structures;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::{Scratch, compile};

use crate::support::{Left, leave_core};

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

/// A program, the core file that it has left, and what the first block of its that it names is.
struct Recorded {
    program: PathBuf,
    left: Left,
    kept: String,
}

fn recorded_core() -> Option<Recorded> {
    let program = compile::program("recorded.c");
    let left = leave_core(&program, &["abort"], Some(&RECORDED))?;
    let line = left.stdout.lines().next().unwrap();
    let kept = format!(
        "live: {} begins a block of ",
        line.trim_start_matches("kept ")
    );
    Some(Recorded {
        program,
        left,
        kept,
    })
}

/// What both debuggers are asked of that core file.
const ON_CORE: [&str; 3] = [
    "hakmem whatis small[0][1] 8",
    "hakmem history large[1]",
    "hakmem heap",
];

#[track_caller]
fn knows_the_core(said: &str, recorded: &Recorded) {
    let texts = [
        &recorded.kept,
        "keep_small (",
        "unmapped: 0x8",
        "keep_large < main",
        " mapped: ",
        "clean: nothing is wrong",
    ];
    has(said, &texts);
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

#[track_caller]
fn has(said: &str, texts: &[&str]) {
    for text in texts {
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
}
