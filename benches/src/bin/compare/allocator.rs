//! [`Allocator`]: who is measured, and where its library is.

use crate::cli::Options;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The allocator that the comparison is about.
pub const SUBJECT: &str = "hakmem";

/// The peer that every row has a ratio to.
pub const REFERENCE: &str = "mimalloc";

/// The peers that the distribution packages, by the names of their libraries.
const PACKAGED: [(&str, &str); 3] = [
    (REFERENCE, "libmimalloc.so.2"),
    ("jemalloc", "libjemalloc.so.2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4"),
];

/// Where the packaged peers are looked for.
const LIBRARY_DIRECTORIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
];

/// One allocator: a library to preload, or glibc's own without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocator {
    /// Its name in the table.
    pub name: String,
    /// The library as the maps file names it (symbolic links resolved).
    pub library: Option<PathBuf>,
    /// The library when it was found.
    stamp: Option<Stamp>,
}

/// What changes when a file is replaced or written: device, inode, size and time.
type Stamp = (u64, u64, u64, i64, i64);

impl Allocator {
    /// An allocator with its library, if it has one, as it is now.
    pub fn new(name: &str, library: Option<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            stamp: library.as_deref().and_then(stamp),
            library,
        }
    }

    /// An error if the library is not the one that was found: a build that ends during a
    /// comparison would mix two allocators in one row.
    pub fn is_unchanged(&self) -> Result<(), String> {
        match &self.library {
            Some(library) if stamp(library) != self.stamp => {
                Err(format!("{} was changed meanwhile", library.display()))
            }
            _ => Ok(()),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = path.metadata().ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

/// Those found, hakmem first, and a line for each that was not.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of the table.
    pub allocators: Vec<Allocator>,
    /// What was looked for in vain.
    pub missing: Vec<String>,
}

impl Found {
    /// Looks for hakmem, the packaged peers and those of the command line.
    pub fn search(options: &Options) -> Self {
        let mut found = Self::default();
        let hakmem = match &options.hakmem {
            Some(path) => vec![path.clone()],
            None => default_hakmem(),
        };
        found.add(options, SUBJECT, &hakmem);
        if !options.without.iter().any(|name| name == "glibc") {
            found.allocators.push(Allocator::new("glibc", None));
        }
        for (name, file) in PACKAGED {
            let given = options.peer.iter().find(|(peer, _)| peer == name);
            let candidates = match given {
                Some((_, path)) => vec![path.clone()],
                None => in_library_directories(file),
            };
            found.add(options, name, &candidates);
        }
        for (name, path) in &options.peer {
            if !PACKAGED.iter().any(|(known, _)| known == name) {
                found.add(options, name, std::slice::from_ref(path));
            }
        }
        found
    }

    /// Adds the first of `candidates` that exists.
    fn add(&mut self, options: &Options, name: &str, candidates: &[PathBuf]) {
        if options.without.iter().any(|left_out| left_out == name) {
            return;
        }
        let library = candidates.iter().find_map(|path| path.canonicalize().ok());
        match library {
            Some(library) => self.allocators.push(Allocator::new(name, Some(library))),
            None => self.missing.push(missing(name, candidates)),
        }
    }
}

fn missing(name: &str, candidates: &[PathBuf]) -> String {
    let places: Vec<String> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!("{name}: no library at {}", places.join(" or "))
}

/// Beside this program, or in the release directory of a clone.
fn default_hakmem() -> Vec<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| program.parent().map(|dir| dir.join("libhakmem.so")));
    beside
        .into_iter()
        .chain([PathBuf::from("target/release/libhakmem.so")])
        .collect()
}

fn in_library_directories(file: &str) -> Vec<PathBuf> {
    LIBRARY_DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn names(found: &Found) -> Vec<&str> {
        found.allocators.iter().map(|a| a.name.as_str()).collect()
    }

    fn search(arguments: &[&str]) -> Found {
        let fixed = ["compare", "--without", "mimalloc,jemalloc,tcmalloc"];
        let all = fixed.iter().chain(arguments);
        Found::search(&Options::parse_from(all))
    }

    #[test]
    fn hakmem_comes_first_and_glibc_needs_no_library() {
        let this = std::env::current_exe().unwrap();
        let this = this.to_str().unwrap();
        let peer = format!("other={this}");
        let found = search(&["--hakmem", this, "--peer", &peer]);
        assert_eq!(names(&found), ["hakmem", "glibc", "other"]);
        assert_eq!(found.allocators[1].library, None);
        assert!(found.missing.is_empty());
    }

    #[test]
    fn what_is_missing_is_named_with_its_path() {
        let found = search(&["--hakmem", "/nowhere/h.so", "--peer", "x=/nowhere/x.so"]);
        assert_eq!(names(&found), ["glibc"]);
        assert_eq!(
            found.missing,
            [
                "hakmem: no library at /nowhere/h.so",
                "x: no library at /nowhere/x.so"
            ]
        );
    }

    #[test]
    fn a_library_that_changes_is_noticed() {
        let path = std::env::temp_dir().join(format!("stamp-{}", std::process::id()));
        std::fs::write(&path, "1").unwrap();
        let allocator = Allocator::new("x", Some(path.clone()));
        assert_eq!(allocator.is_unchanged(), Ok(()));
        std::fs::write(&path, "22").unwrap();
        assert!(allocator.is_unchanged().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(allocator.is_unchanged().is_err());
        assert_eq!(Allocator::new("glibc", None).is_unchanged(), Ok(()));
    }

    #[test]
    fn a_given_path_replaces_the_packaged_one() {
        let this = std::env::current_exe().unwrap();
        let peer = format!("mimalloc={}", this.display());
        let options = Options::parse_from([
            "compare",
            "--without",
            "hakmem,glibc,jemalloc,tcmalloc",
            "--peer",
            &peer,
        ]);
        let found = Found::search(&options);
        assert_eq!(names(&found), ["mimalloc"]);
        assert_eq!(found.allocators[0].library, this.canonicalize().ok());
    }
}
