//! Programs that do nothing wrong, or nothing to guarded blocks: what they get, and what they may do.

use hakmem_tests::watched::lines;
use hakmem_tests::{Allocator, Run, compile};
use std::os::unix::process::ExitStatusExt;

use super::{SIGSEGV, applies, is_sound, number, program, run};

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
