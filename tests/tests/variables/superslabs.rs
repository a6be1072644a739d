//! Empty slabs, and the cache of empty SuperSlabs.

use hakmem_tests::statistics::{Exercise, after_giving, applies, exercise};

use super::{MIB, SUPERSLAB};

/// With 1 the slabs of a class are there for that class alone.
#[test]
fn superslab_reuse() {
    if !applies() {
        return;
    }
    let same = ["report before", "take b 32768 288", "report after"];
    let other = ["report before", "take b 20480 288", "report after"];
    let run = |value, steps| after_giving(&[("HAKMEM_SUPERSLAB_REUSE", value)], steps);
    for (value, reused, mapped_for_other) in [("0", 0, 0), ("1", 1, 1)] {
        let again = run(value, &same);
        assert_eq!(again.moved("superslabs_mapped", "before", "after"), 0);
        assert_eq!(
            again.moved("acquire_reuse", "before", "after").min(1),
            reused
        );
        let elsewhere = run(value, &other);
        let mapped = elsewhere.moved("superslabs_mapped", "before", "after");
        assert_eq!(mapped.min(1), mapped_for_other, "under {value}");
        assert_eq!(elsewhere.moved("acquire_reuse", "before", "after"), 0);
    }
}

/// What is kept for a class is given back when the program asks for that.
#[test]
fn trim_gives_back_what_reuse_keeps() {
    if !applies() {
        return;
    }
    let settings = [("HAKMEM_SUPERSLAB_REUSE", "1")];
    let run = after_giving(&settings, &["report given", "trim", "report trimmed"]);
    let (given, trimmed) = (run.at("given"), run.at("trimmed"));
    assert_eq!(given.total("mapped"), 6 * SUPERSLAB);
    assert_eq!(trimmed.total("mapped"), SUPERSLAB);
    let less = given.resident.saturating_sub(trimmed.resident);
    assert!(less >= 9 * MIB, "{less} bytes less are resident");
}

/// SuperSlabs that are still mapped of five that became empty.
#[track_caller]
pub(super) fn kept(settings: &[(&str, &str)]) -> u64 {
    let run = after_giving(settings, &["report given"]);
    let (taken, given) = (run.at("taken"), run.at("given"));
    let kept = given.total("superslabs_cached");
    assert_eq!(given.pool("superslabs_unmapped"), 5 - kept);
    assert_eq!(given.total("mapped"), (1 + kept) * SUPERSLAB);
    // As the kernel sees it, but for the program's own pages.
    let unmapped = taken.writable.saturating_sub(given.writable);
    assert_eq!((unmapped + MIB) / SUPERSLAB, 5 - kept);
    kept
}

#[test]
fn superslab_lazy() {
    if !applies() {
        return;
    }
    let cached = ["1", "0"].map(|lazy| kept(&[("HAKMEM_SUPERSLAB_LAZY", lazy)]));
    assert_eq!(cached, [5, 0]);
    let none = after_giving(&[("HAKMEM_SUPERSLAB_LAZY", "0")], &["report given"]);
    assert_eq!(none.at("given").pool("cache_inserts"), 0);
}

#[test]
fn superslab_lru_cap() {
    if !applies() {
        return;
    }
    let cached = ["0", "1", "4", "1024"].map(|cap| kept(&[("HAKMEM_SUPERSLAB_LRU_CAP", cap)]));
    assert_eq!(cached, [0, 1, 4, 5]);
}

#[test]
fn superslab_max_cached() {
    if !applies() {
        return;
    }
    let most = "HAKMEM_SUPERSLAB_MAX_CACHED";
    let cached = ["0", "2", "4294967295"].map(|cap| kept(&[(most, cap)]));
    assert_eq!(cached, [0, 2, 5]);
    // The smaller of the two.
    let both = |cap, lru| kept(&[(most, cap), ("HAKMEM_SUPERSLAB_LRU_CAP", lru)]);
    assert_eq!([both("1", "3"), both("3", "1")], [1, 1]);
}

