//! SuperSlabs: mapped, kept in the cache, given back, and their huge pages.

use hakmem_tests::statistics::{TAKE, after_giving, applies, exercise, huge_pages_on_request};

use super::{MIB, SUPERSLAB, TAKE_64_MIB, plainly};

#[test]
fn superslabs_mapped() {
    if !applies() {
        return;
    }
    let run = plainly(&["report before", TAKE, "report after"]);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 5);
    assert_eq!(run.at("after").total("mapped"), 5 * SUPERSLAB);
}

#[test]
fn superslabs_unmapped() {
    if !applies() {
        return;
    }
    let run = after_giving(&[], &["report before", "trim", "report after"]);
    assert_eq!(run.at("before").pool("superslabs_unmapped"), 0);
    assert_eq!(run.at("before").total("mapped"), 6 * SUPERSLAB);
    assert_eq!(run.at("after").pool("superslabs_unmapped"), 5);
    assert_eq!(run.at("after").total("mapped"), SUPERSLAB);
    let shrunk = run.at("before").writable - run.at("after").writable;
    assert!(shrunk >= 5 * SUPERSLAB, "unmapped {shrunk} bytes");
}

#[test]
fn cache_inserts() {
    if !applies() {
        return;
    }
    let run = after_giving(&[], &["report after"]);
    assert_eq!(run.at("taken").pool("cache_inserts"), 0);
    assert_eq!(run.at("after").pool("cache_inserts"), 5);
    assert_eq!(run.at("after").total("mapped"), 6 * SUPERSLAB);
}

#[test]
fn lru_evictions() {
    if !applies() {
        return;
    }
    let few = after_giving(&[("HAKMEM_SUPERSLAB_LRU_CAP", "1")], &["report after"]);
    assert_eq!(few.at("after").pool("lru_evictions"), 4);
    assert_eq!(few.at("after").pool("superslabs_unmapped"), 4);
    let many = after_giving(&[], &["report after"]);
    assert_eq!(many.at("after").pool("lru_evictions"), 0);
}

#[test]
fn ttl_evictions() {
    if !applies() {
        return;
    }
    let steps = [
        "report young",
        "sleep 1100",
        // Time is looked at when a SuperSlab changes its place: one is taken here.
        "take b 32768 64",
        "report old",
    ];
    let run = after_giving(&[("HAKMEM_SUPERSLAB_TTL_SEC", "1")], &steps);
    assert_eq!(run.at("young").pool("ttl_evictions"), 0);
    assert_eq!(run.at("old").pool("ttl_evictions"), 4);
    assert_eq!(run.at("old").pool("superslabs_unmapped"), 4);
    assert_eq!(run.at("old").pool("lru_evictions"), 0);
    let run = after_giving(&[], &steps);
    assert_eq!(run.at("old").pool("ttl_evictions"), 0);
}

#[test]
fn soft_cap_purges() {
    if !applies() {
        return;
    }
    let run = after_giving(&[("HAKMEM_SUPERSLAB_SOFT_CAP", "1")], &["report after"]);
    assert_eq!(run.at("after").pool("soft_cap_purges"), 4);
    assert_eq!(run.at("after").total("superslabs_cached"), 5);
    let run = after_giving(&[], &["report after"]);
    assert_eq!(run.at("after").pool("soft_cap_purges"), 0);
}

#[test]
fn prewarmed() {
    if !applies() {
        return;
    }
    let steps = ["take a 32768 1", "report after"];
    let with = exercise(&[("HAKMEM_SUPERSLAB_PREWARM", "8")], &steps).at("after");
    let without = plainly(&steps).at("after");
    assert_eq!(with.pool("prewarmed"), 8);
    assert_eq!(without.pool("prewarmed"), 0);
    let more = with.resident.saturating_sub(without.resident);
    assert!(more >= 7 * SUPERSLAB, "{more} bytes more are resident");
}

