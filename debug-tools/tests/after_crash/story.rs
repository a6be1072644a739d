//! The story: a program corrupts a neighbour's block and crashes later; from the core file and the
//! trace alone the tool names the block, who asked for it, and who asked for the one below; with the
//! checks on, or in a second run that watches the block, the culprit's own write.

use std::fs;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{Scratch, compile, skip, watched};

use crate::support::{leave_core, on};

/// With stacks by tables, for the programs keep no frame pointers.
const RECORDED: [(&str, &str); 2] = [("HAKMEM_TRACE_DIR", "%d/trace"), ("HAKMEM_STACKS", "table")];

/// The same, and nothing is checked while the program runs: it dies of what it did.
fn unchecked() -> Vec<(&'static str, &'static str)> {
    let off = ("HAKMEM_INTEGRITY_CHECKS", "0");
    RECORDED.into_iter().chain([off]).collect()
}

/// The address behind a text in what was said.
fn behind<'t>(text: &'t str, what: &str) -> &'t str {
    let at = text
        .find(what)
        .unwrap_or_else(|| panic!("no `{what}` in {text}"));
    let rest = &text[at + what.len()..];
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    &rest[..end]
}

/// Nothing was checked, and still: what stands there says what is likely.
fn says_what_is_likely(report: &str, core: &Path, (buffer, session): (&str, &str)) {
    let likely = format!(
        "over the end of the block {buffer} of 48 bytes, 31 bytes into the block {session}"
    );
    assert!(
        report.contains("likely: text was written (\"AAAAAAAAAAAAAAAA") && report.contains(&likely),
        "{report}"
    );
    assert!(
        report.contains("0x4141414141414141 (text \"AAAAAAAA\"), "),
        "{report}"
    );
    let json = on("report", core, &["--json"]).ended(1).json();
    let suspect = &json["likely"][0];
    assert_eq!(suspect["bytes_into"], 31, "{suspect}");
    for (of, function) in [("block", "make_buffer"), ("into", "make_session")] {
        let stack = suspect[of]["allocated_by"].to_string();
        assert!(stack.contains(function), "{of}: {suspect}");
    }
}

/// What each of the two blocks is, and who holds it.
fn knows_both_blocks(core: &Path, file: &str, (buffer, session): (&str, &str)) {
    let line = |text: &str, what: &str| line_with(text, what, file);
    let said = on("whatis", core, &[session]).ended(0).stdout;
    assert!(
        said.starts_with(&format!("live: {session} begins a block")),
        "{said}"
    );
    assert!(
        said.contains(&format!("{buffer}, live")) && line(&said, "make_session"),
        "{said}"
    );
    let history = on("history", core, &["--lines", buffer]).ended(0).stdout;
    assert!(line(&history, "make_buffer"), "{history}");
    // Who holds the two: variables by name.
    let refs = on("refs", core, &[session]).ended(0).stdout;
    assert!(refs.to_lowercase().contains("session"), "{refs}");
    let refs = on("refs", core, &[buffer]).ended(0).stdout;
    assert!(refs.to_lowercase().contains("name_buffer"), "{refs}");
}

/// Returns the rule that the report has for the next run.
fn tell(program: &Path, file: &str) -> Option<String> {
    let left = leave_core(program, &[], Some(&unchecked()))?;
    let core = &left.core;
    let report = on("report", core, &[]).ended(1).stdout;
    assert!(report.contains("ended: SIGSEGV"), "{report}");
    // Where it died, to file and line, and in which block's session.
    assert!(
        report.contains("use_session") && report.contains(&format!("{file}:")),
        "{report}"
    );
    let session = behind(&report, "live, byte 0 of the block ");
    let line = |text: &str, what: &str| line_with(text, what, file);
    assert!(line(&report, "make_session"), "{report}");
    // The neighbour below, whose end was passed.
    let buffer = behind(&report, "below it ends the block ");
    assert!(line(&report, "make_buffer"), "{report}");
    says_what_is_likely(&report, core, (buffer, session));
    knows_both_blocks(core, file, (buffer, session));
    // The heap's own structures are whole: what was written lies in blocks.
    on("verify", core, &[]).ended(0);
    let next = report
        .lines()
        .find(|line| line.starts_with("next, to name who did it: "));
    let rule = next.and_then(|next| next.split('\'').nth(1));
    assert!(rule.is_some(), "{report}");
    rule.map(str::to_owned)
}

