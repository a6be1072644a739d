//! Memory functions that go behind the end of a block, or into a freed one, are named, and so is
//! who calls them; those that do not do what libc's do.
//!
//! What only hakmem with observers does: skipped in reference mode.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hakmem_tests::compile::shared_library;
use hakmem_tests::{Allocator, Outcome, Run, Scratch, find, not_reference, tool};

const PREFIX: &str = "==hakmem== ";
const ERROR: &str = "==hakmem== ERROR ";

fn observed(source: &str) -> Run {
    checked(Run::program(source))
}

/// Under the library, with all checks.
fn checked(run: Run) -> Run {
    run.allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
}

/// Whether the tests of this file make sense.
fn applies() -> bool {
    not_reference("the reference checks no memory functions")
}

struct Function {
    name: String,
    /// Bytes of what it counts.
    unit: usize,
    writes: bool,
}

fn functions() -> Vec<Function> {
    let outcome = observed("memory_functions.c").arg("list").output();
    let text = outcome.success().stdout_text().into_owned();
    let functions: Vec<_> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().expect("three words");
            Function {
                name: next().to_owned(),
                unit: next().parse().expect("a number"),
                writes: next() == "1",
            }
        })
        .collect();
    assert!(functions.len() > 200, "{text}");
    functions
}

fn wrong(case: &str, function: &str, size: usize, offset: usize) -> Run {
    observed("memory_functions.c")
        .args([case, function])
        .args([size, offset].map(|number| number.to_string()))
}

/// The report's first line, if there is one report, found by the function, in who calls it.
#[track_caller]
fn told<'a>(text: &'a str, function: &str, caller: &str, outcome: &Outcome) -> &'a str {
    let errors: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix(ERROR)).collect();
    assert_eq!(errors.len(), 1, "{}", outcome.report());
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(PREFIX));
    let found = format!("  found by {function} in thread ");
    let by = lines.find(|line| line.starts_with(&found));
    assert!(
        by.is_some(),
        "not found by {function}\n{}",
        outcome.report()
    );
    let frames: Vec<&str> = lines.take_while(|l| l.starts_with("    #")).collect();
    let named = format!("({caller}");
    let is_named = frames.iter().take(3).any(|frame| frame.contains(&named));
    assert!(is_named, "{caller} is not named\n{}", outcome.report());
    errors[0]
}

fn caller(function: &str) -> String {
    match function.trim_start_matches('_').starts_with('v') {
        true => format!("pass_{function}"),
        false => format!("use_{function}"),
    }
}

#[test]
fn up_to_the_end_of_a_block_nothing_is_said() {
    let outcome = observed("memory_functions.c").arg("right").output();
    assert_eq!(outcome.success().stdout_text(), "right\n");
    assert!(
        !outcome.stderr_text().contains(ERROR),
        "{}",
        outcome.report()
    );
}

#[test]
fn over_the_end_of_a_block() {
    if !applies() {
        return;
    }
    for function in functions() {
        let (name, unit) = (function.name.as_str(), function.unit);
        let outcome = wrong("over", name, 504, 8).output();
        let text = outcome.aborted().stderr_text();
        let error = told(&text, name, &caller(name), &outcome);
        let verb = if function.writes { "writes" } else { "reads" };
        let begin = format!("heap-overflow: {name} {verb} ");
        assert!(error.starts_with(&begin), "{}", outcome.report());
        assert!(error.contains(" of a block of 512 bytes at 0x"), "{error}");
        // One that looks for something does not say how far it would go.
        let past = format!(" which is {unit} past the end ");
        let seeks = error.contains(" as nothing stops it from offset 8 on");
        assert!(
            error.contains(&past) || seeks && !function.writes,
            "{error}"
        );
    }
}

#[test]
fn over_the_end_of_blocks_of_all_sizes() {
    if !applies() {
        return;
    }
    let places = [(1, 0), (15, 1), (16, 0), (700, 13), (5000, 12), (30000, 0)];
    let large = [
        (40000, 100),
        (600_000, 70_000),
        (3 << 20, 0),
        (3 << 20, 1 << 20),
    ];
    for (size, offset) in places.into_iter().chain(large) {
        for function in ["memcpy", "strlen", "memcmp", "strcpy", "read"] {
            let outcome = wrong("over", function, size, offset).output();
            let text = outcome.aborted().stderr_text();
            let error = told(&text, function, &caller(function), &outcome);
            let block = format!(" of a block of {} bytes at 0x", size + offset);
            assert!(error.starts_with("heap-overflow: "), "{error}");
            assert!(error.contains(&block), "{error}");
        }
    }
}

