//! `hakmem config`, and `scripts/validate_config.sh` in front of it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hakmem_alloc::options::{DEBUG, OLDER, PRESETS, PRODUCTION};
use serde_json::Value;

use crate::support::{HAKMEM, Room, quiet_output, refusal};

/// The command with these arguments, in an environment with these variables of hakmem's and no
/// others.
fn config(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(HAKMEM);
    command.arg("config").args(arguments).env_clear();
    command.envs(environment.iter().copied());
    command
}

fn checked(switches: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = config(&[&["check"], switches].concat(), environment)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn each_kind_of_finding_has_its_line() {
    for (variable, status, line) in [
        (
            ("HAKMEM_SUPERSLAB_LAZY", "1"),
            0,
            "[OK] HAKMEM_SUPERSLAB_LAZY=1",
        ),
        (
            ("HAKMEM_TINY_TLS_CAP", "2048"),
            0,
            "[WARN] HAKMEM_TINY_TLS_CAP=2048 is outside typical range (16-1024)",
        ),
        (
            ("HAKMEM_TINY_TLS_CAP", "many"),
            1,
            "[ERROR] HAKMEM_TINY_TLS_CAP=many is not a number; the default counts: 64",
        ),
        (
            ("HAKMEM_TINY_TLS_CPA", "64"),
            0,
            "[WARN] HAKMEM_TINY_TLS_CPA is not a variable of hakmem; did you mean \
             HAKMEM_TINY_TLS_CAP?",
        ),
        (
            ("HAKMEM_TIMING", "1"),
            0,
            "[WARN] HAKMEM_TIMING is a debug variable, which the release build does not read",
        ),
        (
            ("HAKMEM_SUPERSLAB_SOFT_CAP", "300"),
            0,
            "[WARN] HAKMEM_SUPERSLAB_SOFT_CAP against HAKMEM_SUPERSLAB_LRU_CAP: a soft cap above \
             the cache's capacity has no effect",
        ),
        (
            ("HAKMEM_STATS", "pol"),
            1,
            "[ERROR] HAKMEM_STATS=pol is no area; there are 0, 1, all, classes, json, learn, pool, \
             tiers, totals; did you mean pool?; the rest of it counts",
        ),
    ] {
        let (code, said) = checked(&[], &[variable]);
        assert!(said.lines().any(|it| it == line), "{said}");
        assert_eq!(code, Some(status), "{said}");
    }
    for older in OLDER {
        let (code, said) = checked(&[], &[(older.name, "1")]);
        let start = format!(
            "[ERROR] {} is deprecated and went on 2026-05-26",
            older.name
        );
        assert!(said.starts_with(&start), "{said}");
        assert!(
            said.contains(older.instead.unwrap_or("not honoured")),
            "{said}"
        );
        assert_eq!(code, Some(1));
    }
}

#[test]
fn switches_choose_what_is_told_and_what_counts() {
    let warning = [("HAKMEM_TINY_TLS_CAP", "2048")];
    let error = [("HAKMEM_TINY_TLS_CAP", "x"), ("HAKMEM_TIMING", "1")];
    assert_eq!(checked(&["--quiet"], &warning), (Some(0), String::new()));
    let (code, said) = checked(&["--strict", "--quiet"], &warning);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("[ERROR] HAKMEM_TINY_TLS_CAP=2048 is outside"),
        "{said}"
    );
    let (code, said) = checked(&["--quiet"], &error);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    // The observed build reads it.
    let (code, said) = checked(&["--strict", "--build", "observed"], &error[1..]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(checked(&["--strict"], &[]).0, Some(0));
    let (code, said) = checked(&["--json"], &error);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(1));
    assert_eq!([&json["errors"], &json["warnings"]], [1, 1]);
    assert_eq!(json["findings"][0]["kind"], "ignored");
    assert_eq!(json["findings"][1]["name"], "HAKMEM_TINY_TLS_CAP");
    assert_eq!(json["findings"][1]["severity"], "error");
    let (code, said) = checked(&["--json"], &[]);
    assert_eq!(code, Some(0));
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap()["findings"],
        Value::Array(vec![])
    );
}

