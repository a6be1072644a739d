//! What has to hold of the tables, the parser and the page about them.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::parse::{self, decimal};
use super::warning::Fault;
use super::*;

/// The options that `environ` asks for, and the warnings on the way.
fn read(environ: &[&[u8]]) -> (Options, Vec<String>) {
    let mut warnings = Vec::new();
    let options = Options::read(environ.iter().copied(), &mut |warning| {
        warnings.push(String::from_utf8(warning.pieces().concat()).expect("ASCII"));
    });
    (options, warnings)
}

/// `NAME=value`, as the environment has it.
fn entry(name: &str, value: &str) -> Vec<u8> {
    format!("{name}={value}").into_bytes()
}

/// Reads `NAME=value` alone, which has to give one warning, and returns it.
fn refused(name: &str, value: &[u8]) -> (Options, String) {
    let entry = [name.as_bytes(), b"=", value].concat();
    let (options, mut warnings) = read(&[&entry]);
    assert_eq!(warnings.len(), 1, "{name}={value:?}: {warnings:?}");
    (options, warnings.remove(0))
}

/// All fields, each by the name of its variable. Written out a second time on
/// purpose: this is what the table and the parser are compared with.
fn fields(o: &Options) -> Vec<(&'static str, Option<u32>)> {
    let Options {
        wrap_tiny,
        wrap_pool,
        wrap_mid,
        wrap_large,
        superslab_reuse,
        superslab_lazy,
        superslab_prewarm,
        superslab_lru_cap,
        superslab_soft_cap,
        superslab_max_cached,
        superslab_max_memory_mb,
        superslab_ttl_sec,
        prewarm_superslabs,
        tiny_tls_cap,
        tiny_tls_refill,
        tiny_drain_thresh,
        tiny_sfc_enable,
        tiny_sfc_capacity,
        tiny_sfc_hot_classes,
        tiny_p0_enable,
        tiny_p0_batch,
        tiny_p0_no_drain,
        tiny_header_classidx,
        pool_tls_arena_mb_init,
        pool_tls_arena_mb_max,
        pool_tls_arena_growth_levels,
        huge_pages,
        stats,
        profile,
        alloc_learn,
        alloc_learn_window,
        alloc_learn_rate,
        mem_learn,
        mem_learn_window,
        mem_learn_threshold,
        learn_budget_mb: _,
        learn_cached_kb: _,
        learn_freeze_sec: _,
        learn_patience: _,
        learn_print: _,
        purge_delay_ms,
        stock_mb,
        stats_every_sec,
        stats_signal,
    } = *o;
    std::vec![
        ("HAKMEM_WRAP_TINY", Some(wrap_tiny.into())),
        ("HAKMEM_WRAP_POOL", Some(wrap_pool.into())),
        ("HAKMEM_WRAP_MID", Some(wrap_mid.into())),
        ("HAKMEM_WRAP_LARGE", Some(wrap_large.into())),
        ("HAKMEM_SUPERSLAB_REUSE", Some(superslab_reuse.into())),
        ("HAKMEM_SUPERSLAB_LAZY", Some(superslab_lazy.into())),
        ("HAKMEM_SUPERSLAB_PREWARM", Some(superslab_prewarm)),
        ("HAKMEM_SUPERSLAB_LRU_CAP", Some(superslab_lru_cap)),
        ("HAKMEM_SUPERSLAB_SOFT_CAP", Some(superslab_soft_cap)),
        ("HAKMEM_SUPERSLAB_MAX_CACHED", superslab_max_cached),
        ("HAKMEM_SUPERSLAB_MAX_MEMORY_MB", superslab_max_memory_mb),
        ("HAKMEM_SUPERSLAB_TTL_SEC", superslab_ttl_sec),
        ("HAKMEM_PREWARM_SUPERSLABS", Some(prewarm_superslabs)),
        ("HAKMEM_TINY_TLS_CAP", Some(tiny_tls_cap)),
        ("HAKMEM_TINY_TLS_REFILL", Some(tiny_tls_refill)),
        ("HAKMEM_TINY_DRAIN_THRESH", Some(tiny_drain_thresh)),
        ("HAKMEM_TINY_SFC_ENABLE", Some(tiny_sfc_enable.into())),
        ("HAKMEM_TINY_SFC_CAPACITY", Some(tiny_sfc_capacity)),
        ("HAKMEM_TINY_SFC_HOT_CLASSES", Some(tiny_sfc_hot_classes)),
        ("HAKMEM_TINY_P0_ENABLE", Some(tiny_p0_enable.into())),
        ("HAKMEM_TINY_P0_BATCH", Some(tiny_p0_batch)),
        ("HAKMEM_TINY_P0_NO_DRAIN", Some(tiny_p0_no_drain.into())),
        (
            "HAKMEM_TINY_HEADER_CLASSIDX",
            Some(tiny_header_classidx.into()),
        ),
        (
            "HAKMEM_POOL_TLS_ARENA_MB_INIT",
            Some(pool_tls_arena_mb_init),
        ),
        ("HAKMEM_POOL_TLS_ARENA_MB_MAX", Some(pool_tls_arena_mb_max)),
        (
            "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS",
            Some(pool_tls_arena_growth_levels),
        ),
        ("HAKMEM_HUGE_PAGES", Some(huge_pages.into())),
        ("HAKMEM_STATS", Some(stats)),
        ("HAKMEM_PROFILE", profile),
        ("HAKMEM_ALLOC_LEARN", Some(alloc_learn.into())),
        ("HAKMEM_ALLOC_LEARN_WINDOW", Some(alloc_learn_window)),
        ("HAKMEM_ALLOC_LEARN_RATE", Some(alloc_learn_rate)),
        ("HAKMEM_MEM_LEARN", Some(mem_learn.into())),
        ("HAKMEM_MEM_LEARN_WINDOW", Some(mem_learn_window)),
        ("HAKMEM_MEM_LEARN_THRESHOLD", Some(mem_learn_threshold)),
        ("HAKMEM_PURGE_DELAY_MS", Some(purge_delay_ms)),
        ("HAKMEM_STOCK_MB", Some(stock_mb)),
        ("HAKMEM_STATS_EVERY_SEC", Some(stats_every_sec)),
        ("HAKMEM_STATS_SIGNAL", Some(stats_signal)),
    ]
}

