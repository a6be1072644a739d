//! `libhakmem.so`: where it lies, and whether the file there is one.
//!
//! It is looked for where the running binary lies, so that a tool and a library of one build
//! stay together:
//!
//! | the binary | the library |
//! |---|---|
//! | `target/PROFILE/hakmem` in a clone | `target/release/libhakmem.so`, which is built if it is missing |
//! | `PREFIX/bin/hakmem` | `PREFIX/lib/`, `PREFIX/lib/x86_64-linux-gnu/` |
//! | anywhere | beside it; this comes before `PREFIX` |

use std::env;
use std::fs::File;
use std::path::{self, Path, PathBuf};

use crate::checkout::Checkout;
use crate::elf::{Elf, ElfError, Kind};
use crate::failure::{Failure, Status};

/// The name of the production library.
pub const FILE_NAME: &str = "libhakmem.so";

/// What a malloc library has to define.
const SYMBOL: &str = "malloc";

/// A library that can be preloaded.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
}

impl Library {
    /// The one at `path`, after a check that it is a library for this machine with a `malloc`.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let reject = |why: String| {
            Failure::new(
                Status::Usage,
                "cannot preload this file as the hakmem library",
                why,
                format!(
                    "give the path of a {FILE_NAME}: `hakmem run --lib PATH …`; in a clone, \
                     `cargo build --release -p hakmem-capi` makes target/release/{FILE_NAME}"
                ),
            )
            .at(path)
        };
        // Absolute, as the program may change its directory before it starts others. Links are
        // kept: a link may be there to give the library a path that can be preloaded.
        let absolute = path::absolute(path).map_err(|error| reject(error.to_string()))?;
        let file = File::open(path).map_err(|error| reject(error.to_string()))?;
        if !file.metadata().is_ok_and(|file| file.is_file()) {
            return Err(reject("it is not a regular file".into()));
        }
        let exports_malloc = Elf::read(file).and_then(|elf| match elf.kind {
            Kind::SharedObject => elf.exports(SYMBOL).map(Some),
            Kind::Program | Kind::Other => Ok(None),
        });
        match exports_malloc {
            Ok(Some(true)) => Ok(Self { path: absolute }),
            Ok(Some(false)) => Err(reject(format!(
                "it is a shared library, but does not define `{SYMBOL}`"
            ))),
            Ok(None) => Err(reject("it is an ELF file, but no shared library".into())),
            Err(ElfError::NotElf) => Err(reject("it is not an ELF shared library".into())),
            Err(error) => Err(reject(error.to_string())),
        }
    }

    /// The one that belongs to the running binary.
    pub fn find() -> Result<Self, Failure> {
        let executable = env::current_exe().map_err(|error| {
            Failure::new(
                Status::Usage,
                format!("cannot look for {FILE_NAME}"),
                format!("the place of the running hakmem is unknown: {error}"),
                "name the library: `hakmem run --lib PATH …`",
            )
        })?;
        if let Some(checkout) = Checkout::of(&executable) {
            let path = checkout.library();
            if !path.exists() {
                checkout.build_library()?;
            }
            return Self::at(&path);
        }
        let places = places_near(&executable);
        match places.iter().find(|path| path.exists()) {
            Some(path) => Self::at(path),
            None => Err(missing(&executable, &places)),
        }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A library that is not looked at, for tests of what is done with its path.
    #[cfg(test)]
    pub fn unchecked(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }
}

/// Where the library is looked for outside of a clone, in this order.
fn places_near(executable: &Path) -> Vec<PathBuf> {
    let directory = executable.parent().unwrap_or(Path::new("/"));
    let mut places = vec![directory.join(FILE_NAME)];
    if let Some(prefix) = directory.parent() {
        places.push(prefix.join("lib").join(FILE_NAME));
        places.push(prefix.join("lib/x86_64-linux-gnu").join(FILE_NAME));
    }
    places
}

fn missing(executable: &Path, places: &[PathBuf]) -> Failure {
    let places: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
    Failure::new(
        Status::Usage,
        format!("there is no {FILE_NAME} for this hakmem"),
        format!("none of these exists: {}", places.join(", ")),
        "install the library there, or name it: `hakmem run --lib PATH …`; in a clone of the \
         project, `cargo build --release -p hakmem-capi` makes it",
    )
    .at(executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::tests::header_of_a_32_bit_program;
    use std::fs;

    fn rejection(bytes: &[u8]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, bytes).unwrap();
        let failure = Library::at(&path).unwrap_err().to_string();
        assert!(failure.contains(path.to_str().unwrap()), "{failure}");
        failure
    }

    #[test]
    fn other_files_are_rejected() {
        assert!(rejection(b"").contains("not an ELF shared library"));
        assert!(rejection(b"just a text\n").contains("not an ELF shared library"));
        assert!(rejection(&header_of_a_32_bit_program()).contains("32-bit x86"));
        assert!(rejection(b"\x7fELF\x02\x01\x01").contains("damaged"));
        let program = fs::read("/proc/self/exe").unwrap();
        assert!(rejection(&program).contains("no shared library"));
    }

    #[test]
    fn what_is_no_file_is_rejected() {
        let failure = Library::at(Path::new("/nonexistent/l.so")).unwrap_err();
        assert!(failure.to_string().contains("No such file"), "{failure}");
        let failure = Library::at(Path::new("/proc")).unwrap_err();
        assert!(failure.to_string().contains("regular file"), "{failure}");
    }

    #[test]
    fn is_looked_for_beside_and_in_the_prefix() {
        assert_eq!(
            places_near(Path::new("/usr/bin/hakmem")),
            [
                "/usr/bin/libhakmem.so",
                "/usr/lib/libhakmem.so",
                "/usr/lib/x86_64-linux-gnu/libhakmem.so"
            ]
            .map(PathBuf::from)
        );
    }
}
