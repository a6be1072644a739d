//! A thread's fronts and lists: their lengths, refills, what drains them, and frees of other threads.

use std::fs;

use hakmem_tests::statistics::{applies, exercise};
use hakmem_tests::{Run, Scratch, compile, find};

use super::{MIB, under};

#[test]
fn tiny_sfc_enable() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1000", "report taken", "give a", "report given"];
    let on = under("HAKMEM_TINY_SFC_ENABLE", "1", &steps);
    let off = under("HAKMEM_TINY_SFC_ENABLE", "0", &steps);
    // Without fronts none of the requests is served by one.
    assert_eq!(off.at("taken").class(48, "misses"), 1000);
    assert!(on.at("taken").class(48, "misses") < 50);
    // All that the thread keeps is its list.
    assert!(off.at("given").class(48, "cached") <= 64);
    assert!(on.at("given").class(48, "cached") > 64);
    assert!(off.at("taken").class(48, "list_hits") > 500);
    assert_eq!(on.at("taken").class(48, "list_hits"), 0);
}

/// After many frees the front and the list of the class are full.
#[test]
fn tiny_sfc_capacity() {
    if !applies() {
        return;
    }
    for capacity in [32, 128, 512] {
        let run = exercise(
            &[
                ("HAKMEM_TINY_SFC_CAPACITY", &capacity.to_string()),
                ("HAKMEM_TINY_TLS_CAP", "16"),
            ],
            &["take a 16 8000", "give a", "report given"],
        );
        let cached = run.at("given").class(16, "cached");
        let most = capacity + 16;
        assert!(
            (most - capacity / 2..=most).contains(&cached),
            "{cached} cached"
        );
    }
}

/// Of eighteen classes that run hot, as many have a front larger than the built-in one.
#[test]
fn tiny_sfc_hot_classes() {
    if !applies() {
        return;
    }
    let sizes = [
        16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
    ];
    let mut steps = sizes.map(|size| format!("churn {size} 2000 3")).to_vec();
    steps.push("report churned".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    for most in [1, 4, 16] {
        let run = exercise(
            &[
                ("HAKMEM_TINY_SFC_HOT_CLASSES", &most.to_string()),
                ("HAKMEM_TINY_TLS_CAP", "16"),
            ],
            &steps,
        );
        let churned = run.at("churned");
        let hot = sizes
            .iter()
            .filter(|&&size| churned.class(size, "cached") > 31 + 16);
        assert_eq!(hot.count(), most);
    }
}

/// What the thread keeps beyond its front, which has the same length under both settings.
#[test]
fn tiny_tls_cap() {
    if !applies() {
        return;
    }
    let steps = ["take a 16 8000", "give a", "report given"];
    let [few, many] = ["16", "1024"].map(|cap| {
        let run = under("HAKMEM_TINY_TLS_CAP", cap, &steps);
        run.at("given").class(16, "cached")
    });
    assert_eq!(many - few, 1024 - 16);
    // Without fronts the list is all.
    for cap in [16, 100] {
        let settings = [
            ("HAKMEM_TINY_SFC_ENABLE", "0"),
            ("HAKMEM_TINY_TLS_CAP", &cap.to_string()),
        ];
        let cached = exercise(&settings, &steps).at("given").class(16, "cached");
        assert!((cap / 2..=cap).contains(&cached), "{cached} of {cap}");
    }
}

#[test]
fn tiny_tls_refill() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    for refill in [4, 16, 24] {
        let run = under("HAKMEM_TINY_TLS_REFILL", &refill.to_string(), &steps);
        assert_eq!(run.at("first").class(48, "refilled"), refill);
    }
    // As many as the list may hold, and the one that was asked for.
    for (refill, cap, refilled) in [("256", "300", 256), ("256", "64", 65)] {
        let settings = [
            ("HAKMEM_TINY_SFC_ENABLE", "0"),
            ("HAKMEM_TINY_TLS_REFILL", refill),
            ("HAKMEM_TINY_TLS_CAP", cap),
        ];
        let first = exercise(&settings, &steps).at("first");
        assert_eq!(first.class(48, "refilled"), refilled);
    }
}

