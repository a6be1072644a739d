//! Every number of the statistics moves when its mechanism is at work, stays when it is
//! not, and agrees with what can be seen from outside.
//!
//! The programs allocate nothing but what their steps say, so most counts are exact. They
//! rest on the heap's geometry: a SuperSlab of 2 MiB has 32 slots; a slab of 32 KiB blocks
//! takes 16 of them and has 32 blocks, one of 2 KiB blocks takes one and has 32 blocks,
//! one of 8 KiB blocks takes 4 and has 32 blocks.

use std::thread::available_parallelism;

use hakmem_tests::skip;
use hakmem_tests::statistics::{
    Exercise, Report, TAKE, after_giving, applies, exercise, huge_pages_on_request,
};

const MIB: u64 = 1 << 20;
const SUPERSLAB: u64 = 2 * MIB;
/// A step: as many small blocks as take 64 MiB.
const TAKE_64_MIB: &str = "take all 1024 65536";

/// Runs the steps with the default settings.
#[track_caller]
fn plainly(steps: &[&str]) -> Exercise {
    exercise(&[], steps)
}

/// A number without a test of its name is one that nobody has seen move.
#[test]
fn every_number_has_a_test() {
    if !applies() {
        return;
    }
    let source = include_str!("counters.rs");
    let names = plainly(&["report now"]).at("now").names();
    let missing: Vec<_> = names
        .iter()
        .flatten()
        .filter(|name| !source.contains(&format!("#[test]\nfn {name}() {{")))
        .collect();
    assert!(missing.is_empty(), "not tested: {missing:?}");
    assert!(names.iter().all(|names| !names.is_empty()));
}

#[test]
fn acquire_new() {
    if !applies() {
        return;
    }
    let run = plainly(&["report before", TAKE, "report after"]);
    assert_eq!(run.moved("acquire_new", "before", "after"), 5);
    let grown = run.at("after").writable - run.at("before").writable;
    assert!(grown >= 5 * SUPERSLAB, "mapped {grown} bytes more");
}

/// The second slab of each SuperSlab is found through the class's hint.
#[test]
fn acquire_hint() {
    if !applies() {
        return;
    }
    let run = plainly(&["report before", TAKE, "report after", "where a"]);
    assert_eq!(run.moved("acquire_hint", "before", "after"), 5);
    let mut superslabs: Vec<_> = run.addresses("a").iter().map(|a| a >> 21).collect();
    superslabs.sort_unstable();
    superslabs.dedup();
    assert_eq!(superslabs.len(), 5, "of ten slabs");
}

/// The hint leads to the SuperSlab that served last, whose free slots nobody has touched. Those
/// of another one have their pages and go first.
#[test]
fn acquire_in_use() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        // The thread's own small blocks and a, then b and c, then d.
        "take first 64 1",
        "thread",
        "take a 32768 32",
        "take b 32768 32",
        "take c 32768 32",
        "take d 32768 32",
        "where c",
        "give b",
        "end",
        "report before",
        "take e 32768 64",
        "report after",
        "where e",
    ]);
    // The hint has moved there, and leads to nothing any more.
    assert_eq!(run.moved("acquire_hint", "before", "after"), 0);
    assert_eq!(run.moved("acquire_in_use", "before", "after"), 2);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
    let beside = run.addresses("c")[0] >> 21;
    let there = run
        .addresses("e")
        .iter()
        .filter(|e| *e >> 21 == beside)
        .count();
    assert_eq!(there, 32, "blocks in the SuperSlab of c");
}

/// Slabs that became empty are taken as they are, by who asks for their class next.
#[test]
fn acquire_reuse() {
    if !applies() {
        return;
    }
    let steps = [
        "thread",
        TAKE,
        "where a",
        "give a",
        "end",
        "report before",
        "take b 32768 320",
        "where b",
        "report after",
    ];
    let run = exercise(&[("HAKMEM_SUPERSLAB_REUSE", "1")], &steps);
    // The hint comes first: it finds the half that the last slab has left.
    assert_eq!(run.moved("acquire_hint", "before", "after"), 1);
    assert_eq!(run.moved("acquire_reuse", "before", "after"), 9);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
    let old = run.addresses("a");
    let again = run
        .addresses("b")
        .iter()
        .filter(|b| old.contains(b))
        .count();
    assert_eq!(again, 9 * 32, "blocks of before");
    let run = plainly(&steps);
    assert_eq!(run.moved("acquire_reuse", "before", "after"), 0);
}

