//! What the debug variables print, from the library with observers in it; and that the
//! release library does not know them.
//!
//! A slab of blocks of 1000 bytes (1024 with their class) has 64 of them, one word of its
//! bitmap. The front has 16 entries, and a refill brings 16.

use hakmem_tests::statistics::{Exercise, Report, applies};
use hakmem_tests::{Allocator, Run, Scratch, tool};
use serde_json::Value;
use std::path::Path;

/// The areas that this file is about: each variable, its master switch, and its area there.
const AREAS: [(&str, &str, &str); 12] = [
    ("HAKMEM_TINY_PROFILE", "HAKMEM_STATS", "profile"),
    ("HAKMEM_TINY_SLL_DIAG", "HAKMEM_STATS", "sll"),
    ("HAKMEM_TINY_ALLOC_DEBUG", "HAKMEM_STATS", "state"),
    ("HAKMEM_TIMING", "HAKMEM_STATS", "timing"),
    ("HAKMEM_SS_FREE_DEBUG", "HAKMEM_TRACE", "free"),
    ("HAKMEM_LEARN_DEBUG", "HAKMEM_TRACE", "learn"),
    ("HAKMEM_SUPER_LOOKUP_DEBUG", "HAKMEM_TRACE", "lookup"),
    ("HAKMEM_SS_LRU_DEBUG", "HAKMEM_TRACE", "lru"),
    ("HAKMEM_TINY_FREELIST_MASK", "HAKMEM_TRACE", "mask"),
    ("HAKMEM_TINY_P0_LOG", "HAKMEM_TRACE", "p0"),
    ("HAKMEM_SS_PREWARM_DEBUG", "HAKMEM_TRACE", "prewarm"),
    ("HAKMEM_SUPER_REG_DEBUG", "HAKMEM_TRACE", "reg"),
];

/// Steps in which something of every area happens, with [`EVERYTHING_SETTINGS`].
const EVERYTHING: [&str; 12] = [
    "churn 1000 400 3",
    "take a 1000 100",
    "usable a",
    "give a",
    "thread",
    "take b 32768 320",
    "give b",
    "end",
    "take c 32768 320",
    "resize c 40000",
    "give c",
    "trim",
];
const EVERYTHING_SETTINGS: [(&str, &str); 4] = [
    ("HAKMEM_SUPERSLAB_PREWARM", "2"),
    ("HAKMEM_SUPERSLAB_LRU_CAP", "3"),
    ("HAKMEM_MEM_LEARN", "1"),
    ("HAKMEM_LEARN_ADVANCED", "budget_mb=1"),
];

fn run(allocator: Allocator, settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    let mut run = Run::program("exercise.c").args(steps).allocator(allocator);
    for (name, value) in settings {
        run = run.env(name, value);
    }
    Exercise::of(run.output())
}

/// The program under the observed library.
fn observed(settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    run(Allocator::Observed, settings, steps)
}

/// The lines of an area, without what they begin with.
fn lines(run: &Exercise, area: &str) -> Vec<String> {
    let said = run.said().into_iter();
    let tag = format!("hakmem: [{area}] ");
    said.filter_map(|line| Some(line.strip_prefix(&tag)?.to_owned()))
        .collect()
}

/// Those that hold `what`.
fn with<'a>(lines: &'a [String], what: &str) -> Vec<&'a str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| line.contains(what)).collect()
}

/// A table of an area: its rows as words, for the rows of `thread` (or `all`) and a class.
#[track_caller]
fn cells(lines: &[String], first: &[&str]) -> Vec<String> {
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect();
    let mut rows = lines.iter().map(words).filter(|words: &Vec<String>| {
        words.len() > first.len() && first.iter().zip(words).all(|(a, b)| a == b)
    });
    rows.next_back()
        .unwrap_or_else(|| panic!("no row {first:?} in\n{}", lines.join("\n")))
}

fn numbers(words: &[String]) -> Vec<u64> {
    let number = |word: &String| word.parse().ok();
    words.iter().filter_map(number).collect()
}

/// The number behind `label` in a line.
#[track_caller]
fn number(line: &str, label: &str) -> u64 {
    let at = line
        .find(label)
        .unwrap_or_else(|| panic!("no {label} in {line}"));
    let rest = line[at + label.len()..].trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|_| panic!("no number behind {label}: {line}"))
}

