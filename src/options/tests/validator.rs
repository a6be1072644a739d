//! What `hakmem config` finds in an environment.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::options::{
    Builds, Finding, OLDER, Options, PRESETS, PRODUCTION, Range, Severity, check,
};

use super::{entry, read};

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