#[test]
fn values_cannot_tell_a_terminal_what_to_do() {
    let (_, said) = checked(
        &[],
        &[("HAKMEM_TINY_TLS_CAP", "\u{1b}[2J"), ("HAKMEM_\u{1b}", "1")],
    );
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(said.contains("\\u{1b}"), "{said:?}");
}

#[test]
fn files_are_checked() {
    let room = Room::new();
    let file = "# of a service\nPATH=/bin\nexport HAKMEM_TINY_TLS_CAP='many'\nHAKMEM_STATS=1\n";
    let path = room.write("service.env", file, "644");
    // What stands in the environment is not asked.
    let (code, said) = checked(&[path.to_str().unwrap()], &[("HAKMEM_THP", "on")]);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("[ERROR] HAKMEM_TINY_TLS_CAP=many"),
        "{said}"
    );
    assert_eq!(lines[1], "[OK] HAKMEM_STATS=1");
    assert_eq!(
        lines[2],
        "2 variables checked for the release build: 1 error, 0 warnings"
    );
    refusal(&mut config(&["check", "/no/such/file"], &[]), 2);
    refusal(&mut config(&["check", "pid:4294967295"], &[]), 2);
}

#[test]
fn a_process_is_checked() {
    let mut sleep = Command::new("sleep");
    let mut sleep = sleep
        .arg("60")
        .env("HAKMEM_TINY_TLS_CAP", "many")
        .spawn()
        .unwrap();
    let pid = format!("pid:{}", sleep.id());
    // Until the program has taken the place of this one's copy: the kernel lays out its
    // environment after it has given it its name.
    let environment = format!("/proc/{}/environ", sleep.id());
    let theirs = b"HAKMEM_TINY_TLS_CAP=many\0";
    while !std::fs::read(&environment)
        .unwrap()
        .windows(theirs.len())
        .any(|bytes| bytes == theirs)
    {
        std::thread::yield_now();
    }
    let (code, said) = checked(&[&pid], &[]);
    let shown = config(&["show", &pid, "--changed"], &[]).output().unwrap();
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert_eq!(code, Some(1));
    assert!(said.contains("[ERROR] HAKMEM_TINY_TLS_CAP=many"), "{said}");
    let stdout = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(
        stdout,
        "HAKMEM_TINY_TLS_CAP  64  variable, which says many\n"
    );
    // It has no hakmem.
    let stderr = String::from_utf8(shown.stderr).unwrap();
    assert!(stderr.contains("no hakmem is to be seen"), "{stderr}");
}

#[test]
fn show_says_where_values_come_from() {
    let environment = [
        ("HAKMEM_PROFILE", "low-latency"),
        ("HAKMEM_TINY_TLS_CAP", "99"),
    ];
    let said = quiet_output(&mut config(&["show"], &environment));
    let row = |name: &str| -> Vec<String> {
        let row = said
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        row.expect(name)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(row("HAKMEM_TINY_TLS_CAP")[1..], ["99", "variable"]);
    assert_eq!(
        row("HAKMEM_TINY_TLS_REFILL")[1..],
        ["4", "preset", "low-latency"]
    );
    assert_eq!(row("HAKMEM_TINY_P0_ENABLE")[1..], ["1", "default"]);
    assert_eq!(said.lines().count(), PRODUCTION.len());
    let observed = ["show", "--build", "observed", "--json"];
    let said = quiet_output(&mut config(&observed, &[("HAKMEM_PROFILE", "debug")]));
    let json: Value = serde_json::from_str(&said).unwrap();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), PRODUCTION.len() + DEBUG.len());
    let traced = rows
        .iter()
        .find(|row| row["name"] == "HAKMEM_TRACE_ALLOCATIONS");
    assert_eq!(traced.unwrap()["value"], "1");
    assert_eq!(traced.unwrap()["source"], "preset");
}

