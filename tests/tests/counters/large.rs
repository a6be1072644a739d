//! LARGE blocks, and the units of memory that are freed with them.

use hakmem_tests::statistics::{Report, applies};

use super::{MIB, SUPERSLAB, plainly};

#[test]
fn large_mapped() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take run 1000000 1",
        "report before",
        "take a 5000000 2",
        "report after",
    ]);
    assert_eq!(run.at("before").pool("large_mapped"), 0);
    assert_eq!(run.at("after").pool("large_mapped"), 2);
    let grown = run.at("after").writable - run.at("before").writable;
    assert!(grown >= 10_000_000, "mapped {grown} bytes more");
}

#[test]
fn large_reused() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 5000000 1",
        "where a",
        "give a",
        "report before",
        "take b 5000000 1",
        "where b",
        "report after",
    ]);
    assert_eq!(run.at("before").pool("large_reused"), 0);
    assert_eq!(run.at("after").pool("large_reused"), 1);
    assert_eq!(run.at("after").pool("large_mapped"), 1);
    assert_eq!(run.addresses("a"), run.addresses("b"));
}

#[test]
fn large_resized_in_place() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 5000000 1",
        "where a",
        "report before",
        "resize a 9000000",
        "where a",
        "report grown",
        "resize a 3000000",
        "report shrunk",
    ]);
    let count = |report| run.at(report).pool("large_resized_in_place");
    assert_eq!(
        [count("before"), count("grown"), count("shrunk")],
        [0, 1, 2]
    );
    let live = |report| run.at(report).tier("large", "live_bytes") / SUPERSLAB;
    assert_eq!([live("before"), live("grown"), live("shrunk")], [3, 5, 2]);
}

/// What lies behind the block keeps it from growing where it is.
#[test]
fn large_moved() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 5000000 1",
        "take behind 5000000 1",
        "report before",
        "resize a 50000000",
        "report after",
        "give a",
    ]);
    assert_eq!(run.at("before").pool("large_moved"), 0);
    assert_eq!(run.at("after").pool("large_moved"), 1);
    assert_eq!(run.at("after").pool("large_resized_in_place"), 0);
}

/// What a large block has left behind serves a SuperSlab, pages and all.
#[test]
fn units_reused() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 4194304 1",
        "where a",
        "give a",
        "report before",
        "take b 32768 64",
        "where b",
        "report after",
    ]);
    assert_eq!(run.at("before").pool("units_reused"), 0);
    assert_eq!(run.at("after").pool("units_reused"), 1);
    // The last unit of the two.
    assert_eq!(
        run.addresses("a")[0] + 2 * MIB as usize,
        run.addresses("b")[0] & !0x1f_ffff
    );
    let grown = run.resident_growth("before", "after");
    assert!(grown < MIB, "{grown} bytes more are resident");
}

/// Two freed blocks of two units, apart from each other, serve one of five: four units come
/// with their pages.
#[test]
fn units_moved() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 4194304 1",
        "take between 4194304 1",
        "take b 4194304 1",
        "take behind 4194304 1",
        "give a",
        "give b",
        "report before",
        "take c 10485760 1",
        "report after",
    ]);
    assert_eq!(run.at("before").pool("units_moved"), 0);
    assert_eq!(run.at("after").pool("units_moved"), 4);
    let grown = run.resident_growth("before", "after");
    assert!(grown < 3 * MIB, "{grown} bytes more are resident");
}

/// A freed mapping that waits for the next request is mapped still, and counted.
#[test]
fn freed_large_mappings_are_counted_while_they_wait() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 5000000 1",
        "report taken",
        "give a",
        "report given",
        "trim",
        "report trimmed",
    ]);
    let reports = ["taken", "given", "trimmed"].map(|name| run.at(name));
    let [taken, given, trimmed] = &reports;
    assert_eq!(taken.tier("large", "live"), 1);
    assert_eq!(given.tier("large", "live"), 0);
    for number in ["mapped", "resident"] {
        let by_kernel = |report: &Report| match number {
            "mapped" => report.writable,
            _ => report.resident,
        };
        for (report, other) in [(taken, trimmed), (given, trimmed)] {
            let counted = report.total(number) - other.total(number);
            let seen = by_kernel(report) - by_kernel(other);
            let difference = counted.abs_diff(seen);
            assert!(difference < MIB, "{number}: counted {counted}, saw {seen}");
        }
    }
}
