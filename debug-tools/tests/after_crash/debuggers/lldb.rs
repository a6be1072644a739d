//! The commands for lldb.

use std::fs;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{Scratch, compile, find, library, skip};

use super::structures::{self, Structures};
use super::{
    ON_CORE, ON_PROCESS, has, installed, knows_the_core, knows_the_process, owned, recorded_core,
    said_by,
};
use crate::support::HAKMEM;

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
    let Some(recorded) = recorded_core() else {
        return;
    };
    let arguments = [Path::new("--core"), &recorded.left.core, &recorded.program];
    let Some(said) = lldb(&prefix, &owned(&ON_CORE), &arguments) else {
        return;
    };
    knows_the_core(&said, &recorded);
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
    let Some(there) = structures::there() else {
        return;
    };
    let mut commands = vec![format!("hakmem slab {}", there.address)];
    commands.extend(there.each(|name, kind, at| {
        let value = format!("{COMMANDS}.debugger.structure('hakmem_alloc::{kind}', {at:#x}).value");
        format!("script print('{name}: ' + {value}.GetSummary())")
    }));
    let Structures { program, left, .. } = &there;
    let arguments = [Path::new("--core"), &left.core, program];
    let Some(said) = lldb(&prefix, &commands, &arguments) else {
        return;
    };
    there.are_printed(&said);
    has(&said, &["; kind blocks; ", "; clean "]);
}

/// The commands' own state in lldb's Python.
const COMMANDS: &str = "hakmem_lldb.HAKMEM[lldb.debugger.GetID()]";