/// A release build, without any trace: the blocks, and how to go on.
fn tell_of_a_release_build(program: &Path) {
    let Some(left) = leave_core(program, &[], None) else {
        return;
    };
    let report = on("report", &left.core, &[]).ended(1).stdout;
    let buffer = behind(&report, " over the end of the block ");
    let session = behind(&report, " bytes into the block ");
    assert!(
        report.contains("likely: text was written (\"AAAAAAAA"),
        "{report}"
    );
    let again = format!(
        "next, to name who did it: hakmem run -- {}",
        program.display()
    );
    assert!(report.contains(&again), "{report}");
    assert!(
        report.contains(&format!("hakmem refs {} {buffer}", left.core.display())),
        "{report}"
    );
    let refs = on("refs", &left.core, &[session]).ended(0).stdout;
    assert!(refs.to_lowercase().contains("session"), "{refs}");
}

/// `FILE:LINE` of the write in a program's source.
fn the_write(file: &str) -> String {
    let source = fs::read_to_string(compile::sources().join(file)).unwrap();
    let index = source
        .lines()
        .position(|line| line.contains("// THE WRITE"));
    format!("{file}:{}", index.unwrap() + 1)
}

/// Those whom a report names at its top: as culprits, or as who wrote to a block that somebody has.
fn named<'r>(report: &'r str, who: &str) -> Vec<&'r str> {
    let named = |line: &'r str| line.strip_prefix(who)?.strip_prefix(": ");
    report.lines().filter_map(named).collect()
}

/// With the checks on, the damage is found before somebody steps on it, and the core file and the
/// trace name who did it, on which line.
fn tell_what_was_found(program: &Path, file: &str) {
    let Some(left) = leave_core(program, &[], Some(&RECORDED)) else {
        return;
    };
    for source in [&left.core, &left.scratch.file("trace")] {
        let report = on("report", source, &[]).ended(1).stdout;
        let [culprit] = named(&report, "culprit")[..] else {
            panic!("{report}")
        };
        assert!(
            culprit.contains("copy_name") && culprit.contains(&the_write(file)),
            "{report}"
        );
        assert!(
            culprit.contains(": heap-overflow: memcpy writes "),
            "{report}"
        );
        assert!(line_with(&report, "allocated by", file), "{report}");
        assert!(report.contains("make_buffer"), "{report}");
    }
}

/// The crash has told whose block was written to. In the next run that one is watched, and core file
/// and trace name each who wrote to it: the last is the culprit.
fn tell_by_a_watch(program: &Path, file: &str, rule: &str) {
    if !watched::has_watchpoints() {
        return;
    }
    let watch = ("HAKMEM_WATCH", rule);
    let variables: Vec<_> = unchecked().into_iter().chain([watch]).collect();
    let Some(left) = leave_core(program, &[], Some(&variables)) else {
        return;
    };
    for source in [&left.core, &left.scratch.file("trace")] {
        let report = on("report", source, &[]).ended(1).stdout;
        let found = named(&report, "writer");
        let last = found.last().unwrap_or_else(|| panic!("{report}"));
        assert!(
            last.contains("copy_name") && last.contains(&the_write(file)),
            "{report}"
        );
        assert!(last.contains(": watch-hit: 8 bytes at 0x"), "{report}");
        // Those before are what made it, and what the same call has written twice.
        let is_known = |c: &str| c.contains("make_session") || c.contains("copy_name");
        assert!(found.iter().all(|c| is_known(c)), "{report}");
        assert!(found[0].contains("make_session"), "{report}");
    }
    let json = on("report", &left.core, &["--json"]).ended(1).json();
    let last = json["misdeeds"].as_array().unwrap().last().unwrap();
    let name = last["culprit"]["function"].as_str().unwrap();
    assert!(name.contains("copy_name"), "{json}");
    assert_eq!(last["address"], json["misdeeds"][0]["address"], "{json}");
}

/// Whether a line has both, and names a line of the program.
fn line_with(text: &str, what: &str, file: &str) -> bool {
    let place = format!("{file}:");
    text.lines()
        .any(|line| line.contains(what) && line.contains(&place))
}

fn all(program: &Path, file: &str) {
    tell_of_a_release_build(program);
    if let Some(rule) = tell(program, file) {
        tell_what_was_found(program, file);
        tell_by_a_watch(program, file, &rule);
    }
}

#[test]
fn a_threaded_optimised_program_in_cpp() {
    all(&compile::optimized_program("overrun.cpp"), "overrun.cpp");
}

#[test]
fn a_program_in_rust() {
    let scratch = Scratch::new();
    let program = scratch.file("overrun_rust");
    let source = compile::sources().join("overrun.rs");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-g", "-o"])
        .arg(&program)
        .arg(source)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip("rustc does not compile");
        return;
    }
    all(&program, "overrun.rs");
}
