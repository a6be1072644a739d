//! Rules: each condition, each event, each action, and what is wrong with others.

use std::collections::BTreeSet;

use hakmem_tests::watched::{address, lines, lines_with, run, watched};
use hakmem_tests::{Allocator, Outcome, Run, compile, find, not_reference, skip};
use std::os::unix::process::ExitStatusExt;

const SIGABRT: i32 = 6;

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator does not watch")
}

#[track_caller]
fn good(rules: &str, case: &str) -> Outcome {
    let outcome = run(rules, case);
    outcome.success();
    outcome
}

/// The numbers behind ` size ` in the lines of a watch.
fn sizes(outcome: &Outcome, what: &str) -> Vec<usize> {
    let size = |line: &String| {
        let (_, rest) = line.split_once(" size ")?;
        rest.split(' ').next()?.parse().ok()
    };
    lines_with(outcome, what).iter().filter_map(size).collect()
}

#[test]
fn sizes_and_classes_select() {
    if !applies() {
        return;
    }
    let outcome = good("size=100-200 from=sizes on=alloc", "sizes");
    assert_eq!(sizes(&outcome, "watch 1: alloc"), [128, 150]);
    let outcome = good("site=sizes size=4096 on=alloc,free", "sizes");
    assert_eq!(sizes(&outcome, "watch 1: alloc"), [4096]);
    assert_eq!(sizes(&outcome, "watch 1: free"), [4096]);
    let outcome = good("class=1 from=sizes on=alloc", "sizes");
    assert_eq!(sizes(&outcome, "watch 1: alloc"), [32]);
    let outcome = good("class=large from=sizes on=alloc,free", "sizes");
    assert_eq!(sizes(&outcome, "watch 1: alloc"), [65536]);
    assert_eq!(sizes(&outcome, "watch 1: free"), [65536]);
    let lines = lines_with(&outcome, "watch 1: alloc");
    assert!(lines[0].contains(", large) malloc life 1 "), "{}", lines[0]);
}

#[test]
fn sites_select_by_name_by_offset_and_by_number() {
    if !applies() {
        return;
    }
    let outcome = good("site=from_left on=alloc; site=from_right on=free", "sites");
    let left = lines_with(&outcome, "watch 1: alloc");
    assert_eq!(left.len(), 10, "{}", outcome.report());
    assert_eq!(lines_with(&outcome, "watch 2: free").len(), 10);
    // The place is the one that the lines name: as a rule it selects the same.
    let (_, place) = left[0].rsplit_once(" called from ").expect("a place");
    let outcome = good(&format!("site={place} on=alloc"), "sites");
    assert_eq!(lines_with(&outcome, "watch 1: alloc").len(), 10);
    let outcome = good(&format!("site={place} on=alloc nth=5"), "sites");
    let fifth = lines_with(&outcome, "watch 1: alloc");
    assert_eq!(fifth.len(), 1, "{}", outcome.report());
    let address = address(&outcome, "fifth ");
    assert!(fifth[0].contains(&format!("{address:#x} ")), "{}", fifth[0]);
    // Of the process: the third allocation of all, whatever it is.
    let outcome = good("nth=3 on=alloc", "sites");
    assert_eq!(lines_with(&outcome, "watch 1: alloc").len(), 1);
}

#[test]
fn a_place_without_address_randomization_is_an_address() {
    if !applies() {
        return;
    }
    let Some(setarch) = find("setarch") else {
        return;
    };
    let fixed = |variables: &[(&str, &str)]| {
        let program = hakmem_tests::watched::program();
        let mut run = Run::new(&setarch).args(["-R".as_ref(), program.as_os_str()]);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.arg("lives").allocator(Allocator::Observed).output()
    };
    let first = fixed(&[]);
    if !first.status.success() || address(&first, "item ") != address(&fixed(&[]), "item ") {
        return skip("addresses are random here all the same");
    }
    let item = address(&first, "item ");
    let inside = format!("{:#x}", item + 8);
    let outcome = fixed(&[("HAKMEM_WATCH_ADDR", &format!("0x10,{inside}"))]);
    outcome.success();
    let seen = lines_with(&outcome, "watch ");
    let count = |what: &str| {
        let what = format!(": {what} {item:#x} ");
        seen.iter().filter(|line| line.contains(&what)).count()
    };
    let counts = (count("alloc"), count("free"), count("reuse"));
    assert_eq!(counts, (3, 3, 2), "{}", outcome.report());
    assert!(seen.iter().any(|line| line.contains(" life 3 ")));
    let lines = lines(&outcome);
    assert!(lines.iter().any(|line| line.contains("(make_item+")));
    // A range, and one that ends before the block.
    let range = |text: String| {
        let outcome = fixed(&[("HAKMEM_WATCH", &text)]);
        lines_with(&outcome, "watch 1: alloc").len()
    };
    assert_eq!(range(format!("addr={:#x}-{:#x}", item - 64, item + 1)), 3);
    assert_eq!(range(format!("addr={:#x}+64", item - 64)), 0);
}

