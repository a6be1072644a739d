//! What is wrong is found, and told so that the reader needs nothing else.

use hakmem_tests::reported::{as_json, checked, findings, kinds, the_finding};
use hakmem_tests::watched::{address, has_watchpoints, hits, lines};
use hakmem_tests::{Recording, Run, compile, not_reference};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;

/// The status of `integrity.c` where nothing stops it.
const STATUS: i32 = 7;

fn applies() -> bool {
    not_reference("glibc's allocator does not check")
}

#[test]
fn a_sound_program_is_left_alone() {
    if !applies() {
        return;
    }
    for case in ["nothing", "exact_end"] {
        let outcome = checked(case).output();
        assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
        assert_eq!(outcome.stderr_text(), "", "{}", outcome.report());
        assert!(outcome.stdout_text().ends_with("end\n"));
    }
}

/// Over all that is kept around blocks, into memory that nobody has had.
#[test]
fn what_is_written_far_from_blocks_is_told() {
    if !applies() {
        return;
    }
    for (case, block, kind, distance) in [
        (
            "far_overflow",
            "above ",
            "heap-overflow",
            "260 bytes behind the end of a block",
        ),
        (
            "far_overflow_of_a_freed",
            "above ",
            "heap-overflow",
            "260 bytes behind the end of a freed block",
        ),
        (
            "far_underflow",
            "below ",
            "heap-underflow",
            "50 bytes in front of a block",
        ),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, kind, "{}", outcome.report());
        let block = address(&outcome, block);
        let told = format!("1 byte was written {distance} of 40 bytes at {block:#x}");
        assert!(finding.says(&told), "{}", outcome.report());
        assert!(finding.says("found by the scan at exit"));
    }
    let (outcome, finding) = the_finding(checked("far_overflow_found_at_use"));
    assert_eq!(finding.kind, "heap-overflow", "{}", outcome.report());
    assert!(
        finding.says("found by the first use of a place"),
        "{}",
        outcome.report()
    );
}

/// What runs through all places behind a block is one finding.
#[test]
fn a_long_overflow_is_told_once() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("long_overflow"));
    assert_eq!(finding.kind, "heap-overflow");
    let above = address(&outcome, "above ");
    let told = format!(
        "180 bytes were written directly behind the end of a block of 40 bytes at {above:#x}"
    );
    assert!(finding.says(&told), "{}", outcome.report());
}

#[test]
fn places_ahead_are_filled_and_no_others() {
    if !applies() {
        return;
    }
    let outcome = checked("ahead").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert_eq!(outcome.stderr_text(), "", "{}", outcome.report());
}

#[test]
fn a_double_free_names_both_frees() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("freed_twice"));
    let item = address(&outcome, "item ");
    assert_eq!(finding.kind, "double-free");
    assert!(finding.says(&format!(
        "free({item:#x}): this block of 40 bytes was freed before"
    )));
    assert!(finding.says("class 3 (64 bytes)") && finding.says("life 1"));
    for heading in ["found by free", "freed by free"] {
        assert_eq!(
            finding.stack(heading)[0],
            "drop_item",
            "{}",
            outcome.report()
        );
    }
    assert_eq!(finding.stack("allocated by malloc")[0], "make_item");
    let below = address(&outcome, "below ");
    let above = address(&outcome, "above ");
    assert!(finding.says(&format!("the block below: {below:#x} of 40 bytes, live")));
    assert!(finding.says(&format!("the block above: {above:#x} of 40 bytes, live")));
}

