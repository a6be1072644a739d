//! `hakmem run --fixed-addresses` with the observed library: a watched address is of use only if it
//! comes again.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use hakmem_tests::{Scratch, compile, library, reference, skip, tool};

/// Where the blocks of a program of one thread lie. `None` where the system does not let that be
/// fixed.
fn addresses(hakmem: &Path, seed: &str, options: &[&str]) -> Option<String> {
    let scratch = Scratch::new();
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(hakmem)
        .args(["run", "--quiet", "--trace-dir"])
        .arg(scratch.file("trace"))
        .args(options)
        .arg("--lib")
        .arg(library::observed())
        .arg("--")
        .arg(compile::program("addresses.c"))
        .arg(seed)
        .env_remove("HAKMEM_FIXED_ADDRESSES")
        .output()
        .expect("hakmem can be run");
    let said = String::from_utf8_lossy(&stderr);
    if said.contains("personality(2) was refused") {
        skip("this system does not let randomisation be switched off");
        return None;
    }
    assert!(status.success(), "{status}: {said}");
    assert!(scratch.file("trace").exists(), "it did not record: {said}");
    Some(String::from_utf8(stdout).expect("addresses"))
}

#[test]
fn a_program_of_one_thread_gets_the_same_addresses_again() {
    if reference() {
        return skip("glibc's allocator is not run by hakmem");
    }
    let hakmem = tool::hakmem();
    let fixed = |seed| addresses(&hakmem, seed, &["--fixed-addresses"]);
    let Some(first) = fixed("1") else {
        return;
    };
    let different: BTreeSet<&str> = first.lines().collect();
    assert!(different.len() > 500, "{} addresses", different.len());
    for _ in 0..3 {
        let again = fixed("1");
        assert!(again.as_ref() == Some(&first), "other addresses");
    }
    // They are told apart: another program has others, and so has the same one without.
    assert!(fixed("2") != Some(first.clone()));
    let random = [(); 3].map(|()| addresses(&hakmem, "1", &[]));
    let randomises = std::fs::read_to_string("/proc/sys/kernel/randomize_va_space");
    if randomises.is_ok_and(|how| how.trim() == "2") {
        assert!(random.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
