//! When statistics are printed, which, and where to.

use std::fs;
use std::path::Path;

use hakmem_tests::statistics::{TAKE, applies, exercise};
use hakmem_tests::{Run, Scratch, find};

use super::under;

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
