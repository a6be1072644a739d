//! The switches that hand a tier to the system's allocator.

use hakmem_tests::statistics::{Exercise, Whose, applies, exercise};

use super::under;

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
