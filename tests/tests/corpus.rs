//! The corpus: each bad program is told of, as what it is; of the good ones nothing is said, and
//! they do as they do without hakmem.

use std::path::Path;

use hakmem_tests::corpus::{self, Built, Found, Program, build, in_parallel};
use hakmem_tests::reported::kinds;
use hakmem_tests::{Allocator, Outcome, Run, not_reference, tool};

/// The kinds of report that there are.
const KINDS: [&str; 12] = [
    "double-free",
    "invalid-free",
    "mismatched-free",
    "size-mismatch",
    "align-mismatch",
    "heap-overflow",
    "heap-underflow",
    "write-after-free",
    "use-after-free",
    "link-corruption",
    "metadata-corruption",
    "leak",
];

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator looks for no bugs")
}

/// How a run is begun.
type Start<'a> = &'a (dyn Fn(&Built) -> Run + Sync);

/// Under the observed library, which every process has to prove.
fn preloaded(built: &Built) -> Run {
    Run::new(&built.path)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
}

fn with(run: Run, variables: &[(&str, &str)]) -> Run {
    variables
        .iter()
        .fold(run, |run, (name, value)| run.env(name, value))
}

/// What is wrong with how hakmem tells of a bad program, if anything.
fn missed(built: &Built, start: Start) -> Option<String> {
    let program = &built.program;
    let runs = program.found.runs().iter();
    let outcomes: Vec<Outcome> = runs.map(|run| with(start(built), run).output()).collect();
    let told: Vec<String> = outcomes.iter().flat_map(kinds).collect();
    if program.found == Found::None || told.iter().any(|kind| program.kinds.contains(kind)) {
        return None;
    }
    let reports: String = outcomes.iter().map(Outcome::report).collect();
    let name = program.name();
    let right = program.kinds.join(" or ");
    Some(format!(
        "{name} {}: told as {told:?}, is {right}\n{reports}",
        built.how
    ))
}

/// What is wrong with a run of a good program, if anything.
fn spoilt(built: &Built, own: &Run, start: Start) -> Option<String> {
    let own = own.clone().output();
    [Found::Default, Found::Leaks, Found::Guards, Found::Exact]
        .iter()
        .flat_map(|found| found.runs())
        .find_map(|run| {
            let outcome = with(start(built), run).output();
            let quiet = kinds(&outcome).is_empty();
            let same = outcome.stdout == own.stdout && outcome.status == own.status;
            let name = built.program.name();
            let what = if quiet {
                "does something else"
            } else {
                "falsely told of"
            };
            let report = || format!("{name} {}: {what}\n{}", built.how, outcome.report());
            (!quiet || !same).then(report)
        })
}

#[track_caller]
fn none(wrong: Vec<Option<String>>, of: &str) {
    let count = wrong.len();
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    let names: Vec<&str> = wrong.iter().filter_map(|w| w.lines().next()).collect();
    let names = names.join("\n");
    let reports = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "{reports}\n{} of {count} of {of}:\n{names}",
        wrong.len()
    );
}

fn bad(directory: &str) {
    if !applies() {
        return;
    }
    let built = build(&corpus::programs(directory), false);
    let missed = in_parallel(&built, |built| missed(built, &preloaded));
    none(missed, directory);
}

fn good(directory: &str) {
    if !applies() {
        return;
    }
    let built = build(&corpus::programs(directory), true);
    let own = |built: &Built| Run::new(&built.path).allocator(Allocator::Own);
    let spoilt = in_parallel(&built, |built| spoilt(built, &own(built), &preloaded));
    none(spoilt, directory);
}

macro_rules! weaknesses {
    ($($name:ident: $directory:literal),+ $(,)?) => {
        /// The directories of bad programs and their twins.
        const DIRECTORIES: &[&str] = &[$($directory),+];

        $(mod $name {
            #[test]
            fn is_told() {
                super::bad($directory);
            }

            #[test]
            fn is_not_told_of_the_good_twins() {
                super::good($directory);
            }
        })+
    };
}

weaknesses! {
    overflow: "122-heap-overflow",
    underflow: "124-heap-underflow",
    overread: "126-overread",
    underread: "127-underread",
    leak: "401-leak",
    double_free: "415-double-free",
    use_after_free: "416-use-after-free",
    not_on_heap: "590-not-on-heap",
    not_at_start: "761-not-at-start",
    mismatched: "762-mismatched",
}

