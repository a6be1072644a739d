//! Armed blocks: a write names the instruction that did it.

use hakmem_tests::watched::{address, has_watchpoints, hits, lines, lines_with, run, watched};
use hakmem_tests::{Outcome, not_reference};
use std::os::unix::process::ExitStatusExt;

/// One word, so that a write is one report.
const ON_FREE: &str = "site=make_item on=free do=arm words=0";

/// Whether this can be tested here.
fn applies() -> bool {
    not_reference("glibc's allocator does not watch") && has_watchpoints()
}

/// The rule has to be found by its site's name, among threads that allocate and free; and the
/// writers are this thread, one from before, and one from after.
#[test]
fn a_late_write_is_named_by_function_and_line() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "threads");
    outcome.success();
    let item = address(&outcome, "item ");
    let hits = hits(&outcome);
    let values: Vec<_> = hits.iter().map(|hit| (hit.old, hit.new)).collect();
    assert_eq!(
        values,
        [(1, Some(33)), (33, Some(55)), (55, Some(77))],
        "{}",
        outcome.report()
    );
    for hit in &hits {
        assert_eq!(hit.function, "write_late", "{hit:?}");
        assert!(hit.line().contains("/* THE WRITE */"), "{}", hit.line());
        assert_eq!((hit.address, hit.within), (item, 0));
        assert!(hit.says("freed") && hit.says("life 1"), "{hit:?}");
        assert!(hit.says("of 32 bytes (32 asked for), class 1"), "{hit:?}");
        assert_eq!(hit.stack("allocated by")[0], "make_item");
        assert_eq!(hit.stack("freed by")[0], "drop_item");
        assert!(hit.stack("allocated by").contains(&"threads".to_owned()));
        assert_eq!(hit.stack("written at")[0], "write_late");
        assert!(hit.says("rip 0x") && hit.says("r15 0x"));
    }
    let threads: Vec<_> = hits.iter().map(|hit| hit.thread).collect();
    assert!(threads[0] != threads[1] && threads[1] != threads[2] && threads[0] != threads[2]);
    let writers = ["threads", "wait_and_write", "write_from_here"];
    for (hit, writer) in hits.iter().zip(writers) {
        assert_eq!(hit.stack("written at")[1], writer);
    }
}

#[test]
fn the_words_of_a_rule_are_armed_and_no_others() {
    if !applies() {
        return;
    }
    let functions = |rule| -> Vec<(String, i64)> {
        let outcome = run(rule, "plain");
        outcome.success();
        let hits = hits(&outcome).into_iter();
        let mut seen: Vec<_> = hits.map(|hit| (hit.function, hit.within)).collect();
        // Two words may be written by one instruction, or by two.
        seen.sort();
        seen
    };
    let late = |within| ("write_late".to_owned(), within);
    let other = |within| ("write_other_word".to_owned(), within);
    assert_eq!(functions(ON_FREE), [late(0)]);
    assert_eq!(
        functions("site=make_item on=free do=arm words=2"),
        [other(16)]
    );
    assert_eq!(
        functions("site=make_item on=free do=arm words=0-3"),
        [late(0), late(8), other(16)]
    );
    assert_eq!(functions("site=make_item on=free do=arm words=3"), []);
}

/// A freed block has the watchpoints that nobody else needs, and gives them up to who does: of
/// two such blocks each has two, and a rule that says its words has those.
#[test]
fn spare_watchpoints_watch_more_words() {
    if !applies() {
        return;
    }
    let seen = |rules| -> Vec<(&str, i64)> {
        let outcome = run(rules, "words");
        outcome.success();
        assert!(
            lines_with(&outcome, "watch: there are four watchpoints").is_empty(),
            "{}",
            outcome.report()
        );
        let names = ["item", "second", "other"];
        let blocks = names.map(|name| address(&outcome, &format!("{name} ")));
        let name = |block| {
            names[blocks
                .iter()
                .position(|&at| at == block)
                .expect("one of them")]
        };
        let hits = hits(&outcome).into_iter();
        hits.inspect(|hit| assert_eq!(hit.function, "write_word", "{hit:?}"))
            .map(|hit| {
                (
                    name(hit.address.wrapping_add_signed(-hit.within)),
                    hit.within / 8,
                )
            })
            .collect()
    };
    let all = |name, words: std::ops::Range<i64>| words.map(move |word| (name, word));
    let first = || {
        all("item", 0..4)
            .chain(all("item", 0..2))
            .chain(all("second", 0..2))
    };
    let default = "site=make_item on=free do=arm hits=100";
    let expected: Vec<_> = first()
        .chain(all("item", 0..2))
        .chain(all("second", 0..2))
        .collect();
    assert_eq!(seen(default), expected);
    let other = format!("{default}; size=48 on=free do=arm words=1-2");
    let expected: Vec<_> = first()
        .chain(all("item", 0..1))
        .chain(all("second", 0..1))
        .chain(all("other", 1..3))
        .collect();
    assert_eq!(seen(&other), expected);
    // Of two that nobody has said anything about, the third block has what is its at least.
    let other = format!("{default}; size=48 on=free do=arm");
    let words = seen(&other);
    let of_last = words.iter().filter(|(name, _)| *name == "other").count();
    assert_eq!(
        (of_last, words.len() - first().count()),
        (1, 4),
        "{words:?}"
    );
}

