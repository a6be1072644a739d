//! [`Allocator`]: who is measured, and where its library is.

use crate::cli::Options;
use std::ffi::CStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The allocator that the comparison is about.
pub const SUBJECT: &str = "hakmem";

/// The peer that every row has a ratio to.
pub const REFERENCE: &str = "mimalloc";

/// A peer that is looked for without being asked for.
struct Peer {
    name: &'static str,
    /// Its library in the directory of built peers, which goes before the packaged one.
    built: &'static str,
    /// Its library as the distribution packages it.
    packaged: Option<&'static str>,
}

/// In the order of the table. What `scripts/heavy/peers` builds is here, too, so that it
/// is missed where it was not.
const PEERS: [Peer; 7] = [
    peer(REFERENCE, "libmimalloc2.so", Some("libmimalloc.so.2")),
    peer("mimalloc3", "libmimalloc3.so", None),
    peer("jemalloc", "libjemalloc.so", Some("libjemalloc.so.2")),
    peer(
        "tcmalloc",
        "libtcmalloc.so",
        Some("libtcmalloc_minimal.so.4"),
    ),
    peer(TCMALLOC_GOOGLE, "libtcmalloc-google.so", None),
    peer("snmalloc", "libsnmalloc.so", None),
    peer("rpmalloc", "librpmalloc.so", None),
];

const fn peer(name: &'static str, built: &'static str, packaged: Option<&'static str>) -> Peer {
    Peer {
        name,
        built,
        packaged,
    }
}

/// Google's TCMalloc; the packaged `tcmalloc` is that of gperftools.
const TCMALLOC_GOOGLE: &str = "tcmalloc-google";

/// What [`TCMALLOC_GOOGLE`] needs: where glibc registers the restartable sequences of a
/// thread, it has none for its caches by CPU and falls back on slower ones by thread.
const WITHOUT_RSEQ: (&str, &str) = ("GLIBC_TUNABLES", "glibc.pthread.rseq=0");

/// The file beside built libraries that says their versions: on each line the name of a
/// file, its version, and more that is not read here.
const VERSIONS: &str = "versions";

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
    /// Its version, where that can be known.
    pub version: Option<String>,
    /// A variable that it has to be run with.
    pub variable: Option<(&'static str, &'static str)>,
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
            version: match &library {
                Some(library) => version(library),
                None => Some(glibc_version()),
            },
            variable: (name == TCMALLOC_GOOGLE).then_some(WITHOUT_RSEQ),
            stamp: library.as_deref().and_then(stamp),
            library,
        }
    }

    /// Its name with its version, or with what else tells which one it is.
    pub fn title(&self) -> String {
        let file = self.library.as_deref().and_then(Path::file_name);
        match (&self.version, file) {
            (Some(version), _) => format!("{} {version}", self.name),
            (None, Some(file)) => format!("{} ({})", self.name, file.display()),
            (None, None) => self.name.clone(),
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

/// What the file beside the library says.
fn version(library: &Path) -> Option<String> {
    let file = library.file_name()?.to_str()?;
    let versions = std::fs::read_to_string(library.with_file_name(VERSIONS)).ok()?;
    versions.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == file).then(|| words.next().map(str::to_owned))?
    })
}