/// The production variables that are numbers to the parser.
fn numbers() -> impl Iterator<Item = &'static Variable> {
    PRODUCTION.iter().filter(|row| row.setting.is_some())
}

/// The value of the environment that stands for this number.
fn value(row: &Variable, number: u32) -> String {
    format!("{}", row.shown(Some(number)))
}

/// The range of a production variable, also of one whose words stand for 0 and 1.
fn range(row: &Variable) -> Range {
    row.range.unwrap_or(Range::SWITCH)
}

/// A value of `row` that is allowed and not its default.
fn another(row: &Variable) -> u32 {
    match row.default {
        None => 7,
        Some(default) if default < range(row).max => default + 1,
        Some(default) => default - 1,
    }
}

#[test]
fn names_are_sorted_and_unique() {
    for table in [PRODUCTION, DEBUG] {
        assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(table.iter().all(|row| row.name.starts_with("HAKMEM_")));
    }
    for row in DEBUG {
        assert!(PRODUCTION.iter().all(|other| other.name != row.name));
    }
}

#[test]
fn defaults_are_inside_their_ranges() {
    for row in PRODUCTION.iter().chain(DEBUG) {
        let (Some(range), Some(default)) = (row.range, row.default) else {
            continue;
        };
        assert!(range.contains(default), "{}", row.name);
    }
}

