//! Every variable has the effect that `docs/CONFIGURATION.md` says, seen from outside.
//!
//! The geometry that the numbers rest on: a SuperSlab of 2 MiB has 32 slots; a slab of
//! 32 KiB blocks takes 16 of them and has 32 blocks, one of 8 KiB blocks takes 4 and has
//! 32 blocks. A thread's built-in front has 31 entries for small blocks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hakmem_tests::statistics::{
    Exercise, TAKE, Whose, after_giving, applies, exercise, huge_pages_on_request,
};
use hakmem_tests::{Run, Scratch, compile, find, library, skip, witness};

const MIB: u64 = 1 << 20;
const SUPERSLAB: u64 = 2 * MIB;

/// A row of the page's table of all variables.
struct Variable {
    name: &'static str,
    /// `None` for switches and for numbers without an upper bound.
    range: Option<(u64, u64)>,
    /// `None` for limits that do not exist by default.
    default: Option<u64>,
    /// What is said to happen in place of a malformed value; `None` where any text will do.
    instead: Option<String>,
}

fn variables() -> Vec<Variable> {
    let page = include_str!("../../docs/CONFIGURATION.md");
    // Those behind it are not the release library's.
    let (page, _) = page.split_once("## Debug variables").expect("a heading");
    let rows = page.lines().filter(|line| line.starts_with("| `HAKMEM_"));
    let variables: Vec<_> = rows.map(variable).collect();
    assert!(variables.len() >= 27, "{} variables", variables.len());
    variables
}

fn variable(row: &'static str) -> Variable {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, name, values, default, ..] = cells[..] else {
        panic!("a row of the table: {row}")
    };
    let digits = values.split(' ').next().unwrap_or_default();
    let number = |text: &str| text.parse::<u64>().ok();
    let range = digits
        .split_once('-')
        .and_then(|(min, max)| Some((number(min)?, number(max)?)));
    let instead = match (values, default) {
        ("text", _) => None,
        (_, "none") => Some("it is ignored".to_owned()),
        (_, "no limit") => Some("using the default, no limit".to_owned()),
        // A list of areas.
        (values, _) if values.starts_with("0, 1, ") => Some("using its areas alone".to_owned()),
        (_, default) => Some(format!("using the default {default}")),
    };
    Variable {
        name: name.trim_matches('`'),
        range,
        default: number(default),
        instead,
    }
}

/// What the program reports under one setting.
fn under(name: &str, value: &str, steps: &[&str]) -> Exercise {
    exercise(&[(name, value)], steps)
}

/// A variable without a test that names it is one of which nobody has seen an effect.
#[test]
fn every_variable_has_a_test() {
    let source = include_str!("variables.rs");
    for variable in variables() {
        let function = variable.name["HAKMEM_".len()..].to_lowercase();
        let tested = format!("#[test]\nfn {function}() {{");
        assert!(source.contains(&tested), "{} has no test", variable.name);
    }
}

// Tiers.

/// A size of the tier, the bytes that hakmem gives for it, and the name of the switch.
const TIERS: [(&str, u64, u64, &str); 4] = [
    ("tiny", 100, 112, "HAKMEM_WRAP_TINY"),
    ("pool", 5000, 5120, "HAKMEM_WRAP_POOL"),
    ("mid", 20000, 20480, "HAKMEM_WRAP_MID"),
    ("large", 200_000, 4 * 65536, "HAKMEM_WRAP_LARGE"),
];

/// How many blocks of each tier.
const BLOCKS: u64 = 20;

/// Whose the blocks of a tier have to be when its switch is `on`.
#[track_caller]
fn is_served(run: &Exercise, tier: usize, on: bool) {
    let (name, size, good, _) = TIERS[tier];
    let whose = run.whose(name);
    if on {
        let ours = Whose {
            ours: BLOCKS,
            others: 0,
            usable: good,
        };
        assert_eq!(whose, ours, "{name}");
    } else {
        assert_eq!((whose.ours, whose.others), (0, BLOCKS), "{name}");
        // The system rounds up in other steps.
        assert!((size..good).contains(&whose.usable), "{name}: {whose:?}");
    }
}

