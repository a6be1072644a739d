//! `make install` and `make uninstall`.

use std::path::PathBuf;
use std::process::Command;

use hakmem_tests::{Scratch, find};

use crate::installed::{Installed, files_in, make, succeeds, tool};

#[test]
fn a_prefix_is_used_and_left_empty() {
    if find("make").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let prefix = scratch.path().canonicalize().unwrap().join("prefix");
    let variables = [format!("PREFIX={}", prefix.display())];
    make("install", &variables);
    let installed = Installed {
        root: PathBuf::new(),
        lib: prefix.join("lib"),
        prefix: prefix.clone(),
    };
    let files = files_in(&prefix);
    for file in [
        "bin/hakmem",
        "include/hakmem.h",
        "include/hakmem-debug.h",
        "lib/libhakmem.a",
        "lib/libhakmem.so",
        "lib/libhakmem.so.0",
        "lib/libhakmem-observed.so",
        "lib/pkgconfig/hakmem.pc",
        "share/doc/hakmem/LICENSE-MIT",
        "share/hakmem/hakmem_gdb.py",
    ] {
        assert!(files.contains(file), "no {file} in {files:?}");
    }
    installed.runs_programs();
    installed.builds_programs();
    installed.has_pages_and_completions("share/zsh/site-functions/_hakmem");
    installed.keeps_its_soname();
    gdb_loads_the_commands(&installed);
    // Once more over what is there; then all of it goes, and nothing else.
    make("install", &variables);
    assert_eq!(files_in(&prefix), files);
    let other = prefix.join("lib/libother.so");
    std::fs::write(&other, "").unwrap();
    make("uninstall", &variables);
    assert_eq!(
        files_in(&prefix).into_iter().collect::<Vec<_>>(),
        ["lib/libother.so"]
    );
}

/// gdb finds the script by the library's path, once it knows where scripts lie.
fn gdb_loads_the_commands(installed: &Installed) {
    let Some(gdb) = find("gdb") else { return };
    let mut command = Command::new(gdb);
    command.args(["-batch", "-nx"]);
    let scripts = installed.file("share/gdb/auto-load");
    for setting in ["add-auto-load-scripts-directory", "add-auto-load-safe-path"] {
        command.args(["-iex", &format!("{setting} {}", scripts.display())]);
    }
    for library in ["libhakmem.so.0", "libhakmem-observed.so"] {
        let mut command_on = Command::new(command.get_program());
        command_on.args(command.get_args());
        command_on.args(["-ex", "hakmem help"]);
        let said = succeeds(command_on.arg(installed.libraries().join(library)));
        assert!(said.contains("hakmem whatis EXPRESSION"), "{said}");
    }
}

#[test]
fn a_staged_installation_knows_nothing_of_the_stage() {
    if find("make").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let stage = scratch.file("a stage");
    let variables = [
        format!("DESTDIR={}", stage.display()),
        "PREFIX=/opt/hakmem".into(),
        "LIBDIR=/opt/hakmem/lib/deep".into(),
    ];
    make("install", &variables);
    let pc =
        std::fs::read_to_string(stage.join("opt/hakmem/lib/deep/pkgconfig/hakmem.pc")).unwrap();
    for line in [
        "prefix=/opt/hakmem",
        "libdir=/opt/hakmem/lib/deep",
        "includedir=/opt/hakmem/include",
    ] {
        assert!(pc.lines().any(|other| other == line), "{pc}");
    }
    let name = stage.to_str().unwrap().as_bytes();
    for file in files_in(&stage) {
        let path = stage.join(&file);
        assert!(
            !path.is_symlink() || path.canonicalize().is_ok(),
            "{file} leads nowhere"
        );
        let bytes = std::fs::read(&path).unwrap();
        let is_in_it = bytes.windows(name.len()).any(|bytes| bytes == name);
        assert!(!is_in_it, "{file} has the stage's path in it");
    }
    make("uninstall", &variables);
    let left = files_in(&stage);
    assert!(left.is_empty(), "{left:?}");
}

/// The two libraries are built apart: features are unified over one command of cargo's.
#[test]
fn it_builds_each_face_by_a_command_of_its_own() {
    if find("make").is_none() {
        return;
    }
    let mut command = tool("make");
    let commands = succeeds(command.env_remove("CARGO").args(["-n", "install"]));
    for line in [
        "cargo build --release -p hakmem-capi",
        "cargo build --profile observed -p hakmem-capi --features observe-all",
        "cargo build --release -p hakmem-debug-tools",
    ] {
        assert!(commands.lines().any(|other| other == line), "{commands}");
    }
    let help = succeeds(tool("make").args(["-s", "help"]));
    for word in [
        "make install",
        "make uninstall",
        "DESTDIR=",
        "PREFIX=/usr/local",
    ] {
        assert!(help.contains(word), "{help}");
    }
}