#[test]
fn rows_say_which_builds_read_them() {
    assert_eq!(PRODUCTION.len(), 41);
    assert_eq!(DEBUG.len(), 37);
    for row in PRODUCTION {
        assert_eq!(row.builds, Builds::Every, "{}", row.name);
        let is_read_elsewhere = matches!(row.kind, Kind::Text | Kind::Fields(_));
        assert_eq!(row.setting.is_none(), is_read_elsewhere, "{}", row.name);
        for debug in DEBUG {
            assert!(!row.text.contains(debug.name), "{}", row.name);
        }
    }
    for row in DEBUG {
        assert_eq!(row.builds, Builds::Observed, "{}", row.name);
        assert!(row.setting.is_none(), "{}", row.name);
    }
    for row in PRODUCTION.iter().chain(DEBUG) {
        assert!(row.text.ends_with('.') && !row.text.contains('|'));
        assert!(!row.since.is_empty());
        assert!(row.deprecated_by.is_none());
    }
}

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
fn warnings_read_as_promised() {
    let line = |name, value| refused(name, value).1;
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"2048"),
        "hakmem: HAKMEM_TINY_TLS_CAP=2048 is outside its range (16-1024); using 1024\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"0"),
        "hakmem: HAKMEM_TINY_TLS_CAP=0 is outside its range (16-1024); using 16\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"abc"),
        "hakmem: HAKMEM_TINY_TLS_CAP=abc is not a number; using the default 64\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"4294967296"),
        "hakmem: HAKMEM_TINY_TLS_CAP=4294967296 is too large a number; using the default 64\n"
    );
    assert_eq!(
        line("HAKMEM_SUPERSLAB_TTL_SEC", b"soon"),
        "hakmem: HAKMEM_SUPERSLAB_TTL_SEC=soon is not a number; using the default, no limit\n"
    );
    assert_eq!(
        line("HAKMEM_WRAP_MID", b"yes"),
        "hakmem: HAKMEM_WRAP_MID=yes is not 0 or 1; using the default 1\n"
    );
    assert_eq!(
        line("HAKMEM_STATS", b"yes"),
        "hakmem: HAKMEM_STATS=yes is not 0, 1 or a list of areas; using its areas alone\n"
    );
}

#[test]
fn values_are_shortened_and_escaped_in_warnings() {
    let shown = |value: &[u8]| {
        let line = refused("HAKMEM_TINY_TLS_CAP", value).1;
        let start = line.find('=').expect("a sign") + 1;
        let end = line.find(" is not a number").expect("a verdict");
        String::from(&line[start..end])
    };
    assert_eq!(shown(b""), "");
    assert_eq!(shown(&[b'x'; 32]), "x".repeat(32));
    assert_eq!(shown(&[b'x'; 33]), "x".repeat(29) + "...");
    assert_eq!(shown(&[b'x'; 5000]), "x".repeat(29) + "...");
    assert_eq!(shown(b"a\x1b[2J\n\\"), r"a\x1b[2J\x0a\\");
    assert_eq!(shown(&[0xff; 8]), r"\xff".repeat(8));
    assert_eq!(shown(&[0xff; 9]), r"\xff".repeat(7) + "...");
}