/// Unless somebody asks for another depth: of a call of C's `free` fewer functions are kept.
#[test]
fn stacks_are_as_deep_as_the_guide_says() {
    if !applies() {
        return;
    }
    for (depth, of_malloc, of_free) in [(None, 8, 4), (Some("3"), 3, 3), (Some("12"), 12, 12)] {
        let mut run = checked("freed_twice_from_afar");
        if let Some(depth) = depth {
            run = run.env("HAKMEM_STACK_DEPTH", depth);
        }
        let outcome = run.output();
        outcome.aborted();
        let found = findings(&outcome);
        assert_eq!(found.len(), 1, "{}", outcome.report());
        let stack = |heading| found[0].stack(heading);
        let (made, freed) = (stack("allocated by malloc"), stack("freed by free"));
        let lens = (made.len(), freed.len());
        assert_eq!(lens, (of_malloc, of_free), "{}", outcome.report());
        assert_eq!((&*made[0], &*freed[0]), ("make_item", "drop_item"));
    }
}

/// As [`a_double_free_names_both_frees`], where no thread is first.
/// What a rule of the watch holds back is freed all the same.
#[test]
fn a_block_that_is_held_back_is_freed() {
    if !applies() {
        return;
    }
    let rule = "size=4 on=free do=arm hold=1";
    let run = |case: &str| checked(case).env("HAKMEM_WATCH", rule).output();
    let outcome = run("freed_and_held");
    assert!(
        outcome.stderr_text().contains("armed"),
        "{}",
        outcome.report()
    );
    assert_eq!(kinds(&outcome), [""; 0], "{}", outcome.report());
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());

    let outcome = run("held_and_freed_again");
    outcome.aborted();
    let found = findings(&outcome);
    assert_eq!(found.len(), 1, "{}", outcome.report());
    assert_eq!(found[0].kind, "double-free");
    assert_eq!(found[0].stack("freed by free")[0], "drop_item");
}

#[test]
fn two_threads_free_one_block() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("freed_by_two"));
    assert_eq!(finding.kind, "double-free");
}

#[test]
fn what_is_no_block_is_told_for_what_it_is() {
    if !applies() {
        return;
    }
    for (case, what) in [
        (
            "interior",
            "the address is 8 bytes inside of one of 40 bytes, which is live",
        ),
        ("of_global", "a variable, a constant, code"),
        (
            "of_stack",
            "an address on the stack of the thread that calls",
        ),
        ("of_small_number", "next to null"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "invalid-free", "{case}");
        assert!(finding.says(what), "{case}\n{}", outcome.report());
        assert_eq!(finding.stack("found by free")[0], "drop_item");
    }
}

#[test]
fn damage_around_a_block_is_told_with_its_bytes() {
    if !applies() {
        return;
    }
    for case in [
        "overflow",
        "overflow_never_freed",
        "aligned_overflow",
        "large_overflow",
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "heap-overflow", "{case}");
        assert!(
            finding.says("directly behind the end of a block"),
            "{}",
            outcome.report()
        );
        assert!(finding.says("not known: who wrote"));
        assert!(!finding.stack("allocated by")[0].is_empty(), "{case}");
    }
    let (outcome, finding) = the_finding(checked("overflow"));
    assert!(
        finding.says("written: 2 bytes; as text: \"A?\""),
        "{}",
        outcome.report()
    );
    assert!(finding.says("[41 00]de"), "{}", outcome.report());
    for (case, how) in [
        ("underflow", "found by free"),
        ("underflow_never_freed", "found by the scan at exit"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "heap-underflow", "{}", outcome.report());
        let item = address(&outcome, "item ");
        assert!(finding.says(&format!("in front of a block of 40 bytes at {item:#x}")));
        assert!(finding.says(how), "{}", outcome.report());
    }
}

/// Also where it went on into places that nobody has had.
#[test]
fn what_was_written_is_shown_as_it_stands_there() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("overflow_of_160"));
    let start = "160 bytes were written directly behind the end of a block of 40 bytes";
    assert!(finding.says(start), "{}", outcome.report());
    let whole = finding
        .lines
        .iter()
        .filter(|line| line.contains("[4c 4c 4c"));
    assert!(whole.count() > 3, "{}", outcome.report());
    assert!(!finding.says("[de "), "{}", outcome.report());
}