/// Free slots of a SuperSlab in use, and of the cached ones.
#[test]
fn purged_bytes() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take keep 32768 1",
        "take a 2048 1024",
        "give a",
        "report before",
        "trim",
        "report after",
    ]);
    assert_eq!(run.at("before").pool("purged_bytes"), 0);
    let purged = run.at("after").pool("purged_bytes");
    let less = run.at("before").resident - run.at("after").resident;
    assert!(
        purged > 0 && purged <= 2 * SUPERSLAB,
        "purged {purged} bytes"
    );
    assert!(less >= purged / 2, "purged {purged}, resident {less} less");
}

#[test]
fn superslabs_cached() {
    if !applies() {
        return;
    }
    let run = after_giving(
        &[],
        &[
            "report given",
            "take b 32768 64",
            "report again",
            "trim",
            "report trimmed",
        ],
    );
    let cached = |report| run.at(report).total("superslabs_cached");
    assert_eq!(
        ["taken", "given", "again", "trimmed"].map(cached),
        [0, 5, 4, 0]
    );
}

/// A heap of 76 MiB, all of it handed out, takes huge pages, and one of 12 MiB none.
#[test]
fn superslabs_huge() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 1024 12288",
        "report small",
        TAKE_64_MIB,
        "report big",
    ];
    let run = plainly(&steps);
    let [small, big] = ["small", "big"].map(|name| run.at(name));
    assert_eq!(small.pool("superslabs_huge"), 0);
    let huge = big.pool("superslabs_huge");
    assert!((24..=31).contains(&huge), "{huge} SuperSlabs are huge");
    if huge_pages_on_request() {
        assert_eq!(small.huge, 0);
        // The kernel may have had no huge page for some.
        assert!(big.huge >= huge * MIB, "{} bytes are huge", big.huge);
        assert!(big.huge <= huge * SUPERSLAB, "{} bytes are huge", big.huge);
    }
}

/// Blocks of which the program touches one page: what huge pages bring beside those is at most
/// 2 MiB and an eighth of what the program has filled.
#[test]
fn huge_pages_waste_little() {
    if !applies() || !huge_pages_on_request() {
        return;
    }
    for size in [8192, 32768, 262_144] {
        let hold = format!("hold b {size} {}", 64 * MIB / size);
        let run = plainly(&[TAKE_64_MIB, "report before", &hold, "report after"]);
        let [before, after] = ["before", "after"].map(|name| run.at(name));
        let grown = after.resident.saturating_sub(before.resident);
        assert!(
            grown <= 64 * MIB / size * 4096 + SUPERSLAB + 64 * MIB / 8 + MIB,
            "{grown} bytes more are resident for blocks of {size}"
        );
    }
}

/// What is given back of a SuperSlab that is in use leaves no huge page behind, and an empty
/// one is asked anew.
#[test]
fn huge_pages_are_given_back() {
    if !applies() || !huge_pages_on_request() {
        return;
    }
    // Of each SuperSlab a few slots are kept.
    let groups: Vec<_> = (0..14)
        .flat_map(|i| {
            [
                format!("take a{i} 1024 3584"),
                format!("take keep{i} 1024 512"),
            ]
        })
        .collect();
    let give: Vec<_> = (0..14).map(|i| format!("give a{i}")).collect();
    let mut steps = vec![TAKE_64_MIB, "report first"];
    steps.extend(groups.iter().map(String::as_str));
    steps.push("report taken");
    steps.extend(give.iter().map(String::as_str));
    steps.extend(["trim", "report trimmed"]);
    let run = plainly(&steps);
    let [first, taken, trimmed] = ["first", "taken", "trimmed"].map(|name| run.at(name));
    assert!(taken.huge >= first.huge + 40 * MIB, "{} bytes", taken.huge);
    assert!(
        trimmed.huge <= first.huge + 4 * MIB,
        "{} bytes",
        trimmed.huge
    );
    let kept = trimmed.resident.saturating_sub(first.resident);
    assert!(kept <= 9 * MIB, "{kept} bytes are resident for 7 MiB");
}