/// The address at the beginning of a text, in hexadecimal.
#[track_caller]
fn address(text: &str) -> usize {
    let digits = text.trim_start_matches("0x");
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    usize::from_str_radix(&digits[..end], 16).unwrap_or_else(|_| panic!("no address: {text}"))
}

/// What tags the lines have, sorted.
fn tags(run: &Exercise) -> Vec<String> {
    let mut tags: Vec<String> = run
        .said()
        .iter()
        .filter_map(|line| {
            let (tag, _) = line.strip_prefix("hakmem: [")?.split_once(']')?;
            Some(tag.to_owned())
        })
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[test]
fn the_release_library_knows_none() {
    if !applies() {
        return;
    }
    let mut settings: Vec<(&str, &str)> = AREAS.iter().map(|area| (area.0, "1")).collect();
    settings.push(("HAKMEM_TRACE", "all"));
    settings.extend(EVERYTHING_SETTINGS);
    let mut steps = EVERYTHING.to_vec();
    steps.push("dump");
    let silent = run(Allocator::Tested, &settings, &steps);
    assert_eq!(silent.said(), [""; 0], "{}", silent.outcome.report());
    // The same with observers is anything but silent.
    let loud = observed(&settings, &steps);
    let mut areas: Vec<&str> = AREAS.iter().map(|area| area.2).collect();
    areas.sort_unstable();
    assert_eq!(tags(&loud), areas);
}

#[test]
fn each_variable_switches_its_own_area_on() {
    if !applies() {
        return;
    }
    for (variable, master, area) in AREAS {
        for setting in [(variable, "1"), (master, area)] {
            let mut settings = EVERYTHING_SETTINGS.to_vec();
            settings.push(setting);
            let seen = observed(&settings, &EVERYTHING);
            assert_eq!(tags(&seen), [area], "{setting:?}");
            assert!(
                seen.said().iter().all(|line| line.starts_with("hakmem: [")),
                "{}",
                seen.outcome.report()
            );
            settings.pop();
            settings.push((setting.0, "0"));
            assert_eq!(observed(&settings, &["take a 10 1"]).said(), [""; 0]);
        }
    }
}

#[test]
fn lists_of_areas() {
    if !applies() {
        return;
    }
    let table = |run: &Exercise| {
        let said = run.said();
        said.iter()
            .filter(|line| line.ends_with(" statistics"))
            .count()
    };
    let of = |name, value| {
        let run = observed(&[(name, value)], &["churn 1000 100 2"]);
        (table(&run), tags(&run).join(","))
    };
    let both = "profile,timing";
    assert_eq!(of("HAKMEM_STATS", "timing,profile"), (0, both.into()));
    assert_eq!(of("HAKMEM_STATS", "1"), (1, String::new()));
    assert_eq!(of("HAKMEM_STATS", "1,timing,profile"), (1, both.into()));
    assert_eq!(of("HAKMEM_STATS", "profile,1,timing"), (1, both.into()));
    let (tables, areas) = of("HAKMEM_STATS", "all");
    assert_eq!(tables, 1);
    for area in ["profile", "sll", "state", "timing"] {
        assert!(areas.contains(area), "{areas}");
    }
    assert_eq!(of("HAKMEM_TRACE", "p0,reg"), (0, "p0,reg".into()));
    let (_, areas) = of("HAKMEM_TRACE", "all");
    for area in ["lookup", "mask", "p0", "reg"] {
        assert!(areas.contains(area), "{areas}");
    }
}

#[test]
fn unknown_areas_are_told() {
    if !applies() {
        return;
    }
    for (setting, warning) in [
        (
            ("HAKMEM_STATS", "profile,prof"),
            "hakmem: HAKMEM_STATS: there is no area 'prof'; \
             there are 1, all, classes, json, learn, pool, tiers, totals, profile, sll, state, \
             timing, trace",
        ),
        (
            ("HAKMEM_TRACE", "look"),
            "hakmem: HAKMEM_TRACE: there is no area 'look'; there are 1, all, json, alloc, \
             free, learn, lookup, lru, mask, p0, prewarm, ptr, reg",
        ),
    ] {
        let said = observed(&[setting], &["take a 10 1"]).said();
        let warnings: Vec<&String> = said.iter().filter(|line| !line.contains('[')).collect();
        assert_eq!(warnings, [warning]);
    }
    // A debug switch that is none.
    let said = observed(&[("HAKMEM_TIMING", "yes")], &["take a 10 1"]).said();
    let warning = "hakmem: HAKMEM_TIMING=yes is not 0 or 1; using the default 0";
    assert_eq!(said, [warning]);
}

/// The program with an area's lines of `HAKMEM_TRACE` in a file, and what is in the file.
fn in_file(trace: &str, file: &Path, steps: &[&str]) -> (Exercise, String) {
    let name = file.to_str().expect("a name of letters");
    let mut settings = EVERYTHING_SETTINGS.to_vec();
    settings.extend([("HAKMEM_TRACE", trace), ("HAKMEM_TRACE_FILE", name)]);
    let run = observed(&settings, steps);
    let text = std::fs::read_to_string(file).expect("the file is there");
    (run, text)
}

#[test]
fn traces_go_to_a_file() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    for area in ["lru", "p0", "ptr"] {
        let (run, text) = in_file(area, &scratch.file(area), &EVERYTHING);
        assert_eq!(run.said(), [""; 0], "{area}");
        let tag = match area {
            "ptr" => "hakmem: trace: thread ".to_owned(),
            _ => format!("hakmem: [{area}] thread "),
        };
        assert!(text.lines().count() > 3, "{area}: {text}");
        assert!(text.lines().all(|line| line.starts_with(&tag)), "{text}");
    }
    // Another run's lines are added, and %p is the process's number.
    let lines = |name: &str| {
        let text = std::fs::read_to_string(scratch.file(name)).expect("the file is there");
        text.lines().count()
    };
    let before = lines("lru");
    in_file("lru", &scratch.file("lru"), &EVERYTHING);
    assert!(lines("lru") > before);
    let template = scratch.file("of-%p");
    observed(
        &[
            ("HAKMEM_TRACE", "reg"),
            (
                "HAKMEM_TRACE_FILE",
                template.to_str().expect("a name of letters"),
            ),
        ],
        &["take a 10 1"],
    );
    let names = std::fs::read_dir(scratch.file("")).expect("a directory");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let numbered = names.filter(|name| {
        let number = name.to_str().and_then(|name| name.strip_prefix("of-"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    assert_eq!(numbered.count(), 1);
}

#[test]
fn a_file_that_cannot_be_had_is_told_once() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_TRACE", "reg"),
        ("HAKMEM_TRACE_FILE", "/no/such/directory/file"),
    ];
    let run = observed(&settings, &["take a 10 1", "take b 1000 1"]);
    let complaint = "hakmem: HAKMEM_TRACE_FILE: no such file or directory; \
                     the lines go to standard error";
    let said = run.said();
    let told = said.iter().filter(|line| *line == complaint);
    assert_eq!(told.count(), 1, "{said:#?}");
    assert!(lines(&run, "reg").len() > 1, "{said:#?}");
}

#[test]
fn traces_are_json() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    let areas = AREAS.iter().filter(|area| area.1 == "HAKMEM_TRACE");
    for area in areas.map(|area| area.2).chain(["ptr"]) {
        let trace = format!("json,{area}");
        let (run, text) = in_file(&trace, &scratch.file(area), &EVERYTHING);
        assert_eq!(run.said(), [""; 0], "{area}");
        assert!(!text.is_empty(), "{area}");
        for line in text.lines() {
            let object: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert_eq!(object["area"], area, "{line}");
            assert!(
                object["thread"].is_u64() && object["event"].is_string(),
                "{line}"
            );
            assert_ne!(object["event"], "?", "{line}");
        }
    }
    // As many as there are lines of text, with the same numbers.
    let settings = [EVERYTHING_SETTINGS[1], EVERYTHING_SETTINGS[2]];
    let with = |trace| {
        observed(
            &[&settings[..], &[("HAKMEM_TRACE", trace)]].concat(),
            &EVERYTHING,
        )
    };
    let (mut text, mut json) = (lines(&with("lru"), "lru"), with("json,lru").said());
    // What is purged hangs on the time that passes.
    text.retain(|line| !line.contains("purged"));
    json.retain(|line| !line.contains("purged"));
    assert_eq!(text.len(), json.len(), "{text:#?}\n{json:#?}");
    for (text, json) in text.iter().zip(&json) {
        let object: Value = serde_json::from_str(json).expect("a line of JSON");
        let event = object["event"].as_str().expect("an event");
        assert!(text.contains(event), "{text}: {json}");
        assert_eq!(object["cached"], number(text, ","), "{text}: {json}");
    }
}

#[test]
fn the_profile_counts_hits() {
    if !applies() {
        return;
    }
    let churn = "churn 1000 10 5000";
    let steps = [
        "thread",
        churn,
        "end",
        "take a 1000 1",
        "report taken",
        "fork",
    ];
    let seen = observed(&[("HAKMEM_TINY_PROFILE", "1")], &steps);
    let lines = lines(&seen, "profile");
    let (main, child) = (seen.outcome.seen[0].pid, seen.value("child"));
    let heading = "thread bytes requests hits misses hit rate list hits refills refilled drains \
                   drained frees";
    let words: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(words.join(" "), heading);
    // Of the thread that has ended: one refill of 16, and all else are hits.
    let ended = lines[1].split_whitespace().next().expect("a thread");
    assert_ne!(ended, main.to_string());
    let row = cells(&lines, &[ended, "1024"]);
    assert_eq!(row[2..].join(" "), "50000 49999 1 99.99% 0 1 16 0 0 50000");
    let row = cells(&lines, &[&main.to_string(), "1024"]);
    assert_eq!(row[2..].join(" "), "1 0 1 0.00% 0 1 16 0 0 0");
    // The child counts its own alone: its parent's front had 15 blocks left for it.
    let row = cells(&lines, &[&child.to_string(), "1024"]);
    let [requests, hits, misses, ..] = numbers(&row)[2..] else {
        panic!("{row:?}")
    };
    assert_eq!((requests, hits + misses), (50, 50));
    assert!(
        misses < 10 && row.last().is_some_and(|frees| frees == "50"),
        "{row:?}"
    );
    // The parent's total.
    let row = cells(&lines, &["all", "1024"]);
    assert_eq!(row[2..].join(" "), "50001 49999 2 99.99% 0 2 32 0 0 50000");
    // What the allocator counts itself.
    let report: Report = seen.at("taken");
    assert_eq!(report.class(1024, "misses"), 2);
    assert_eq!(report.class(1024, "refilled"), 32);
}

#[test]
fn the_profile_counts_lists_and_drains() {
    if !applies() {
        return;
    }
    let steps = ["churn 1000 300 20", "report done"];
    let seen = observed(&[("HAKMEM_TINY_PROFILE", "1")], &steps);
    let row = cells(&lines(&seen, "profile"), &["all", "1024"]);
    let report = seen.at("done");
    let count = |name| report.class(1024, name);
    assert_eq!(row[2], "6000");
    assert_eq!(row[4], count("misses").to_string());
    assert_eq!(row[6], count("list_hits").to_string());
    assert_eq!(row[8], count("refilled").to_string());
    assert_eq!(row[9], count("drains").to_string());
    assert_eq!(row[10], count("drained").to_string());
    for at in [4, 6, 8, 9, 10] {
        assert_ne!(row[at], "0", "{row:?}");
    }
}

#[test]
fn the_state_is_dumped() {
    if !applies() {
        return;
    }
    let steps = [
        "thread",
        "take t 1000 3",
        "end",
        "take a 1000 10",
        "mark asked",
        "dump",
        "mark done",
    ];
    let seen = observed(&[("HAKMEM_TINY_ALLOC_DEBUG", "1")], &steps);
    let main = seen.outcome.seen[0].pid.to_string();
    let lines = lines(&seen, "state");
    let ends = lines
        .iter()
        .position(|line| line.contains(" ends, "))
        .expect("an end");
    let exit = lines
        .iter()
        .position(|line| line.contains(" at exit, "))
        .expect("an exit");
    assert!(ends < exit);
    let heading = "thread bytes front of list of batch heat hot slab used free partial free";
    let words: Vec<&str> = lines[ends + 1].split_whitespace().collect();
    assert_eq!(words.join(" "), heading);
    // 3 of the 16 that the refill brought are the program's, and the first is the observers'.
    let first = lines[ends].split_whitespace().nth(1).expect("a thread");
    let now = ends
        + lines[ends..]
            .iter()
            .position(|line| line.contains(" now, "))
            .expect("a dump");
    let row = cells(&lines[ends..now], &[first, "1024"]);
    assert_eq!((row[2].as_str(), row[3].as_str()), ("13", "16"));
    assert_eq!((row[10].as_str(), row[11].as_str()), ("16", "47"));
    let row = cells(&lines[exit..], &[&main, "1024"]);
    assert_eq!((row[2].as_str(), row[3].as_str()), ("6", "16"));
    assert_eq!(row[4..].len(), 10, "{row:?}");

    // On demand, without any variable.
    let seen = observed(&[], &steps);
    let said = seen.said();
    assert_eq!(said.first().map(String::as_str), Some("asked"));
    assert_eq!(said.last().map(String::as_str), Some("done"));
    let dumped = self::lines(&seen, "state");
    assert_eq!(dumped.len(), said.len() - 2);
    assert_eq!(
        cells(&dumped, &[&seen.outcome.seen[0].pid.to_string(), "1024"])[2],
        "6"
    );
    assert!(
        dumped
            .iter()
            .any(|line| line.contains("its cache is parked"))
    );
}

/// A Rust program asks for it as well, and in a build without observers nothing comes of it.
#[test]
fn rust_programs_dump_their_state() {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/observed-programs");
    for features in ["diagnostics", ""] {
        let manifest = ["--manifest-path", "tests/observed/Cargo.toml"];
        let build = ["build", "--quiet", "--target-dir", target];
        let set = ["--features", features];
        tool::output(&tool::cargo(), [&build[..], &manifest, &set].concat());
        let program = format!("{target}/debug/dump");
        let outcome = Run::new(program).allocator(Allocator::Own).output();
        let stderr = outcome.success().stderr_text();
        let rows: Vec<String> = stderr
            .lines()
            .filter_map(|line| Some(line.strip_prefix("hakmem: [state] ")?.to_owned()))
            .collect();
        if features.is_empty() {
            assert_eq!(stderr, "");
        } else {
            let row = cells(&rows, &[&outcome.seen[0].pid.to_string(), "1024"]);
            assert_eq!(row[3], "16", "{row:?}");
            assert_ne!(row[9], "-", "{row:?}");
        }
    }
}

#[test]
fn changes_of_the_mask_are_logged() {
    if !applies() {
        return;
    }
    let steps = ["take a 1000 17", "where a", "mark given", "give a", "trim"];
    let seen = observed(&[("HAKMEM_TINY_FREELIST_MASK", "1")], &steps);
    let slab = seen.addresses("a")[0] & !0xffff;
    let word = format!("slab {slab:#x} word 0: ");
    let all = lines(&seen, "mask");
    let changes: Vec<&str> = all
        .iter()
        .filter_map(|line| Some(line.split_once(&word)?.1))
        .collect();
    assert_eq!(
        changes[..3],
        [
            // The first block is the observers'.
            "0x0 -> 0xfffffffffffffffe",
            "0xfffffffffffffffe -> 0xfffffffffffe0000",
            "0xfffffffffffe0000 -> 0xfffffffe00000000",
        ]
    );
    // Each begins where the one before ended, and in the end the slab is closed.
    for pair in changes.windows(2) {
        let (_, after) = pair[0].split_once(" -> ").expect("a change");
        assert!(pair[1].starts_with(&format!("{after} -> ")), "{changes:?}");
    }
    assert!(
        changes.last().is_some_and(|last| last.ends_with(" -> 0x0")),
        "{changes:?}"
    );
}

#[test]
fn freed_superslabs_are_logged() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_SS_FREE_DEBUG", "1"),
        ("HAKMEM_SUPERSLAB_LAZY", "0"),
    ];
    let steps = [
        "thread",
        "take a 32768 320",
        "where a",
        "give a",
        "end",
        "report done",
    ];
    let seen = observed(&settings, &steps);
    let freed = lines(&seen, "free");
    let count = seen.at("done").pool("superslabs_unmapped");
    assert_eq!(freed.len() as u64, count);
    assert!(count >= 4, "{count}");
    let bases: Vec<usize> = seen.addresses("a").iter().map(|a| a & !0x1f_ffff).collect();
    for line in freed {
        let (_, rest) = line.split_once(": SuperSlab ").expect("a SuperSlab");
        assert!(bases.contains(&address(rest)), "{line}");
        assert!(line.ends_with(" given back to the system"), "{line}");
    }
}

