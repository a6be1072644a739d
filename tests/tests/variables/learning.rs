//! Learning of allocation and of memory.

use hakmem_tests::statistics::{Exercise, after_giving, applies, exercise};

use super::{MIB, said_under};

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

/// What the program reports with learning, under these of its finer settings.
fn under_advanced(advanced: &str, steps: &[&str]) -> Exercise {
    let settings = [LEARN, SMALL_WINDOW, ("HAKMEM_LEARN_ADVANCED", advanced)];
    exercise(&settings, steps)
}

/// Blocks of the first class that are cached at the end.
fn cached(run: &Exercise) -> u64 {
    run.at("second").class(48, "cached")
}

#[test]
fn learn_advanced() {
    if !applies() {
        return;
    }
    // Patience: more windows of rest than there are.
    let patient = under_advanced("patience=64", &SHIFT);
    let hasty = under_advanced("patience=1", &SHIFT);
    assert!(cached(&patient) > 100 && cached(&hasty) == 0);
    // What a front may hold.
    let [small, large] = ["16", "256"].map(|kb| {
        let run = under_advanced(
            &format!("cached_kb={kb}"),
            &["churn 512 8000 40", "report churned"],
        );
        run.at("churned").class(512, "cached")
    });
    assert!(small <= 64 && large >= 256, "{small} and {large} blocks");
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

/// What the program says it has learnt: variables and their values.
fn learnt(run: &Exercise) -> Vec<(String, String)> {
    let said = run.said();
    let [line] = &said[..] else {
        panic!("{said:?}")
    };
    let rest = line.strip_prefix("hakmem: learnt: ").expect(line);
    let words = rest
        .split(' ')
        .map(|word| word.split_once('=').expect(word));
    words
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn what_was_learnt_is_said_as_variables_to_set() {
    if !applies() {
        return;
    }
    let printed = learnt(&under_advanced("print=1", &SHIFT));
    let settings: Vec<_> = printed
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let names: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "HAKMEM_TINY_SFC_HOT_CLASSES",
            "HAKMEM_TINY_SFC_CAPACITY",
            "HAKMEM_TINY_TLS_REFILL"
        ]
    );
    assert_eq!(said_under(&settings), [""; 0]);
}

/// Learning ends, says what it has learnt, and what comes afterwards changes nothing.
#[test]
fn learning_ends_after_so_many_seconds() {
    if !applies() {
        return;
    }
    let steps = [
        "churn 48 2000 30",
        "sleep 1100",
        "churn 512 2000 60",
        "report second",
    ];
    let frozen = under_advanced("freeze_sec=1", &steps);
    assert!(cached(&frozen) > 100);
    assert!(!learnt(&frozen).is_empty());
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