#[test]
fn superslab_max_memory_mb() {
    if !applies() {
        return;
    }
    let limits = ["0", "1", "2", "7", "4294967295"];
    let cached = limits.map(|mb| kept(&[("HAKMEM_SUPERSLAB_MAX_MEMORY_MB", mb)]));
    assert_eq!(cached, [0, 0, 1, 3, 5]);
}

#[test]
fn superslab_ttl_sec() {
    if !applies() {
        return;
    }
    let steps = [
        "report young",
        "sleep 1100",
        "report slept",
        // The cache looks at the time when a SuperSlab changes its place.
        "take b 32768 64",
        "report old",
    ];
    let run = |ttl| after_giving(&[("HAKMEM_SUPERSLAB_TTL_SEC", ttl)], &steps);
    let cached = |run: &Exercise, report| run.at(report).total("superslabs_cached");
    let short = run("1");
    assert_eq!(
        ["young", "slept", "old"].map(|r| cached(&short, r)),
        [5, 5, 0]
    );
    let unmapped = short.at("slept").writable - short.at("old").writable;
    assert_eq!((unmapped + MIB) / SUPERSLAB, 4);
    let long = run("1000");
    assert_eq!(
        ["young", "slept", "old"].map(|r| cached(&long, r)),
        [5, 5, 4]
    );
    assert_eq!(kept(&[("HAKMEM_SUPERSLAB_TTL_SEC", "0")]), 0);
}

/// The cache may keep two. Three become empty, one after the other, and the first of them
/// has to go, whether or not they keep their pages.
#[test]
fn the_superslab_unused_for_longest_goes_first() {
    if !applies() {
        return;
    }
    let steps = [
        // The small blocks of all threads, and this, fill the first SuperSlab.
        "take first 64 1",
        "take beside 32768 32",
        "thread",
        "take a 32768 64",
        "end",
        "thread",
        "take b 32768 64",
        "end",
        "thread",
        "take c 32768 64",
        "end",
        "where a",
        "where b",
        "where c",
        "thread",
        "give a",
        "end",
        "thread",
        "give b",
        "end",
        "thread",
        "give c",
        "end",
        "report given",
        "take again 32768 128",
        "where again",
    ];
    for soft_cap in ["128", "1", "0"] {
        let settings = [
            ("HAKMEM_SUPERSLAB_LRU_CAP", "2"),
            ("HAKMEM_SUPERSLAB_SOFT_CAP", soft_cap),
        ];
        let run = exercise(&settings, &steps);
        assert_eq!(run.at("given").pool("lru_evictions"), 1);
        let places = |group| {
            let blocks = run.addresses(group);
            let mut places: Vec<_> = blocks.iter().map(|block| block >> 21).collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        let [b, c] = ["b", "c"].map(places);
        assert_eq!((b.len(), c.len()), (1, 1));
        let mut kept = [b[0], c[0]];
        kept.sort_unstable();
        assert_eq!(places("again"), kept, "under a soft cap of {soft_cap}");
    }
}

/// All stay mapped, and those over the cap without their pages.
#[test]
fn superslab_soft_cap() {
    if !applies() {
        return;
    }
    for (cap, purged) in [("0", 5), ("2", 3), ("5", 0), ("1024", 0)] {
        let settings = [("HAKMEM_SUPERSLAB_SOFT_CAP", cap)];
        assert_eq!(kept(&settings), 5);
        let run = after_giving(&settings, &["report given"]);
        let (taken, given) = (run.at("taken"), run.at("given"));
        assert_eq!(given.pool("soft_cap_purges"), purged, "under {cap}");
        let less = taken.total("resident") - given.total("resident");
        // Of one of them only the half was ever in use.
        let least = (purged * SUPERSLAB).saturating_sub(MIB);
        assert!(less >= least, "{less} bytes less under {cap}");
        // The kernel agrees, but for the pages that the program got for itself.
        let by_kernel = taken.resident.saturating_sub(given.resident);
        assert!(by_kernel + MIB / 2 >= less, "{by_kernel} bytes under {cap}");
        // Pages go for other reasons too when a run takes long, and that is counted.
        assert!(given.total("resident") + given.pool("purged_bytes") >= 10 * MIB);
    }
}
