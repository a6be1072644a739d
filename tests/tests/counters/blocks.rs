//! Blocks and slabs, by class.

use hakmem_tests::statistics::{TAKE, after_giving, applies};

use super::plainly;

/// By class and by tier.
#[test]
fn live() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 100 7",
        "take b 5000 11",
        "take c 20000 13",
        "take d 200000 17",
        "report taken",
        "give c 2 0",
        "report given",
    ]);
    let taken = run.at("taken");
    let tiers = ["tiny", "pool", "mid", "large"].map(|tier| taken.tier(tier, "live"));
    assert_eq!(tiers, [7, 11, 13, 17]);
    let classes = [112, 5120, 20480].map(|bytes| taken.class(bytes, "live"));
    assert_eq!(classes, [7, 11, 13]);
    assert_eq!(run.at("given").tier("mid", "live"), 6);
    assert_eq!(run.at("given").class(20480, "live"), 6);
}

#[test]
fn live_bytes() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 100 7",
        "take b 5000 11",
        "take c 20000 13",
        "take d 200000 17",
        "report now",
    ]);
    let bytes = ["tiny", "pool", "mid", "large"].map(|tier| run.at("now").tier(tier, "live_bytes"));
    assert_eq!(bytes, [7 * 112, 11 * 5120, 13 * 20480, 17 * 4 * 65536]);
}

/// Blocks of a class that a thread holds free: in its front and on its list, or, of others',
/// on their way home.
#[test]
fn cached() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 1",
        "report fresh",
        "give a",
        "report given",
        "take b 48 100",
        "thread",
        "give b",
        "report held",
        "end",
    ]);
    assert_eq!(run.at("fresh").class(48, "cached"), 15);
    assert_eq!(run.at("given").class(48, "cached"), 16);
    assert_eq!(run.at("held").class(48, "live"), 0);
    assert!(run.at("held").class(48, "cached") >= 100);
}

#[test]
fn cached_bytes() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1", "report now"]);
    assert_eq!(run.at("now").tier("tiny", "cached_bytes"), 15 * 48);
}

#[test]
fn free() {
    if !applies() {
        return;
    }
    let run = plainly(&["report none", "take a 48 1", "report one"]);
    assert_eq!(run.at("none").class(48, "free"), 0);
    assert_eq!(run.at("one").class(48, "free"), 65536 / 48 - 16);
}

#[test]
fn free_bytes() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1", "report now"]);
    assert_eq!(
        run.at("now").tier("tiny", "free_bytes"),
        (65536 / 48 - 16) * 48
    );
}

#[test]
fn slabs() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        TAKE,
        "report ten",
        "give a",
        "trim",
        "report trimmed",
    ]);
    let slabs = |report| run.at(report).class(32768, "slabs");
    assert_eq!(["none", "ten", "trimmed"].map(slabs), [0, 10, 0]);
}

#[test]
fn blocks() {
    if !applies() {
        return;
    }
    let run = plainly(&[TAKE, "take b 48 1", "report now"]);
    let now = run.at("now");
    assert_eq!(now.class(32768, "blocks"), 320);
    assert_eq!(now.class(48, "blocks"), 65536 / 48);
    // Each block is in one place.
    for bytes in now.sizes() {
        let places = ["live", "cached", "free"].map(|name| now.class(bytes, name));
        assert_eq!(places.iter().sum::<u64>(), now.class(bytes, "blocks"));
    }
}

/// Every size from 1 byte to 32 KiB has a class, in steps of at most a quarter.
#[test]
fn block_bytes() {
    if !applies() {
        return;
    }
    let sizes = plainly(&["report now"]).at("now").sizes();
    assert_eq!((sizes[0], sizes[sizes.len() - 1]), (16, 32768));
    for pair in sizes.windows(2) {
        let step = pair[1] - pair[0];
        assert!(step > 0 && step <= (pair[0] / 4).max(16), "{pair:?}");
    }
}

/// Of memory that was never touched.
#[test]
fn clean_slots_taken() {
    if !applies() {
        return;
    }
    let run = plainly(&["report before", TAKE, "report after"]);
    // Ten slabs of 16 slots.
    assert_eq!(run.moved("clean_slots_taken", "before", "after"), 160);
    let again = after_giving(&[], &["report before", "take b 32768 320", "report after"]);
    let dirty = again.at("before").total("dirty") / 65536;
    let clean = again.moved("clean_slots_taken", "before", "after");
    assert_eq!(clean, 160u64.saturating_sub(dirty));
}