/// Ten slabs of an ended thread become five empty SuperSlabs, and one more is in use.
const EMPTY: [&str; 7] = [
    "take first 64 1",
    "thread",
    "take a 32768 320",
    "give a",
    "end",
    "take b 32768 32",
    "report done",
];

#[test]
fn the_cache_of_superslabs_logs_what_it_does() {
    if !applies() {
        return;
    }
    for (name, value, what, counter) in [
        (
            "HAKMEM_SUPERSLAB_LRU_CAP",
            "2",
            "evicted (over the capacity)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_MAX_CACHED",
            "1",
            "evicted (over the capacity)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_MAX_MEMORY_MB",
            "4",
            "evicted (over the memory limit)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_TTL_SEC",
            "0",
            "evicted (its time to live is over)",
            "ttl_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_SOFT_CAP",
            "0",
            "purged (over the soft cap)",
            "soft_cap_purges",
        ),
    ] {
        let seen = observed(&[("HAKMEM_SS_LRU_DEBUG", "1"), (name, value)], &EMPTY);
        let lines = lines(&seen, "lru");
        let done = seen.at("done");
        let count = |what| with(&lines, what).len() as u64;
        assert!(count(what) > 0, "{name}: {lines:#?}");
        assert_eq!(count(what), done.pool(counter), "{name}: {lines:#?}");
        assert_eq!(count(" kept, "), done.pool("cache_inserts"), "{name}");
        // The number behind each line is what the cache holds then.
        let mut cached = 0;
        for line in lines.iter().filter(|line| !line.contains("purged")) {
            cached = if line.contains(" kept") {
                cached + 1
            } else {
                cached - 1
            };
            assert_eq!(number(line, ","), cached, "{name}: {lines:#?}");
        }
        assert_eq!(cached, done.total("superslabs_cached"));
    }
    let steps = [&EMPTY[..], &["take c 32768 320", "trim"]].concat();
    let seen = observed(&[("HAKMEM_TRACE", "lru")], &steps);
    let lines = lines(&seen, "lru");
    assert!(!with(&lines, " taken, ").is_empty(), "{lines:#?}");
    let seen = observed(
        &[("HAKMEM_TRACE", "lru")],
        &[&EMPTY[..], &["trim"]].concat(),
    );
    let lines = self::lines(&seen, "lru");
    assert!(
        !with(&lines, "evicted (everything free is given back), 0 in").is_empty(),
        "{lines:#?}"
    );
}