#[test]
fn a_rule_by_address_arms_its_word_and_ends_with_unwatch() {
    if !applies() {
        return;
    }
    let outcome = watched("by_address").output();
    outcome.success();
    let hits = hits(&outcome);
    assert_eq!(hits.len(), 1, "{}", outcome.report());
    assert_eq!(hits[0].within, 16);
    assert!(hits[0].line().contains("/* THE OTHER WRITE */"));
    assert_eq!(lines_with(&outcome, "watch 1: free").len(), 1);
}

/// What the allocator does on behalf of the program is not reported: `calloc`'s zeroes,
/// `realloc`'s copy.
#[test]
fn a_live_block_is_followed_through_a_resize() {
    if !applies() {
        return;
    }
    let outcome = run("from=live on=alloc,realloc do=arm", "live");
    outcome.success();
    let lines: Vec<_> = hits(&outcome).iter().map(|hit| hit.line()).collect();
    assert_eq!(lines.len(), 2, "{}", outcome.report());
    assert!(lines[0].contains("/* THE LIVE WRITE */"));
    assert!(lines[1].contains("/* THE WRITE AFTER THE MOVE */"));
    assert!(hits(&outcome)[0].says(", allocated; watch 1"));
}

/// An instruction that is repeated stops in the middle of itself, and functions of libc are
/// named with who called them.
#[test]
fn string_instructions_and_libc_are_named() {
    if !applies() {
        return;
    }
    let outcome = run("size=256 from=strings on=free do=arm words=3", "strings");
    outcome.success();
    let hits = hits(&outcome);
    let memset = hits.first().expect("a hit");
    let caller = memset.stack("written at");
    assert!(
        caller.contains(&"strings".to_owned()),
        "{}",
        outcome.report()
    );
    let string = hits.last().expect("a hit");
    assert_eq!(string.function, "strings");
    assert!(
        string.line().contains("/* THE STRING */"),
        "{}",
        string.line()
    );
}

#[test]
fn the_program_s_own_handler_gets_what_is_its() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "handlers");
    outcome.success();
    // int3 and raise, and no write; at the end hakmem's handler is in force again.
    let said = outcome.stdout_text().into_owned();
    assert_eq!(
        said,
        "traps 2\ntraps 2\nin front 1\n",
        "{}",
        outcome.report()
    );
    let values: Vec<_> = hits(&outcome).iter().map(|hit| hit.new).collect();
    assert_eq!(values, [Some(1), Some(2)], "{}", outcome.report());
}

#[test]
fn a_handler_that_passes_on_to_ours_does_not_go_round() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "handlers_in_a_row");
    assert_eq!(signal(&outcome), Some(5), "{}", outcome.report());
    assert_eq!(hits(&outcome).len(), 1, "{}", outcome.report());
}

fn signal(outcome: &Outcome) -> Option<i32> {
    outcome.status.signal()
}

#[test]
fn a_write_while_the_signal_is_blocked_is_told_late() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "blocked");
    outcome.success();
    let hits = hits(&outcome);
    assert_eq!(hits.len(), 1, "{}", outcome.report());
    assert!(hits[0].says("while SIGTRAP was blocked"));
    assert_eq!(hits[0].new, Some(9));
}

