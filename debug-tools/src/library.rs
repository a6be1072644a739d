//! `libhakmem.so`: where it lies, and whether the file there is one.
//!
//! There are two, one for each [`Face`]: the production library, and the observed one, which
//! records. Either is the one that `HAKMEM_RUN_LIBRARY` names, or it is looked for where the
//! running binary lies, so that a tool and a library of one build stay together:
//!
//! | the binary | the production library | the observed one |
//! |---|---|---|
//! | `target/PROFILE/hakmem` in a clone, which builds what is missing | `target/release/libhakmem.so` | `target/observed/libhakmem.so` |
//! | anywhere | beside it, `libhakmem.so` | `libhakmem-observed.so` |
//! | `PREFIX/bin/hakmem` | `PREFIX/lib/`, `PREFIX/lib/x86_64-linux-gnu/` | the same |
//!
//! Where packages are split, as Debian's are, `libhakmem.so` comes with the headers, and the library
//! itself has its SONAME: that is looked for as well.

use std::env;
use std::fs::{self, File};
use std::path::{self, Path, PathBuf};

use crate::checkout::Checkout;
use crate::elf::{Elf, ElfError, Kind};
use crate::failure::{Failure, Status};

/// The variable that names the library to use.
pub const VARIABLE: &str = "HAKMEM_RUN_LIBRARY";

/// The name of the file that a build leaves.
pub const FILE_NAME: &str = "libhakmem.so";

/// The name by which programs that are linked with the production library find it.
const SONAME: &str = "libhakmem.so.0";

/// Which of the libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The one for production, with nothing in it that observes.
    Release,
    /// The one that records and watches.
    Observed,
}

impl Face {
    /// The name under which it is installed.
    pub const fn installed_name(self) -> &'static str {
        match self {
            Self::Release => FILE_NAME,
            Self::Observed => "libhakmem-observed.so",
        }
    }

    /// The cargo profile, whose directory in a clone's target directory has it.
    pub const fn profile(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Observed => "observed",
        }
    }

    /// The cargo features that it is built with.
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Release => &[],
            Self::Observed => &["observe-all"],
        }
    }

    /// The command that builds it in a clone.
    pub fn build_command(self) -> String {
        let profile = match self {
            Self::Release => "--release".to_owned(),
            Self::Observed => format!("--profile {}", self.profile()),
        };
        let mut command = format!("cargo build {profile} -p hakmem-capi");
        for feature in self.features() {
            command.push_str(" --features ");
            command.push_str(feature);
        }
        command
    }
}

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
                     `{}` makes target/release/{FILE_NAME}",
                    Face::Release.build_command()
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

    /// The one that the environment names, or that belongs to the running binary.
    pub fn find(face: Face) -> Result<Self, Failure> {
        if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return Self::at(Path::new(&path));
        }
        let executable = env::current_exe().map_err(|error| {
            Failure::new(
                Status::Usage,
                format!("cannot look for {}", face.installed_name()),
                format!("the place of the running hakmem is unknown: {error}"),
                "name the library: `hakmem run --lib PATH …`",
            )
        })?;
        if let Some(checkout) = Checkout::of(&executable) {
            let path = checkout.library(face);
            if !path.exists() {
                checkout.build_library(face)?;
            }
            return Self::at(&path);
        }
        let places = places_near(&executable, face);
        match places.iter().find(|path| path.exists()) {
            Some(path) => Self::at(path),
            None => Err(missing(&executable, &places, face)),
        }
    }

    /// Whether a variable's name stands in it: what reads it has it as text.
    pub fn mentions(&self, variable: &str) -> bool {
        fs::read(&self.path).is_ok_and(|bytes| {
            let name = variable.as_bytes();
            bytes.windows(name.len()).any(|window| window == name)
        })
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
fn places_near(executable: &Path, face: Face) -> Vec<PathBuf> {
    let directory = executable.parent().unwrap_or(Path::new("/"));
    let mut directories = vec![directory.to_owned()];
    if let Some(prefix) = directory.parent() {
        directories.push(prefix.join("lib"));
        directories.push(prefix.join("lib/x86_64-linux-gnu"));
    }
    let soname = (face == Face::Release).then_some(SONAME);
    let names = [face.installed_name()].into_iter().chain(soname);
    names
        .flat_map(|name| {
            directories
                .iter()
                .map(move |directory| directory.join(name))
        })
        .collect()
}

fn missing(executable: &Path, places: &[PathBuf], face: Face) -> Failure {
    let places: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
    Failure::new(
        Status::Usage,
        format!("there is no {} for this hakmem", face.installed_name()),
        format!("none of these exists: {}", places.join(", ")),
        format!(
            "install the library there, or name it: `hakmem run --lib PATH …` or {VARIABLE}=PATH; \
             in a clone of the project, `{}` makes it",
            face.build_command()
        ),
    )
    .at(executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::tests::header_of_a_32_bit_program;

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
            places_near(Path::new("/usr/bin/hakmem"), Face::Release),
            [
                "/usr/bin/libhakmem.so",
                "/usr/lib/libhakmem.so",
                "/usr/lib/x86_64-linux-gnu/libhakmem.so",
                "/usr/bin/libhakmem.so.0",
                "/usr/lib/libhakmem.so.0",
                "/usr/lib/x86_64-linux-gnu/libhakmem.so.0"
            ]
            .map(PathBuf::from)
        );
        assert_eq!(
            places_near(Path::new("/bin/hakmem"), Face::Observed),
            [
                "/bin/libhakmem-observed.so",
                "/lib/libhakmem-observed.so",
                "/lib/x86_64-linux-gnu/libhakmem-observed.so"
            ]
            .map(PathBuf::from)
        );
    }
}
