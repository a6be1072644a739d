//! What threads hold: the profile of their fronts and the state from which they allocate.

use hakmem_tests::statistics::{Report, applies};
use hakmem_tests::{Allocator, Run, tool};

use super::{cells, lines, numbers, observed};

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
