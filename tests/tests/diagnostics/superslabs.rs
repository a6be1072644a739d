//! What happens to SuperSlabs and to the bitmaps of slabs, and what learning decides.

use hakmem_tests::statistics::applies;

use super::{address, lines, number, observed, with};

#[test]
fn changes_of_the_mask_are_logged() {
    if !applies() {
        return;
    }
    let steps = ["take a 1000 17", "where a", "mark given", "give a", "trim"];
    let seen = observed(&[("HAKMEM_TINY_FREELIST_MASK", "1")], &steps);
    let slab = seen.addresses("a")[0] & !0xffff;
    let word = format!("slab {slab:#x} word 0: ");
    let all = lines(&seen, "mask");
    let changes: Vec<&str> = all
        .iter()
        .filter_map(|line| Some(line.split_once(&word)?.1))
        .collect();
    assert_eq!(
        changes[..3],
        [
            // The first block is the observers'.
            "0x0 -> 0xfffffffffffffffe",
            "0xfffffffffffffffe -> 0xfffffffffffe0000",
            "0xfffffffffffe0000 -> 0xfffffffe00000000",
        ]
    );
    // Each begins where the one before ended, and in the end the slab is closed.
    for pair in changes.windows(2) {
        let (_, after) = pair[0].split_once(" -> ").expect("a change");
        assert!(pair[1].starts_with(&format!("{after} -> ")), "{changes:?}");
    }
    assert!(
        changes.last().is_some_and(|last| last.ends_with(" -> 0x0")),
        "{changes:?}"
    );
}

#[test]
fn freed_superslabs_are_logged() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_SS_FREE_DEBUG", "1"),
        ("HAKMEM_SUPERSLAB_LAZY", "0"),
    ];
    let steps = [
        "thread",
        "take a 32768 320",
        "where a",
        "give a",
        "end",
        "report done",
    ];
    let seen = observed(&settings, &steps);
    let freed = lines(&seen, "free");
    let count = seen.at("done").pool("superslabs_unmapped");
    assert_eq!(freed.len() as u64, count);
    assert!(count >= 4, "{count}");
    let bases: Vec<usize> = seen.addresses("a").iter().map(|a| a & !0x1f_ffff).collect();
    for line in freed {
        let (_, rest) = line.split_once(": SuperSlab ").expect("a SuperSlab");
        assert!(bases.contains(&address(rest)), "{line}");
        assert!(line.ends_with(" given back to the system"), "{line}");
    }
}

/// Ten slabs of an ended thread become five empty SuperSlabs, and one more is in use.
const EMPTY: [&str; 7] = [
    "take first 64 1",
    "thread",
    "take a 32768 320",
    "give a",
    "end",
    "take b 32768 32",
    "report done",
];

#[test]
fn the_cache_of_superslabs_logs_what_it_does() {
    if !applies() {
        return;
    }
    for (name, value, what, counter) in [
        (
            "HAKMEM_SUPERSLAB_LRU_CAP",
            "2",
            "evicted (over the capacity)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_MAX_CACHED",
            "1",
            "evicted (over the capacity)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_MAX_MEMORY_MB",
            "4",
            "evicted (over the memory limit)",
            "lru_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_TTL_SEC",
            "0",
            "evicted (its time to live is over)",
            "ttl_evictions",
        ),
        (
            "HAKMEM_SUPERSLAB_SOFT_CAP",
            "0",
            "purged (over the soft cap)",
            "soft_cap_purges",
        ),
    ] {
        let seen = observed(&[("HAKMEM_SS_LRU_DEBUG", "1"), (name, value)], &EMPTY);
        let lines = lines(&seen, "lru");
        let done = seen.at("done");
        let count = |what| with(&lines, what).len() as u64;
        assert!(count(what) > 0, "{name}: {lines:#?}");
        assert_eq!(count(what), done.pool(counter), "{name}: {lines:#?}");
        assert_eq!(count(" kept, "), done.pool("cache_inserts"), "{name}");
        // The number behind each line is what the cache holds then.
        let mut cached = 0;
        for line in lines.iter().filter(|line| !line.contains("purged")) {
            cached = if line.contains(" kept") {
                cached + 1
            } else {
                cached - 1
            };
            assert_eq!(number(line, ","), cached, "{name}: {lines:#?}");
        }
        assert_eq!(cached, done.total("superslabs_cached"));
    }
    let steps = [&EMPTY[..], &["take c 32768 320", "trim"]].concat();
    let seen = observed(&[("HAKMEM_TRACE", "lru")], &steps);
    let lines = lines(&seen, "lru");
    assert!(!with(&lines, " taken, ").is_empty(), "{lines:#?}");
    let seen = observed(
        &[("HAKMEM_TRACE", "lru")],
        &[&EMPTY[..], &["trim"]].concat(),
    );
    let lines = self::lines(&seen, "lru");
    assert!(
        !with(&lines, "evicted (everything free is given back), 0 in").is_empty(),
        "{lines:#?}"
    );
}

#[test]
fn decisions_of_learning_are_logged() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_LEARN_DEBUG", "1"),
        ("HAKMEM_ALLOC_LEARN", "1"),
        ("HAKMEM_ALLOC_LEARN_WINDOW", "64"),
    ];
    let steps = ["churn 1000 2000 30", "churn 512 2000 60", "report end"];
    let run = observed(&settings, &steps);
    let lines = lines(&run, "learn");
    let end = run.at("end");
    let decided = end.pool("learn_cooled") + end.pool("learn_enlarged");
    assert_eq!(lines.len() as u64, decided, "{lines:#?}");
    // The class of 1024 bytes is the 20th.
    let of_class = with(&lines, "front of class 19: ");
    assert!(!of_class.is_empty(), "{lines:#?}");
}

#[test]
fn prewarming_is_logged() {
    if !applies() {
        return;
    }
    let log = ("HAKMEM_SS_PREWARM_DEBUG", "1");
    let seen = observed(
        &[log, ("HAKMEM_SUPERSLAB_PREWARM", "3")],
        &["take a 10 1", "report done"],
    );
    let lines = lines(&seen, "prewarm");
    assert_eq!(seen.at("done").pool("prewarmed"), 3);
    assert_eq!(lines.len(), 3);
    for (line, left) in lines.iter().zip([2, 1, 0]) {
        let end = format!(" mapped and populated for the cache, {left} to go");
        assert!(line.ends_with(&end), "{line}");
    }
    let seen = observed(
        &[log, ("HAKMEM_PREWARM_SUPERSLABS", "1")],
        &["take a 10 1", "report done"],
    );
    let lines = self::lines(&seen, "prewarm");
    assert_eq!(lines.len() as u64, seen.at("done").pool("prewarmed"));
    assert!(
        lines[0].ends_with("for blocks of 16, 23 to go"),
        "{}",
        lines[0]
    );
    assert!(
        lines[23].ends_with("for blocks of 2048, 0 to go"),
        "{}",
        lines[23]
    );
}