/// The second run, as the first one has said it.
#[test]
fn the_run_that_a_report_advises_stops_the_writer() {
    if !applies() {
        return;
    }
    for (case, guard) in [
        ("underflow", "all,left"),
        ("far_below", "all,left"),
        ("one_behind_an_odd_size", "all,exact"),
        ("overflow_never_freed", "all,exact"),
        ("overflow_of_160", "all"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        let advice = format!(": HAKMEM_GUARD={guard} stops the program at the instruction");
        assert!(finding.says(&advice), "{}", outcome.report());
        let outcome = checked(case).env("HAKMEM_GUARD", guard).output();
        let second = &findings(&outcome)[0];
        assert_eq!(
            second.stack("found by SIGSEGV")[0],
            "write_at",
            "{}",
            outcome.report()
        );
        assert_eq!(second.kind, finding.kind, "{}", outcome.report());
    }
}

#[test]
fn a_late_write_is_told_for_what_it_wrote() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("late_write"));
    assert_eq!(finding.kind, "write-after-free");
    let below = address(&outcome, "below ");
    assert!(
        finding.says("at offset 16 of a block of 40 bytes"),
        "{}",
        outcome.report()
    );
    assert!(finding.says(&format!(
        "{below:#x} is an address in a block ({below:#x}+0)"
    )));
    assert_eq!(finding.stack("freed by free")[0], "drop_item");
}

#[test]
fn a_resize_of_what_was_freed_or_damaged() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("realloc_after_free"));
    assert_eq!(finding.kind, "use-after-free");
    let (_, finding) = the_finding(checked("realloc_of_damaged"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("found by realloc"));
}

/// The signal goes its way, to the program's handler where it has one.
#[test]
fn a_fault_through_freed_memory_is_explained() {
    if !applies() {
        return;
    }
    let outcome = checked("use_of_filling").output();
    assert_eq!(outcome.status.signal(), Some(11), "{}", outcome.report());
    let found = findings(&outcome);
    assert_eq!(kinds(&outcome), ["use-after-free"], "{}", outcome.report());
    assert!(found[0].says("which is what freed memory is filled with"));
    assert!(
        found[0]
            .stack("found by SIGSEGV")
            .contains(&"use_of_filling".to_owned())
    );
    let outcome = checked("with_handler").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert!(outcome.stdout_text().contains("the program's own handler"));
}

#[test]
fn a_pointer_from_freed_memory_that_is_freed_is_a_use_of_it() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("free_of_filling"));
    assert_eq!(finding.kind, "use-after-free");
    assert!(finding.says("free(0xdededededededede): what freed memory is filled with"));
}

/// The block that takes the place of a resized one may lie right behind what was overrun.
#[test]
fn an_overrun_is_not_an_underflow_of_the_block_that_a_resize_has_just_made() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("grown_too_little"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("16 bytes were written 8 bytes behind the end of a block of 8 bytes"));
}

#[test]
fn what_stdout_writes_at_exit_from_a_freed_block_is_told() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("freed_buffer_of_stdout"));
    assert_eq!(finding.kind, "use-after-free");
    assert!(finding.says("5 bytes that stdout writes at exit are in a block of 4096 bytes"));
    let outcome = checked("flushed_buffer_of_stdout").output();
    assert!(findings(&outcome).is_empty(), "{}", outcome.report());
}

#[test]
fn a_program_that_ends_otherwise_is_looked_at() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("overflow_and_abort"));
    assert_eq!(finding.kind, "heap-overflow");
    assert!(finding.says("the scan after a signal"));
}

#[test]
fn a_forked_child_is_checked() {
    if !applies() {
        return;
    }
    let outcome = checked("forked").output();
    assert_eq!(kinds(&outcome), ["heap-overflow"], "{}", outcome.report());
    // The child died of SIGABRT.
    assert_eq!(outcome.status.code(), Some(16), "{}", outcome.report());
}