#[test]
fn threads_select() {
    if !applies() {
        return;
    }
    // No thread has this number: the kernel's are below 2^22.
    let outcome = good("site=make_item thread=4194305", "plain");
    assert!(lines_with(&outcome, "watch 1").is_empty());
    let outcome = good("site=make_item", "plain");
    assert_eq!(lines_with(&outcome, "watch 1").len(), 2);
    // The first thread's number is the process's.
    let rule = "export HAKMEM_WATCH=\"site=make_item thread=$$\"";
    let outcome = watched("plain").after(rule).output();
    outcome.success();
    assert_eq!(
        lines_with(&outcome, "watch 1").len(),
        2,
        "{}",
        outcome.report()
    );
}

#[test]
fn events_are_told_apart() {
    if !applies() {
        return;
    }
    let outcome = good("from=lives size=32 on=alloc", "lives");
    assert!(
        lines_with(&outcome, "watch").is_empty(),
        "from is who calls"
    );
    let outcome = good("site=make_item on=alloc,reuse,free", "lives");
    let events: Vec<String> = lines_with(&outcome, "watch 1: ")
        .iter()
        .map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        events,
        [
            "alloc", "free", "reuse", "alloc", "free", "reuse", "alloc", "free"
        ]
    );
    let outcome = good("size=150 from=sizes", "sizes");
    let names: Vec<String> = lines_with(&outcome, "watch 1: ")
        .iter()
        .map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned())
        .collect();
    // 150 to 155 bytes stays where it is.
    assert_eq!(names, ["alloc", "realloc", "free"], "{}", outcome.report());
    let moved = good("size=32 from=live", "live");
    let lines = lines_with(&moved, "watch 1: ");
    let has = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(has("realloc 0x") && has(" realloc to 0x"), "{lines:?}");
    assert!(has("size 4000 ") && has(" calloc life "), "{lines:?}");
    assert!(has(": free 0x"), "the rule follows the contents: {lines:?}");
}

#[test]
fn what_is_verified_is_told() {
    if !applies() {
        return;
    }
    let outcome = good("site=make_item on=alloc,free do=verify", "verifies");
    let lines = lines_with(&outcome, "watch 1: verify ");
    assert_eq!(lines.len(), 2, "{}", outcome.report());
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with("the program's: sound"))
    );
    // A double free is one that the allocator finds late, and a watch at once.
    let rules = "site=make_item on=free do=verify; site=make_item on=verify do=log,abort";
    let outcome = run(rules, "frees_twice");
    outcome.aborted();
    let lines = lines_with(&outcome, "watch ");
    assert!(lines[0].ends_with("sound"), "{lines:?}");
    assert!(
        lines[1].contains("DAMAGED: free, in a thread's cache"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("watch 2: verify "), "{lines:?}");
}

#[test]
fn a_stack_is_told() {
    if !applies() {
        return;
    }
    let outcome = good("site=make_item on=free do=stack", "plain");
    let frames = lines_with(&outcome, "    #");
    assert!(frames[0].contains("(drop_item+"), "{frames:?}");
    assert!(frames[1].contains("(plain+"), "{frames:?}");
}

#[test]
fn abort_ends_the_program_and_stop_stops_it() {
    if !applies() {
        return;
    }
    let outcome = run("site=make_item on=free do=log,abort", "plain");
    assert_eq!(outcome.status.signal(), Some(SIGABRT));
    assert!(
        outcome.stdout_text().starts_with("item "),
        "before the free"
    );
    assert_eq!(lines_with(&outcome, "watch 1: free").len(), 1);

    let run = watched("plain").env("HAKMEM_WATCH", "site=make_item on=free do=log,stop");
    let mut running = run.start();
    running.wait_until_stopped();
    assert!(running.stderr().contains("watch 1: free"));
    running.go_on();
    running.finish().success();
}

#[test]
fn a_hit_is_an_event() {
    if !applies() || !hakmem_tests::watched::has_watchpoints() {
        return;
    }
    let rules = "site=make_item on=free do=arm; site=make_item on=hit do=abort";
    let outcome = run(rules, "plain");
    outcome.aborted();
    assert_eq!(lines_with(&outcome, "WATCH hit").len(), 1);
}