fn glibc_version() -> String {
    // SAFETY: glibc returns a constant string.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_string_lossy().into_owned()
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
    /// Looks for hakmem, the built and packaged peers and those of the command line.
    pub fn search(options: &Options) -> Self {
        Self::search_with(options, built_peers().as_deref())
    }

    /// With the directory of built peers.
    fn search_with(options: &Options, built: Option<&Path>) -> Self {
        let mut found = Self::default();
        let hakmem = match &options.hakmem {
            Some(path) => vec![path.clone()],
            None => default_hakmem(),
        };
        found.add(options, SUBJECT, &hakmem);
        if !options.without.iter().any(|name| name == "glibc") {
            found.allocators.push(Allocator::new("glibc", None));
        }
        let mut peers: Vec<(String, Vec<PathBuf>)> = PEERS
            .iter()
            .map(|peer| (peer.name.to_owned(), peer.candidates(built)))
            .collect();
        peers.extend(built.map(unknown_in).unwrap_or_default());
        for (name, path) in &options.peer {
            match peers.iter_mut().find(|(known, _)| known == name) {
                Some((_, candidates)) => *candidates = vec![path.clone()],
                None => peers.push((name.clone(), vec![path.clone()])),
            }
        }
        for (name, candidates) in &peers {
            found.add(options, name, candidates);
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

impl Peer {
    /// Where its library may be.
    fn candidates(&self, built: Option<&Path>) -> Vec<PathBuf> {
        let packaged = self.packaged.iter().flat_map(|file| {
            let directories = LIBRARY_DIRECTORIES.iter();
            directories.map(move |directory| Path::new(directory).join(file))
        });
        let built = built.map(|directory| directory.join(self.built));
        built.into_iter().chain(packaged).collect()
    }
}

/// The directory `peers` beside that of this program: where `scripts/heavy/peers` leaves
/// its libraries.
fn built_peers() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.join("peers"))
}

/// The libraries in the directory of built peers that are not of [`PEERS`]: what is in
/// `libx.so` is called x, unless one of them has that name.
fn unknown_in(directory: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut unknown: Vec<(String, Vec<PathBuf>)> = entries
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let name = file.strip_prefix("lib")?.strip_suffix(".so")?;
            let mut peers = PEERS.iter();
            let is_known = peers.any(|peer| peer.built == file || peer.name == name);
            (!is_known && name != SUBJECT).then(|| (name.to_owned(), vec![entry.path()]))
        })
        .collect();
    unknown.sort();
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn names(found: &Found) -> Vec<&str> {
        found.allocators.iter().map(|a| a.name.as_str()).collect()
    }

    /// Without the peers that may be installed, and with none built.
    fn search(arguments: &[&str]) -> Found {
        let peers: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        let peers = peers.join(",");
        let fixed = ["compare", "--without", &peers];
        let all = fixed.iter().chain(arguments);
        Found::search_with(&Options::parse_from(all), None)
    }

    /// A directory with files of these names, and `versions` with that text.
    fn directory(test: &str, files: &[&str], versions: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        for file in files {
            std::fs::write(directory.join(file), "").unwrap();
        }
        std::fs::write(directory.join(VERSIONS), versions).unwrap();
        directory.canonicalize().unwrap()
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
    fn built_peers_are_found_with_their_versions() {
        let files = [
            "libmimalloc2.so",
            "libmimalloc.so",
            "libsnmalloc.so",
            "libzzz.so",
            "x.txt",
        ];
        let versions = "\nlibmimalloc2.so 2.3.2 a/1\nlibzzz.so\nother.so 1\n";
        let built = directory("built", &files, versions);
        let options = Options::parse_from(["compare", "--without", "hakmem,jemalloc,tcmalloc"]);
        let found = Found::search_with(&options, Some(&built));
        assert_eq!(names(&found), ["glibc", "mimalloc", "snmalloc", "zzz"]);
        let mimalloc = &found.allocators[1];
        assert_eq!(mimalloc.library, Some(built.join("libmimalloc2.so")));
        assert_eq!(mimalloc.title(), "mimalloc 2.3.2");
        assert_eq!(found.allocators[3].title(), "zzz (libzzz.so)");
        let place = built.join("librpmalloc.so");
        let missing = format!("rpmalloc: no library at {}", place.display());
        assert!(found.missing.contains(&missing), "{:?}", found.missing);
        std::fs::remove_dir_all(&built).unwrap();
    }

    #[test]
    fn a_packaged_peer_may_stand_for_a_built_one() {
        let built = Path::new("/target/peers");
        let candidates = PEERS[0].candidates(Some(built));
        assert_eq!(candidates[0], built.join("libmimalloc2.so"));
        let first = Path::new(LIBRARY_DIRECTORIES[0]).join("libmimalloc.so.2");
        assert_eq!(candidates[1], first);
        assert_eq!(PEERS[0].candidates(None)[0], first);
    }

    #[test]
    fn one_peer_is_run_with_a_variable() {
        let allocator = Allocator::new("tcmalloc-google", None);
        assert_eq!(allocator.variable, Some(WITHOUT_RSEQ));
        assert_eq!(Allocator::new("tcmalloc", None).variable, None);
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
    fn a_given_path_replaces_the_others() {
        let this = std::env::current_exe().unwrap();
        let built = directory("given", &["libmimalloc2.so", "libzzz.so"], "");
        let mimalloc = format!("mimalloc={}", this.display());
        let unknown = format!("zzz={}", this.display());
        let options = Options::parse_from([
            "compare",
            "--without",
            "hakmem,glibc,jemalloc,tcmalloc",
            "--peer",
            &mimalloc,
            "--peer",
            &unknown,
        ]);
        let found = Found::search_with(&options, Some(&built));
        assert_eq!(names(&found), ["mimalloc", "zzz"]);
        for allocator in &found.allocators {
            assert_eq!(allocator.library, this.canonicalize().ok());
        }
        std::fs::remove_dir_all(&built).unwrap();
    }
}
