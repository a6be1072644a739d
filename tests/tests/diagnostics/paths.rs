//! How long paths take, and what checks of refills and lists find.

use hakmem_tests::statistics::applies;
use hakmem_tests::{Allocator, Run};

use super::{lines, number, numbers, observed, with};

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
    // Blocks that grow where they are are neither allocated nor freed anew.
    let moved = 30 - done.pool("large_resized_in_place");
    assert!(moved > 0, "all grew where they were");
    // 6000 and 30 by malloc, and by realloc; the first began before the variables were read.
    assert_eq!(path("resize"), 30);
    assert_eq!(path("allocate"), 6029 + moved);
    assert_eq!(path("free"), 6030 + moved);
    assert_eq!(path("large allocate"), 30 + moved);
    assert_eq!(path("large free"), 30 + moved);
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
