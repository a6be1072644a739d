//! Which variables switch what on: each its own area, lists of areas several.

use hakmem_tests::Allocator;
use hakmem_tests::statistics::{Exercise, applies};

use super::{AREAS, EVERYTHING, EVERYTHING_SETTINGS, observed, run, tags};

#[test]
fn the_release_library_knows_none() {
    if !applies() {
        return;
    }
    let mut settings: Vec<(&str, &str)> = AREAS.iter().map(|area| (area.0, "1")).collect();
    settings.push(("HAKMEM_TRACE", "all"));
    settings.extend(EVERYTHING_SETTINGS);
    let mut steps = EVERYTHING.to_vec();
    steps.push("dump");
    let silent = run(Allocator::Tested, &settings, &steps);
    assert_eq!(silent.said(), [""; 0], "{}", silent.outcome.report());
    // The same with observers is anything but silent.
    let loud = observed(&settings, &steps);
    let mut areas: Vec<&str> = AREAS.iter().map(|area| area.2).collect();
    areas.sort_unstable();
    assert_eq!(tags(&loud), areas);
}

#[test]
fn each_variable_switches_its_own_area_on() {
    if !applies() {
        return;
    }
    for (variable, master, area) in AREAS {
        for setting in [(variable, "1"), (master, area)] {
            let mut settings = EVERYTHING_SETTINGS.to_vec();
            settings.push(setting);
            let seen = observed(&settings, &EVERYTHING);
            assert_eq!(tags(&seen), [area], "{setting:?}");
            assert!(
                seen.said().iter().all(|line| line.starts_with("hakmem: [")),
                "{}",
                seen.outcome.report()
            );
            settings.pop();
            settings.push((setting.0, "0"));
            assert_eq!(observed(&settings, &["take a 10 1"]).said(), [""; 0]);
        }
    }
}

#[test]
fn lists_of_areas() {
    if !applies() {
        return;
    }
    let table = |run: &Exercise| {
        let said = run.said();
        said.iter()
            .filter(|line| line.ends_with(" statistics"))
            .count()
    };
    let of = |name, value| {
        let run = observed(&[(name, value)], &["churn 1000 100 2"]);
        (table(&run), tags(&run).join(","))
    };
    let both = "profile,timing";
    assert_eq!(of("HAKMEM_STATS", "timing,profile"), (0, both.into()));
    assert_eq!(of("HAKMEM_STATS", "1"), (1, String::new()));
    assert_eq!(of("HAKMEM_STATS", "1,timing,profile"), (1, both.into()));
    assert_eq!(of("HAKMEM_STATS", "profile,1,timing"), (1, both.into()));
    let (tables, areas) = of("HAKMEM_STATS", "all");
    assert_eq!(tables, 1);
    for area in ["profile", "sll", "state", "timing"] {
        assert!(areas.contains(area), "{areas}");
    }
    assert_eq!(of("HAKMEM_TRACE", "p0,reg"), (0, "p0,reg".into()));
    let (_, areas) = of("HAKMEM_TRACE", "all");
    for area in ["lookup", "mask", "p0", "reg"] {
        assert!(areas.contains(area), "{areas}");
    }
}

#[test]
fn unknown_areas_are_told() {
    if !applies() {
        return;
    }
    for (setting, warning) in [
        (
            ("HAKMEM_STATS", "profile,prof"),
            "hakmem: HAKMEM_STATS: there is no area 'prof'; \
             there are 1, all, classes, json, learn, pool, tiers, totals, profile, sll, state, \
             timing, trace",
        ),
        (
            ("HAKMEM_TRACE", "look"),
            "hakmem: HAKMEM_TRACE: there is no area 'look'; there are 1, all, json, alloc, \
             free, learn, lookup, lru, mask, p0, prewarm, ptr, reg",
        ),
    ] {
        let said = observed(&[setting], &["take a 10 1"]).said();
        let warnings: Vec<&String> = said.iter().filter(|line| !line.contains('[')).collect();
        assert_eq!(warnings, [warning]);
    }
    // A debug switch that is none.
    let said = observed(&[("HAKMEM_TIMING", "yes")], &["take a 10 1"]).said();
    let warning = "hakmem: HAKMEM_TIMING=yes is not 0 or 1; using the default 0";
    assert_eq!(said, [warning]);
}
