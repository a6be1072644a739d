//! A clone of the project that the running binary was built in, where the library can be built
//! as well.
//!
//! ```text
//! root/Cargo.toml               a workspace …
//! root/capi/Cargo.toml          … with the package that the library comes from
//! root/target/debug/hakmem      the running binary, of either profile
//! root/target/release/libhakmem.so
//! ```
//!
//! The target directory may be elsewhere (CARGO_TARGET_DIR): then the clone is the one that the
//! binary was compiled from, if it is still there.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Status, say};
use crate::library::{self, Face};

/// The package that the library is built from.
const PACKAGE: &str = "hakmem-capi";

/// The clone that this program was compiled from.
const COMPILED_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A clone, and its target directory.
#[derive(Debug, PartialEq, Eq)]
pub struct Checkout {
    root: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// The clone that `executable` was built in. None if it does not lie in a target directory
    /// of one.
    pub fn of(executable: &Path) -> Option<Self> {
        Self::of_either(executable, Path::new(COMPILED_FROM))
    }

    fn of_either(executable: &Path, compiled_from: &Path) -> Option<Self> {
        let profile = executable.parent()?;
        if !["release", "debug", "observed"]
            .iter()
            .any(|p| profile.ends_with(p))
        {
            return None;
        }
        let target = profile.parent()?;
        let around = target.ancestors().skip(1).find(|root| is_root(root));
        let root = match around {
            Some(root) => root.to_owned(),
            None if is_target(target) && is_root(compiled_from) => {
                compiled_from.canonicalize().ok()?
            }
            None => return None,
        };
        Some(Self {
            root,
            target: target.to_owned(),
        })
    }

    /// The path of the library that the clone has, or would have.
    pub fn library(&self, face: Face) -> PathBuf {
        self.target.join(face.profile()).join(library::FILE_NAME)
    }

    /// Builds the library. Cargo's messages go to standard error, as do ours.
    pub fn build_library(&self, face: Face) -> Result<(), Failure> {
        let command = face.build_command();
        say(format_args!(
            "hakmem: this clone has no {}/{} yet; building it in {}: {command}",
            face.profile(),
            library::FILE_NAME,
            self.root.display()
        ));
        let built = io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .and_then(|stderr| {
                Command::new("cargo")
                    .args(command.split(' ').skip(1))
                    .arg("--target-dir")
                    .arg(&self.target)
                    .current_dir(&self.root)
                    .env_remove("CARGO_BUILD_TARGET")
                    .stdin(Stdio::null())
                    .stdout(stderr)
                    .status()
            });
        let (why, next) = match built {
            Ok(status) if !status.success() => (
                format!("`{command}` failed ({status}); its messages stand above"),
                "mend what they say and run the same command again".to_owned(),
            ),
            Ok(_) if !self.library(face).is_file() => (
                format!(
                    "`{command}` went well, but left no {}",
                    self.library(face).display()
                ),
                "find where cargo put it (a configured build target?) and give it: \
                 `hakmem run --lib PATH …`"
                    .to_owned(),
            ),
            Ok(_) => return Ok(()),
            Err(error) => (
                format!("cargo could not be started: {error}"),
                format!("install Rust, or build where it is installed: `{command}`"),
            ),
        };
        let what = format!("could not build {}", library::FILE_NAME);
        Err(Failure::new(Status::Usage, what, why, next).at(&self.root))
    }
}

/// Cargo leaves its mark in a target directory, which has a part for each build target.
fn is_target(directory: &Path) -> bool {
    directory
        .ancestors()
        .take(2)
        .any(|directory| directory.join("CACHEDIR.TAG").is_file())
}

fn is_root(directory: &Path) -> bool {
    has_line(&directory.join("Cargo.toml"), "[workspace]")
        && has_line(
            &directory.join("capi/Cargo.toml"),
            &format!("name = \"{PACKAGE}\""),
        )
}

fn has_line(file: &Path, wanted: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line.trim() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clone() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("capi")).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        fs::write(
            root.path().join("capi/Cargo.toml"),
            "[package]\nname = \"hakmem-capi\"\n",
        )
        .unwrap();
        root
    }

    #[test]
    fn is_found_from_a_binary_in_its_target_directory() {
        let root = clone();
        for (binary, target) in [
            ("target/release/hakmem", "target"),
            ("target/debug/hakmem", "target"),
            (
                "target/x86_64-unknown-linux-gnu/release/hakmem",
                "target/x86_64-unknown-linux-gnu",
            ),
        ] {
            let checkout =
                Checkout::of_either(&root.path().join(binary), Path::new("/nonexistent")).unwrap();
            assert_eq!(checkout.root, root.path());
            assert_eq!(
                checkout.library(Face::Release),
                root.path().join(target).join("release/libhakmem.so")
            );
            assert_eq!(
                checkout.library(Face::Observed),
                root.path().join(target).join("observed/libhakmem.so")
            );
        }
    }

    #[test]
    fn is_not_found_from_anywhere_else() {
        let root = clone();
        for binary in ["hakmem", "release/hakmem", "bin/hakmem", "target/hakmem"] {
            assert_eq!(
                Checkout::of_either(&root.path().join(binary), Path::new("/nonexistent")),
                None
            );
        }
        fs::remove_file(root.path().join("capi/Cargo.toml")).unwrap();
        let binary = root.path().join("target/release/hakmem");
        assert_eq!(
            Checkout::of_either(&binary, Path::new("/nonexistent")),
            None
        );
    }

    #[test]
    fn may_have_its_target_directory_elsewhere() {
        let root = clone();
        let elsewhere = tempfile::tempdir().unwrap();
        let binary = elsewhere.path().join("debug/hakmem");
        assert_eq!(Checkout::of_either(&binary, root.path()), None);
        fs::write(elsewhere.path().join("CACHEDIR.TAG"), "").unwrap();
        let checkout = Checkout::of_either(&binary, root.path()).unwrap();
        assert_eq!(checkout.root, root.path().canonicalize().unwrap());
        assert_eq!(
            checkout.library(Face::Release),
            elsewhere.path().join("release/libhakmem.so")
        );
        let target = elsewhere.path().join("x86_64-unknown-linux-gnu");
        let checkout = Checkout::of_either(&target.join("debug/hakmem"), root.path()).unwrap();
        assert_eq!(
            checkout.library(Face::Release),
            target.join("release/libhakmem.so")
        );
    }
}