#[test]
fn tiny_p0_enable() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1000", "report taken"];
    let batches = under("HAKMEM_TINY_P0_ENABLE", "1", &steps).at("taken");
    let single = under("HAKMEM_TINY_P0_ENABLE", "0", &steps).at("taken");
    let counts = ["refills", "refilled"].map(|name| single.class(48, name));
    assert_eq!(counts, [1000, 1000]);
    assert_eq!(single.class(48, "cached"), 0);
    assert!(batches.class(48, "refills") < 500);
}

/// Sixteen blocks in one go, or in four.
#[test]
fn tiny_p0_batch() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    for (batch, goes) in [("4", 4), ("8", 2), ("16", 1), ("128", 1)] {
        let first = under("HAKMEM_TINY_P0_BATCH", batch, &steps).at("first");
        assert_eq!(first.class(48, "refilled"), 16);
        assert_eq!(first.class(48, "refills"), goes, "with P0_BATCH={batch}");
    }
}

/// Blocks that another thread has freed are used again, or wait while memory use grows.
#[test]
fn tiny_p0_no_drain() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 32768 64",
        "thread",
        "give a",
        "end",
        "report freed",
        "take b 32768 64",
        "report taken",
        "trim",
        "report trimmed",
    ];
    let drained = under("HAKMEM_TINY_P0_NO_DRAIN", "0", &steps);
    assert_eq!(drained.at("taken").class(32768, "collected"), 64);
    assert_eq!(drained.moved("superslabs_mapped", "freed", "taken"), 0);
    let left = under("HAKMEM_TINY_P0_NO_DRAIN", "1", &steps);
    assert_eq!(left.at("taken").class(32768, "collected"), 0);
    assert_eq!(left.moved("superslabs_mapped", "freed", "taken"), 1);
    let grown = left.at("taken").resident - left.at("freed").resident;
    assert!(grown >= 2 * MIB, "{grown} bytes more are resident");
    // They are not lost.
    assert_eq!(left.at("trimmed").class(32768, "collected"), 64);
}

/// Two thousand blocks of one slab go home in that many batches.
#[test]
fn tiny_drain_thresh() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 16 2000",
        "thread",
        "give a",
        "report held",
        "end",
        "report end",
    ];
    for (threshold, published, with_the_end) in [
        ("0", 2000, 2000),
        ("1", 2000, 2000),
        ("100", 20, 20),
        ("256", 7, 8),
        ("1024", 1, 2),
    ] {
        let run = under("HAKMEM_TINY_DRAIN_THRESH", threshold, &steps);
        let count = |report| run.at(report).class(16, "remote_published");
        assert_eq!(count("held"), published, "under {threshold}");
        assert_eq!(count("end"), with_the_end, "under {threshold}");
        assert_eq!(run.at("end").class(16, "remote_freed"), 2000);
    }
}

/// The long way costs more instructions for each free, and leads to the same.
#[test]
fn tiny_header_classidx() {
    if !applies() {
        return;
    }
    let work = [
        "churn 48 16 10000",
        "take a 48 1000",
        "give a 3 0",
        "report end",
    ];
    let short = under("HAKMEM_TINY_HEADER_CLASSIDX", "1", &work);
    let long = under("HAKMEM_TINY_HEADER_CLASSIDX", "0", &work);
    assert_eq!(short.at("end").counts(), long.at("end").counts());
    let Some(valgrind) = find("valgrind") else {
        return;
    };
    let instructions = |value| {
        let scratch = Scratch::new();
        let file = scratch.file("callgrind.out");
        let run = Run::new(&valgrind)
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(compile::program("exercise.c"))
            .arg("churn 48 16 10000")
            .env("HAKMEM_TINY_HEADER_CLASSIDX", value);
        run.output().success();
        let text = fs::read_to_string(&file).expect("callgrind's output");
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.expect("the sum of all").trim();
        total.parse::<i64>().expect("a number of instructions")
    };
    let more = (instructions("0") - instructions("1")) / 160_000;
    assert!(more >= 10, "{more} more instructions for a free");
}
