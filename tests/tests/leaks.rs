//! Leaks: what is told, and what is not. And the scan of all blocks that a program or a signal asks
//! for.
//!
//! Of each case it is said what nothing points to and what only that points to, in bytes and blocks:
//! valgrind's "definitely lost" and "indirectly lost".

use hakmem_tests::{Allocator, Outcome, Run, Scratch, compile, find, reference, skip};
use std::fs;
use std::path::Path;
use std::process::Command;

const STATUS: i32 = 23;

/// Bytes and blocks that nothing points to, and those that only they point to.
type Lost = (u64, u64, u64, u64);

/// A case of one of the programs, under the observed library.
fn leaks(source: &str, case: &str) -> Run {
    Run::program(source)
        .arg(case)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
        .env("HAKMEM_LEAKS", "1")
        .env("HAKMEM_STACKS", "table")
        .env("PLUGIN", compile::shared_library("leaks_plugin.c"))
        // What the test's witness keeps is not the program's.
        .env("HAKMEM_LEAKS_SUPPRESS", "libwitness*")
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let text = outcome.stderr_text();
    let ours = text
        .lines()
        .filter_map(|line| line.strip_prefix("==hakmem== "));
    ours.map(str::to_owned).collect()
}

/// What the findings say.
fn findings(outcome: &Outcome) -> Vec<Lost> {
    let lines = lines(outcome);
    let leaks = lines
        .iter()
        .filter_map(|line| line.strip_prefix("ERROR leak: "));
    leaks.map(parse).collect()
}

/// What the line with the sums says; none if there is none, or nothing is lost.
fn sums(outcome: &Outcome) -> Lost {
    let lines = lines(outcome);
    let mut sums = lines.iter().filter_map(|line| line.strip_prefix("leaks: "));
    let last = sums.next_back().filter(|line| !line.starts_with("none"));
    last.map_or((0, 0, 0, 0), parse)
}

fn parse(sentence: &str) -> Lost {
    let numbers = |text: &str| {
        let mut words = text.split(' ').filter_map(|word| word.parse::<u64>().ok());
        (words.next().unwrap_or(0), words.next().unwrap_or(0))
    };
    let (first, rest) = sentence
        .split_once(" that nothing points to")
        .expect("a leak");
    let (bytes, blocks) = numbers(first);
    let held = rest
        .strip_prefix(", and ")
        .and_then(|rest| rest.split_once(" that only"));
    let (held_bytes, held_blocks) = held.map_or((0, 0), |(held, _)| numbers(held));
    (bytes, blocks, held_bytes, held_blocks)
}

/// The program ended with the status of leaks, and told these, in a stack with the case.
#[track_caller]
fn lost(source: &str, case: &str, expected: &[Lost]) {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks(source, case).output();
    assert_eq!(findings(&outcome), expected, "{}", outcome.report());
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    let sum = expected.iter().fold((0, 0, 0, 0), |sum, lost| {
        (
            sum.0 + lost.0,
            sum.1 + lost.1,
            sum.2 + lost.2,
            sum.3 + lost.3,
        )
    });
    assert_eq!(sums(&outcome), sum);
    assert!(
        outcome
            .stderr_text()
            .contains(" found by the leak scan at exit")
    );
}

/// The program ended as it does, and nothing was found.
#[track_caller]
fn kept(source: &str, case: &str) {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks(source, case).output();
    outcome.success();
    assert!(
        !outcome.stderr_text().contains("ERROR"),
        "{}",
        outcome.report()
    );
}

macro_rules! lost {
    ($source:literal: $($case:ident = $expected:expr;)+) => {$(
        #[test]
        fn $case() {
            lost($source, stringify!($case), &$expected);
        }
    )+};
}

macro_rules! kept {
    ($source:literal: $($case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            kept($source, stringify!($case));
        }
    )+};
}

const ONE: Lost = (100, 1, 0, 0);

lost! {
    "leaks.c":
    direct = [ONE];
    three_of_one_place = [(300, 3, 0, 0)];
    chain = [(48, 1, 96, 2)];
    tree = [(48, 1, 144, 3)];
    circle = [(48, 1, 96, 2)];
    circle_with_a_tail = [(48, 1, 96, 2)];
    circle_from_outside = [(48, 1, 144, 3)];
    itself = [(48, 1, 0, 0)];
    tagged_high = [ONE];
    overwritten = [ONE];
    no_bytes = [(0, 1, 0, 0)];
    large = [(3 << 20, 1, 0, 0)];
    middle = [(40_000, 1, 0, 0)];
    aligned = [(500, 1, 0, 0)];
    grown = [(5000, 1, 0, 0)];
    duplicated = [(14, 1, 0, 0)];
    in_a_freed_block = [ONE];
    in_a_mapping_that_is_gone = [ONE];
    by_a_thread_that_was_joined = [ONE];
    by_a_detached_thread = [ONE];
    by_many_threads = [(800, 8, 0, 0)];
    a_line_that_was_read = [(120, 1, 0, 0)];
    a_directory_left_open = [(32_816, 1, 0, 0)];
    in_a_library_that_is_gone = [ONE];
}