#[test]
fn decisions_of_learning_are_logged() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_LEARN_DEBUG", "1"),
        ("HAKMEM_ALLOC_LEARN", "1"),
        ("HAKMEM_ALLOC_LEARN_WINDOW", "64"),
    ];
    let steps = ["churn 1000 2000 30", "churn 512 2000 60", "report end"];
    let run = observed(&settings, &steps);
    let lines = lines(&run, "learn");
    let end = run.at("end");
    let decided = end.pool("learn_cooled") + end.pool("learn_enlarged");
    assert_eq!(lines.len() as u64, decided, "{lines:#?}");
    // The class of 1024 bytes is the 20th.
    let of_class = with(&lines, "front of class 19: ");
    assert!(!of_class.is_empty(), "{lines:#?}");
}

#[test]
fn prewarming_is_logged() {
    if !applies() {
        return;
    }
    let log = ("HAKMEM_SS_PREWARM_DEBUG", "1");
    let seen = observed(
        &[log, ("HAKMEM_SUPERSLAB_PREWARM", "3")],
        &["take a 10 1", "report done"],
    );
    let lines = lines(&seen, "prewarm");
    assert_eq!(seen.at("done").pool("prewarmed"), 3);
    assert_eq!(lines.len(), 3);
    for (line, left) in lines.iter().zip([2, 1, 0]) {
        let end = format!(" mapped and populated for the cache, {left} to go");
        assert!(line.ends_with(&end), "{line}");
    }
    let seen = observed(
        &[log, ("HAKMEM_PREWARM_SUPERSLABS", "1")],
        &["take a 10 1", "report done"],
    );
    let lines = self::lines(&seen, "prewarm");
    assert_eq!(lines.len() as u64, seen.at("done").pool("prewarmed"));
    assert!(
        lines[0].ends_with("for blocks of 16, 23 to go"),
        "{}",
        lines[0]
    );
    assert!(
        lines[23].ends_with("for blocks of 2048, 0 to go"),
        "{}",
        lines[23]
    );
}

