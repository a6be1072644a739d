//! SuperSlabs that are mapped and populated ahead.

use hakmem_tests::statistics::{Exercise, applies, exercise, huge_pages_on_request};

use super::{MIB, SUPERSLAB, under};

const PREWARM_4: (&str, &str) = ("HAKMEM_SUPERSLAB_PREWARM", "4");

/// Resident bytes at the first allocation.
#[test]
fn superslab_prewarm() {
    if !applies() {
        return;
    }
    let steps = ["take a 32768 64", "report first"];
    let [none, four] = ["0", "4"].map(|count| {
        let first = under("HAKMEM_SUPERSLAB_PREWARM", count, &steps).at("first");
        let stages = [
            "prewarmed",
            "superslabs_huge",
            "acquire_cached",
            "acquire_new",
        ];
        (stages.map(|name| first.pool(name)), first.resident)
    });
    assert_eq!(none.0, [0, 0, 0, 1]);
    // All of them is there anyway, so in huge pages.
    assert_eq!(four.0, [4, 4, 1, 0]);
    let small = [PREWARM_4, ("HAKMEM_HUGE_PAGES", "0")];
    let small = exercise(&small, &steps).at("first");
    assert_eq!(
        [small.pool("prewarmed"), small.pool("superslabs_huge")],
        [4, 0]
    );
    // What was brought in ahead stays so when it is taken.
    if huge_pages_on_request() {
        let used = exercise(&[PREWARM_4], &["take a 1024 7000", "report used"]).at("used");
        assert!(used.huge >= 3 * SUPERSLAB, "{} bytes are huge", used.huge);
        assert_eq!(small.huge, 0);
    }
    // One of the four is in use, as without.
    let more = four.1.saturating_sub(none.1);
    assert!(
        more >= 3 * SUPERSLAB - MIB / 2,
        "{more} bytes more are resident"
    );
}

/// Each class of the tier has a SuperSlab of its own to begin with.
#[test]
fn prewarm_superslabs() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 16 1",
        "take b 1024 1",
        "take c 2048 1",
        "where a",
        "where b",
        "where c",
        "report first",
    ];
    let places = |run: &Exercise| {
        let mut places = ["a", "b", "c"]
            .map(|group| run.addresses(group)[0] >> 21)
            .to_vec();
        places.sort_unstable();
        places.dedup();
        places.len()
    };
    let counts = |run: &Exercise| {
        ["prewarmed", "acquire_hint", "acquire_new"].map(|name| run.at("first").pool(name))
    };
    let without = under("HAKMEM_PREWARM_SUPERSLABS", "0", &steps);
    assert_eq!(counts(&without), [0, 2, 1]);
    assert_eq!(places(&without), 1);
    let with = under("HAKMEM_PREWARM_SUPERSLABS", "1", &steps);
    assert_eq!(counts(&with), [24, 3, 0]);
    assert_eq!(places(&with), 3);
    let more = with.at("first").resident - without.at("first").resident;
    assert!(
        more >= 24 * SUPERSLAB - MIB / 2,
        "{more} bytes more are resident"
    );
    // The total bounds it.
    let settings = [
        ("HAKMEM_PREWARM_SUPERSLABS", "2"),
        ("HAKMEM_SUPERSLAB_PREWARM", "5"),
    ];
    let bounded = exercise(&settings, &steps);
    assert_eq!(bounded.at("first").pool("prewarmed"), 5);
}