#[test]
fn what_is_not_understood_is_said_with_its_place() {
    if !applies() {
        return;
    }
    let outcome = good(
        "size=1 ; siz=2; on=alloc do=nothing;site=make_item",
        "plain",
    );
    let said = lines_with(&outcome, "HAKMEM_WATCH: ");
    assert_eq!(said.len(), 2, "{}", outcome.report());
    assert!(said[0].starts_with("HAKMEM_WATCH: at position 10, \"siz=2\" is not understood: "));
    assert!(
        said[0].contains("accepted are addr, size, class, site"),
        "{}",
        said[0]
    );
    assert!(said[0].ends_with("The rule is ignored."));
    assert!(
        said[1].contains("at position 26, \"do=nothing\""),
        "{}",
        said[1]
    );
    assert!(
        said[1].contains("log, stack, verify, arm, stop, abort"),
        "{}",
        said[1]
    );
    // The others are in force, numbered as they were added.
    assert_eq!(lines_with(&outcome, "watch 2: ").len(), 2);

    let outcome = watched("plain")
        .env("HAKMEM_WATCH_ADDR", "0x10,12,0x1z")
        .output();
    outcome.success();
    let said = lines_with(&outcome, "HAKMEM_WATCH_ADDR: ");
    assert_eq!(said.len(), 2, "{}", outcome.report());
    assert!(said[0].contains("at position 6, \"12\"") && said[0].contains("0xADDRESS"));
    assert!(said[1].contains("at position 9, \"0x1z\""), "{}", said[1]);
    // What is no text is shown as such.
    let outcome = good("\u{1b}[31m=1", "plain");
    assert!(lines_with(&outcome, "HAKMEM_WATCH: ")[0].contains("\"?[31m=1\""));
}

#[test]
fn a_site_may_come_with_a_library_that_is_opened_late() {
    if !applies() {
        return;
    }
    let library = compile::shared_library("watch_late.c");
    let outcome = watched("late_library")
        .env("HAKMEM_WATCH", "site=made_by_the_library")
        .env("WATCH_LIBRARY", &library)
        .output();
    outcome.success();
    let lines = lines_with(&outcome, "watch 1: ");
    assert_eq!(lines.len(), 2, "{}", outcome.report());
    assert!(
        lines[0].contains(" called from libwatch_late_c.so+0x"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_site_that_is_nowhere_is_told_at_the_end() {
    if !applies() {
        return;
    }
    let outcome = good("site=no_such_function", "plain");
    let said = lines_with(&outcome, "watch 1: its site is in none of the files");
    assert_eq!(said.len(), 1, "{}", outcome.report());
}

#[test]
fn the_c_functions_answer() {
    if !applies() {
        return;
    }
    let outcome = watched("errors").output();
    outcome.success();
    // EINVAL, ENOENT; 32 rules, and ENOSPC.
    assert_eq!(outcome.stdout_text(), "1 -22 -22 -2\n-28\n");
}

#[test]
fn more_rules_than_there_can_be_are_refused() {
    if !applies() {
        return;
    }
    let outcome = good(&"size=1;".repeat(33), "plain");
    let said = lines_with(&outcome, "HAKMEM_WATCH: more than 32 rules");
    assert_eq!(said.len(), 1, "{}", outcome.report());
}

/// The release library takes no notice of any variable, and its functions say so.
#[test]
fn the_release_library_does_not_watch() {
    if !applies() {
        return;
    }
    let release = |case: &str| {
        watched(case)
            .allocator(Allocator::Tested)
            .env(
                "HAKMEM_WATCH",
                "site=make_item on=alloc,free do=log,arm,abort",
            )
            .env("HAKMEM_WATCH_ADDR", "0x1-0x7fffffffffff")
            .env("HAKMEM_WATCH_HARDWARE", "nonsense")
            .output()
    };
    let outcome = release("plain");
    outcome.success();
    assert_eq!(outcome.stderr_text(), "");
    let outcome = release("errors");
    outcome.success();
    // ENOTSUP, but for no rule at all.
    assert_eq!(outcome.stdout_text(), "-95 -95 -22 -95\n-95\n");
    assert_eq!(outcome.stderr_text(), "");
}

/// With nothing to watch the observed library says nothing, and opens nothing.
#[test]
fn nothing_is_watched_unless_it_is_asked_for() {
    if !applies() {
        return;
    }
    let outcome = watched("plain").output();
    outcome.success();
    assert_eq!(outcome.stderr_text(), "");
    let outcome = watched("threads").env("HAKMEM_WATCH", "").output();
    outcome.success();
    assert_eq!(outcome.stderr_text(), "");
}

/// A program that is not there for it is not disturbed by a rule about everything.
#[test]
fn real_programs_run_under_a_rule_about_everything() {
    if !applies() {
        return;
    }
    let Some(program) = find("python3") else {
        return;
    };
    let script = "import threading, json\n\
                  def work(n): return json.dumps([str(i) for i in range(n)])\n\
                  t = [threading.Thread(target=work, args=(2000,)) for _ in range(4)]\n\
                  [x.start() for x in t]; [x.join() for x in t]\n\
                  print(len(work(3000)))";
    let outputs: BTreeSet<String> = ["", "rotate=2", "size=16-64 nth=1000 on=alloc do=log,stack"]
        .into_iter()
        .map(|rules| {
            let outcome = Run::new(&program)
                .args(["-c", script])
                .allocator(Allocator::Observed)
                .env("HAKMEM_WATCH", rules)
                .output();
            outcome.success();
            let hits = lines_with(&outcome, "WATCH hit");
            assert!(hits.is_empty(), "{}", outcome.report());
            outcome.stdout_text().into_owned()
        })
        .collect();
    assert_eq!(outputs.len(), 1, "{outputs:?}");
}