#[test]
fn lookups_are_logged() {
    if !applies() {
        return;
    }
    let settings = [("HAKMEM_SUPER_LOOKUP_DEBUG", "1")];
    let steps = [
        "take a 1000 5",
        "where a",
        "mark from",
        "usable a",
        "mark to",
    ];
    let seen = observed(&settings, &steps);
    let said = seen.said();
    let at = |mark: &str| said.iter().position(|line| line == mark).expect("a mark");
    let between = &said[at("from") + 1..at("to")];
    let blocks = seen.addresses("a");
    assert_eq!(between.len(), blocks.len());
    for (line, block) in between.iter().zip(blocks) {
        let end = format!(": {block:#x} -> slab {:#x}", block & !0xffff);
        assert!(line.ends_with(&end), "{line}");
    }
    // An address of nobody's.
    let outcome = Run::program("misuse.c")
        .args(["foreign", "stack", "free"])
        .env("HAKMEM_TRACE", "lookup")
        .allocator(Allocator::Observed)
        .output();
    let stderr = outcome.stderr_text();
    assert!(
        stderr.lines().any(|line| line.ends_with(" -> none")),
        "{}",
        outcome.report()
    );
}

#[test]
fn the_registry_logs_entries() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 1000 1",
        "where a",
        "take b 3000000 1",
        "where b",
        "give b",
        "report done",
        "trim",
    ];
    let seen = observed(&[("HAKMEM_SUPER_REG_DEBUG", "1")], &steps);
    let lines = lines(&seen, "reg");
    let slab = seen.addresses("a")[0] & !0xffff;
    let large = seen.addresses("b")[0];
    assert_eq!(
        with(&lines, &format!("entered slab {slab:#x}, 1 slot")).len(),
        1
    );
    for what in ["entered", "cleared"] {
        assert_eq!(
            with(&lines, &format!("{what} slab {large:#x}, a mapping")).len(),
            1
        );
    }
    let mapped = seen.at("done").pool("superslabs_mapped");
    let entered = with(&lines, "entered SuperSlab ");
    assert_eq!(entered.len() as u64, mapped);
    let base = slab & !0x1f_ffff;
    assert!(
        entered
            .iter()
            .any(|line| line.ends_with(&format!("{base:#x}")))
    );
}

