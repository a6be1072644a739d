//! Caches of threads.

use hakmem_tests::statistics::applies;

use super::plainly;

#[test]
fn caches_made() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        "take a 64 1",
        "report one",
        "thread",
        "take b 64 1",
        "report two",
        "end",
    ]);
    let made = |report| run.at(report).pool("caches_made");
    assert_eq!([made("none"), made("one"), made("two")], [0, 1, 2]);
    assert!(run.at("two").total("metadata") > run.at("one").total("metadata"));
}

#[test]
fn caches_adopted() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take m 64 1",
        "thread",
        "take a 64 1",
        "report first",
        "end",
        "thread",
        "take b 64 1",
        "report second",
        "end",
    ]);
    assert_eq!(run.at("first").pool("caches_adopted"), 0);
    assert_eq!(run.at("second").pool("caches_adopted"), 1);
    assert_eq!(run.moved("caches_made", "first", "second"), 0);
}

/// A destructor that runs after the allocator's own, in the last round.
#[test]
fn orphan_allocations() {
    if !applies() {
        return;
    }
    let run = plainly(&["report before", "exit-value", "report after"]);
    assert_eq!(run.at("before").pool("orphan_allocations"), 0);
    assert_eq!(run.moved("orphan_allocations", "before", "after"), 1);
}