/// One tier handed to the system, the three others not.
#[track_caller]
fn hands_over(tier: usize) {
    if !applies() {
        return;
    }
    let mut steps = Vec::new();
    for (name, size, ..) in TIERS {
        steps.push(format!("take {name} {size} {BLOCKS}"));
        steps.push(format!("whose {name}"));
    }
    steps.push("report taken".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    for on in [true, false] {
        let run = under(TIERS[tier].3, if on { "1" } else { "0" }, &steps);
        for other in 0..TIERS.len() {
            is_served(&run, other, on || other != tier);
        }
        let taken = run.at("taken");
        let handed_over = if on { 0 } else { BLOCKS };
        assert_eq!(taken.pool("system_allocations"), handed_over);
        let live = taken.tier(TIERS[tier].0, "live");
        assert_eq!(live, BLOCKS - handed_over);
    }
}

#[test]
fn wrap_tiny() {
    hands_over(0);
}

#[test]
fn wrap_pool() {
    hands_over(1);
}

#[test]
fn wrap_mid() {
    hands_over(2);
}

#[test]
fn wrap_large() {
    hands_over(3);
}

/// Blocks of both allocators are resized into each other's sizes and freed side by side,
/// by the thread that took them and by another one, and keep their contents.
#[test]
fn all_switches_go_together() {
    if !applies() {
        return;
    }
    let mut steps = vec!["take first 64 1".to_owned()];
    for (name, size, ..) in TIERS {
        steps.push(format!("take {name} {size} {BLOCKS}"));
        steps.push(format!("whose {name}"));
    }
    // Through all tiers, from each; then back to the largest.
    for (name, ..) in TIERS {
        for (_, size, ..) in TIERS {
            steps.push(format!("resize {name} {size}"));
        }
        steps.push(format!("resize {name} 64"));
        steps.push(format!("resize {name} 1200000"));
        steps.push(format!("give {name} 2 0"));
    }
    steps.push("thread".into());
    for (name, size, ..) in TIERS {
        steps.push(format!("give {name}"));
        steps.push(format!("take of-thread-{name} {size} {BLOCKS}"));
    }
    steps.push("end".into());
    for (name, ..) in TIERS {
        steps.push(format!("give of-thread-{name}"));
    }
    steps.push("trim".into());
    steps.push("report end".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    for switches in 0..16 {
        let is_on = |tier: usize| switches >> tier & 1 == 1;
        let settings = [0, 1, 2, 3].map(|tier| (TIERS[tier].3, ["0", "1"][switches >> tier & 1]));
        let run = exercise(&settings, &steps);
        for tier in 0..TIERS.len() {
            is_served(&run, tier, is_on(tier));
        }
        let end = run.at("end");
        for tier in ["pool", "mid", "large"] {
            assert_eq!(end.tier(tier, "live"), 0, "{tier} under {settings:?}");
        }
        // What the C library keeps of the thread, and the first block.
        assert!(end.tier("tiny", "live") <= 4, "under {settings:?}");
        if switches == 0 {
            assert_eq!(end.pool("superslabs_mapped"), 0);
            assert_eq!(end.pool("large_mapped"), 0);
        }
        assert_eq!(run.said(), [""; 0], "under {settings:?}");
    }
}

// The front of a thread.

#[test]
fn tiny_sfc_enable() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1000", "report taken", "give a", "report given"];
    let on = under("HAKMEM_TINY_SFC_ENABLE", "1", &steps);
    let off = under("HAKMEM_TINY_SFC_ENABLE", "0", &steps);
    // Without fronts none of the requests is served by one.
    assert_eq!(off.at("taken").class(48, "misses"), 1000);
    assert!(on.at("taken").class(48, "misses") < 50);
    // All that the thread keeps is its list.
    assert!(off.at("given").class(48, "cached") <= 64);
    assert!(on.at("given").class(48, "cached") > 64);
    assert!(off.at("taken").class(48, "list_hits") > 500);
    assert_eq!(on.at("taken").class(48, "list_hits"), 0);
}

/// After many frees the front and the list of the class are full.
#[test]
fn tiny_sfc_capacity() {
    if !applies() {
        return;
    }
    for capacity in [32, 128, 512] {
        let run = exercise(
            &[
                ("HAKMEM_TINY_SFC_CAPACITY", &capacity.to_string()),
                ("HAKMEM_TINY_TLS_CAP", "16"),
            ],
            &["take a 16 8000", "give a", "report given"],
        );
        let cached = run.at("given").class(16, "cached");
        let most = capacity + 16;
        assert!(
            (most - capacity / 2..=most).contains(&cached),
            "{cached} cached"
        );
    }
}

/// Of eighteen classes that run hot, as many have a front larger than the built-in one.
#[test]
fn tiny_sfc_hot_classes() {
    if !applies() {
        return;
    }
    let sizes = [
        16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
    ];
    let mut steps = sizes.map(|size| format!("churn {size} 2000 3")).to_vec();
    steps.push("report churned".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    for most in [1, 4, 16] {
        let run = exercise(
            &[
                ("HAKMEM_TINY_SFC_HOT_CLASSES", &most.to_string()),
                ("HAKMEM_TINY_TLS_CAP", "16"),
            ],
            &steps,
        );
        let churned = run.at("churned");
        let hot = sizes
            .iter()
            .filter(|&&size| churned.class(size, "cached") > 31 + 16);
        assert_eq!(hot.count(), most);
    }
}

// The lists behind it.

/// What the thread keeps beyond its front, which has the same length under both settings.
#[test]
fn tiny_tls_cap() {
    if !applies() {
        return;
    }
    let steps = ["take a 16 8000", "give a", "report given"];
    let [few, many] = ["16", "1024"].map(|cap| {
        let run = under("HAKMEM_TINY_TLS_CAP", cap, &steps);
        run.at("given").class(16, "cached")
    });
    assert_eq!(many - few, 1024 - 16);
    // Without fronts the list is all.
    for cap in [16, 100] {
        let settings = [
            ("HAKMEM_TINY_SFC_ENABLE", "0"),
            ("HAKMEM_TINY_TLS_CAP", &cap.to_string()),
        ];
        let cached = exercise(&settings, &steps).at("given").class(16, "cached");
        assert!((cap / 2..=cap).contains(&cached), "{cached} of {cap}");
    }
}

#[test]
fn tiny_tls_refill() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    for refill in [4, 16, 24] {
        let run = under("HAKMEM_TINY_TLS_REFILL", &refill.to_string(), &steps);
        assert_eq!(run.at("first").class(48, "refilled"), refill);
    }
    // As many as the list may hold, and the one that was asked for.
    for (refill, cap, refilled) in [("256", "300", 256), ("256", "64", 65)] {
        let settings = [
            ("HAKMEM_TINY_SFC_ENABLE", "0"),
            ("HAKMEM_TINY_TLS_REFILL", refill),
            ("HAKMEM_TINY_TLS_CAP", cap),
        ];
        let first = exercise(&settings, &steps).at("first");
        assert_eq!(first.class(48, "refilled"), refilled);
    }
}

// Refill.

#[test]
fn tiny_p0_enable() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1000", "report taken"];
    let batches = under("HAKMEM_TINY_P0_ENABLE", "1", &steps).at("taken");
    let single = under("HAKMEM_TINY_P0_ENABLE", "0", &steps).at("taken");
    let counts = ["refills", "refilled"].map(|name| single.class(48, name));
    assert_eq!(counts, [1000, 1000]);
    assert_eq!(single.class(48, "cached"), 0);
    assert!(batches.class(48, "refills") < 500);
}

