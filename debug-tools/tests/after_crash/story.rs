//! The story: a program corrupts a neighbour's block and crashes later; from the core file and the
//! trace alone the tool names the block, who asked for it, and who asked for the one below.

use std::process::Command;

use hakmem_tests::{compile, skip};

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

fn tell(program: &std::path::Path, file: &str) {
    let Some(left) = leave_core(program, &[], Some(&unchecked())) else {
        return;
    };
    let core = &left.core;
    let report = on("report", core, &[]).ended(1).stdout;
    assert!(report.contains("ended: SIGSEGV"), "{report}");
    // Where it died, to file and line, and in which block's session.
    assert!(
        report.contains("use_session") && report.contains(&format!("{file}:")),
        "{report}"
    );
    let session = behind(&report, "live, byte 0 of the block ");
    let line = |text: &str, what: &str| {
        text.lines()
            .any(|line| line.contains(what) && line.contains(&format!("{file}:")))
    };
    assert!(line(&report, "make_session"), "{report}");
    // The neighbour below, whose end was passed.
    let buffer = behind(&report, "below it ends the block ");
    assert!(line(&report, "make_buffer"), "{report}");
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
    // The heap's own structures are whole: what was written lies in blocks.
    on("verify", core, &[]).ended(0);
}

/// With the checks on, the damage is found before somebody steps on it.
#[test]
fn what_was_found_while_it_ran() {
    let program = compile::optimized_program("overrun.cpp");
    let Some(left) = leave_core(&program, &[], Some(&RECORDED)) else {
        return;
    };
    let report = on("report", &left.core, &[]).ended(1).stdout;
    assert!(report.contains("heap-overflow"), "{report}");
    assert!(report.contains("make_buffer"), "{report}");
    let of_trace = on("report", &left.scratch.file("trace"), &[])
        .ended(1)
        .stdout;
    assert!(
        of_trace.contains("heap-overflow") && of_trace.contains("overrun.cpp:"),
        "{of_trace}"
    );
}

#[test]
fn a_threaded_optimised_program_in_cpp() {
    tell(&compile::optimized_program("overrun.cpp"), "overrun.cpp");
}

#[test]
fn a_program_in_rust() {
    let scratch = hakmem_tests::Scratch::new();
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
    tell(&program, "overrun.rs");
}
