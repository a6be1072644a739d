//! Guarded blocks: what the processor stops, what is said of it, and that sound programs notice
//! nothing.

use hakmem_tests::reported::kinds;
use hakmem_tests::watched::lines;
use hakmem_tests::{Allocator, Outcome, Run, compile, reference, skip};
use std::os::unix::process::ExitStatusExt;

const SIGSEGV: i32 = 11;

/// Whether this can be tested here.
fn applies() -> bool {
    if reference() {
        skip("glibc's allocator has no guarded blocks");
    }
    !reference()
}

/// `programs/guard.c` with a case, its arguments, and what is to be guarded.
fn program(guard: &str, case: &str) -> Run {
    Run::new(compile::program("guard.c"))
        .args(case.split(' '))
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
        .env("HAKMEM_GUARD", guard)
}

#[track_caller]
fn run(guard: &str, case: &str) -> Outcome {
    program(guard, case).output()
}

/// The number that the program says behind a word.
#[track_caller]
fn number(outcome: &Outcome, name: &str) -> usize {
    let text = outcome.stdout_text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.unwrap_or_else(|| panic!("no {name}\n{}", outcome.report()))
}

/// It ended with SIGSEGV, and the first line of its report is of that kind and says `what`.
#[track_caller]
fn is_stopped(outcome: &Outcome, kind: &str, what: &str) {
    let lines = lines(outcome);
    let first = lines.first().cloned().unwrap_or_default();
    assert_eq!(
        outcome.status.signal(),
        Some(SIGSEGV),
        "{}",
        outcome.report()
    );
    assert!(
        first.starts_with(&format!("ERROR {kind}: {what}")),
        "expected {kind}: {what}\n{}",
        outcome.report()
    );
    let errors = lines.iter().filter(|line| line.starts_with("ERROR"));
    assert_eq!(errors.count(), 1, "{}", outcome.report());
}

/// It was ended for this alone, which a check has found and not a page.
#[track_caller]
fn is_found(outcome: &Outcome, kind: &str) {
    outcome.aborted();
    assert_eq!(kinds(outcome), [kind], "{}", outcome.report());
}

/// The functions in the stack behind the line that begins with `heading`.
fn stack(outcome: &Outcome, heading: &str) -> Vec<String> {
    let lines = lines(outcome);
    let behind = lines
        .iter()
        .skip_while(|line| !line.trim().starts_with(heading));
    let frames = behind
        .skip(1)
        .take_while(|line| line.trim().starts_with('#'));
    let name = |line: &String| {
        let (_, name) = line.split_once(" (")?;
        Some(name.split('+').next()?.to_owned())
    };
    frames.map(|line| name(line).unwrap_or_default()).collect()
}

/// No finding, and it ended well.
#[track_caller]
fn is_sound(outcome: &Outcome) {
    outcome.success();
    let lines = lines(outcome);
    assert!(
        !lines.iter().any(|line| line.starts_with("ERROR")),
        "{}",
        outcome.report()
    );
}

#[test]
fn an_access_beside_a_block_is_stopped_and_told() {
    if !applies() {
        return;
    }
    for (guard, case, kind, what) in [
        (
            "all",
            "write 64 64",
            "heap-overflow",
            "a write directly behind the end of a block of 64 bytes",
        ),
        ("all", "read 64 65", "heap-overflow", "a read 1 byte behind"),
        (
            "all,right",
            "write 100 112",
            "heap-overflow",
            "a write 12 bytes behind",
        ),
        (
            "all,left",
            "write 100 -1",
            "heap-underflow",
            "a write 1 byte in front of a block of 100",
        ),
        (
            "all,left",
            "read 100 -8",
            "heap-underflow",
            "a read 8 bytes in front of",
        ),
        (
            "all",
            "write-freed 64 5",
            "use-after-free",
            "a write at offset 5 of a freed block of 64",
        ),
        (
            "all",
            "read-freed 64 0",
            "use-after-free",
            "a read at offset 0 of a freed block of 64",
        ),
        (
            "size=64",
            "read-freed 64 64",
            "use-after-free",
            "a read directly behind the end of a freed",
        ),
    ] {
        let outcome = run(guard, case);
        is_stopped(&outcome, kind, what);
        let access = if case.starts_with("write") {
            "write_at"
        } else {
            "read_at"
        };
        assert_eq!(
            stack(&outcome, "found by SIGSEGV")[0],
            access,
            "{}",
            outcome.report()
        );
        let allocated = stack(&outcome, "allocated by malloc");
        assert_eq!(allocated[0], "make", "{}", outcome.report());
        assert!(
            allocated.contains(&"main".to_owned()),
            "{}",
            outcome.report()
        );
        if case.contains("freed") {
            assert_eq!(
                stack(&outcome, "freed by free")[0],
                "drop",
                "{}",
                outcome.report()
            );
        }
    }
}

