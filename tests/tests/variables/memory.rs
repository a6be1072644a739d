//! Huge pages, and memory that lies free.

use hakmem_tests::statistics::{after_giving, applies, huge_pages_on_request};

use super::{MIB, SUPERSLAB, under};

#[test]
fn huge_pages() {
    if !applies() {
        return;
    }
    let steps = ["take a 1024 65536", "report full"];
    let [off, on] = ["0", "1"].map(|value| under("HAKMEM_HUGE_PAGES", value, &steps).at("full"));
    assert_eq!(off.pool("superslabs_huge"), 0);
    assert!(on.pool("superslabs_huge") > 0);
    if huge_pages_on_request() {
        assert_eq!(off.huge, 0);
        assert!(on.huge > 0);
    }
}

#[test]
fn purge_delay_ms() {
    if !applies() {
        return;
    }
    let [at_once, never] = ["0", "60000"].map(|delay| {
        let run = after_giving(&[("HAKMEM_PURGE_DELAY_MS", delay)], &["report given"]);
        let given = run.at("given");
        (given.pool("purged_bytes"), given.total("dirty"))
    });
    assert!(at_once.0 >= 8 * MIB && at_once.1 <= MIB, "{at_once:?}");
    assert_eq!(never, (0, 10 * MIB));
}

#[test]
fn stock_mb() {
    if !applies() {
        return;
    }
    let steps = ["take a 3000000 4", "report taken", "give a", "report given"];
    let kept = |megabytes| {
        let run = under("HAKMEM_STOCK_MB", megabytes, &steps);
        let given = run.at("given");
        // As the kernel sees it.
        let unmapped = run.at("taken").writable.saturating_sub(given.writable);
        (given.total("mapped") / SUPERSLAB, unmapped / SUPERSLAB)
    };
    let [none, half, all] = ["0", "8", "32"].map(kept);
    assert_eq!(all.0 - none.0, 8, "{all:?} {none:?}");
    assert_eq!(half.0 - none.0, 4, "{half:?} {none:?}");
    assert_eq!((none.1, half.1, all.1), (8, 4, 0));
}