/// Sixteen blocks in one go, or in four.
#[test]
fn tiny_p0_batch() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    for (batch, goes) in [("4", 4), ("8", 2), ("16", 1), ("128", 1)] {
        let first = under("HAKMEM_TINY_P0_BATCH", batch, &steps).at("first");
        assert_eq!(first.class(48, "refilled"), 16);
        assert_eq!(first.class(48, "refills"), goes, "with P0_BATCH={batch}");
    }
}

/// Blocks that another thread has freed are used again, or wait while memory use grows.
#[test]
fn tiny_p0_no_drain() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 32768 64",
        "thread",
        "give a",
        "end",
        "report freed",
        "take b 32768 64",
        "report taken",
        "trim",
        "report trimmed",
    ];
    let drained = under("HAKMEM_TINY_P0_NO_DRAIN", "0", &steps);
    assert_eq!(drained.at("taken").class(32768, "collected"), 64);
    assert_eq!(drained.moved("superslabs_mapped", "freed", "taken"), 0);
    let left = under("HAKMEM_TINY_P0_NO_DRAIN", "1", &steps);
    assert_eq!(left.at("taken").class(32768, "collected"), 0);
    assert_eq!(left.moved("superslabs_mapped", "freed", "taken"), 1);
    let grown = left.at("taken").resident - left.at("freed").resident;
    assert!(grown >= 2 * MIB, "{grown} bytes more are resident");
    // They are not lost.
    assert_eq!(left.at("trimmed").class(32768, "collected"), 64);
}

// Frees across threads.

/// Two thousand blocks of one slab go home in that many batches.
#[test]
fn tiny_drain_thresh() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 16 2000",
        "thread",
        "give a",
        "report held",
        "end",
        "report end",
    ];
    for (threshold, published, with_the_end) in [
        ("0", 2000, 2000),
        ("1", 2000, 2000),
        ("100", 20, 20),
        ("256", 7, 8),
        ("1024", 1, 2),
    ] {
        let run = under("HAKMEM_TINY_DRAIN_THRESH", threshold, &steps);
        let count = |report| run.at(report).class(16, "remote_published");
        assert_eq!(count("held"), published, "under {threshold}");
        assert_eq!(count("end"), with_the_end, "under {threshold}");
        assert_eq!(run.at("end").class(16, "remote_freed"), 2000);
    }
}

// The class of a block.

/// The long way costs more instructions for each free, and leads to the same.
#[test]
fn tiny_header_classidx() {
    if !applies() {
        return;
    }
    let work = [
        "churn 48 16 10000",
        "take a 48 1000",
        "give a 3 0",
        "report end",
    ];
    let short = under("HAKMEM_TINY_HEADER_CLASSIDX", "1", &work);
    let long = under("HAKMEM_TINY_HEADER_CLASSIDX", "0", &work);
    assert_eq!(short.at("end").counts(), long.at("end").counts());
    let Some(valgrind) = find("valgrind") else {
        return;
    };
    let instructions = |value| {
        let scratch = Scratch::new();
        let file = scratch.file("callgrind.out");
        let run = Run::new(&valgrind)
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(compile::program("exercise.c"))
            .arg("churn 48 16 10000")
            .env("HAKMEM_TINY_HEADER_CLASSIDX", value);
        run.output().success();
        let text = fs::read_to_string(&file).expect("callgrind's output");
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.expect("the sum of all").trim();
        total.parse::<i64>().expect("a number of instructions")
    };
    let more = (instructions("0") - instructions("1")) / 160_000;
    assert!(more >= 10, "{more} more instructions for a free");
}

// Pool arenas.

/// How many reservations 3840 blocks of 8 KiB, 30 MiB, take under these settings.
fn reservations(settings: &[(&str, &str)]) -> u64 {
    let run = exercise(settings, &["take a 8192 3840", "report taken"]);
    run.at("taken").pool("arena_steps")
}

