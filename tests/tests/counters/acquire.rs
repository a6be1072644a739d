//! Where slabs come from, and where they go.

use std::thread::available_parallelism;

use hakmem_tests::skip;
use hakmem_tests::statistics::{TAKE, after_giving, applies, exercise};

use super::{SUPERSLAB, plainly};

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