kept! {
    "leaks.c":
    nothing, variable, pointer_into_it, tagged_low, held_by_an_inner_pointer,
    thread_local_variable, in_a_block, far_in_a_large_block, in_a_mapping, in_a_shared_mapping,
    beside_a_vast_mapping, behind_the_break, on_the_stack, by_threads_that_wait, in_a_register,
    by_a_thread_that_runs, by_a_thread_that_blocks_signals, beside_threads_that_work,
    after_many_threads, by_a_key, grown_and_kept, files_left_open, what_libc_keeps, in_a_library,
    in_thread_local_storage_of_a_library, in_a_child_that_leaves,
}

lost! {
    "leaks_cpp.cpp":
    array = [(500, 1, 0, 0)];
    vector = [(24, 1, 999, 4)];
    shared_circle = [(64, 1, 466, 3)];
    released = [(48, 1, 201, 1)];
    thrown_over = [(700, 1, 0, 0)];
}

kept! {
    "leaks_cpp.cpp":
    containers, thread_local_object, second_base, array_of_objects, exceptions, streams, functions,
}

#[test]
fn pointers_into_blocks_are_told_as_such() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "pointer_into_it").output();
    let expected =
        "leaks: none; possibly 100 bytes in 1 block that pointers into them alone lead to";
    assert!(
        lines(&outcome).iter().any(|line| line == expected),
        "{}",
        outcome.report()
    );
}

/// A child that leaks ends with the status (the program checks it), and its parent as ever.
#[test]
fn a_child_is_looked_at_for_itself() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "in_a_child").output();
    assert_eq!(findings(outcome.success()), [ONE]);
}

#[test]
fn a_leak_is_told_with_its_stack() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "chain").output();
    let text = outcome.stderr_text();
    assert!(
        text.contains("that only it points to, allocated by calloc\n"),
        "{text}"
    );
    for function in ["(get_node+0x", "(chain+0x", "(main+0x"] {
        assert!(text.contains(function), "{function}: {text}");
    }
}

#[test]
fn the_largest_places_are_told_first() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "many_places").output();
    let found = findings(&outcome);
    assert_eq!(found.len(), 20, "{}", outcome.report());
    assert!(
        found.is_sorted_by(|a, b| a.0 + a.2 >= b.0 + b.2),
        "{found:?}"
    );
    assert_eq!(found[0], (500, 1, 0, 0));
    let told: u64 = found.iter().map(|lost| lost.0).sum();
    assert_eq!(told, (6..=25).map(|n| n * 20).sum::<u64>());
    assert_eq!(sums(&outcome), ((1..=25).map(|n| n * 20).sum(), 25, 0, 0));
}

#[test]
fn without_stacks_blocks_are_told_by_size() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let light = |case| {
        leaks("leaks.c", case)
            .env("HAKMEM_INTEGRITY_CHECKS", "light")
            .output()
    };
    let outcome = light("three_of_one_place");
    assert_eq!(findings(&outcome), [(300, 3, 0, 0)]);
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert_eq!(findings(&light("circle")), [(48, 1, 96, 2)]);
    light("nothing").success();
    let outcome = leaks("leaks.c", "direct")
        .env("HAKMEM_INTEGRITY_CHECKS", "0")
        .output();
    assert!(
        outcome
            .success()
            .stderr_text()
            .contains("HAKMEM_LEAKS=1 finds nothing with")
    );
}

/// Neither blocks with pages of their own nor what other observers remember changes anything.
#[test]
fn other_observers_hide_nothing() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let alone = sums(&leaks("leaks.c", "seeded").output());
    for (name, value) in [
        ("HAKMEM_GUARD", "all"),
        ("HAKMEM_GUARD", "1/3"),
        ("HAKMEM_TRACE_ALLOCATIONS", "1"),
        ("HAKMEM_WATCH", "size=100 on=free"),
        ("HAKMEM_TINY_PROFILE", "1"),
    ] {
        let outcome = leaks("leaks.c", "seeded").env(name, value).output();
        assert_eq!(sums(&outcome), alone, "{}", outcome.report());
    }
    for case in ["by_threads_that_wait", "beside_threads_that_work"] {
        let outcome = leaks("leaks.c", case).env("HAKMEM_GUARD", "all").output();
        assert_eq!(findings(outcome.success()), [], "{case}");
    }
}