#[test]
fn what_follows_a_finding_is_as_said() {
    if !applies() {
        return;
    }
    let go_on = |case: &str| checked(case).env("HAKMEM_ON_ERROR", "continue").output();
    for (case, expected) in [
        ("freed_twice", &["double-free"][..]),
        ("interior", &["invalid-free"]),
        ("of_stack", &["invalid-free"]),
        ("realloc_after_free", &["use-after-free"]),
        // Each damage is told once, though the blocks are looked at again at exit.
        ("overflow", &["heap-overflow"]),
        ("underflow", &["heap-underflow"]),
        (
            "all_at_once",
            &["heap-overflow", "write-after-free", "heap-overflow"],
        ),
    ] {
        let outcome = go_on(case);
        assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
        assert!(outcome.stdout_text().ends_with("end\n"), "{case}");
        let mut found = kinds(&outcome);
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", outcome.report());
    }
    let mut stopped = checked("freed_twice")
        .env("HAKMEM_ON_ERROR", "stop")
        .start();
    stopped.wait_until_stopped();
    assert!(stopped.stderr().contains("ERROR double-free"));
    stopped.go_on();
    let outcome = stopped.finish();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
}

#[test]
fn levels_differ_in_what_they_find() {
    if !applies() {
        return;
    }
    let at = |level: &str, case: &str| {
        let run = checked(case).env("HAKMEM_INTEGRITY_CHECKS", level);
        run.env("HAKMEM_ON_ERROR", "continue").output()
    };
    for (level, case, expected) in [
        ("light", "freed_twice", &["double-free"][..]),
        ("light", "overflow", &["heap-overflow"]),
        ("light", "underflow", &["heap-underflow"]),
        ("light", "interior", &["invalid-free"]),
        ("light", "late_write", &[]),
        ("full", "late_write", &["write-after-free"]),
        ("0", "overflow", &[]),
    ] {
        let outcome = at(level, case);
        assert_eq!(
            kinds(&outcome),
            expected,
            "{level} {case}\n{}",
            outcome.report()
        );
    }
    let outcome = at("much", "overflow");
    let said = "HAKMEM_INTEGRITY_CHECKS=much is not 0, 1, light or full; using the default 1";
    assert!(outcome.stderr_text().contains(said), "{}", outcome.report());
    assert_eq!(kinds(&outcome), ["heap-overflow"]);
}

#[test]
fn without_quarantine_a_late_write_shows_at_exit_or_reuse() {
    if !applies() {
        return;
    }
    let outcome = checked("late_write")
        .env("HAKMEM_QUARANTINE_KB", "0")
        .output();
    assert_eq!(
        kinds(&outcome),
        ["write-after-free"],
        "{}",
        outcome.report()
    );
}

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

