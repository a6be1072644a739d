//! What the parser makes of an environment.

use std::format;
use std::vec::Vec;

use crate::options::parse::decimal;
use crate::options::warning::Fault;
use crate::options::{Builds, DEBUG, Kind, Options, PRODUCTION, Range, check, parse, resolve};

use super::{another, entry, fields, numbers, range, read, refused, value};

#[test]
fn an_empty_environment_gives_the_defaults_of_the_table() {
    let (options, warnings) = read(&[]);
    assert_eq!(options, Options::DEFAULT);
    assert!(warnings.is_empty());
    for (name, value) in fields(&options) {
        let row = PRODUCTION.iter().find(|row| row.name == name).expect(name);
        assert_eq!(value, row.default, "{name}");
    }
    assert_eq!(fields(&options).len(), numbers().count());
}

#[test]
fn each_variable_sets_its_own_field_and_no_other() {
    let before = fields(&Options::DEFAULT);
    for row in numbers().filter(|row| row.name != "HAKMEM_PROFILE") {
        let value = another(row);
        let (options, warnings) = read(&[&entry(row.name, &self::value(row, value))]);
        assert!(warnings.is_empty(), "{warnings:?}");
        for ((name, old), (_, new)) in before.iter().zip(fields(&options)) {
            let expected = if *name == row.name { Some(value) } else { *old };
            assert_eq!(new, expected, "{name}, with {}={value}", row.name);
        }
    }
}

#[test]
fn both_bounds_are_allowed() {
    for row in numbers() {
        for value in [range(row).min, range(row).max] {
            let (options, warnings) = read(&[&entry(row.name, &self::value(row, value))]);
            assert!(warnings.is_empty(), "{warnings:?}");
            let set = fields(&options).into_iter().find(|it| it.0 == row.name);
            assert_eq!(set, Some((row.name, Some(value))));
        }
    }
}

#[test]
fn what_is_malformed_gives_way_to_the_default() {
    let malformed: &[&[u8]] = &[
        b"",
        b" ",
        b"abc",
        b"-1",
        b"+1",
        b" 64",
        b"64 ",
        b"64k",
        b"6 4",
        b"0x10",
        b"1.0",
        b"1=1",
        b"4294967296",
        b"99999999999999999999999999",
        b"1\0",
        b"\xff\xfe",
        "١".as_bytes(),
    ];
    for row in numbers() {
        for value in malformed {
            let (options, warning) = refused(row.name, value);
            assert_eq!(options, Options::DEFAULT, "{warning}");
            assert!(warning.contains(row.name), "{warning}");
            let instead = match row.kind {
                Kind::Word(_) => "it is ignored",
                Kind::List(_) => "using its areas alone",
                _ => "using the default",
            };
            assert!(warning.contains(instead), "{warning}");
        }
    }
}

#[test]
fn what_is_out_of_range_becomes_the_nearest_bound() {
    for row in numbers() {
        if matches!(row.kind, Kind::Switch | Kind::List(_) | Kind::Word(_)) {
            let (options, _) = refused(row.name, b"2");
            assert_eq!(options, Options::DEFAULT, "{}", row.name);
            continue;
        }
        let Range { min, max } = range(row);
        let beyond = [
            min.checked_sub(1).map(|value| (value, min)),
            max.checked_add(1).map(|value| (value, max)),
        ];
        for (value, bound) in beyond.into_iter().flatten() {
            let (options, warning) = refused(row.name, format!("{value}").as_bytes());
            let set = fields(&options).into_iter().find(|it| it.0 == row.name);
            assert_eq!(set, Some((row.name, Some(bound))), "{warning}");
        }
    }
}

