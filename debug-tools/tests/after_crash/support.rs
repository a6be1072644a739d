//! What these tests share: programs that leave core files, and the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use hakmem_tests::{Scratch, library, skip};
use serde_json::Value;

/// The command under test.
pub const HAKMEM: &str = env!("CARGO_BIN_EXE_hakmem");

/// What a command did.
pub struct Answer {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Its standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.stdout, self.stderr))
    }

    /// It ended with this status.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `hakmem` with these arguments. It must not panic, nor end by a signal.
#[track_caller]
pub fn hakmem<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Answer {
    let mut command = Command::new(HAKMEM);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("LD_PRELOAD");
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let code = status
        .code()
        .unwrap_or_else(|| panic!("{command:?}: {status}\n{stderr}"));
    assert!(
        code <= 3 && !stderr.contains("panicked"),
        "{command:?}: {status}\n{stderr}"
    );
    Answer {
        status: code,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr,
    }
}

/// Runs a command of `hakmem` on a file.
#[track_caller]
pub fn on(command: &str, source: &Path, more: &[&str]) -> Answer {
    let source = source.to_str().unwrap();
    hakmem([command, source].into_iter().chain(more.iter().copied()))
}

/// Whether the system writes core files into a program's directory; else says that it is skipped.
pub fn has_cores() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let there = !pattern.starts_with(['|', '/']) && !pattern.trim().is_empty();
    if !there {
        skip(&format!(
            "core files go elsewhere (kernel.core_pattern is {})",
            pattern.trim()
        ));
    }
    there
}

/// A program's end.
pub struct Left {
    pub scratch: Scratch,
    pub core: PathBuf,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program in a directory of its own, on the release library or, if variables are given, on
/// the observed one, to its end by a signal. `%d` in an argument is the directory.
pub fn leave_core(
    program: &Path,
    arguments: &[&str],
    observed: Option<&[(&str, &str)]>,
) -> Option<Left> {
    let library = match observed {
        Some(_) => library::observed(),
        None => library::shared(),
    };
    leave_core_on(Some(library), program, arguments, observed)
}

/// The same, on a library or by itself.
pub fn leave_core_on(
    library: Option<&Path>,
    program: &Path,
    arguments: &[&str],
    variables: Option<&[(&str, &str)]>,
) -> Option<Left> {
    if !has_cores() {
        return None;
    }
    let scratch = Scratch::new();
    let directory = scratch.path().to_str().unwrap().to_owned();
    let fill = |text: &str| text.replace("%d", &directory);
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            "ulimit -c unlimited; LD_PRELOAD=$LIBRARY exec \"$0\" \"$@\"",
        ])
        .arg(program)
        .args(arguments.iter().map(|argument| fill(argument)))
        .current_dir(scratch.path())
        .env("LIBRARY", library.unwrap_or(Path::new("")));
    for (name, value) in variables.unwrap_or_default() {
        command.env(name, fill(value));
    }
    let output = command.output().unwrap();
    let core = core_in(scratch.path()).unwrap_or_else(|| {
        panic!(
            "no core file: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    });
    Some(Left {
        scratch,
        core,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The core file in a directory.
pub fn core_in(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cores = entries.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "core" || name.starts_with("core.")
    });
    cores.next()
}

/// A number as the command prints addresses.
pub fn number(value: &Value) -> u64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no address"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// A program that does not outlive its test, whatever becomes of that: what it has inherited would keep
/// who waits for the test's output waiting.
pub struct Started(pub Child);

impl Started {
    /// Waits until it is so; the test fails if the program ends before.
    #[track_caller]
    pub fn until(&mut self, mut is_so: impl FnMut(&Self) -> bool) {
        while !is_so(self) {
            let ended = self.0.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended before: {ended:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether its first thread waits for something.
    pub fn sleeps(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    /// How commands name it.
    pub fn source(&self) -> String {
        format!("pid:{}", self.0.id())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
