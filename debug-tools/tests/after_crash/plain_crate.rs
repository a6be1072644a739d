//! A Rust program on the plain crate, as it ships: with link-time optimisation, no library beside
//! it, stripped.

use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::{Scratch, skip, tool};

use crate::support::{Left, leave_core_on, number, on};

/// The program of `tests/examples/plain.rs`, as a release build.
fn plain() -> PathBuf {
    tool::example("plain", &["--release"])
}

/// What the program says of its blocks: whether it holds the block, its address, its size.
fn blocks(left: &Left) -> Vec<(bool, &str, u64)> {
    let lines = left.stdout.lines().map(|line| {
        let mut words = line.split(' ');
        let is_live = words.next() == Some("live");
        let address = words.next().unwrap();
        (is_live, address, words.next().unwrap().parse().unwrap())
    });
    lines.collect()
}

fn check(program: &Path) {
    let Some(left) = leave_core_on(None, program, &[], None) else {
        return;
    };
    let blocks = blocks(&left);
    assert!(blocks.len() > 1000, "{} blocks", blocks.len());
    let mut arguments: Vec<&str> = blocks.iter().map(|(_, address, _)| *address).collect();
    arguments.push("--json");
    let said = on("whatis", &left.core, &arguments).ended(0).stdout;
    for ((is_live, address, size), line) in blocks.iter().zip(said.lines()) {
        let said: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(said["state"] == "live", *is_live, "{address}: {said}");
        if *is_live {
            assert_eq!(number(&said["block"]), number(&(*address).into()), "{said}");
            assert!(said["bytes"].as_u64().unwrap() >= *size, "{said}");
        }
    }
    let stats = on("stats", &left.core, &["--json"]).ended(0).json();
    assert_eq!(stats["balances"], true);
    let held: u64 = blocks
        .iter()
        .filter(|block| block.0)
        .map(|block| block.2)
        .sum();
    assert!(stats["live"].as_u64().unwrap() >= held, "{stats}");
    let verified = on("verify", &left.core, &[]).ended(0).stdout;
    assert!(verified.contains("clean: nothing is wrong"), "{verified}");
    let info = on("info", &left.core, &["--json"]).ended(0).json();
    assert_eq!(info["hakmem_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["program"], program.to_str().unwrap());
}

#[test]
fn its_core_is_read_stripped_or_not() {
    let program = plain();
    check(&program);
    let scratch = Scratch::new();
    let stripped = scratch.file("plain_stripped");
    let status = Command::new("strip")
        .arg("-o")
        .args([&stripped, &program])
        .status();
    if !status.is_ok_and(|status| status.success()) {
        skip("strip is not installed");
        return;
    }
    let symbols = tool::output("nm", ["-a".as_ref(), stripped.as_os_str()]);
    assert_eq!(symbols, "", "it is stripped");
    check(&stripped);
}