/// The status of leaks takes the place of the program's, and what it has written is not lost.
#[test]
fn the_status_says_what_was_found() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "with_a_status").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert_eq!(outcome.stdout_text(), "not flushed yet");
    let outcome = leaks("leaks.c", "with_a_status")
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    assert_eq!(outcome.status.code(), Some(5), "{}", outcome.report());
    assert_eq!(findings(&outcome), [ONE]);
    // Damage is worse.
    let outcome = leaks("leaks.c", "damaged_as_well").output();
    outcome.aborted();
    let outcome = leaks("leaks.c", "damaged_as_well")
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    assert_eq!(findings(outcome.success()), [ONE]);
    // Not asked for, nothing is looked for.
    let outcome = leaks("leaks.c", "direct").env("HAKMEM_LEAKS", "0").output();
    assert_eq!(findings(outcome.success()), []);
}

#[test]
fn a_program_may_close_standard_error() {
    lost("leaks.c", "with_standard_error_closed", &[ONE]);
}

#[test]
fn a_program_can_ask() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let outcome = leaks("leaks.c", "on_demand").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    // Once more at exit.
    assert_eq!(findings(&outcome), [ONE, ONE]);
    let outcome = leaks("leaks.c", "on_demand")
        .env("HAKMEM_LEAKS", "0")
        .output();
    assert_eq!(findings(outcome.success()), [ONE]);
}

#[test]
fn what_is_suppressed_is_not_told() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    let scratch = Scratch::new();
    let file = scratch.file("suppressions");
    fs::write(&file, "# known\n\n  no_such_function\nget_*  \n").expect("a file");
    let from_file = format!("@{}", file.display());
    for pattern in ["chain", "nothing,ch*n", "leaks_c", "*/leaks_c", &from_file] {
        let run = leaks("leaks.c", "chain").env("HAKMEM_LEAKS_SUPPRESS", pattern);
        let outcome = run.output();
        assert_eq!(findings(outcome.success()), [], "{pattern}");
        assert!(
            outcome
                .stderr_text()
                .contains("suppressed: 144 bytes in 3 blocks"),
            "{}",
            outcome.report()
        );
    }
    for pattern in ["chai", "hain", "libc.so", "#chain", ""] {
        let run = leaks("leaks.c", "chain").env("HAKMEM_LEAKS_SUPPRESS", pattern);
        assert_eq!(findings(&run.output()).len(), 1, "{pattern}");
    }
    let run = leaks("leaks.c", "direct").env("HAKMEM_LEAKS_SUPPRESS", "@/no/such/file");
    let outcome = run.output();
    assert_eq!(findings(&outcome), [ONE]);
    assert!(
        outcome.stderr_text().contains("cannot be read"),
        "{}",
        outcome.report()
    );
}

