//! Reports as JSON, and in the page of a crash.

use hakmem_tests::Recording;
use hakmem_tests::reported::{as_json, checked, findings, kinds};
use hakmem_tests::watched::{address, lines};
use serde_json::Value;

use super::applies;

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
    let schema = include_str!("../../../docs/report.schema.json");
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
    // By the functions that called, and without the counter's reading, which nobody can place.
    for (event, caller) in [("allocate", " by malloc from "), ("free", " by free from ")] {
        let line = finding
            .lines
            .iter()
            .find(|line| line.contains(&format!(": {event} 0x")) && line.contains(caller));
        let line = line.unwrap_or_else(|| panic!("{event}: {finding:?}"));
        let function = if event == "free" {
            "(drop_item+0x"
        } else {
            "(make_item+0x"
        };
        assert!(line.contains(function) && !line.contains(" at "), "{line}");
    }
    let trace = recorded.trace();
    let crash = trace.crash().expect("a crash page");
    let text = String::from_utf8_lossy(crash.text()).into_owned();
    assert!(
        text.starts_with("==hakmem== ERROR write-after-free: "),
        "{text}"
    );
    assert!(text.contains("freed by free in thread"), "{text}");
}
