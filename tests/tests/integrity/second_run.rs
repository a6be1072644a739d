//! A second run that watches what the first one found.

use hakmem_tests::compile;
use hakmem_tests::reported::{checked, findings, the_finding};
use hakmem_tests::watched::{has_watchpoints, hits};

use super::applies;

/// The first run finds that something was written; the second, with the rule that the report
/// printed, who did.
#[test]
fn two_runs_lead_to_the_culprit() {
    if !applies() || !has_watchpoints() {
        return;
    }
    let (outcome, finding) = the_finding(checked("server"));
    assert_eq!(finding.kind, "write-after-free", "{}", outcome.report());
    assert!(finding.says("at offset 16 of a block of 40 bytes"));
    assert!(
        finding.says("written: 8 bytes; the word there is 0x21"),
        "{}",
        outcome.report()
    );
    let rule = finding.rule().expect("a rule").to_owned();
    let second = checked("server")
        .env("HAKMEM_WATCH", &rule)
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    let hits = hits(&second);
    assert!(!hits.is_empty(), "{rule}\n{}", second.report());
    for hit in &hits {
        assert_eq!(hit.function, "write_late", "{hit:?}");
        let program = compile::optimized_program("integrity.c");
        let place = hakmem_tests::watched::line_of(&program, hit.offset);
        assert!(marked_line(&place), "{place}");
    }
}

/// What the report of damage around a block advises leads to the write, and to nothing else: the rule, and
/// the way in which blocks have to lie in pages of their own.
#[test]
fn the_writer_beside_a_block_is_found_in_a_second_run() {
    if !applies() || !has_watchpoints() {
        return;
    }
    for (case, words, guard) in [
        ("underflow", "words=-1", "all,left"),
        ("underflow_never_freed", "words=-1", "all,left"),
        ("far_below", "words=-2", "all,left"),
        ("one_behind_an_odd_size", "words=1", "all,exact"),
        ("overflow_never_freed", "words=5", "all,exact"),
        ("overflow_in_thread", "words=5", "all,exact"),
        ("long_overflow", "words=5", "all"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        let rule = finding.rule().expect("a rule").to_owned();
        assert!(rule.ends_with(words), "{rule}\n{}", outcome.report());
        assert!(!rule.contains("libc"), "{rule}\n{}", outcome.report());
        let advice = format!("or: HAKMEM_GUARD={guard} stops");
        assert!(finding.says(&advice), "{}", outcome.report());

        let second = checked(case).env("HAKMEM_WATCH", &rule);
        let second = second.env("HAKMEM_ON_ERROR", "continue").output();
        let named: Vec<String> = hits(&second).into_iter().map(|hit| hit.function).collect();
        assert!(!named.is_empty(), "{rule}\n{}", second.report());
        assert!(
            named.iter().all(|function| function == "write_at"),
            "{rule}: {named:?}\n{}",
            second.report()
        );

        let third = checked(case).env("HAKMEM_GUARD", guard).output();
        let found = findings(&third);
        let writer = found
            .first()
            .map(|finding| finding.stack("found by SIGSEGV"));
        let writer = writer.unwrap_or_default();
        assert_eq!(
            writer.first().map(String::as_str),
            Some("write_at"),
            "{}",
            third.report()
        );
    }
}

/// Whether a place is the line that is marked.
fn marked_line(place: &str) -> bool {
    let number = place
        .rsplit(':')
        .next()
        .and_then(|n| n.parse::<usize>().ok());
    let source = std::fs::read_to_string(compile::sources().join("integrity.c")).expect("it");
    let line = number.and_then(|number| source.lines().nth(number - 1));
    line.is_some_and(|line| line.contains("/* THE WRITE */"))
}