const INIT: &str = "HAKMEM_POOL_TLS_ARENA_MB_INIT";
const MAX: &str = "HAKMEM_POOL_TLS_ARENA_MB_MAX";
const LEVELS: &str = "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS";

#[test]
fn pool_tls_arena_mb_init() {
    if !applies() {
        return;
    }
    // 1 + 2 + 4 + 8 + 8 + 8, 8 * 4, and one of 64.
    let steps = ["1", "8", "64"].map(|init| reservations(&[(INIT, init)]));
    assert_eq!(steps, [6, 4, 1]);
    // What else the program asks for meanwhile does not come in between.
    let mut steps = Vec::new();
    for i in 0..8 {
        steps.push(format!("take pool{i} 8192 128"));
        steps.push(format!("take large{i} 1000000 1"));
        steps.push(format!("where pool{i}"));
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let [scattered, consecutive] = ["1", "64"].map(|size| {
        let run = exercise(&[(INIT, size), (MAX, size)], &steps);
        let blocks: Vec<_> = (0..8)
            .flat_map(|i| run.addresses(&format!("pool{i}")))
            .collect();
        assert_eq!(blocks.len(), 8 * 128);
        let [Some(first), Some(last)] = [blocks.iter().min(), blocks.iter().max()] else {
            panic!("no blocks")
        };
        (last + 8192 - first) as u64
    });
    assert_eq!(consecutive, 8 * MIB);
    assert!(scattered > 8 * MIB, "{scattered} bytes from first to last");
}

#[test]
fn pool_tls_arena_mb_max() {
    if !applies() {
        return;
    }
    let at_most = |max| reservations(&[(MAX, max), (LEVELS, "8")]);
    // 15 * 2 with what the first one's SuperSlab has left, 1 + 2 + 4 + 8 + 8 + 8, and
    // 1 + 2 + 4 + 8 + 16.
    assert_eq!(["2", "8", "64"].map(at_most), [15, 6, 5]);
    // A bound below the first reservation counts as that.
    assert_eq!(reservations(&[(INIT, "64"), (MAX, "2")]), 1);
}

#[test]
fn pool_tls_arena_growth_levels() {
    if !applies() {
        return;
    }
    let doubling = |levels| reservations(&[(MAX, "64"), (LEVELS, levels)]);
    assert_eq!(["1", "3", "8"].map(doubling), [15, 6, 5]);
}

// Empty slabs.

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

// Empty SuperSlabs.

/// SuperSlabs that are still mapped of five that became empty.
#[track_caller]
fn kept(settings: &[(&str, &str)]) -> u64 {
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

// Huge pages.

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

// Prewarm.

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

// Statistics.

/// On standard error, at the program's end, and nothing without it.
#[test]
fn stats() {
    if !applies() {
        return;
    }
    let steps = [TAKE, "report taken"];
    assert_eq!(under("HAKMEM_STATS", "0", &steps).said(), [""; 0]);
    let said = under("HAKMEM_STATS", "1", &steps).said();
    assert!(said[0].starts_with("hakmem ") && said[0].ends_with(" statistics"));
    // A row of the pool and one of a class: 32768 bytes, 10 slabs, 320 blocks, 320 live.
    let row = |words: &[&str]| {
        let is_it = |line: &String| {
            line.split_whitespace()
                .take(words.len())
                .eq(words.iter().copied())
        };
        assert!(said.iter().any(is_it), "no row {words:?} in {said:#?}");
    };
    row(&["superslabs_mapped", "5"]);
    row(&["32768", "10", "320", "320"]);
}

/// Parts of the table, or JSON.
#[test]
fn areas_of_the_statistics() {
    if !applies() {
        return;
    }
    let steps = [TAKE, "report taken"];
    let has = |areas: &str, word: &str| {
        let said = under("HAKMEM_STATS", areas, &steps).said();
        said.iter().any(|line| line.contains(word))
    };
    for (areas, word, others) in [
        ("pool", "superslabs_mapped", ["block", "tiny ", "resident"]),
        (
            "classes",
            "block ",
            ["superslabs_mapped", "tiny ", "resident"],
        ),
        (
            "tiers",
            "tiny ",
            ["superslabs_mapped", "block ", "resident"],
        ),
        (
            "totals",
            "resident ",
            ["superslabs_mapped", "tier ", "list_hits"],
        ),
    ] {
        assert!(has(areas, word), "{word} in {areas}");
        for other in others.iter().filter(|other| **other != "block") {
            assert!(!has(areas, other), "{other} in {areas}");
        }
        assert!(has("all", word) && has(&format!("totals,{areas}"), word));
    }
    let said = under("HAKMEM_STATS", "json", &steps).said();
    let json: serde_json::Value = serde_json::from_str(&said[0]).expect("a line of JSON");
    assert_eq!(json["pool"]["superslabs_mapped"], 5);
    assert_eq!(said.len(), 1);
}

/// They are appended to, one by each process; nothing is said then.
#[test]
fn stats_file() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    let (file, of_process) = (scratch.file("all"), scratch.file("of.%p"));
    for (name, runs) in [(&file, 2), (&of_process, 2)] {
        for _ in 0..runs {
            let settings = [
                ("HAKMEM_STATS", "1"),
                ("HAKMEM_STATS_FILE", name.to_str().expect("a name")),
            ];
            assert_eq!(exercise(&settings, &[TAKE]).said(), [""; 0]);
        }
    }
    let tables = |path: &Path| {
        let text = fs::read_to_string(path).expect("statistics");
        text.matches(" statistics\n").count()
    };
    assert_eq!(tables(&file), 2);
    let entries = fs::read_dir(file.parent().expect("a directory")).expect("a listing");
    let names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let of_processes = names.iter().filter(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        let number = name
            .strip_prefix("of.")
            .and_then(|it| it.parse::<u32>().ok());
        number.is_some() && tables(path) == 1
    });
    assert_eq!(of_processes.count(), 2, "{names:?}");
    // Where it cannot be had, it is said so, and the program goes on.
    let settings = [
        ("HAKMEM_STATS", "1"),
        ("HAKMEM_STATS_FILE", "/no/such/directory/file"),
    ];
    let said = exercise(&settings, &[TAKE]).said();
    let complaint = "hakmem: the file that HAKMEM_STATS_FILE names cannot be opened";
    assert_eq!(said[0], complaint);
    assert!(said[1].ends_with(" statistics"), "{said:?}");
}

