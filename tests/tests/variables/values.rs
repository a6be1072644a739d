//! What is said of values that are wrong, and presets.

use hakmem_tests::statistics::{TAKE, applies, exercise};

use super::superslabs::kept;
use super::{said_under, under, variables};

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