/// A thread ends and leaves three slabs with every second block in use. Another one takes
/// them over before it asks for new memory.
#[test]
fn acquire_parked() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take first 64 1",
        "thread",
        "take a 32768 96",
        "give a 2 0",
        "end",
        "report before",
        "take b 32768 48",
        "report after",
        "take c 32768 1",
        "report grown",
        "where a",
        "where b",
        "give a",
        "give b",
    ]);
    assert_eq!(run.moved("acquire_parked", "before", "after"), 3);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
    assert_eq!(run.moved("acquire_parked", "after", "grown"), 0);
    assert_eq!(run.moved("superslabs_mapped", "after", "grown"), 1);
    // A slab of this class is as long as its alignment.
    let slab = |address: &usize| address >> 20;
    let left: Vec<_> = run.addresses("a").iter().map(slab).collect();
    let taken = run.addresses("b");
    let among_them = taken.iter().filter(|a| left.contains(&slab(a))).count();
    assert_eq!(among_them, 48, "blocks beside those of the ended thread");
}

/// The slabs of POOL come out of the thread's reservation while that lasts.
#[test]
fn acquire_arena() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_POOL_TLS_ARENA_MB_INIT", "4"),
        ("HAKMEM_POOL_TLS_ARENA_MB_MAX", "4"),
    ];
    let steps = [
        "take a 8192 512",
        "report one",
        "take b 8192 512",
        "report two",
    ];
    let run = exercise(&settings, &steps);
    let counts = |report| {
        let names = ["acquire_arena", "acquire_new", "arena_steps"];
        names.map(|name| run.at(report).pool(name))
    };
    assert_eq!([counts("one"), counts("two")], [[16, 0, 1], [32, 0, 2]]);
}

#[test]
fn acquire_cached() {
    if !applies() {
        return;
    }
    let steps = ["report before", "take b 32768 320", "report after"];
    let run = after_giving(&[], &steps);
    assert_eq!(run.moved("acquire_cached", "before", "after"), 5);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
}

/// Two threads are enough to race for the same slots, but they have to run at once.
#[test]
fn claim_retries() {
    if !applies() {
        return;
    }
    let alone = plainly(&["churn 2048 768 100", "report alone"]);
    assert_eq!(
        alone.at("alone").pool("claim_retries"),
        0,
        "with one thread"
    );
    let run = plainly(&["race 4 50000", "report raced"]);
    let retries = run.at("raced").pool("claim_retries");
    let rounds = run.value("race.rounds");
    eprintln!("{retries} lost claims after {rounds} rounds");
    if retries == 0 && available_parallelism().is_ok_and(|cpus| cpus.get() == 1) {
        return skip("on one CPU no claim was seen to lose a race");
    }
    assert!(retries > 0, "no lost claim in {rounds} rounds of 4 threads");
}

#[test]
fn slabs_released() {
    if !applies() {
        return;
    }
    let run = after_giving(&[], &["report after"]);
    assert_eq!(run.at("taken").pool("slabs_released"), 0);
    assert_eq!(run.at("after").pool("slabs_released"), 10);
    let slabs = |report| run.at(report).class(32768, "slabs");
    assert_eq!((slabs("taken"), slabs("after")), (10, 0));
}

/// Reservations of 1, 2, 4 and 8 MiB.
#[test]
fn arena_steps() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take t 32768 320",
        "report other",
        "take a 8192 1",
        "report one",
        "take b 8192 1900",
        "report all",
    ]);
    assert_eq!(run.at("other").pool("arena_steps"), 0);
    assert_eq!(run.at("one").pool("arena_steps"), 1);
    assert_eq!(run.at("all").pool("arena_steps"), 4);
}

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