/// Checks a value against the part of JSON Schema that `report.schema.json` uses.
fn conforms(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(&reference[1..]).ok_or("a dangling $ref")?;
        conforms(value, target, root)?;
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{value} is not {constant}"));
    }
    if let Some(Value::Array(choices)) = schema.get("enum")
        && !choices.contains(value)
    {
        return Err(format!("{value} is none of {choices:?}"));
    }
    let right = match schema.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        _ => true,
    };
    if !right {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = name.as_str().unwrap_or_default();
        if value.get(name).is_none() {
            return Err(format!("{value} has no {name}"));
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        elements
            .iter()
            .try_for_each(|element| conforms(element, items, root))?;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    if let (Some(properties), Some(members)) = (properties, value.as_object()) {
        for (name, member) in members {
            let schema = properties
                .get(name)
                .ok_or(format!("{name} is not in the schema"))?;
            conforms(member, schema, root).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

#[test]
fn reports_in_json_are_as_the_schema_says() {
    if !applies() {
        return;
    }
    let schema = include_str!("../../docs/report.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    for case in [
        "freed_twice",
        "overflow",
        "underflow",
        "late_write",
        "of_stack",
        "use_of_filling",
    ] {
        let (outcome, reports) = as_json(checked(case));
        assert_eq!(reports.len(), 1, "{}", outcome.report());
        conforms(&reports[0], &schema, &schema).unwrap_or_else(|why| panic!("{case}: {why}"));
        assert_eq!(reports[0]["kind"], kinds(&outcome)[0].as_str());
    }
    let (outcome, reports) = as_json(checked("late_write"));
    let report = &reports[0];
    let item = format!("{:#x}", address(&outcome, "item "));
    assert_eq!(report["block"]["address"], item.as_str());
    assert_eq!(
        report["block"]["freed"]["stack"][0]["function"],
        "drop_item"
    );
    assert_eq!(
        report["block"]["allocated"]["stack"][0]["function"],
        "make_item"
    );
    assert_eq!(report["below"]["state"], "live");
    // What goes wrong with the file is said, and does no harm.
    let outcome = checked("overflow")
        .env("HAKMEM_REPORT", "/nonexistent/report")
        .output();
    outcome.aborted();
    assert!(
        lines(&outcome).len() > 5 && outcome.stderr_text().contains("hakmem: HAKMEM_REPORT: "),
        "{}",
        outcome.report()
    );
}

#[test]
fn a_report_is_in_the_crash_page_with_what_was_recorded() {
    if !applies() {
        return;
    }
    let recorded = Recording::from(checked("late_write")).finish();
    let finding = &findings(&recorded.outcome)[0];
    assert!(finding.says("what was recorded of its address, the newest last:"));
    assert!(
        finding.says(" free 0x") && finding.says(" allocate 0x"),
        "{finding:?}"
    );
    let trace = recorded.trace();
    let crash = trace.crash().expect("a crash page");
    let text = String::from_utf8_lossy(crash.text()).into_owned();
    assert!(
        text.starts_with("==hakmem== ERROR write-after-free: "),
        "{text}"
    );
    assert!(text.contains("freed by free in thread"), "{text}");
}

/// A program that is not written for this.
/// Its `new` asks malloc, and what it has made goes to the program's `delete`.
#[test]
fn a_library_with_operators_of_its_own() {
    if !applies() {
        return;
    }
    let plugin = compile::self_contained_library("operators_plugin.cpp");
    for (case, level, kind) in [
        ("theirs_are_dropped", "full", ""),
        ("theirs_are_dropped", "light", ""),
        ("they_drop_ours", "full", ""),
        ("they_drop_ours", "light", ""),
        ("malloc_by_delete", "full", "mismatched-free"),
        ("new_by_free", "full", "mismatched-free"),
        ("new_by_free", "light", "mismatched-free"),
    ] {
        let outcome = Run::new(compile::optimized_program("operators.cpp"))
            .arg(case)
            .allocator(hakmem_tests::Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", level)
            .env("PLUGIN", &plugin)
            .output();
        let expected: Vec<&str> = [kind].into_iter().filter(|kind| !kind.is_empty()).collect();
        assert_eq!(kinds(&outcome), expected, "{case}\n{}", outcome.report());
        assert_eq!(
            outcome.status.success(),
            kind.is_empty(),
            "{case}\n{}",
            outcome.report()
        );
    }
}

#[test]
fn a_cpp_program_with_the_wrong_delete() {
    if !applies() {
        return;
    }
    for (case, kind) in [
        ("array_by_delete", "mismatched-free"),
        ("new_by_free", "mismatched-free"),
        ("malloc_by_delete", "mismatched-free"),
        ("wrong_size", "size-mismatch"),
        ("wrong_alignment", "align-mismatch"),
        ("classes_by_delete", "mismatched-free"),
        ("classes_by_free", "mismatched-free"),
        ("inside_of_an_array", "invalid-free"),
        ("class_by_array_delete", "mismatched-free"),
        ("right", ""),
    ] {
        for program in [compile::optimized_program, compile::program] {
            let outcome = Run::new(program("integrity_cpp.cpp"))
                .arg(case)
                .allocator(hakmem_tests::Allocator::Observed)
                .env("HAKMEM_INTEGRITY_CHECKS", "1")
                .output();
            let expected: Vec<&str> = [kind].into_iter().filter(|kind| !kind.is_empty()).collect();
            assert_eq!(kinds(&outcome), expected, "{case}\n{}", outcome.report());
        }
    }
}