#[test]
fn in_a_block_that_was_freed() {
    if !applies() {
        return;
    }
    for function in functions() {
        let name = function.name.as_str();
        let outcome = wrong("freed", name, 504, 8).output();
        let text = outcome.aborted().stderr_text();
        let error = told(&text, name, &caller(name), &outcome);
        assert!(
            error.starts_with(&format!("use-after-free: {name} ")),
            "{error}"
        );
        assert!(
            error.contains(" of a block of 512 bytes at 0x") && error.contains(" at offset "),
            "{error}"
        );
        assert!(
            error.contains(" which was freed by free in thread "),
            "{error}"
        );
        assert!(
            text.contains("  freed by free in thread "),
            "{}",
            outcome.report()
        );
    }
}

#[test]
fn in_front_of_a_block() {
    if !applies() {
        return;
    }
    let counts = [
        "memcpy", "memset", "memmove", "strncpy", "wmemset", "snprintf",
    ];
    for (function, size) in counts
        .into_iter()
        .flat_map(|f| [(f, 24), (f, 104), (f, 6000)])
    {
        let outcome = wrong("front", function, size, 8).output();
        let text = outcome.aborted().stderr_text();
        let error = told(&text, function, &caller(function), &outcome);
        let start = format!("heap-underflow: {function} writes {size} bytes, beginning ");
        assert!(error.starts_with(&start), "{error}");
        assert!(error.contains(" in front of a block of "), "{error}");
    }
}

#[test]
fn a_program_that_goes_on_has_what_fits_and_no_more() {
    if !applies() {
        return;
    }
    for function in functions() {
        let name = function.name.as_str();
        let run = wrong("over", name, 504, 8).env("HAKMEM_ON_ERROR", "continue");
        let outcome = run.output();
        assert_eq!(outcome.stdout_text(), "went on\n", "{}", outcome.report());
        told(&outcome.stderr_text(), name, &caller(name), &outcome);
    }
}

/// How many calls of the program of short ranges were wrong, and what it says behind that; each was
/// told.
#[track_caller]
fn short_ranges(kind: &str) -> (usize, String) {
    let run = observed("memory_ends.c")
        .arg(kind)
        .env("HAKMEM_QUARANTINE_KB", "0");
    let outcome = run.env("HAKMEM_ON_ERROR", "continue").output();
    let said = outcome.success().stdout_text().into_owned();
    let (wrong, rest) = said.trim_end().split_once(" wrong, ").expect("a count");
    let wrong = wrong.parse().expect("a number");
    let text = outcome.stderr_text();
    let told = text.lines().filter(|line| line.starts_with(ERROR)).count();
    assert_eq!(told, wrong, "{said}");
    (wrong, rest.to_owned())
}

#[test]
fn a_byte_more_than_a_small_block_has_and_into_the_next_one() {
    if !applies() {
        return;
    }
    let (wrong, rest) = short_ranges("live");
    assert!(wrong > 3 * 299 + 200, "few blocks lie beside each other");
    assert_eq!(rest, "0 went on");
}

#[test]
fn where_a_freed_block_has_a_link() {
    if !applies() {
        return;
    }
    let (wrong, rest) = short_ranges("linked");
    assert_eq!(wrong, 800);
    let links = rest.strip_prefix("0 went on, ").expect("links");
    let links: usize = links.strip_suffix(" links").unwrap().parse().unwrap();
    assert!(links > 10, "{links} blocks have a link");
}

#[test]
fn the_levels_below_do_not_check_them() {
    if !applies() {
        return;
    }
    for level in ["0", "light"] {
        for function in ["memcpy", "strlen", "sprintf"] {
            // Of a block that is larger than what was asked for, so that no other one is hit.
            let run = wrong("over", function, 100, 8).env("HAKMEM_INTEGRITY_CHECKS", level);
            let outcome = run.output();
            let said = outcome.stderr_text();
            assert!(!said.contains(&format!("found by {function}")), "{said}");
            // At the light level the canary is found to be broken.
            let ends = level == "light" || outcome.stdout_text() == "went on\n";
            assert!(ends, "{}", outcome.report());
        }
    }
}

