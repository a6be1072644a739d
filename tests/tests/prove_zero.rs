//! `scripts/prove-zero`: the release library is what it would be without a single hook, and a hook
//! that does something is noticed.

use std::path::Path;
use std::process::Command;

use hakmem_tests::find;

/// The script's status, and what it printed.
fn prove_zero(arguments: &[&str]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/prove-zero");
    let output = Command::new(script)
        .args(arguments)
        .output()
        .expect("python3 runs the script");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn no_hook_leaves_anything_and_one_with_a_body_would() {
    if ["python3", "git", "objdump"]
        .iter()
        .any(|tool| find(tool).is_none())
    {
        return;
    }
    // One after the other: they build in the same place.
    let (status, text) = prove_zero(&[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("hooks taken out"), "{text}");

    let (status, text) = prove_zero(&["--break", "event"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("malloc"), "{text}");
}

#[test]
fn other_arguments_are_refused() {
    let (status, text) = prove_zero(&["--break", "nothing"]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("prove-zero --break HOOK"), "{text}");
}
