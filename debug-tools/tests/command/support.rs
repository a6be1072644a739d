//! What the tests of the command share: a directory with a library to preload and programs to
//! run, and the command itself.
//!
//! Files that are executed are written by other processes (`install`, `gcc`): a descriptor that
//! this process has open for writing would be inherited for a moment by whatever another test
//! starts, and the file could not be executed then.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A library that defines `malloc` and hands on to the C library.
pub const MALLOC: &str = "
#include <stddef.h>
void *__libc_malloc(size_t);
void *malloc(size_t size) { return __libc_malloc(size); }
";

/// A directory of one test's own.
pub struct Room {
    directory: TempDir,
}

impl Room {
    pub fn new() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { directory }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>, mode: &str) -> PathBuf {
        let path = self.path(name);
        let mut install = Command::new("install")
            .args(["-D", "-m", mode, "/dev/stdin"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = install.stdin.take().unwrap();
        input.write_all(content.as_ref()).unwrap();
        drop(input);
        assert!(install.wait().unwrap().success());
        path
    }

    pub fn script(&self, name: &str, content: &str) -> PathBuf {
        self.write(name, content, "755")
    }

    /// Compiles C.
    pub fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut source_path = path.clone().into_os_string();
        source_path.push(".c");
        fs::write(&source_path, source).unwrap();
        run_tool(
            Command::new("gcc")
                .args(flags)
                .arg(&source_path)
                .arg("-o")
                .arg(&path),
        );
        path
    }

    pub fn shared_library(&self, name: &str, source: &str) -> PathBuf {
        self.compile(name, source, &["-shared", "-fPIC"])
    }

    /// The stand-in for libhakmem.so.
    pub fn library(&self) -> PathBuf {
        self.shared_library("libhakmem.so", MALLOC)
    }

    /// A copy of a file, by default of the command.
    pub fn copy(&self, from: impl AsRef<Path>, name: &str) -> PathBuf {
        let path = self.path(name);
        run_tool(
            Command::new("install")
                .args(["-D", "-m", "755"])
                .arg(from.as_ref())
                .arg(&path),
        );
        path
    }
}

fn run_tool(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}");
}

/// The command under test.
pub const HAKMEM: &str = env!("CARGO_BIN_EXE_hakmem");

/// `hakmem run --release --lib LIBRARY --`, with no preload set.
pub fn run_with(library: &Path) -> Command {
    let mut command = run(HAKMEM);
    command.arg("--lib").arg(library).arg("--");
    command
}

/// `HAKMEM run --release`, with no preload set.
pub fn run(hakmem: impl AsRef<Path>) -> Command {
    let mut command = Command::new(hakmem.as_ref());
    command.args(["run", "--release"]).env_remove("LD_PRELOAD");
    command
}

/// What the program wrote to standard output; it succeeded, and hakmem said nothing.
pub fn quiet_output(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success() && stderr.is_empty(), "{status}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

/// What hakmem said when it refused, with this status; the program has not run.
pub fn refusal(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(output.stdout, b"", "{stderr}");
    for part in ["hakmem: error: ", "\n  why:   ", "\n  next:  "] {
        assert!(stderr.contains(part), "{stderr}");
    }
    stderr
}

/// Whether a listing of `/proc/PID/maps` shows the file.
pub fn maps_show(maps: &str, library: &Path) -> bool {
    maps.lines()
        .any(|line| line.ends_with(library.to_str().unwrap()))
}