#[test]
fn paths_are_timed() {
    if !applies() {
        return;
    }
    let steps = [
        "churn 1000 300 20",
        "take a 100000 30",
        "resize a 200000",
        "give a",
        "report done",
    ];
    let seen = observed(&[("HAKMEM_TIMING", "1")], &steps);
    let lines = lines(&seen, "timing");
    assert!(
        lines[0].contains("a path's time has in it that of the paths inside"),
        "{}",
        lines[0]
    );
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>().join(" "),
        "path count mean 50% 90% 99% 99.9%"
    );
    let done = seen.at("done");
    let path = |path: &str| {
        let rows = &lines[2..];
        let end = rows
            .iter()
            .position(|line| line.contains(" ns and more"))
            .expect("bars");
        let line = rows[..end].iter().find(|line| line.starts_with(path));
        let line = line.unwrap_or_else(|| panic!("no {path}: {lines:#?}"));
        let row = numbers(
            &line[path.len()..]
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        );
        assert!(row.len() == 6 && row[2..].is_sorted(), "{line}");
        // The bars are of as many.
        let bars = rows[end..]
            .iter()
            .filter(|line| line.starts_with(path) && line[path.len()..].starts_with("  "));
        let sum: u64 = bars.map(|line| number(line, " ns and more")).sum();
        assert_eq!(sum, row[0], "{path}");
        row[0]
    };
    // 6000 and 30 by malloc, and 30 by realloc; the first began before the variables were read.
    assert_eq!(path("resize"), 30);
    assert_eq!(path("allocate"), 6059);
    assert_eq!(path("free"), 6060);
    assert_eq!(path("large allocate"), 60);
    assert_eq!(path("large free"), 60);
    assert_eq!(path("refill"), done.class_sum("misses"));
    assert!(path("spill") >= done.class(1024, "drains"));
    assert!(path("acquire") > 0);
}

