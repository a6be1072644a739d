//! When the environment is read, and when it is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hakmem_tests::statistics::{Exercise, applies, exercise};
use hakmem_tests::{Scratch, compile, find, library, skip, witness};

#[test]
fn the_environment_is_read_once() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 48 1",
        "set HAKMEM_TINY_TLS_REFILL 4",
        "set HAKMEM_TINY_TLS_CAP abc",
        "thread",
        "take b 2048 1",
        "take c 96 1",
        "report changed",
        "end",
    ];
    let run = exercise(&[], &steps);
    assert_eq!(run.at("changed").class(96, "refilled"), 16);
    assert_eq!(run.said(), [""; 0]);
}

/// A library that is initialised before the C library allocates when there is no
/// environment yet. The settings count from there on.
#[test]
fn settings_count_after_an_early_allocation() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    let early = scratch.file("early.so");
    let source = scratch.file("early.c");
    let text = "#include <stdlib.h>\n\
        __attribute__((constructor)) static void early(void) { free(malloc(64)); }\n";
    fs::write(&source, text).expect("a source");
    let compiled = Command::new("gcc")
        .args(["-shared", "-fPIC", "-fno-builtin", "-Wl,-z,initfirst", "-o"])
        .args([&early, &source])
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "gcc");
    let preload = [library::shared(), &early, &witness::library()].map(|p| p.display().to_string());
    let settings = [
        ("LD_PRELOAD", preload.join(":")),
        ("HAKMEM_TINY_TLS_REFILL", "4".into()),
        ("HAKMEM_TINY_HEADER_CLASSIDX", "x".into()),
        ("HAKMEM_SUPERSLAB_PREWARM", "4".into()),
        ("HAKMEM_WRAP_MID", "0".into()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let steps = ["take a 96 1", "take b 20000 10", "whose b", "report first"];
    let run = exercise(&settings, &steps);
    assert_eq!(run.said().len(), 1, "{:?}", run.said());
    assert_eq!(run.whose("b").ours, 0);
    assert_eq!(run.at("first").class(96, "refilled"), 4);
    assert_eq!(run.at("first").pool("prewarmed"), 4);
}

/// Who runs with the rights of another user or group does not take advice from the caller.
///
/// The loader ignores a preload there as well, so the allocator is linked in.
#[test]
fn a_setuid_program_ignores_the_environment() {
    if !applies() {
        return;
    }
    let Some(setpriv) = find("setpriv") else {
        return;
    };
    let scratch = Scratch::new();
    let program = scratch.file("exercise");
    fs::copy(
        compile::static_program("exercise.c", Some(library::archive())),
        &program,
    )
    .expect("a copy of the program");
    let run = |mode| as_nobody(&setpriv, &program, mode);
    let Some(plain) = run(0o755) else {
        return skip("only root can make a setuid program");
    };
    assert_eq!((plain.secure, plain.refilled), (0, 4));
    assert!(
        plain
            .said
            .contains("hakmem: HAKMEM_TINY_TLS_CAP=9 is outside")
    );
    assert!(plain.said.contains(" statistics\n"), "{}", plain.said);
    for mode in [0o4755, 0o2755] {
        let Some(trusted) = run(mode) else {
            panic!("the program does not run with mode {mode:o}")
        };
        if trusted.secure == 0 {
            return skip("the file system does not honour the setuid bit");
        }
        assert_eq!(trusted.said, "", "mode {mode:o}");
        assert_eq!(trusted.refilled, 16, "mode {mode:o}");
    }
}

struct Nobody {
    secure: u64,
    refilled: u64,
    said: String,
}

/// Runs the program of this mode as a user without rights; `None` where that cannot be.
fn as_nobody(setpriv: &Path, program: &Path, mode: u32) -> Option<Nobody> {
    fs::set_permissions(program, Permissions::from_mode(mode)).expect("another mode");
    let output = Command::new(setpriv)
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["secure", "take a 48 1", "report first"])
        .env("HAKMEM_STATS", "1")
        .env("HAKMEM_TINY_TLS_REFILL", "4")
        .env("HAKMEM_TINY_TLS_CAP", "9")
        .output()
        .expect("setpriv can be run");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if stdout.is_empty() && said.starts_with("setpriv:") {
        return None;
    }
    let exercise = Exercise::of(hakmem_tests::Outcome {
        command: format!("{} as nobody", program.display()),
        status: output.status,
        stdout: output.stdout,
        stderr: output.stderr,
        seen: Vec::new(),
    });
    Some(Nobody {
        secure: exercise.value("secure"),
        refilled: exercise.at("first").class(48, "refilled"),
        said,
    })
}