/// With nothing asked for: in front of them, far enough behind, and after their free.
#[test]
fn large_blocks_are_guarded_where_all_is_checked() {
    if !applies() {
        return;
    }
    let large = |case: &str| {
        Run::new(compile::program("guard.c"))
            .args(case.split(' '))
            .allocator(Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .output()
    };
    is_stopped(
        &large("write 40960 -1"),
        "heap-underflow",
        "a write 1 byte in front of",
    );
    is_stopped(
        &large("read 40960 40960"),
        "heap-overflow",
        "a read directly behind",
    );
    is_stopped(
        &large("read-freed 40000 7"),
        "use-after-free",
        "a read at offset 7 of",
    );
    is_stopped(
        &large("write-freed 3000000 2999999"),
        "use-after-free",
        "a write at offset 2999999",
    );
    is_found(&large("write 40000 40000"), "heap-overflow");
    is_sound(&run("none", "read-freed 40000 7"));
}

/// What does not reach an inaccessible page shows at the free, or at exit.
#[test]
fn the_bytes_between_a_block_and_its_page_are_checked() {
    if !applies() {
        return;
    }
    for (guard, case, what) in [
        (
            "all",
            "write 100 100",
            "ERROR heap-overflow: 1 byte was written directly behind the end",
        ),
        (
            "all",
            "write 100 -1",
            "ERROR heap-underflow: 1 byte was written directly in front",
        ),
        (
            "all,left",
            "write 100 4000",
            "ERROR heap-overflow: 1 byte was written 3900 bytes behind",
        ),
        (
            "all",
            "kept 100 -100",
            "ERROR heap-underflow: 1 byte was written 99 bytes in front",
        ),
        (
            "all,left",
            "kept 100 100",
            "ERROR heap-overflow: 1 byte was written directly behind",
        ),
        ("all", "twice 100", "ERROR double-free: "),
        ("all", "interior 100 8", "ERROR invalid-free: "),
    ] {
        let outcome = run(guard, case);
        outcome.aborted();
        let first = &lines(&outcome)[0];
        assert!(
            first.starts_with(what),
            "{guard} {case}\n{}",
            outcome.report()
        );
    }
}

#[test]
fn the_variable_says_which_blocks_are_guarded() {
    if !applies() {
        return;
    }
    let counts = |guard: &str, checks: &str| {
        let run = program(guard, "counts 48").env("HAKMEM_INTEGRITY_CHECKS", checks);
        let outcome = run.output();
        is_sound(&outcome);
        (number(&outcome, "guarded "), number(&outcome, "chosen "))
    };
    for checks in ["0", "light", "1"] {
        assert_eq!(counts("all", checks), (10_000, 1));
        assert_eq!(counts("size=40-50", checks), (10_000, 1));
        assert_eq!(counts("size=49-100", checks), (0, 0));
        assert_eq!(counts("size=48", checks), (10_000, 1));
        assert_eq!(counts("site=no_such_function", checks), (0, 0));
        let (some, _) = counts("1/10", checks);
        assert!((800..1200).contains(&some), "{some}");
    }
    assert_eq!(counts("site=count_guarded", "1").0, 10_000);
    assert_eq!(counts("site=make", "1"), (0, 1));
    assert_eq!(counts("site=make,size=1000-2000", "1"), (0, 0));
    assert_eq!(counts("thread=1", "1"), (0, 0));
    assert_eq!(counts("none", "1"), (0, 0));
    let missing = run("site=no_such_function", "counts 48");
    assert!(
        missing
            .stderr_text()
            .contains("HAKMEM_GUARD: its site is in none of the files")
    );
}

#[test]
fn the_variable_says_where_they_lie() {
    if !applies() {
        return;
    }
    let places = |guard: &str| {
        let outcome = run(guard, "places");
        (number(&outcome, "left "), number(&outcome, "right "))
    };
    assert_eq!(places("all"), (0, 200));
    assert_eq!(places("left"), (200, 0));
    assert_eq!(places("exact"), (0, 200));
    let (left, right) = places("random");
    assert!(
        left + right == 200 && left > 50 && right > 50,
        "{left} {right}"
    );
}

/// No object of a size below 16 needs more than 8; and with `exact` the last byte is the page's.
#[test]
fn they_end_as_near_to_the_page_as_is_promised() {
    if !applies() {
        return;
    }
    is_sound(&run("all", "promised 0"));
    is_sound(&run("all,exact", "promised 1"));
    for (guard, case) in [
        ("all", "read 8 8"),
        ("all", "read 3 8"),
        ("all", "read 1 8"),
        ("all,exact", "read 13 13"),
        ("exact", "write 100 100"),
        ("exact", "read-freed 13 12"),
    ] {
        let kind = match case.contains("freed") {
            true => "use-after-free",
            false => "heap-overflow",
        };
        is_stopped(&run(guard, case), kind, "");
    }
    // What is left of the page is in front.
    is_found(&run("all,exact", "write 13 -1"), "heap-underflow");
    is_sound(&run("all", "read 13 13"));
}

#[test]
fn what_is_not_understood_is_said_and_ignored() {
    if !applies() {
        return;
    }
    for wrong in ["al", "1/0", "size=5-2", "left,right", "left,exact", "site="] {
        let outcome = run(wrong, "write 64 5");
        is_sound(&outcome);
        let said = outcome.stderr_text().into_owned();
        assert!(
            said.starts_with(&format!(
                "hakmem: HAKMEM_GUARD={wrong} is not all, none, 1/N"
            )),
            "{said}"
        );
    }
}

/// In 4000 steps, each too small to be worth a copy; and down again.
#[test]
fn a_block_that_grows_is_rarely_copied() {
    if !applies() {
        return;
    }
    // The last one leaves it to the default.
    for guard in ["all", "left", "size=1"] {
        let outcome = run(guard, "grow");
        is_sound(&outcome);
        let moves = number(&outcome, "moves ");
        assert!(moves < 20, "{guard}: {moves}");
    }
}

#[test]
fn calloc_does_not_touch_fresh_pages() {
    if !applies() {
        return;
    }
    for guard in ["all", "left"] {
        let outcome = run(guard, "zeroed");
        is_sound(&outcome);
        let touched = number(&outcome, "touched ");
        assert!(touched < 4 << 20, "{touched}");
    }
}

/// A third of the mappings that the kernel allows a process, and then blocks are as others.
#[test]
fn slots_may_be_used_up() {
    if !applies() {
        return;
    }
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("a limit");
    let most: usize = most.trim().parse().expect("a number");
    let outcome = run("all", "used-up");
    is_sound(&outcome);
    let taken = number(&outcome, "mappings ");
    assert!(taken <= most / 3 + 100 && taken > 10_000, "{taken}");
    assert!(number(&outcome, "left ") < 100, "{}", outcome.report());
    assert_eq!(number(&outcome, "again "), 1);
}

#[test]
fn sound_programs_notice_nothing() {
    if !applies() {
        return;
    }
    for guard in ["all", "all,left", "random", "1/7"] {
        for case in ["churn", "threads", "aligned", "rounds"] {
            is_sound(&run(guard, case));
        }
    }
    is_sound(&run("1/3", "forks"));
}

/// Pages are used again when there is little address space, and what cannot be had is not missed.
#[test]
fn address_space_may_be_limited() {
    if !applies() {
        return;
    }
    for mebibytes in [600, 2000, 8000] {
        for case in ["churn", "rounds", "grow"] {
            is_sound(&program("all", case).address_space(mebibytes).output());
        }
    }
}

#[test]
fn a_handler_of_the_program_s_own_runs() {
    if !applies() {
        return;
    }
    let outcome = run("all", "handler");
    outcome.success();
    assert_eq!(outcome.stdout_text().matches("handled 11").count(), 3);
}

/// The action after a finding is not for a signal: that takes its way.
#[test]
fn what_follows_a_finding_is_the_signal() {
    if !applies() {
        return;
    }
    let outcome = program("all", "write 64 64").env("HAKMEM_ON_ERROR", "continue");
    is_stopped(
        &outcome.output(),
        "heap-overflow",
        "a write directly behind",
    );
    let twice = program("all", "twice 64")
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    twice.success();
    assert!(
        lines(&twice)[0].starts_with("ERROR double-free"),
        "{}",
        twice.report()
    );
}

#[test]
fn other_faults_have_a_line() {
    if !applies() {
        return;
    }
    for (case, what) in [
        (
            "null 0",
            "SIGSEGV: a write at 0x0, which is null; by guard_c+0x",
        ),
        (
            "null 24",
            "SIGSEGV: a write at 0x18, which is null and 24; by ",
        ),
        (
            "null 0x123456789000",
            "SIGSEGV: a write at 0x123456789000, which is near no block",
        ),
        (
            "null 0x1234567890abcdef",
            "SIGSEGV: an access through an address that is none",
        ),
        ("code", "SIGSEGV: a write at 0x"),
        ("deep", "SIGSEGV: the stack of thread "),
        ("deep-thread", "SIGSEGV: the stack of thread "),
    ] {
        let outcome = run("size=1", case);
        assert_eq!(
            outcome.status.signal(),
            Some(SIGSEGV),
            "{}",
            outcome.report()
        );
        let lines = lines(&outcome);
        assert!(lines[0].starts_with(what), "{case}\n{}", outcome.report());
        assert_eq!(lines.len(), 1, "{}", outcome.report());
        if case.starts_with("deep") {
            assert!(lines[0].contains(" is used up: "), "{}", lines[0]);
        }
        if case == "code" {
            assert!(lines[0].contains("which does not allow it"), "{}", lines[0]);
        }
    }
}

/// Programs that do nothing wrong, with all their blocks guarded and with the large ones.
#[test]
fn real_programs_have_no_finding() {
    if !applies() {
        return;
    }
    let source = compile::sources().join("exercise.c");
    for guard in ["all", "random", "size=1-100"] {
        let python = Run::new("python3")
            .args([
                "-c",
                "import json, re; print(len(json.dumps([str(i) for i in range(99999)])))",
            ])
            .allocator(Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .env("HAKMEM_GUARD", guard)
            .output();
        is_sound(&python);
        let gcc = Run::new("gcc")
            .args(["-O2", "-w", "-c", "-o", "/dev/null"])
            .arg(&source)
            .allocator(Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .env("HAKMEM_GUARD", guard)
            .output();
        is_sound(&gcc);
    }
}