#[test]
fn a_child_has_its_own_and_the_parent_keeps_its() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "forks");
    outcome.success();
    let number = |name: &str| -> u64 {
        let text = outcome.stdout_text();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|n| n.parse().ok()).expect("a process id")
    };
    let seen: Vec<_> = hits(&outcome)
        .iter()
        .map(|hit| (hit.thread, hit.new))
        .collect();
    let expected = [(number("child "), Some(7)), (number("parent "), Some(8))];
    assert_eq!(seen, expected, "{}", outcome.report());
}

/// The program that is executed writes to its own items, and lives.
#[test]
fn nothing_is_left_after_exec() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "executes");
    outcome.success();
    assert!(hits(&outcome).is_empty(), "{}", outcome.report());
    assert!(outcome.stdout_text().contains("item 0x"));
}

/// Descriptors that the program has closed, and got again, are not closed once more.
#[test]
fn a_program_that_closes_everything_keeps_what_it_opens() {
    if !applies() {
        return;
    }
    run(ON_FREE, "closes").success();
}

#[test]
fn an_armed_block_is_held_back_until_others_are_armed() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "held");
    outcome.success();
    assert_eq!(outcome.stdout_text(), "again\n");
    let evictions = lines_with(&outcome, "watch: there are four watchpoints");
    assert_eq!(evictions.len(), 1, "{}", outcome.report());
}

#[test]
fn an_armed_block_that_is_freed_twice_ends_the_program() {
    if !applies() {
        return;
    }
    let outcome = run(ON_FREE, "frees_twice");
    outcome.aborted();
    let said = lines_with(
        &outcome,
        "watch: a block that is armed since its free is freed again",
    );
    assert!(said[0].contains("(drop_item+"), "{}", outcome.report());
}

/// The allocator links blocks that are not held back, and zeroes them when it hands them out;
/// and then they are the program's again.
#[test]
fn the_allocator_s_own_writes_are_not_reported() {
    if !applies() {
        return;
    }
    let outcome = run("size=32 from=drop_item on=free do=arm hold=0", "not_held");
    outcome.success();
    assert!(!lines(&outcome).is_empty(), "it was not armed");
    assert!(hits(&outcome).is_empty(), "{}", outcome.report());
    // With `keep` the next owner's write is.
    let outcome = run(
        "size=32 from=drop_item on=free do=arm hold=0 keep=1",
        "not_held",
    );
    outcome.success();
    assert!(!hits(&outcome).is_empty(), "{}", outcome.report());
    assert!(
        hits(&outcome)
            .iter()
            .all(|hit| hit.file == "watch_c_optimized")
    );
}

#[test]
fn the_number_of_reports_is_bounded() {
    if !applies() {
        return;
    }
    let outcome = run("site=make_item on=free do=arm words=0-2 hits=2", "plain");
    outcome.success();
    assert_eq!(hits(&outcome).len(), 2, "{}", outcome.report());
    assert!(
        lines(&outcome)
            .iter()
            .any(|line| line.contains("no more reports of this block"))
    );
}

#[test]
fn rotating_rules_catch_writes_to_random_blocks() {
    if !applies() {
        return;
    }
    let outcome = run("rotate=5 size=32", "rotating");
    outcome.success();
    let hits = hits(&outcome);
    assert!(hits.len() > 4, "{}", outcome.report());
    let blocks: std::collections::BTreeSet<_> = hits.iter().map(|hit| hit.address).collect();
    assert!(blocks.len() > 4, "{blocks:?}");
    assert!(hits.iter().all(|hit| hit.function == "write_late"));
}

/// Whatever is armed, and by however many rules: each block is its owner's alone, what it holds
/// stays, and no write is told that is none.
#[test]
fn a_busy_program_keeps_what_its_blocks_hold() {
    if !applies() {
        return;
    }
    for rules in [
        "rotate=1",
        "size=16-64 on=free do=arm",
        "size=16-64 on=free do=arm; class=1-5 on=free do=arm words=1; on=free do=arm hold=0",
        "on=free do=arm hold=0",
        "on=free do=arm hardware=0",
        "class=large on=free do=arm hardware=0; size=16-64 on=free do=arm hardware=0",
    ] {
        let outcome = run(rules, "exchanging");
        outcome.success();
        assert!(hits(&outcome).is_empty(), "{rules}\n{}", outcome.report());
    }
}
