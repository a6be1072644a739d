//! What memory there is: mapped, resident, for metadata, and blocks of the system's.

use hakmem_tests::statistics::{TAKE, after_giving, applies, exercise};

use super::{MIB, SUPERSLAB, plainly};

#[test]
fn mapped() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        TAKE,
        "report slabs",
        "take b 3000000 1",
        "report large",
    ]);
    let mapped = |report| run.at(report).total("mapped") / SUPERSLAB;
    assert_eq!(
        [mapped("none"), mapped("slabs"), mapped("large")],
        [0, 5, 7]
    );
    for pair in [["none", "slabs"], ["slabs", "large"]] {
        let [from, to] = pair.map(|name| run.at(name));
        let of_process = to.writable - from.writable;
        assert!(of_process >= to.total("mapped") - from.total("mapped"));
    }
}

/// As the kernel counts, and by page.
#[test]
fn resident() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        TAKE,
        "report slabs",
        "take b 3000000 1",
        "report large",
        "give a",
        "give b",
        "trim",
        "report trimmed",
    ]);
    let resident = |report| run.at(report).total("resident");
    assert_eq!(resident("none"), 0);
    assert_eq!(resident("slabs"), 5 * SUPERSLAB);
    let large = resident("large") - resident("slabs");
    assert!((3_000_000..3 * SUPERSLAB).contains(&large), "{large} bytes");
    assert!(resident("trimmed") < MIB);
    let grown = run.at("large").resident - run.at("none").resident;
    assert!(grown >= resident("large"), "the kernel counts {grown}");
}

#[test]
fn dirty() {
    if !applies() {
        return;
    }
    let run = after_giving(&[], &["report given", "trim", "report trimmed"]);
    assert_eq!(run.at("taken").total("dirty"), 0);
    // What has been purged meanwhile is clean.
    let given = run.at("given");
    assert_eq!(given.total("dirty") + given.pool("purged_bytes"), 10 * MIB);
    assert_eq!(run.at("trimmed").total("dirty"), 0);
}

#[test]
fn metadata() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        "take a 64 1",
        "report one",
        "take b 32768 3200",
        "report many",
    ]);
    let metadata = |report| run.at(report).total("metadata");
    assert_eq!(metadata("none"), 0);
    assert!(metadata("one") > 0);
    // A header of at least 256 bytes for each slab, and not a hundredth of the heap.
    let more = metadata("many") - metadata("one");
    assert!((100 * 256..MIB).contains(&more), "{more} bytes more");
}

#[test]
fn system_allocations() {
    if !applies() {
        return;
    }
    let steps = [
        "take t 64 1",
        "report before",
        "take a 20480 25",
        "report after",
    ];
    let run = exercise(&[("HAKMEM_WRAP_MID", "0")], &steps);
    assert_eq!(run.at("before").pool("system_allocations"), 0);
    assert_eq!(run.at("after").pool("system_allocations"), 25);
    assert_eq!(plainly(&steps).at("after").pool("system_allocations"), 0);
}