/// A front that runs empty and full by turns grows until it does neither.
#[test]
fn misses_of_a_swinging_class_end() {
    if !applies() {
        return;
    }
    let rounds = |count| ["take a 48 300", "give a"].repeat(count);
    let steps = [
        rounds(50),
        vec!["report before"],
        rounds(50),
        vec!["report after"],
    ];
    let run = plainly(&steps.concat());
    let misses = |report| run.at(report).class(48, "misses");
    assert!(misses("before") > 0);
    assert_eq!(misses("after"), misses("before"));
}

/// A front that is empty and one that is full: the requests in between miss nothing.
#[test]
fn misses() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 16", "report one", "take b 48 1", "report two"]);
    assert_eq!(run.at("one").class(48, "misses"), 1);
    assert_eq!(run.at("two").class(48, "misses"), 2);
}

#[test]
fn refills() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "report none",
        "take a 48 1",
        "report one",
        "take b 48 16",
        "report two",
    ]);
    let refills = |report| run.at(report).class(48, "refills");
    assert_eq!([refills("none"), refills("one"), refills("two")], [0, 1, 2]);
}

#[test]
fn refilled() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1", "report one"]);
    let one = run.at("one");
    assert_eq!(one.class(48, "refilled"), 16);
    assert_eq!(one.class(48, "live") + one.class(48, "cached"), 16);
}

/// Freed blocks overflow into the list, and come out of it again.
#[test]
fn list_hits() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 100",
        "give a",
        "report before",
        "take b 48 100",
        "report after",
    ]);
    assert_eq!(run.at("before").class(48, "list_hits"), 0);
    assert!(run.at("after").class(48, "list_hits") > 0);
}

#[test]
fn drains() {
    if !applies() {
        return;
    }
    let run = plainly(&["take a 48 1000", "report before", "give a", "report after"]);
    assert_eq!(run.at("before").class(48, "drains"), 0);
    assert!(run.at("after").class(48, "drains") > 0);
}

/// The blocks that are not cached have gone back, with fronts and without.
#[test]
fn drained() {
    if !applies() {
        return;
    }
    for front in ["1", "0"] {
        let run = exercise(
            &[("HAKMEM_TINY_SFC_ENABLE", front)],
            &["take a 48 1000", "report before", "give a", "report after"],
        );
        let (before, after) = (run.at("before"), run.at("after"));
        assert_eq!(before.class(48, "drained"), 0);
        let returned = before.class(48, "cached") + 1000 - after.class(48, "cached");
        assert_eq!(after.class(48, "drained"), returned, "SFC_ENABLE={front}");
    }
}

#[test]
fn remote_freed() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 200",
        "report before",
        "thread",
        "give a",
        "end",
        "report after",
    ]);
    assert_eq!(run.at("before").class(48, "remote_freed"), 0);
    assert_eq!(run.at("after").class(48, "remote_freed"), 200);
}

/// All at once when the thread has held back 256 blocks of the one slab, and the rest at
/// its end.
#[test]
fn remote_published() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 400",
        "report before",
        "thread",
        "give a",
        "report held",
        "end",
        "report after",
    ]);
    let published = |report| run.at(report).class(48, "remote_published");
    assert_eq!(
        [published("before"), published("held"), published("after")],
        [0, 1, 2]
    );
}

/// Blocks of a slot of which others have gone home before.
#[test]
fn remote_frees_all_go_home() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 150",
        "take b 48 150",
        "report before",
        "thread",
        "give a",
        "give b",
        "end",
        "report after",
    ]);
    let moved = |count| run.at("after").class(48, count) - run.at("before").class(48, count);
    assert_eq!(moved("remote_freed"), 300);
    // On the way, and none with the thread that has ended.
    assert_eq!(moved("free"), 300);
}