#[test]
fn every_variable_is_listed_and_explained() {
    let listed = quiet_output(&mut config(&["list"], &[]));
    assert_eq!(listed.lines().count(), PRODUCTION.len() + DEBUG.len());
    for row in PRODUCTION.iter().chain(DEBUG) {
        let start = format!("{} ", row.name);
        assert!(
            listed.lines().any(|line| line.starts_with(&start)),
            "{}",
            row.name
        );
    }
    let release = quiet_output(&mut config(&["list", "--build", "release"], &[]));
    assert_eq!(release.lines().count(), PRODUCTION.len());
    for name in ["HAKMEM_TINY_TLS_CAP", "tiny_tls_cap"] {
        let said = quiet_output(&mut config(&["explain", name], &[]));
        assert!(said.starts_with("HAKMEM_TINY_TLS_CAP\n"), "{said}");
        for part in [
            "values:  16-1024\n",
            "default: 64\n",
            "low-latency sets 32\n",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    let said = quiet_output(&mut config(&["explain", "HAKMEM_THP"], &[]));
    assert!(said.contains("HAKMEM_HUGE_PAGES"), "{said}");
    let said = refusal(&mut config(&["explain", "HAKMEM_TINY_TLS_CPA"], &[]), 2);
    assert!(
        said.contains("the nearest name is HAKMEM_TINY_TLS_CAP"),
        "{said}"
    );
}

fn formatted(format: &str) -> String {
    quiet_output(&mut config(&["list", "--format", format], &[]))
}

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).expect(path)
}

/// What is written down elsewhere is what the table says.
#[test]
fn the_manuals_are_made_from_the_table() {
    let man = formatted("man");
    for row in PRODUCTION.iter().chain(DEBUG) {
        assert!(
            man.contains(&format!("\n.B {}\n", row.name)),
            "{}",
            row.name
        );
    }
    for preset in PRESETS {
        let name = preset.name.replace('-', "\\-");
        assert!(man.contains(&format!("\n.B {name}\n")), "{name}");
    }
    let page = file("docs/CONFIGURATION.md");
    for row in formatted("markdown").lines().skip(2) {
        assert!(
            page.lines().any(|line| line == row),
            "not on the page: {row}"
        );
    }
    let deprecated = file("DEPRECATED.md");
    for row in formatted("older").lines() {
        assert!(
            deprecated.lines().any(|line| line == row),
            "not in DEPRECATED.md: {row}"
        );
    }
    let rows = deprecated
        .lines()
        .filter(|line| line.starts_with("| `HAKMEM_"));
    assert_eq!(rows.count(), OLDER.len());
    let header = file("capi/include/hakmem.h");
    assert!(
        header.contains(&formatted("header")),
        "{}",
        formatted("header")
    );
    let json: Value = serde_json::from_str(&formatted("json")).unwrap();
    assert_eq!(
        json.as_array().unwrap().len(),
        PRODUCTION.len() + DEBUG.len()
    );
}

#[test]
fn the_script_has_the_same_switches() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/validate_config.sh");
    let run = |switches: &[&str], value: &str| {
        let output = Command::new(&script)
            .args(switches)
            .env("HAKMEM_RUN_COMMAND", HAKMEM)
            .env("HAKMEM_TINY_TLS_CAP", value)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, said) = run(&[], "2048");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("[WARN] HAKMEM_TINY_TLS_CAP=2048 is outside"),
        "{said}"
    );
    assert_eq!(run(&["--strict"], "2048").0, Some(1));
    assert_eq!(run(&["--quiet"], "2048"), (Some(0), String::new()));
    assert_eq!(run(&["--quiet"], "x").0, Some(1));
    assert_eq!(run(&["--no-such-switch"], "x").0, Some(2));
}