#[test]
fn stats_every_sec() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "sleep 1100", "take b 48 1000", "report end"];
    let tables = |every| {
        let settings = [("HAKMEM_STATS", "1"), ("HAKMEM_STATS_EVERY_SEC", every)];
        let said = exercise(&settings, &steps).said();
        said.iter()
            .filter(|line| line.ends_with(" statistics"))
            .count()
    };
    assert_eq!(["0", "1", "1000"].map(tables), [1, 2, 1]);
}

#[test]
fn stats_signal() {
    if !applies() {
        return;
    }
    let tables = |script: &str| {
        let run = Run::new("/bin/sh").args(["-c", script]);
        let run = run
            .env("HAKMEM_STATS", "totals")
            .env("HAKMEM_STATS_SIGNAL", "10");
        let outcome = run.output();
        let stderr = outcome.success().stderr_text().into_owned();
        stderr.matches(" statistics\n").count()
    };
    // Some shells end without what is registered for the end.
    let at_exit = tables("exit 0");
    assert_eq!(tables("kill -USR1 $$; kill -USR1 $$; exit 0"), at_exit + 2);
    // The program's own action is left alone.
    assert_eq!(tables("trap : USR1; kill -USR1 $$; exit 0"), at_exit);
}

// Presets.

/// What a preset sets counts where the variable is not set itself.
#[test]
fn profile() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    let refilled =
        |settings: &[(&str, &str)]| exercise(settings, &steps).at("first").class(48, "refilled");
    let low = ("HAKMEM_PROFILE", "low-latency");
    assert_eq!(refilled(&[]), 16);
    assert_eq!(refilled(&[low]), 4);
    assert_eq!(refilled(&[low, ("HAKMEM_TINY_TLS_REFILL", "8")]), 8);
    assert_eq!(kept(&[("HAKMEM_PROFILE", "memory-efficient")]), 0);
    assert_eq!(kept(&[("HAKMEM_PROFILE", "production")]), 5);
    let fast = under("HAKMEM_PROFILE", "high-throughput", &steps).at("first");
    assert_eq!(fast.pool("prewarmed"), 16);
    // As many as the front has room for.
    assert_eq!(fast.class(48, "refilled"), 31);
    // In a build without observers it sets nothing.
    let debug = under("HAKMEM_PROFILE", "debug", &steps);
    assert_eq!(debug.said(), [""; 0]);
    assert_eq!(debug.at("first").class(48, "refilled"), 16);
}

// Learning.

/// A class that is used much, and then another one.
const SHIFT: [&str; 4] = [
    "churn 48 2000 30",
    "report first",
    "churn 512 2000 60",
    "report second",
];
const LEARN: (&str, &str) = ("HAKMEM_ALLOC_LEARN", "1");
const SMALL_WINDOW: (&str, &str) = ("HAKMEM_ALLOC_LEARN_WINDOW", "64");

/// What the thread holds of a class that is not used any more goes back.
#[test]
fn alloc_learn() {
    if !applies() {
        return;
    }
    let held = |settings: &[(&str, &str)]| {
        let run = exercise(settings, &SHIFT);
        assert!(run.at("first").class(48, "cached") > 100);
        (
            run.at("second").class(48, "cached"),
            run.at("second").pool("learn_cooled").min(1),
        )
    };
    let (kept, cooled) = held(&[]);
    assert!(kept > 100 && cooled == 0, "{kept}");
    assert_eq!(held(&[LEARN, SMALL_WINDOW]), (0, 1));
    // More classes may be hot at once than without.
    let sizes = [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256];
    let mut steps = sizes.map(|size| format!("churn {size} 2000 3")).to_vec();
    steps.push("report churned".into());
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let hot = |settings: &[(&str, &str)]| {
        let churned = exercise(settings, &steps).at("churned");
        let hot = sizes
            .iter()
            .filter(|&&size| churned.class(size, "cached") > 31 + 64);
        hot.count()
    };
    assert_eq!([hot(&[]), hot(&[LEARN])], [8, 12]);
}