/// The owner finds them when it runs out of blocks.
#[test]
fn collected() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 32768 64",
        "thread",
        "give a",
        "end",
        "report before",
        "take b 32768 64",
        "report after",
    ]);
    assert_eq!(run.at("before").class(32768, "collected"), 0);
    assert_eq!(run.at("after").class(32768, "collected"), 64);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
}

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

/// Whatever the tier: as many slabs were acquired as threads have and have given back.
#[test]
fn every_slab_is_acquired_at_one_stage() {
    if !applies() {
        return;
    }
    for step in [
        "take a 512 4000",
        "take a 32768 320",
        "take a 8192 1000",
        "take a 200000 20",
    ] {
        let run = after_giving(&[], &[step, "report now"]);
        let now = run.at("now");
        let [_, names, ..] = now.names();
        let stages = names.iter().filter(|name| name.starts_with("acquire_"));
        let acquired: Vec<_> = stages.map(|name| (name, now.pool(name))).collect();
        let held = now
            .sizes()
            .iter()
            .map(|&bytes| now.class(bytes, "slabs"))
            .sum::<u64>();
        let all = held + now.pool("slabs_released");
        let sum = acquired.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(sum, all, "after {step}: {acquired:?}");
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

/// Settings that have a thread decide often.
const LEARNING: [(&str, &str); 2] = [
    ("HAKMEM_ALLOC_LEARN", "1"),
    ("HAKMEM_ALLOC_LEARN_WINDOW", "64"),
];

#[test]
fn learn_windows() {
    if !applies() {
        return;
    }
    let steps = ["churn 48 2000 30", "report end"];
    let run = |settings: &[(&str, &str)]| exercise(settings, &steps).at("end");
    assert_eq!(run(&[]).pool("learn_windows"), 0);
    let end = run(&LEARNING);
    let events = end.class_sum("misses") + end.class_sum("drains");
    let windows = end.pool("learn_windows");
    assert!(
        windows > 0 && windows <= events / 64 + 1,
        "{windows} of {events} events"
    );
}

#[test]
fn learn_cooled() {
    if !applies() {
        return;
    }
    let run = exercise(
        &LEARNING,
        &[
            "churn 48 2000 30",
            "report before",
            "churn 512 2000 60",
            "report after",
        ],
    );
    assert!(run.moved("learn_cooled", "before", "after") >= 1);
    assert_eq!(run.at("after").class(48, "cached"), 0);
}

/// A class that rests for a moment again and again.
#[test]
fn learn_regretted() {
    if !applies() {
        return;
    }
    let mut steps = Vec::new();
    for _ in 0..30 {
        steps.extend(["churn 48 2000 5", "churn 512 2000 5"]);
    }
    steps.push("report end");
    let end = exercise(&LEARNING, &steps).at("end");
    let (cooled, regretted) = (end.pool("learn_cooled"), end.pool("learn_regretted"));
    assert!(
        regretted >= 1 && regretted <= cooled,
        "{regretted} of {cooled}"
    );
    // It is not done for ever.
    assert!(cooled < 30, "{cooled}");
}

#[test]
fn learn_enlarged() {
    if !applies() {
        return;
    }
    let steps = ["churn 48 2000 8", "report end"];
    let end = exercise(&LEARNING, &steps).at("end");
    let without = exercise(&[], &steps).at("end");
    assert!(end.pool("learn_enlarged") >= 1);
    assert_eq!(without.pool("learn_enlarged"), 0);
    assert!(end.class(48, "cached") > without.class(48, "cached"));
}

#[test]
fn learn_memory() {
    if !applies() {
        return;
    }
    let settings = [
        ("HAKMEM_MEM_LEARN", "1"),
        ("HAKMEM_LEARN_ADVANCED", "budget_mb=1"),
    ];
    let given = after_giving(&settings, &["report given"]).at("given");
    // The purge's delay, the stock and huge pages.
    assert_eq!(given.pool("learn_memory"), 3);
    let without = after_giving(&[], &["report given"]).at("given");
    assert_eq!(without.pool("learn_memory"), 0);
}