#[test]
fn the_longest_warning_has_less_than_160_bytes() {
    for row in numbers() {
        let mut digits = [b'9'; 40];
        assert!(refused(row.name, &digits).1.len() < 160);
        digits[..30].fill(b'0');
        let (_, warnings) = read(&[&[row.name.as_bytes(), b"=", &digits].concat()]);
        assert!(warnings.iter().all(|warning| warning.len() < 160));
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

#[test]
fn a_preset_sets_what_the_environment_does_not() {
    for preset in PRESETS {
        let (options, warnings) = read(&[&entry("HAKMEM_PROFILE", preset.name)]);
        assert!(warnings.is_empty(), "{warnings:?}");
        for row in numbers().filter(|row| row.name != "HAKMEM_PROFILE") {
            let setting = row.setting.expect("a setting");
            let of_preset = preset.settings.iter().find(|(set, _)| *set == setting);
            let expected = of_preset.map_or(row.default, |(_, value)| Some(*value));
            assert_eq!(
                options.get(setting),
                expected,
                "{} {}",
                preset.name,
                row.name
            );
            if let Some((_, value)) = of_preset {
                assert!(range(row).contains(*value), "{} {}", preset.name, row.name);
            }
        }
        for (name, value) in preset.debug {
            let row = DEBUG.iter().find(|row| row.name == *name).expect(name);
            assert!(range(row).contains(*value), "{} {name}", preset.name);
        }
    }
}

#[test]
fn a_variable_wins_over_the_preset() {
    for environ in [
        ["HAKMEM_TINY_TLS_CAP=99", "HAKMEM_PROFILE=low-latency"],
        ["HAKMEM_PROFILE=low-latency", "HAKMEM_TINY_TLS_CAP=99"],
    ] {
        let environ = environ.map(str::as_bytes);
        let (options, _) = read(&environ);
        assert_eq!(options.tiny_tls_cap, 99);
        assert_eq!(options.tiny_tls_refill, 4);
        let resolved = resolve(environ.into_iter(), Builds::Every);
        let sources: Vec<_> = resolved
            .filter_map(|it| match it.source {
                Source::Variable => Some((it.variable.name, "variable")),
                Source::Preset(preset) => Some((it.variable.name, preset.name)),
                _ => None,
            })
            .collect();
        assert_eq!(
            sources,
            [
                ("HAKMEM_PROFILE", "variable"),
                ("HAKMEM_SUPERSLAB_LAZY", "low-latency"),
                ("HAKMEM_SUPERSLAB_LRU_CAP", "low-latency"),
                ("HAKMEM_SUPERSLAB_PREWARM", "low-latency"),
                ("HAKMEM_TINY_SFC_CAPACITY", "low-latency"),
                ("HAKMEM_TINY_TLS_CAP", "variable"),
                ("HAKMEM_TINY_TLS_REFILL", "low-latency"),
            ]
        );
    }
    // Also one that is refused: the default counts, as its warning says.
    let (options, warnings) = read(&[b"HAKMEM_PROFILE=low-latency", b"HAKMEM_TINY_TLS_CAP=x"]);
    assert_eq!(options.tiny_tls_cap, Options::DEFAULT.tiny_tls_cap);
    assert_eq!(warnings.len(), 1);
}

/// What the validator says of an environment: the kind, and the name of what it is about.
fn findings(environ: &[&str], build: Builds) -> Vec<String> {
    let mut all = Vec::new();
    let entries = environ.iter().map(|entry| entry.as_bytes());
    check(entries, build, &mut |finding| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        all.push(match finding {
            Finding::Fine { variable, value } => format!("fine {}={}", variable.name, text(value)),
            Finding::Unknown { name, nearest } => format!("unknown {} {nearest:?}", text(name)),
            Finding::Malformed {
                variable,
                value,
                nearest,
            } => {
                format!("malformed {}={} {nearest:?}", variable.name, text(value))
            }
            Finding::Misread {
                variable, found, ..
            } => {
                format!("misread {} at {}", variable.name, found.at)
            }
            Finding::OutOfRange {
                variable,
                value,
                range,
            } => {
                let Range { min, max } = range;
                format!("range {}={} {min}-{max}", variable.name, text(value))
            }
            Finding::Ignored { variable } => format!("ignored {}", variable.name),
            Finding::Deprecated { older } => format!("deprecated {}", older.name),
            Finding::Repeated { variable, value } => {
                format!("repeated {}={}", variable.name, text(value))
            }
            Finding::Contradiction(found) => format!("{} against {}", found.name, found.other),
        });
    });
    all
}

#[test]
fn the_validator_tells_what_is_wrong() {
    for (environ, expected) in [
        ("HAKMEM_SUPERSLAB_LAZY=1", "fine HAKMEM_SUPERSLAB_LAZY=1"),
        (
            "HAKMEM_TINY_TLS_CAP=2048",
            "range HAKMEM_TINY_TLS_CAP=2048 16-1024",
        ),
        (
            "HAKMEM_TINY_TLS_CAP=x",
            "malformed HAKMEM_TINY_TLS_CAP=x None",
        ),
        (
            "HAKMEM_TINY_TLS_CAP=",
            "malformed HAKMEM_TINY_TLS_CAP= None",
        ),
        (
            "HAKMEM_TINY_TLS_CPA=2048",
            "unknown HAKMEM_TINY_TLS_CPA Some(\"HAKMEM_TINY_TLS_CAP\")",
        ),
        ("HAKMEM_WATCH_ADDR=0x1", "ignored HAKMEM_WATCH_ADDR"),
        ("HAKMEM_THP=on", "deprecated HAKMEM_THP"),
        (
            "HAKMEM_PROFILE=low-latenzy",
            "malformed HAKMEM_PROFILE=low-latenzy Some(\"low-latency\")",
        ),
        ("HAKMEM_STATS=pool,json", "fine HAKMEM_STATS=pool,json"),
        (
            "HAKMEM_STATS=pools",
            "malformed HAKMEM_STATS=pools Some(\"pool\")",
        ),
        ("HAKMEM_STATS=timing", "malformed HAKMEM_STATS=timing None"),
    ] {
        assert_eq!(findings(&[environ], Builds::Every), [expected]);
    }
    for harmless in [
        "PATH=/bin",
        "HAKMEM_TINY_TLS_CAP",
        "",
        "=",
        "HAKMEM_RUN_LIBRARY=x",
    ] {
        assert_eq!(findings(&[harmless], Builds::Every), [""; 0], "{harmless}");
    }
    let observed = [
        ("HAKMEM_WATCH_ADDR=0x1", "fine HAKMEM_WATCH_ADDR=0x1"),
        ("HAKMEM_STATS=timing", "fine HAKMEM_STATS=timing"),
        (
            "HAKMEM_INTEGRITY_CHECKS=full",
            "fine HAKMEM_INTEGRITY_CHECKS=full",
        ),
        (
            "HAKMEM_WATCH=size=8 do=arm",
            "fine HAKMEM_WATCH=size=8 do=arm",
        ),
        ("HAKMEM_WATCH=size=8 od=arm", "misread HAKMEM_WATCH at 7"),
        ("HAKMEM_WATCH_ADDR=0x1,2", "misread HAKMEM_WATCH_ADDR at 4"),
        ("HAKMEM_GUARD=1/8,some", "misread HAKMEM_GUARD at 0"),
    ];
    for (environ, expected) in observed {
        assert_eq!(findings(&[environ], Builds::Observed), [expected]);
    }
    assert_eq!(
        findings(&["HAKMEM_STATS=1", "A=2", "HAKMEM_STATS=0"], Builds::Every),
        ["fine HAKMEM_STATS=1", "repeated HAKMEM_STATS=0"]
    );
}

#[test]
fn every_older_name_is_an_error() {
    for older in OLDER {
        let environ = entry(older.name, "1");
        let mut severities = Vec::new();
        check(
            [&environ[..]].into_iter(),
            Builds::Observed,
            &mut |finding| {
                severities.push(finding.severity());
            },
        );
        assert_eq!(severities, [Severity::Error], "{}", older.name);
        // It is not honoured.
        assert_eq!(read(&[&environ]).0, Options::DEFAULT);
        if let Some(instead) = older.instead {
            assert!(
                PRODUCTION.iter().any(|row| row.name == instead),
                "{instead}"
            );
        }
    }
}

#[test]
fn contradictions_are_found() {
    let contradictions = |environ: &[&str], build| {
        let mut all = findings(environ, build);
        all.retain(|line| line.contains(" against "));
        all
    };
    for (environ, found) in [
        (
            &["HAKMEM_SUPERSLAB_SOFT_CAP=300"][..],
            "HAKMEM_SUPERSLAB_SOFT_CAP against HAKMEM_SUPERSLAB_LRU_CAP",
        ),
        (
            &["HAKMEM_POOL_TLS_ARENA_MB_INIT=16"],
            "HAKMEM_POOL_TLS_ARENA_MB_INIT against HAKMEM_POOL_TLS_ARENA_MB_MAX",
        ),
        (
            &["HAKMEM_SUPERSLAB_REUSE=1", "HAKMEM_SUPERSLAB_LAZY=0"],
            "HAKMEM_SUPERSLAB_REUSE against HAKMEM_SUPERSLAB_LAZY",
        ),
        (
            &["HAKMEM_SUPERSLAB_TTL_SEC=5", "HAKMEM_SUPERSLAB_LAZY=0"],
            "HAKMEM_SUPERSLAB_TTL_SEC against HAKMEM_SUPERSLAB_LAZY",
        ),
        (
            &["HAKMEM_TINY_P0_ENABLE=0", "HAKMEM_TINY_P0_BATCH=8"],
            "HAKMEM_TINY_P0_BATCH against HAKMEM_TINY_P0_ENABLE",
        ),
        (
            &["HAKMEM_ALLOC_LEARN_RATE=5"],
            "HAKMEM_ALLOC_LEARN_RATE against HAKMEM_ALLOC_LEARN",
        ),
        (
            &["HAKMEM_LEARN_ADVANCED=print=1"],
            "HAKMEM_LEARN_ADVANCED against HAKMEM_ALLOC_LEARN",
        ),
        (
            &["HAKMEM_STATS_FILE=/tmp/x"],
            "HAKMEM_STATS_FILE against HAKMEM_STATS",
        ),
        (
            &["HAKMEM_PROFILE=debug"],
            "HAKMEM_PROFILE against the release build",
        ),
    ] {
        assert!(
            contradictions(environ, Builds::Every)
                .iter()
                .any(|line| line == found),
            "{environ:?}: {:?}",
            contradictions(environ, Builds::Every)
        );
    }
    let none: [&[&str]; 6] = [
        &[],
        &["HAKMEM_SUPERSLAB_SOFT_CAP=256"],
        &["HAKMEM_SUPERSLAB_LRU_CAP=32"],
        &["HAKMEM_SUPERSLAB_LAZY=0"],
        &["HAKMEM_ALLOC_LEARN=1", "HAKMEM_ALLOC_LEARN_RATE=5"],
        &["HAKMEM_POOL_TLS_ARENA_MB_INIT=8"],
    ];
    for environ in none {
        assert_eq!(
            contradictions(environ, Builds::Every),
            [""; 0],
            "{environ:?}"
        );
    }
    assert_eq!(
        contradictions(&["HAKMEM_PROFILE=debug"], Builds::Observed),
        [""; 0]
    );
    // No preset is at odds with itself.
    for preset in PRESETS {
        let environ = [format!("HAKMEM_PROFILE={}", preset.name)];
        assert_eq!(
            contradictions(&[&environ[0]], Builds::Observed),
            [""; 0],
            "{}",
            preset.name
        );
    }
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

/// A row of the table in `docs/CONFIGURATION.md`.
fn page_row(row: &Variable) -> String {
    let (name, text) = (row.name, row.text);
    let (values, default) = (row.values(), row.shown(row.default));
    format!("| `{name}` | {values} | {default} | {text} |")
}

#[test]
#[cfg_attr(miri, ignore = "reads a file")]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(path).expect(path);
    let (production, debug) = page
        .split_once("\n## Debug variables\n")
        .expect("the heading of the debug variables");
    for (part, table) in [(production, PRODUCTION), (debug, DEBUG)] {
        let mut on_page: Vec<&str> = part
            .lines()
            .filter(|line| line.starts_with("| `HAKMEM_"))
            .collect();
        on_page.sort_unstable();
        let mut expected: Vec<String> = table.iter().map(page_row).collect();
        expected.sort_unstable();
        assert!(
            on_page == expected,
            "the table in {path} has to have these rows, in any order:\n{}\n",
            expected.join("\n")
        );
    }
    for row in DEBUG {
        assert!(
            !production.contains(row.name),
            "{} is not of production",
            row.name
        );
    }
}
