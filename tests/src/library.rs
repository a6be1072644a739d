//! The library under test, built once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// `libhakmem.so`.
pub fn shared() -> &'static Path {
    &built().shared
}

/// `libhakmem.a`, from the same build.
pub fn archive() -> &'static Path {
    &built().archive
}

/// `libhakmem.so` with every observer in it.
pub fn observed() -> &'static Path {
    static OBSERVED: OnceLock<PathBuf> = OnceLock::new();
    OBSERVED.get_or_init(|| match std::env::var_os("HAKMEM_TESTS_OBSERVED") {
        Some(shared) => given(PathBuf::from(shared)).shared,
        None => build(&["--profile", "observed", "--features", "observe-all"]).shared,
    })
}

struct Library {
    shared: PathBuf,
    archive: PathBuf,
}

fn built() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| match std::env::var_os("HAKMEM_TESTS_LIBRARY") {
        Some(shared) => given(PathBuf::from(shared)),
        None => build(&["--release"]),
    })
}

fn given(shared: PathBuf) -> Library {
    let shared = shared
        .canonicalize()
        .unwrap_or_else(|e| panic!("the library to test, {}: {e}", shared.display()));
    let archive = shared.with_file_name("libhakmem.a");
    Library { shared, archive }
}

/// Asks cargo itself where the files are, whatever target directory it uses.
fn build(options: &[&str]) -> Library {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "-p", "hakmem-capi"])
        .args(options)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo cannot be run");
    assert!(output.status.success(), "libhakmem.so does not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    Library {
        shared: artifact(&messages, "libhakmem.so"),
        archive: artifact(&messages, "libhakmem.a"),
    }
}

/// The path in cargo's messages whose last component is `name`.
fn artifact(messages: &str, name: &str) -> PathBuf {
    let path = messages
        .split('"')
        .find(|text| text.starts_with('/') && text.ends_with(&format!("/{name}")))
        .unwrap_or_else(|| panic!("cargo built no {name}"));
    PathBuf::from(path)
}
