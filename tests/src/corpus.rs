//! The programs of `corpus/`, as their heads describe them, and compiled.
//!
//! The head of a bad program has three lines: `CWE: 122`, `Kinds:` with the reports that are right
//! for it, and `Found:` with the settings under which one of them has to come.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use std::{process, thread};

use crate::{compile, tool};

/// Under which settings a bug has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Without any.
    Default,
    /// With `HAKMEM_LEAKS=1`.
    Leaks,
    /// In one of two runs with guards, left and right.
    Guards,
    /// In a run with guards that stand at the last byte.
    Exact,
    /// An allocator cannot be asked for it.
    None,
}

impl Found {
    /// The variables of each run that may find it.
    pub fn runs(self) -> &'static [&'static [(&'static str, &'static str)]] {
        match self {
            Self::Default | Self::None => &[&[]],
            Self::Leaks => &[&[("HAKMEM_LEAKS", "1")]],
            Self::Exact => &[&[("HAKMEM_GUARD", "all,exact")]],
            Self::Guards => &[&[("HAKMEM_GUARD", "all")], &[("HAKMEM_GUARD", "all,left")]],
        }
    }
}

/// What the head of a program says.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file.
    pub source: PathBuf,
    /// The number of the weakness; `None` of a legal program.
    pub cwe: Option<u32>,
    /// Which reports are right.
    pub kinds: Vec<String>,
    /// When one of them has to come.
    pub found: Found,
}

impl Program {
    /// Reads the head, of a comment in C or in Rust.
    fn read(source: &Path) -> Self {
        let text = fs::read_to_string(source).unwrap_or_else(|e| panic!("{source:?}: {e}"));
        let value = |name: &str| {
            let line = text.lines().take(4).find_map(|line| {
                let line = line.trim_start_matches(['/', '*', '!', ' ']);
                line.strip_prefix(name)
            });
            line.map(|value| value.trim().to_owned())
        };
        let need = |name: &str| value(name).unwrap_or_else(|| panic!("{source:?}: no {name}"));
        let cwe = value("CWE:").map(|cwe| cwe.parse().expect("a number"));
        let (kinds, found) = match cwe {
            None => (String::new(), "none".to_owned()),
            Some(_) => (need("Kinds:"), need("Found:")),
        };
        Self {
            source: source.to_owned(),
            cwe,
            kinds: kinds.split(", ").map(str::to_owned).collect(),
            found: match found.as_str() {
                "default" => Found::Default,
                "leaks" => Found::Leaks,
                "guards" => Found::Guards,
                "exact" => Found::Exact,
                "none" => Found::None,
                other => panic!("{source:?}: Found: {other}"),
            },
        }
    }

    /// The name of its file, without the extension.
    pub fn name(&self) -> &str {
        let name = self.source.file_stem().and_then(|name| name.to_str());
        name.expect("a name in UTF-8")
    }
}

/// The directory of the corpus.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The programs of one of its directories, by name.
pub fn programs(directory: &str) -> Vec<Program> {
    let path = self::directory().join(directory);
    let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let mut sources: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some())
        .collect();
    sources.sort();
    sources.iter().map(|source| Program::read(source)).collect()
}

/// A program that can be run.
#[derive(Clone, Debug)]
pub struct Built {
    /// What it is.
    pub program: Program,
    /// The file to be executed.
    pub path: PathBuf,
    /// How it was built.
    pub how: &'static str,
}

/// Compiles the C and C++ programs, each with and without optimisations: as they stand, or the
/// good twins.
pub fn build(programs: &[Program], fixed: bool) -> Vec<Built> {
    let jobs: Vec<(&Program, &'static str)> = programs
        .iter()
        .flat_map(|program| ["-O0", "-O2"].map(|how| (program, how)))
        .collect();
    in_parallel(&jobs, |(program, how)| Built {
        program: (*program).clone(),
        path: compiled(&program.source, how, fixed),
        how,
    })
}

/// Compiles one, unless it has been since it was changed. Other tests may do the same at the same
/// time: so it is made under a name of its own and moved.
fn compiled(source: &Path, how: &str, fixed: bool) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = source.strip_prefix(directory()).expect("of the corpus");
    let name = name.to_string_lossy().replace(['/', '.'], "_");
    let twin = if fixed { "-good" } else { "" };
    let target = compile::directory().join(format!("{name}{how}{twin}"));
    let shared = [directory().join("corpus.c"), directory().join("corpus.h")];
    let changed = |file: &Path| fs::metadata(file).and_then(|file| file.modified());
    let newest = shared.iter().map(PathBuf::as_path).chain([source]);
    let newest = newest.map(|file| changed(file).expect("a time")).max();
    if changed(&target).unwrap_or(SystemTime::UNIX_EPOCH) > newest.expect("a file") {
        return target;
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let unfinished = target.with_extension(format!("{}.{number}", process::id()));
    let (compiler, standard) = match source.extension() {
        Some(extension) if extension == "cpp" => ("g++", "-std=gnu++17"),
        _ => ("gcc", "-std=gnu11"),
    };
    // The compiler sees many of the bugs, and is not asked.
    let mut arguments = vec![standard, how, "-g", "-w", "-pthread"];
    arguments.extend(fixed.then_some("-DFIXED"));
    let files = [source, &shared[0], Path::new("-o"), &unfinished];
    arguments.extend(files.map(|file| file.to_str().expect("a path in UTF-8")));
    tool::output(compiler, arguments);
    fs::rename(&unfinished, &target).unwrap_or_else(|e| panic!("{target:?}: {e}"));
    target
}

/// Does it with each, as many at a time as there are processors; the results are in their order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((at, item)) = take(&next, items) {
                    let result = work(item);
                    results.lock().expect("no panic").push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic");
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    // A counter: it orders nothing else.
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}