#[test]
fn batch_refills_are_checked() {
    if !applies() {
        return;
    }
    let settings = [("HAKMEM_TINY_P0_LOG", "1")];
    let seen = observed(&settings, &["churn 1000 300 5", "report done"]);
    assert!(!seen.said().iter().any(|line| line.contains("ERROR")));
    let lines = lines(&seen, "p0");
    let of_class = with(&lines, " of 1024 bytes: ");
    let mut taken = 0;
    for line in &of_class {
        let took = number(line, "took");
        let change = |label: &str| {
            let (_, rest) = line.split_once(label).expect("a change");
            (number(rest, ""), number(rest, "->"))
        };
        let (used, free) = (change(" used "), change(" free bits "));
        assert_eq!(used.1, used.0 + took, "{line}");
        assert_eq!(free.0, free.1 + took, "{line}");
        assert!(used.1 + free.1 <= 64, "{line}");
        taken += took;
    }
    let done = seen.at("done");
    assert_eq!(taken, done.class(1024, "refilled"));
    assert_eq!(of_class.len() as u64, done.class(1024, "refills"));
}

#[test]
fn lists_are_diagnosed() {
    if !applies() {
        return;
    }
    let settings = [("HAKMEM_TINY_SLL_DIAG", "1"), ("HAKMEM_TINY_TLS_CAP", "16")];
    let seen = observed(
        &settings,
        &[
            "thread",
            "churn 1000 300 5",
            "end",
            "churn 1000 300 5",
            "report done",
        ],
    );
    assert!(!seen.said().iter().any(|line| line.contains("ERROR")));
    let lines = lines(&seen, "sll");
    let rows = with(&lines, "blocks of 1024: ");
    assert_eq!(rows.len(), 2, "{lines:#?}");
    for line in rows {
        assert!(number(line, "blocks of 1024:") > 10, "{line}");
        assert!(number(line, "checks of") > 50, "{line}");
        assert_eq!(number(line, "blocks,"), 0, "{line}");
        assert_eq!(number(line, "longest"), 16, "{line}");
        assert_eq!(number(line, "now"), 16, "{line}");
        assert!(line.ends_with('%'), "{line}");
    }
}