#[test]
fn alloc_learn_window() {
    if !applies() {
        return;
    }
    let [short, long] = ["64", "65536"].map(|window| {
        let run = exercise(&[LEARN, ("HAKMEM_ALLOC_LEARN_WINDOW", window)], &SHIFT);
        let second = run.at("second");
        (second.pool("learn_windows"), second.class(48, "cached"))
    });
    assert!(short.0 > 20 && short.1 == 0, "{short:?}");
    assert!(long.0 == 0 && long.1 > 100, "{long:?}");
}

/// By how much the front of a busy class grows in the same time.
#[test]
fn alloc_learn_rate() {
    if !applies() {
        return;
    }
    let [slow, fast] = ["1", "100"].map(|rate| {
        let settings = [LEARN, SMALL_WINDOW, ("HAKMEM_ALLOC_LEARN_RATE", rate)];
        let run = exercise(&settings, &["churn 48 2000 8", "report churned"]);
        run.at("churned").class(48, "cached")
    });
    assert!(fast >= slow + 128, "{slow} and {fast} blocks");
}

#[test]
fn learn_advanced() {
    if !applies() {
        return;
    }
    let run = |advanced: &str, steps: &[&str]| {
        exercise(
            &[LEARN, SMALL_WINDOW, ("HAKMEM_LEARN_ADVANCED", advanced)],
            steps,
        )
    };
    // Patience: more windows of rest than there are.
    let patient = run(
        "patience=64",
        &SHIFT[..3]
            .iter()
            .chain(&["report second"])
            .copied()
            .collect::<Vec<_>>(),
    );
    let hasty = run("patience=1", &SHIFT);
    let cached = |run: &Exercise| run.at("second").class(48, "cached");
    assert!(cached(&patient) > 100 && cached(&hasty) == 0);
    // What a front may hold.
    let [small, large] = ["16", "256"].map(|kb| {
        let run = run(
            &format!("cached_kb={kb}"),
            &["churn 512 8000 40", "report churned"],
        );
        run.at("churned").class(512, "cached")
    });
    assert!(small <= 64 && large >= 256, "{small} and {large} blocks");
    // What was learnt, as variables to set.
    let learnt = |said: Vec<String>| {
        let [line] = &said[..] else {
            panic!("{said:?}")
        };
        let rest = line.strip_prefix("hakmem: learnt: ").expect(line);
        let words = rest
            .split(' ')
            .map(|word| word.split_once('=').expect(word));
        words
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    let printed = learnt(run("print=1", &SHIFT).said());
    assert_eq!(
        printed
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        [
            "HAKMEM_TINY_SFC_HOT_CLASSES",
            "HAKMEM_TINY_SFC_CAPACITY",
            "HAKMEM_TINY_TLS_REFILL"
        ]
    );
    let settings: Vec<_> = printed
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(said_under(&settings), [""; 0]);
    // Learning ends, and what comes afterwards changes nothing.
    let steps = [
        "churn 48 2000 30",
        "sleep 1100",
        "churn 512 2000 60",
        "report second",
    ];
    let frozen = run("freeze_sec=1", &steps);
    assert!(frozen.at("second").class(48, "cached") > 100);
    learnt(frozen.said());
    // A budget of memory: nothing free is kept above it.
    let within = |advanced: &str| {
        let settings = [
            ("HAKMEM_MEM_LEARN", "1"),
            ("HAKMEM_LEARN_ADVANCED", advanced),
        ];
        after_giving(&settings, &["report given"])
            .at("given")
            .total("dirty")
    };
    assert!(within("budget_mb=1") * 4 < within("budget_mb=0"));
}

/// Steps that have 64 MiB in use and 20 MiB freed, some time ago.
const FREED: [&str; 6] = [
    "take keep 32768 2048",
    "thread",
    "take more 32768 640",
    "give more",
    "end",
    "sleep 300",
];

/// Steps that give a slab back, so that the pool looks at what lies free.
const LOOK: [&str; 5] = ["thread", "take b 32768 32", "give b", "end", "report end"];

/// Of the memory that lies free less is kept where so much is too much.
#[test]
fn mem_learn_threshold() {
    if !applies() {
        return;
    }
    let dirty = |settings: &[(&str, &str)]| {
        let steps = [&FREED[..], &LOOK].concat();
        exercise(settings, &steps).at("end").total("dirty")
    };
    let on = ("HAKMEM_MEM_LEARN", "1");
    let [few, many] =
        ["1", "100"].map(|threshold| dirty(&[on, ("HAKMEM_MEM_LEARN_THRESHOLD", threshold)]));
    assert!(few < many && few <= MIB, "{few} and {many} bytes");
}

#[test]
fn mem_learn() {
    if !applies() {
        return;
    }
    let run = |settings: &[(&str, &str)]| {
        let steps = [&FREED[..], &LOOK].concat();
        let end = exercise(settings, &steps).at("end");
        (
            end.pool("learn_windows").min(1),
            end.pool("learn_memory").min(1),
        )
    };
    assert_eq!(run(&[]), (0, 0));
    assert_eq!(run(&[("HAKMEM_MEM_LEARN", "1")]), (1, 1));
}

#[test]
fn mem_learn_window() {
    if !applies() {
        return;
    }
    let windows = |window| {
        let mut steps = Vec::new();
        for _ in 0..5 {
            steps.extend(["thread", "take b 32768 32", "give b", "end", "sleep 50"]);
        }
        steps.push("report end");
        let settings = [
            ("HAKMEM_MEM_LEARN", "1"),
            ("HAKMEM_MEM_LEARN_WINDOW", window),
        ];
        exercise(&settings, &steps).at("end").pool("learn_windows")
    };
    let [short, long] = ["10", "60000"].map(windows);
    assert!(short >= 4 && long == 1, "{short} and {long} windows");
}

// Free memory.

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

/// coreutils' programs close standard error before they end.
#[test]
fn stats_of_a_program_that_closes_its_files() {
    if !applies() {
        return;
    }
    let Some(ls) = find("ls") else { return };
    let outcome = Run::new(ls).arg("/").env("HAKMEM_STATS", "1").output();
    let stderr = outcome.success().stderr_text().into_owned();
    assert!(stderr.contains(" statistics\n"), "{}", outcome.report());
}

/// Where the process may have few files open, too.
#[test]
fn stats_under_a_low_limit_of_files() {
    if !applies() {
        return;
    }
    let script = "ulimit -n 256 && exec ls /";
    let run = Run::new("/bin/sh").args(["-c", script]);
    let outcome = run.env("HAKMEM_STATS", "1").output();
    let stderr = outcome.success().stderr_text().into_owned();
    assert!(stderr.contains(" statistics\n"), "{}", outcome.report());
}

// Values.

/// The lines that are said under these settings, in the order of the alphabet.
fn said_under(settings: &[(&str, &str)]) -> Vec<String> {
    // Threads are no reason to say it again.
    let steps = [
        "take a 48 1",
        "thread",
        "take b 48 100",
        "end",
        "thread",
        "give b",
        "end",
    ];
    let mut said = exercise(settings, &steps).said();
    said.sort_unstable();
    said
}

/// One line for each variable, and the program runs as if there were none.
#[test]
fn malformed_values_are_refused() {
    if !applies() {
        return;
    }
    let mut variables = variables();
    variables.retain(|variable| variable.instead.is_some());
    variables.sort_unstable_by_key(|variable| variable.name);
    for value in [
        "abc",
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "1K",
        "99999999999",
    ] {
        let settings: Vec<_> = variables.iter().map(|v| (v.name, value)).collect();
        let said = said_under(&settings);
        assert_eq!(said.len(), variables.len(), "{said:#?}");
        for variable in &variables {
            let begin = format!("hakmem: {}={value} is ", variable.name);
            let end = format!("; {}", variable.instead.as_deref().unwrap_or_default());
            let about = said
                .iter()
                .filter(|line| line.starts_with(&begin) && line.ends_with(&end));
            assert_eq!(about.count(), 1, "{begin}...{end}: {said:#?}");
        }
    }
    let steps = [
        TAKE,
        "take b 48 1000",
        "take c 5000 100",
        "give a",
        "give b",
        "report end",
    ];
    let settings: Vec<_> = variables.iter().map(|v| (v.name, "abc")).collect();
    let (plain, refused) = (exercise(&[], &steps), exercise(&settings, &steps));
    assert_eq!(plain.at("end").counts(), refused.at("end").counts());
}

#[test]
fn values_out_of_range_are_replaced_by_the_nearest_bound() {
    if !applies() {
        return;
    }
    let mut below = 0;
    for variable in variables() {
        let Some((min, max)) = variable.range else {
            continue;
        };
        let mut cases = vec![(max + 1, max), (u64::from(u32::MAX), max)];
        if min > 0 {
            below += 1;
            cases.push((min - 1, min));
        }
        for (value, bound) in cases {
            let value = value.to_string();
            let mut settings = vec![(variable.name, value.as_str())];
            if variable.name == "HAKMEM_PREWARM_SUPERSLABS" {
                // Or it would take 6 GB.
                settings.push(("HAKMEM_SUPERSLAB_PREWARM", "1"));
            }
            let expected = format!(
                "hakmem: {}={value} is outside its range ({min}-{max}); using {bound}",
                variable.name
            );
            assert_eq!(said_under(&settings), [expected]);
        }
    }
    assert!(below >= 8, "{below} ranges do not begin at 0");
}

/// What is used in place of the value, by its effect.
#[test]
fn the_nearest_bound_is_what_counts() {
    if !applies() {
        return;
    }
    let steps = ["take a 48 1", "report first"];
    let refilled = |value| {
        let run = under("HAKMEM_TINY_TLS_REFILL", value, &steps);
        run.at("first").class(48, "refilled")
    };
    assert_eq!([refilled("0"), refilled("abc"), refilled("")], [4, 16, 16]);
    let first = under("HAKMEM_SUPERSLAB_PREWARM", "129", &steps).at("first");
    assert_eq!(first.pool("prewarmed"), 128);
    let steps = ["take a 16 8000", "give a", "report given"];
    let [bound, outside] = ["1024", "1025"].map(|cap| {
        let run = under("HAKMEM_TINY_TLS_CAP", cap, &steps);
        run.at("given").class(16, "cached")
    });
    assert_eq!(bound, outside);
}

/// No word about names that are not ours, and none about values inside their range.
#[test]
fn nothing_is_said_of_what_is_right() {
    if !applies() {
        return;
    }
    assert_eq!(said_under(&[("HAKMEM_NOBODY_KNOWS", "abc")]), [""; 0]);
    let defaults: Vec<_> = variables()
        .iter()
        .filter_map(|v| Some((v.name, v.default?.to_string())))
        .collect();
    let defaults: Vec<_> = defaults
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(said_under(&defaults), [""; 0]);
}

#[test]
fn the_environment_is_read_once() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 48 1",
        "set HAKMEM_TINY_TLS_REFILL 4",
        "set HAKMEM_TINY_TLS_CAP abc",
        "thread",
        "take b 2048 1",
        "take c 96 1",
        "report changed",
        "end",
    ];
    let run = exercise(&[], &steps);
    assert_eq!(run.at("changed").class(96, "refilled"), 16);
    assert_eq!(run.said(), [""; 0]);
}

