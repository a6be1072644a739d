//! The lines of `HAKMEM_TRACE`'s areas in a file and as JSON.

use hakmem_tests::Scratch;
use hakmem_tests::statistics::{Exercise, applies};
use serde_json::Value;
use std::path::Path;

use super::{AREAS, EVERYTHING, EVERYTHING_SETTINGS, lines, number, observed};

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
