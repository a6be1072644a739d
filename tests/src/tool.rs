//! Programs of the distribution and of Rust that look at what was built.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What the tool writes to standard output, in the C locale, with the workspace
/// as its directory. The test fails if the tool does.
#[track_caller]
pub fn output<A: AsRef<OsStr>>(tool: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new(tool);
    command.args(arguments).env("LC_ALL", "C");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{tool} cannot be run: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap_or_else(|e| panic!("{tool} wrote no text: {e}"))
}

/// The cargo that runs these tests.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The program of `tests/examples/NAME.rs`, built by cargo with such options.
pub fn example(name: &str, options: &[&str]) -> PathBuf {
    let mut arguments = vec!["build", "-p", "hakmem-tests", "--example", name];
    arguments.push("--message-format=json-render-diagnostics");
    arguments.extend(options);
    let messages = output(&cargo(), arguments);
    let end = format!("/examples/{name}");
    let is_it = |text: &&str| text.starts_with('/') && text.ends_with(&end);
    let path = messages.split('"').find(is_it);
    path.expect("cargo built no example").into()
}

/// The `hakmem` command, built if it is not there.
pub fn hakmem() -> PathBuf {
    let output = Command::new(cargo())
        .args(["build", "-p", "hakmem-debug-tools", "--bin", "hakmem"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo cannot be run");
    assert!(output.status.success(), "hakmem does not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.split("\"executable\":\"").nth(1);
    let path = built.and_then(|rest| rest.split('"').next());
    PathBuf::from(path.expect("cargo says where it is"))
}

/// The lines of a checked-in list or table, without comments (`#`) and empty lines.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
}