/// What the kernel refuses to reach is told by what it was asked for, in both runs with guards.
#[test]
fn in_guarded_blocks_that_the_kernel_cannot_reach() {
    if !applies() {
        return;
    }
    // libc itself writes for these, and is stopped.
    let stopped = ["fread", "__fread_chk", "fgets", "__fgets_chk", "times"];
    for guard in ["all", "all,left"] {
        for function in functions() {
            let name = function.name.as_str();
            let outcome = wrong("freed", name, 504, 8)
                .env("HAKMEM_GUARD", guard)
                .output();
            let text = outcome.stderr_text();
            let errors: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix(ERROR)).collect();
            assert_eq!(errors.len(), 1, "{name} {}", outcome.report());
            assert!(
                errors[0].starts_with("use-after-free: "),
                "{name} {}",
                errors[0]
            );
            if !stopped.contains(&name) {
                told(&text, name, &caller(name), &outcome);
            }
        }
    }
}

/// Which stands behind hakmem in `LD_PRELOAD`, and would be asked without it.
#[test]
fn a_library_behind_it_is_asked_for_what_goes_to_the_system() {
    let guest = hakmem_tests::compile::shared_library("names_guest.c");
    for level in ["1", "light", "0"] {
        let run = observed("memory_functions.c").arg("asked").beside(&guest);
        let outcome = run.env("HAKMEM_INTEGRITY_CHECKS", level).output();
        let text = outcome.success().stdout_text();
        assert_eq!(text, "4242 43 -1 0\n", "{level}: {}", outcome.report());
    }
}

/// As the kernel does where nobody looks.
#[test]
fn lists_that_are_not_there_are_refused() {
    for level in ["1", "light", "0"] {
        let run = observed("memory_functions.c").arg("refused");
        let outcome = run.env("HAKMEM_INTEGRITY_CHECKS", level).output();
        let text = outcome.success().stdout_text();
        assert_eq!(text, "refused\n", "{level}: {}", outcome.report());
    }
}

#[test]
fn a_thread_that_reads_can_be_cancelled() {
    let outcome = observed("memory_functions.c").arg("cancelled").output();
    assert_eq!(
        outcome.success().stdout_text(),
        "cancelled\n",
        "{}",
        outcome.report()
    );
}

#[test]
fn ranges_that_overlap_are_a_note() {
    if !applies() {
        return;
    }
    let outcome = observed("memory_functions.c").arg("overlap").output();
    let text = outcome.success().stderr_text();
    let notes: Vec<&str> = text
        .lines()
        .filter(|l| l.contains("note: memcpy"))
        .collect();
    assert_eq!(notes.len(), 1, "{}", outcome.report());
    assert!(notes[0].contains("(use_overlap+0x"), "{}", notes[0]);
    assert!(!text.contains(ERROR), "{}", outcome.report());
}

#[test]
fn they_do_what_plain_loops_do() {
    for seed in ["1", "2", "3", "4"] {
        for (mode, level) in [("threads", "1"), ("threads", "0"), ("early", "1")] {
            let run = observed("memory_model.c").args([seed, "300", mode]);
            let outcome = run.env("HAKMEM_INTEGRITY_CHECKS", level).output();
            assert_eq!(
                outcome.success().stdout_text(),
                "same\n",
                "{}",
                outcome.report()
            );
            assert!(
                !outcome.stderr_text().contains(ERROR),
                "{}",
                outcome.report()
            );
        }
    }
    let own = Run::program("memory_model.c").allocator(Allocator::Own);
    assert_eq!(own.args(["5", "300"]).output().stdout_text(), "same\n");
}

#[test]
fn before_anything_is_set_up() {
    let outcome = observed("memory_early.c").output();
    assert_eq!(
        outcome.success().stdout_text(),
        "seen 3, 7\n",
        "{}",
        outcome.report()
    );
}

/// Libraries are relocated from the last one to the first.
#[test]
fn before_this_library_is_relocated() {
    let (uses, has) = (shared_library("chosen.c"), shared_library("chooses.c"));
    for level in ["1", "light", "0"] {
        let run = observed("memory_early.c").beside(&uses).beside(&has);
        let outcome = run.env("HAKMEM_INTEGRITY_CHECKS", level).output();
        let expected = "seen 3, 7\nchose 7\n";
        assert_eq!(
            outcome.success().stdout_text(),
            expected,
            "{}",
            outcome.report()
        );
    }
}

#[test]
fn from_a_string_of_cpp() {
    if !applies() {
        return;
    }
    let outcome = observed("memory_string.cpp").output();
    assert_eq!(
        outcome.success().stdout_text(),
        "200\n",
        "{}",
        outcome.report()
    );
    let outcome = observed("memory_string.cpp").arg("more").output();
    let text = outcome.aborted().stderr_text();
    let error = told(&text, "memcpy", "_ZL4fill", &outcome);
    assert!(
        error.starts_with("heap-overflow: memcpy reads 101 bytes"),
        "{error}"
    );
}