/// A library that is initialised before the C library allocates when there is no
/// environment yet. The settings count from there on.
#[test]
fn settings_count_after_an_early_allocation() {
    if !applies() {
        return;
    }
    let scratch = Scratch::new();
    let early = scratch.file("early.so");
    let source = scratch.file("early.c");
    let text = "#include <stdlib.h>\n\
        __attribute__((constructor)) static void early(void) { free(malloc(64)); }\n";
    fs::write(&source, text).expect("a source");
    let compiled = Command::new("gcc")
        .args(["-shared", "-fPIC", "-fno-builtin", "-Wl,-z,initfirst", "-o"])
        .args([&early, &source])
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "gcc");
    let preload = [library::shared(), &early, &witness::library()].map(|p| p.display().to_string());
    let settings = [
        ("LD_PRELOAD", preload.join(":")),
        ("HAKMEM_TINY_TLS_REFILL", "4".into()),
        ("HAKMEM_TINY_HEADER_CLASSIDX", "x".into()),
        ("HAKMEM_SUPERSLAB_PREWARM", "4".into()),
        ("HAKMEM_WRAP_MID", "0".into()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let steps = ["take a 96 1", "take b 20000 10", "whose b", "report first"];
    let run = exercise(&settings, &steps);
    assert_eq!(run.said().len(), 1, "{:?}", run.said());
    assert_eq!(run.whose("b").ours, 0);
    assert_eq!(run.at("first").class(96, "refilled"), 4);
    assert_eq!(run.at("first").pool("prewarmed"), 4);
}

/// Who runs with the rights of another user or group does not take advice from the caller.
///
/// The loader ignores a preload there as well, so the allocator is linked in.
#[test]
fn a_setuid_program_ignores_the_environment() {
    if !applies() {
        return;
    }
    let Some(setpriv) = find("setpriv") else {
        return;
    };
    let scratch = Scratch::new();
    let program = scratch.file("exercise");
    fs::copy(
        compile::static_program("exercise.c", Some(library::archive())),
        &program,
    )
    .expect("a copy of the program");
    let run = |mode| as_nobody(&setpriv, &program, mode);
    let Some(plain) = run(0o755) else {
        return skip("only root can make a setuid program");
    };
    assert_eq!((plain.secure, plain.refilled), (0, 4));
    assert!(
        plain
            .said
            .contains("hakmem: HAKMEM_TINY_TLS_CAP=9 is outside")
    );
    assert!(plain.said.contains(" statistics\n"), "{}", plain.said);
    for mode in [0o4755, 0o2755] {
        let Some(trusted) = run(mode) else {
            panic!("the program does not run with mode {mode:o}")
        };
        if trusted.secure == 0 {
            return skip("the file system does not honour the setuid bit");
        }
        assert_eq!(trusted.said, "", "mode {mode:o}");
        assert_eq!(trusted.refilled, 16, "mode {mode:o}");
    }
}

struct Nobody {
    secure: u64,
    refilled: u64,
    said: String,
}

/// Runs the program of this mode as a user without rights; `None` where that cannot be.
fn as_nobody(setpriv: &Path, program: &Path, mode: u32) -> Option<Nobody> {
    fs::set_permissions(program, Permissions::from_mode(mode)).expect("another mode");
    let output = Command::new(setpriv)
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["secure", "take a 48 1", "report first"])
        .env("HAKMEM_STATS", "1")
        .env("HAKMEM_TINY_TLS_REFILL", "4")
        .env("HAKMEM_TINY_TLS_CAP", "9")
        .output()
        .expect("setpriv can be run");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if stdout.is_empty() && said.starts_with("setpriv:") {
        return None;
    }
    let exercise = Exercise::of(hakmem_tests::Outcome {
        command: format!("{} as nobody", program.display()),
        status: output.status,
        stdout: output.stdout,
        stderr: output.stderr,
        seen: Vec::new(),
    });
    Some(Nobody {
        secure: exercise.value("secure"),
        refilled: exercise.at("first").class(48, "refilled"),
        said,
    })
}
