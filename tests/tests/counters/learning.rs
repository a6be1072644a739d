//! Learning of allocation and of memory.

use hakmem_tests::statistics::{after_giving, applies, exercise};

/// Settings that have a thread decide often.
const LEARNING: [(&str, &str); 2] = [
    ("HAKMEM_ALLOC_LEARN", "1"),
    ("HAKMEM_ALLOC_LEARN_WINDOW", "64"),
];

#[test]
fn learn_windows() {
    if !applies() {
        return;
    }
    let steps = ["churn 48 2000 30", "report end"];
    let run = |settings: &[(&str, &str)]| exercise(settings, &steps).at("end");
    assert_eq!(run(&[]).pool("learn_windows"), 0);
    let end = run(&LEARNING);
    let events = end.class_sum("misses") + end.class_sum("drains");
    let windows = end.pool("learn_windows");
    assert!(
        windows > 0 && windows <= events / 64 + 1,
        "{windows} of {events} events"
    );
}

#[test]
fn learn_cooled() {
    if !applies() {
        return;
    }
    let run = exercise(
        &LEARNING,
        &[
            "churn 48 2000 30",
            "report before",
            "churn 512 2000 60",
            "report after",
        ],
    );
    assert!(run.moved("learn_cooled", "before", "after") >= 1);
    assert_eq!(run.at("after").class(48, "cached"), 0);
}

/// A class that rests for a moment again and again.
#[test]
fn learn_regretted() {
    if !applies() {
        return;
    }
    let mut steps = Vec::new();
    for _ in 0..30 {
        steps.extend(["churn 48 2000 5", "churn 512 2000 5"]);
    }
    steps.push("report end");
    let end = exercise(&LEARNING, &steps).at("end");
    let (cooled, regretted) = (end.pool("learn_cooled"), end.pool("learn_regretted"));
    assert!(
        regretted >= 1 && regretted <= cooled,
        "{regretted} of {cooled}"
    );
    // It is not done for ever.
    assert!(cooled < 30, "{cooled}");
}

#[test]
fn learn_enlarged() {
    if !applies() {
        return;
    }
    let steps = ["churn 48 2000 8", "report end"];
    let end = exercise(&LEARNING, &steps).at("end");
    let without = exercise(&[], &steps).at("end");
    assert!(end.pool("learn_enlarged") >= 1);
    assert_eq!(without.pool("learn_enlarged"), 0);
    assert!(end.class(48, "cached") > without.class(48, "cached"));
}

#[test]
fn learn_memory() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_MEM_LEARN", "1"),
        ("HAKMEM_LEARN_ADVANCED", "budget_mb=1"),
    ];
    let given = after_giving(&settings, &["report given"]).at("given");
    // The purge's delay, the stock and huge pages.
    assert_eq!(given.pool("learn_memory"), 3);
    let without = after_giving(&[], &["report given"]).at("given");
    assert_eq!(without.pool("learn_memory"), 0);
}
