//! Runs the examples: they check their results and their allocator themselves.

use std::process::Command;

fn run(program: &str, said: &str) {
    let output = Command::new(program).output().expect("it starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    assert!(stdout.contains(said), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn hash_map() {
    run(env!("CARGO_BIN_EXE_hash_map"), "100000 entries");
}

#[test]
fn pipeline() {
    run(env!("CARGO_BIN_EXE_pipeline"), "100000 lines");
}

#[test]
fn tokio_echo() {
    run(env!("CARGO_BIN_EXE_tokio_echo"), "32 clients");
}