/// What valgrind finds definitely and indirectly lost.
fn by_valgrind(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Lost {
    let output = Command::new("valgrind")
        .arg("--leak-check=full")
        .arg(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("valgrind");
    let text = String::from_utf8_lossy(&output.stderr).replace(',', "");
    let of = |kind: &str| {
        let line = text.lines().find_map(|line| line.split_once(kind));
        let words = line.map_or("", |(_, numbers)| numbers).split(' ');
        let mut numbers = words.filter_map(|word| word.parse().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    };
    assert!(text.contains("HEAP SUMMARY"), "{text}");
    let (direct, indirect) = (of("definitely lost:"), of("indirectly lost:"));
    (direct.0, direct.1, indirect.0, indirect.1)
}

#[track_caller]
fn agrees(program: &Path, arguments: &[&str], variables: &[(&str, &str)], least: u64) {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    if find("valgrind").is_none() {
        return;
    }
    let mut run = Run::new(program)
        .args(arguments)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
        .env("HAKMEM_LEAKS", "1")
        .env("HAKMEM_LEAKS_SUPPRESS", "libwitness*");
    for (name, value) in variables {
        run = run.env(name, value);
    }
    let outcome = run.output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    let ours = sums(&outcome);
    assert_eq!(
        ours,
        by_valgrind(program, arguments, variables),
        "{}",
        outcome.report()
    );
    assert!(ours.0 >= least, "{}", outcome.report());
}

#[test]
fn valgrind_agrees_on_lists_and_threads() {
    agrees(&compile::program("leaks.c"), &["seeded"], &[], 1000);
}

#[test]
fn valgrind_agrees_on_cpp() {
    agrees(&compile::program("leaks_cpp.cpp"), &["seeded"], &[], 1000);
}

/// An interpreter whose blocks malloc serves, and three that its script loses.
#[test]
fn valgrind_agrees_on_python() {
    const SCRIPT: &str = "import ctypes\n\
        libc = ctypes.CDLL(None)\n\
        libc.malloc.restype = ctypes.c_void_p\n\
        libc.malloc.argtypes = [ctypes.c_size_t]\n\
        for size in (1111, 2222, 4444): ctypes.memset(libc.malloc(size), 0, size)\n\
        # What was passed is left where it was, until something else is passed.\n\
        libc.free.argtypes = [ctypes.c_void_p]\n\
        for number in range(100):\n\
        \x20 block = libc.malloc(16)\n\
        \x20 ctypes.memset(block, 0, 16)\n\
        \x20 libc.free(block)\n";
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skip("/usr/bin/python3 is not installed");
    }
    let variables = [("PYTHONHASHSEED", "0"), ("PYTHONDONTWRITEBYTECODE", "1")];
    agrees(python, &["-I", "-c", SCRIPT], &variables, 7777);
}

#[test]
fn real_programs_have_no_false_leaks() {
    if reference() {
        return skip("the reference looks for no leaks");
    }
    const SQL: &str = "create table t(a, b); insert into t values (1, 'x'), (2, 'y'); \
                       create index i on t(b); select sum(a) from t where b > 'a';";
    let programs: [(&str, &[&str]); 4] = [
        (
            "/usr/bin/python3",
            &[
                "-c",
                "import json, threading, re; print(json.dumps({1: [2]}))",
            ],
        ),
        ("/usr/bin/git", &["--version"]),
        ("/usr/bin/sqlite3", &[":memory:", SQL]),
        ("/usr/bin/redis-server", &["--version"]),
    ];
    for (program, arguments) in programs {
        if !Path::new(program).exists() {
            skip(&format!("{program} is not installed"));
            continue;
        }
        let run = Run::new(program)
            .args(arguments)
            .allocator(Allocator::Observed);
        let outcome = run
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .env("HAKMEM_LEAKS", "1")
            .env("HAKMEM_STACKS", "table")
            .output();
        outcome.success();
        assert!(
            !outcome.stderr_text().contains("ERROR"),
            "{}",
            outcome.report()
        );
    }
}

#[test]
fn a_program_can_have_all_blocks_looked_at() {
    if reference() {
        return skip("the reference does not look at blocks");
    }
    let run = leaks("leaks.c", "damaged").env("HAKMEM_LEAKS", "0");
    let outcome = run.env("HAKMEM_ON_ERROR", "continue").output();
    let errors = |kind: &str| {
        let lines = lines(outcome.success());
        let begins = |line: &&String| line.starts_with(&format!("ERROR {kind}: "));
        lines.iter().filter(begins).count()
    };
    assert_eq!(
        (errors("heap-overflow"), errors("write-after-free")),
        (1, 1),
        "{}",
        outcome.report()
    );
    leaks("leaks.c", "damaged").output().aborted();
}

#[test]
fn a_signal_has_all_blocks_looked_at() {
    if reference() {
        return skip("the reference does not look at blocks");
    }
    for signal in ["USR2", "SIGUSR2", "12"] {
        let run = leaks("leaks.c", "signalled").env("HAKMEM_VERIFY_SIGNAL", signal);
        let outcome = run
            .env("HAKMEM_ON_ERROR", "continue")
            .env("HAKMEM_LEAKS", "0")
            .output();
        let lines = lines(outcome.success());
        let told = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!(
            told("verified: no block is damaged"),
            1,
            "{}",
            outcome.report()
        );
        assert_eq!(
            told("verified: 1 block is damaged"),
            1,
            "{}",
            outcome.report()
        );
        assert_eq!(told("ERROR heap-overflow: "), 1, "{}", outcome.report());
    }
    let run = leaks("leaks.c", "signalled").env("HAKMEM_VERIFY_SIGNAL", "USR2");
    run.output().aborted();
    let run = leaks("leaks.c", "nothing").env("HAKMEM_VERIFY_SIGNAL", "KILL");
    let outcome = run.output();
    assert!(
        outcome
            .success()
            .stderr_text()
            .contains("HAKMEM_VERIFY_SIGNAL=KILL is not the name"),
        "{}",
        outcome.report()
    );
}

/// A signal may come anywhere in an allocation, and takes no block for damaged.
#[test]
fn a_signal_may_come_at_any_time() {
    if reference() {
        return skip("the reference does not look at blocks");
    }
    for level in ["full", "light"] {
        let run = leaks("leaks.c", "signalled_all_the_time")
            .env("HAKMEM_VERIFY_SIGNAL", "USR2")
            .env("HAKMEM_INTEGRITY_CHECKS", level);
        let outcome = run
            .env("HAKMEM_ON_ERROR", "continue")
            .env("HAKMEM_LEAKS", "0")
            .output();
        let text = outcome.success().stderr_text().into_owned();
        assert!(!text.contains("ERROR"), "{}", outcome.report());
        let verified = text.matches("verified: no block is damaged").count();
        assert!(verified >= 10, "{verified} of 300\n{}", outcome.report());
    }
}