#[test]
fn legal_programs_are_left_alone() {
    good("legal");
}

/// The Rust programs, built on hakmem with its observers, with and without optimisations.
fn rust() -> Vec<Built> {
    let manifest = corpus::directory().join("rust/Cargo.toml");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    let programs = corpus::programs("rust/src/bin");
    let mut all = Vec::new();
    for (how, options) in [("debug", &[][..]), ("release", &["--release"])] {
        let mut arguments = vec![
            "build",
            "--quiet",
            "--features",
            "hakmem",
            "--manifest-path",
        ];
        arguments.push(manifest.to_str().expect("a path in UTF-8"));
        arguments.extend(["--target-dir", target.to_str().expect("a path in UTF-8")]);
        arguments.extend(options);
        tool::output(&tool::cargo(), arguments);
        all.extend(programs.iter().map(|program| Built {
            program: program.clone(),
            path: target.join(how).join(program.name()),
            how,
        }));
    }
    all
}

/// Whose allocator it is stands in the program; the system's malloc is its own.
fn linked(built: &Built) -> Run {
    Run::new(&built.path).allocator(Allocator::Own)
}

/// The few frames of a neighbour's stack are not those that lead through the standard library to us.
fn neighbours_are_the_programs(outcome: &Outcome) {
    let said = outcome.stderr_text();
    let behind = said
        .split_once("the block below: ")
        .or(said.split_once("the block above: "));
    let (_, neighbours) = behind.unwrap_or_else(|| panic!("no neighbour\n{said}"));
    assert!(neighbours.contains("    #"), "{said}");
    assert!(!neighbours.contains("hakmem_alloc"), "{said}");
}

#[test]
fn rust_programs() {
    if !applies() {
        return;
    }
    let built = rust();
    none(in_parallel(&built, |built| missed(built, &linked)), "rust");
    let fixed = |built: &Built| linked(built).arg("fixed");
    let checked_off = |built: &Built| fixed(built).env("HAKMEM_INTEGRITY_CHECKS", "0");
    let spoilt = in_parallel(&built, |built| spoilt(built, &checked_off(built), &fixed));
    none(spoilt, "rust");
    let interior = built
        .iter()
        .find(|built| built.path.ends_with("debug/free_of_an_interior"));
    neighbours_are_the_programs(&linked(interior.expect("it")).output());
    let statistics = linked(&built[0])
        .arg("fixed")
        .env("HAKMEM_STATS", "1")
        .output();
    let said = statistics.stderr_text();
    assert!(said.contains("hakmem"), "it is not on hakmem: {said}");
}

/// As many as there have to be, each with a head that makes sense.
#[test]
fn the_corpus_is_whole() {
    let bad: Vec<Program> = DIRECTORIES
        .iter()
        .flat_map(|d| corpus::programs(d))
        .collect();
    let rust = corpus::programs("rust/src/bin");
    assert!(
        bad.len() >= 150 && rust.len() >= 24,
        "{} and {}",
        bad.len(),
        rust.len()
    );
    assert!(
        corpus::programs("legal")
            .iter()
            .all(|legal| legal.cwe.is_none())
    );
    for program in bad.iter().chain(&rust) {
        let name = program.name();
        let cwe = program.cwe.unwrap_or_else(|| panic!("{name}: no CWE"));
        let directory = program.source.parent().and_then(Path::file_name);
        let directory = directory.expect("a directory").to_string_lossy();
        let place = directory == "bin" || directory.starts_with(&format!("{cwe}-"));
        assert!(place, "{name} is of CWE-{cwe}");
        for kind in &program.kinds {
            assert!(
                KINDS.contains(&kind.as_str()),
                "{name}: there is no kind {kind}"
            );
        }
        let expected = match cwe {
            126 | 127 | 416 => Found::Guards,
            401 => Found::Leaks,
            _ => Found::Default,
        };
        // The last byte of an odd size is not at a page's end by these two.
        let is_exact = program.found == Found::Exact && cwe == 126;
        let found = program.found;
        assert!(
            found == expected || is_exact || found == Found::None,
            "{name}: {found:?}"
        );
    }
}