/// The program of `examples/overrun.rs`.
fn rust_program() -> PathBuf {
    let build = [
        "build",
        "--quiet",
        "-p",
        "hakmem-tests",
        "--example",
        "overrun",
    ];
    let messages = tool::output(
        &tool::cargo(),
        [&build[..], &["--message-format=json"]].concat(),
    );
    let mut texts = messages.split('"');
    let path = texts.find(|text| text.starts_with('/') && text.ends_with("/examples/overrun"));
    PathBuf::from(path.expect("the program"))
}

#[test]
fn from_rust() {
    if !applies() {
        return;
    }
    let program = rust_program();
    let run = || checked(Run::new(&program));
    assert_eq!(run().output().success().stdout_text(), "7\n");
    let outcome = run().arg("more").output();
    let text = outcome.aborted().stderr_text();
    let errors: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix(ERROR)).collect();
    assert_eq!(errors.len(), 1, "{}", outcome.report());
    assert!(
        errors[0].starts_with("heap-overflow: memcpy writes 41 bytes"),
        "{text}"
    );
    assert!(text.contains("copy_too_much"), "{}", outcome.report());
}

/// Both outputs are the same, and nothing is said of an error.
#[track_caller]
fn unchanged(prepare: impl Fn() -> Run) {
    let expected = prepare().allocator(Allocator::Own).output();
    let outcome = checked(prepare()).output();
    outcome.equals(expected.success());
    assert!(
        !outcome.stderr_text().contains(ERROR),
        "{}",
        outcome.report()
    );
}

#[test]
fn real_programs_do_the_same_and_nothing_is_said() {
    let scratch = Scratch::new();
    let file = scratch.file("words");
    let words: String = (0..4000)
        .map(|n| format!("word{} {n}\n", n * 7919 % 1000))
        .collect();
    fs::write(&file, words).expect("a file of words");
    let words = file.as_path();
    if let Some(python) = python() {
        let script = "import json, re, sys, zlib\n\
            text = open(sys.argv[1]).read()\n\
            data = {w: re.sub('[aeiou]', '_', w) for w in text.split()}\n\
            print(len(json.dumps(data, sort_keys=True)), zlib.crc32(repr(sorted(data)).encode()))\n";
        unchanged(|| {
            let run = Run::new(&python).args(["-c", script]).arg(words);
            run.env("PYTHONHASHSEED", "0").env("PYTHONMALLOC", "malloc")
        });
    }
    if let Some(perl) = find("perl") {
        let script = "while (<>) { my ($w, $n) = split; $c{$w} .= \"$n,\"; s/o/0/g; $s .= $_; }\n\
            print join('|', map { \"$_=$c{$_}\" } sort keys %c), length $s;";
        unchanged(|| Run::new(&perl).args(["-e", script]).arg(words));
    }
    if let Some(sqlite) = find("sqlite3") {
        let queries = "create table t(a integer primary key, b text); with recursive n(x) as \
            (select 1 union all select x+1 from n where x < 20000) insert into t select x, \
            printf('%08x-%s', x*2654435761, hex(x)) from n; create index i on t(b); \
            select count(*), sum(length(b)), max(b) from t where b like '%7%'; select group_concat(b) \
            from (select b from t order by b desc limit 500);";
        unchanged(|| Run::new(&sqlite).arg(":memory:").arg(queries));
    }
    if let Some(node) = find("node") {
        let script = "const m = new Map(); for (let i = 0; i < 1e5; i++) m.set('k' + i % 977, \
            JSON.stringify({i, s: 'x'.repeat(i % 50)})); console.log(m.size, [...m.values()].join('').length)";
        unchanged(|| Run::new(&node).args(["-e", script]));
    }
    if let Some(gcc) = find("gcc") {
        let source = hakmem_tests::compile::sources().join("memory_model.c");
        unchanged(|| {
            Run::new(&gcc)
                .args(["-O2", "-S", "-o", "-", "-pthread"])
                .arg(&source)
        });
    }
    if let Some(git) = find("git") {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        unchanged(|| {
            let run = Run::new(&git).args(["diff", "--no-index", "--stat", "--word-diff"]);
            run.args(["misuse.c", "misuse.c"]).directory(&root)
        });
        unchanged(|| {
            let run = Run::new(&git).args(["grep", "--no-index", "-n", "-E", "mem(cpy|set)"]);
            run.directory(&root)
        });
    }
}

/// The interpreter itself, not a script that looks for one.
fn python() -> Option<PathBuf> {
    let found = find("python3")?;
    let ask = ["-c", "import sys; print(sys.executable)"];
    let output = Command::new(found).args(ask).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}