/// A program that writes into blocks that it has freed, behind the first one of the list:
/// nothing but the walk can see it.
#[test]
fn a_broken_list_is_an_error() {
    if !applies() {
        return;
    }
    for (case, what) in [
        ("link_to_nowhere", " behind 2 of 2 blocks is no block"),
        (
            "link_to_other_class",
            " behind 2 of 2 blocks is of another class",
        ),
        (
            "link_to_a_live_block",
            " behind 2 of 2 blocks is not noted as listed",
        ),
        ("link_to_null", " 1 blocks counted, its length is 2"),
        ("link_back", "it comes back to "),
    ] {
        let outcome = Run::program("broken_list.c")
            .arg(case)
            .env("HAKMEM_TINY_SLL_DIAG", "1")
            .env("HAKMEM_TINY_SFC_ENABLE", "0")
            .allocator(Allocator::Observed)
            .output();
        let stderr = outcome.success().stderr_text();
        let errors: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("hakmem: ERROR [sll] thread "))
            .collect();
        assert!(
            errors
                .first()
                .is_some_and(|e| e.contains(what) && e.contains("list of 1024 bytes")),
            "{case}\n{}",
            outcome.report()
        );
    }
}

/// What looks at the heap to say what it sees is not seen itself.
#[test]
fn what_is_written_causes_no_event() {
    if !applies() {
        return;
    }
    let looked_up = |settings: &[(&str, &str)]| {
        let seen = observed(settings, &[&EVERYTHING[..], &["dump"]].concat());
        lines(&seen, "lookup").len()
    };
    let alone = looked_up(&[("HAKMEM_TRACE", "lookup")]);
    assert!(alone > 100, "{alone}");
    let beside_all = looked_up(&[("HAKMEM_TRACE", "all"), ("HAKMEM_STATS", "all")]);
    assert_eq!(alone, beside_all);
}

/// Lines of several threads stand whole beside each other.
#[test]
fn lines_do_not_mix() {
    if !applies() {
        return;
    }
    let steps = ["race 4 30"];
    let seen = observed(&[("HAKMEM_TRACE", "mask,reg,p0")], &steps);
    for line in seen.said() {
        assert!(
            line.starts_with("hakmem: [") && line.matches("hakmem:").count() == 1,
            "{line}"
        );
    }
}