#[test]
fn the_first_of_a_name_counts() {
    let (options, warnings) = read(&[
        b"HAKMEM_TINY_TLS_CAP=32",
        b"HAKMEM_TINY_TLS_CAP=48",
        b"HAKMEM_TINY_TLS_CAP=abc",
        b"HAKMEM_TINY_P0_BATCH=none",
        b"HAKMEM_TINY_P0_BATCH=8",
    ]);
    assert_eq!(options.tiny_tls_cap, 32);
    assert_eq!(options.tiny_p0_batch, Options::DEFAULT.tiny_p0_batch);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn other_names_are_left_alone() {
    let (options, warnings) = read(&[
        b"",
        b"=",
        b"=1",
        b"PATH=/bin",
        b"HAKMEM_",
        b"HAKMEM_=",
        b"HAKMEM_TINY_TLS_CAP",
        b"HAKMEM_TINY_TLS_CA=1",
        b"HAKMEM_TINY_TLS_CAPS=1",
        b"hakmem_tiny_tls_cap=1",
        b" HAKMEM_TINY_TLS_CAP=1",
        b"HAKMEM_TINY_TLS_CAP =1",
        b"XHAKMEM_TINY_TLS_CAP=1",
        b"HAKMEM_NO_SUCH_THING=1",
    ]);
    assert_eq!(options, Options::DEFAULT);
    assert!(warnings.is_empty(), "{warnings:?}");
    for row in DEBUG {
        let (options, warnings) = read(&[&entry(row.name, "1")]);
        assert_eq!(options, Options::DEFAULT);
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn an_arena_s_largest_size_is_at_least_its_first() {
    for environ in [
        ["HAKMEM_POOL_TLS_ARENA_MB_INIT=16", "OTHER=1"],
        [
            "HAKMEM_POOL_TLS_ARENA_MB_INIT=16",
            "HAKMEM_POOL_TLS_ARENA_MB_MAX=4",
        ],
        [
            "HAKMEM_POOL_TLS_ARENA_MB_MAX=4",
            "HAKMEM_POOL_TLS_ARENA_MB_INIT=16",
        ],
    ] {
        let (options, warnings) = read(&environ.map(str::as_bytes));
        assert_eq!(options.pool_tls_arena_mb_init, 16);
        assert_eq!(options.pool_tls_arena_mb_max, 16);
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn the_smaller_limit_is_the_cache_s_capacity() {
    let capacity = |cap, cached| {
        let options = Options {
            superslab_lru_cap: cap,
            superslab_max_cached: cached,
            ..Options::DEFAULT
        };
        options.cache_capacity()
    };
    assert_eq!(capacity(256, None), 256);
    assert_eq!(capacity(256, Some(10)), 10);
    assert_eq!(capacity(256, Some(u32::MAX)), 256);
    assert_eq!(capacity(0, Some(10)), 0);
    assert_eq!(capacity(256, Some(0)), 0);
}

#[test]
fn decimals() {
    assert_eq!(decimal(b"0"), Ok(0));
    assert_eq!(decimal(b"0016"), Ok(16));
    assert_eq!(decimal(b"4294967295"), Ok(u32::MAX));
    assert_eq!(decimal(b"4294967296"), Err(Fault::TooLarge));
    assert_eq!(decimal(b"99999999999x"), Err(Fault::NotANumber));
    assert_eq!(decimal(b"1:"), Err(Fault::NotANumber));
    assert_eq!(decimal(b"1/"), Err(Fault::NotANumber));
}

#[test]
fn lists() {
    let list = |value: &str| {
        let areas = ["trace", "cache"].iter().map(|area| area.as_bytes());
        parse::list(value.as_bytes(), areas)
    };
    assert_eq!(list("0"), Ok(0));
    assert_eq!(list("1"), Ok(1));
    assert_eq!(list("trace"), Ok(2));
    assert_eq!(list("cache,trace"), Ok(6));
    assert_eq!(list("cache,1"), Ok(5));
    for (value, known) in [
        ("", 0),
        (",", 0),
        ("trace,", 2),
        ("trace,,cache", 6),
        ("trac", 0),
        ("Trace", 0),
        ("01", 0),
        ("0,trace", 2),
    ] {
        assert_eq!(list(value), Err(known), "{value}");
    }
}

#[test]
fn advanced_overrides_are_read_by_name() {
    let (options, warnings) = read(&[b"HAKMEM_LEARN_ADVANCED=patience=5,budget_mb=64,print=1"]);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(options.learn_patience, Some(5));
    assert_eq!(options.learn_budget_mb, Some(64));
    assert_eq!(options.learn_print, Some(1));
    assert_eq!(options.learn_freeze_sec, None);
    let (options, warnings) = read(&[b"HAKMEM_LEARN_ADVANCED=patience=65,nothing=1,print"]);
    assert_eq!(options.learn_patience, Some(64));
    assert_eq!(options.learn_print, None);
    let name = "hakmem: HAKMEM_LEARN_ADVANCED=";
    assert_eq!(
        warnings,
        [
            format!("{name}patience=65 is outside its range (1-64); using 64\n"),
            format!("{name}nothing=1 is not name=number with a known name; it is ignored\n"),
            format!("{name}print is not name=number with a known name; it is ignored\n"),
        ]
    );
}

/// Environments of arbitrary bytes, near enough to real ones to reach the parser:
/// whatever they hold, each option stays inside its range and each warning is a
/// line of printable ASCII.
#[test]
fn arbitrary_bytes() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % bound
    };
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    for _ in 0..rounds {
        let mut environ: Vec<Vec<u8>> = Vec::new();
        for _ in 0..below(6) {
            let mut entry = Vec::new();
            if below(8) != 0 {
                entry.extend_from_slice(PRODUCTION[below(PRODUCTION.len())].name.as_bytes());
                entry.truncate(entry.len() - below(8) / 7);
            }
            if below(8) != 0 {
                entry.push(b'=');
            }
            let digits = below(2) == 0;
            for _ in 0..below(48) {
                entry.push(if digits {
                    b"0123456789"[below(10)]
                } else {
                    below(256) as u8
                });
                if below(4) == 0 {
                    break;
                }
            }
            environ.push(entry);
        }
        let slices: Vec<&[u8]> = environ.iter().map(Vec::as_slice).collect();
        let (options, warnings) = read(&slices);
        for build in [Builds::Every, Builds::Observed]
            .into_iter()
            .take(below(8) / 3)
        {
            check(slices.iter().copied(), build, &mut |finding| {
                assert!(!format!("{finding:?}").is_empty());
            });
            assert!(resolve(slices.iter().copied(), build).count() >= PRODUCTION.len());
        }
        for (name, value) in fields(&options) {
            let row = PRODUCTION.iter().find(|row| row.name == name).expect(name);
            match value {
                Some(value) if matches!(row.kind, Kind::List(_)) => assert!(value < 256),
                Some(value) => assert!(range(row).contains(value), "{environ:?}"),
                None => assert_eq!(row.default, None, "{environ:?}"),
            }
        }
        assert!(options.pool_tls_arena_mb_init <= options.pool_tls_arena_mb_max);
        for warning in warnings {
            let line = warning.strip_suffix('\n').expect("a whole line");
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            assert!(warning.len() < 160, "{warning}");
        }
    }
}
