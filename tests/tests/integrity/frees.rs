//! Frees that are wrong, and stacks of those that were right.

use hakmem_tests::reported::{checked, findings, kinds, the_finding};
use hakmem_tests::watched::address;

use super::{STATUS, applies};

#[test]
fn a_double_free_names_both_frees() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(checked("freed_twice"));
    let item = address(&outcome, "item ");
    assert_eq!(finding.kind, "double-free");
    assert!(finding.says(&format!(
        "free({item:#x}): this block of 40 bytes was freed before"
    )));
    assert!(finding.says("class 3 (64 bytes)") && finding.says("life 1"));
    for heading in ["found by free", "freed by free"] {
        assert_eq!(
            finding.stack(heading)[0],
            "drop_item",
            "{}",
            outcome.report()
        );
    }
    assert_eq!(finding.stack("allocated by malloc")[0], "make_item");
    let below = address(&outcome, "below ");
    let above = address(&outcome, "above ");
    assert!(finding.says(&format!("the block below: {below:#x} of 40 bytes, live")));
    assert!(finding.says(&format!("the block above: {above:#x} of 40 bytes, live")));
}

/// Unless somebody asks for another depth: of a call of C's `free` fewer functions are kept.
#[test]
fn stacks_are_as_deep_as_the_guide_says() {
    if !applies() {
        return;
    }
    for (depth, of_malloc, of_free) in [(None, 8, 4), (Some("3"), 3, 3), (Some("12"), 12, 12)] {
        let mut run = checked("freed_twice_from_afar");
        if let Some(depth) = depth {
            run = run.env("HAKMEM_STACK_DEPTH", depth);
        }
        let outcome = run.output();
        outcome.aborted();
        let found = findings(&outcome);
        assert_eq!(found.len(), 1, "{}", outcome.report());
        let stack = |heading| found[0].stack(heading);
        let (made, freed) = (stack("allocated by malloc"), stack("freed by free"));
        let lens = (made.len(), freed.len());
        assert_eq!(lens, (of_malloc, of_free), "{}", outcome.report());
        assert_eq!((&*made[0], &*freed[0]), ("make_item", "drop_item"));
    }
}

/// As [`a_double_free_names_both_frees`], where no thread is first.
/// What a rule of the watch holds back is freed all the same.
#[test]
fn a_block_that_is_held_back_is_freed() {
    if !applies() {
        return;
    }
    let rule = "size=4 on=free do=arm hold=1";
    let run = |case: &str| checked(case).env("HAKMEM_WATCH", rule).output();
    let outcome = run("freed_and_held");
    assert!(
        outcome.stderr_text().contains("armed"),
        "{}",
        outcome.report()
    );
    assert_eq!(kinds(&outcome), [""; 0], "{}", outcome.report());
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());

    let outcome = run("held_and_freed_again");
    outcome.aborted();
    let found = findings(&outcome);
    assert_eq!(found.len(), 1, "{}", outcome.report());
    assert_eq!(found[0].kind, "double-free");
    assert_eq!(found[0].stack("freed by free")[0], "drop_item");
}

#[test]
fn two_threads_free_one_block() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("freed_by_two"));
    assert_eq!(finding.kind, "double-free");
}

#[test]
fn what_is_no_block_is_told_for_what_it_is() {
    if !applies() {
        return;
    }
    for (case, what) in [
        (
            "interior",
            "the address is 8 bytes inside of one of 40 bytes, which is live",
        ),
        ("of_global", "a variable, a constant, code"),
        (
            "of_stack",
            "an address on the stack of the thread that calls",
        ),
        ("of_small_number", "next to null"),
    ] {
        let (outcome, finding) = the_finding(checked(case));
        assert_eq!(finding.kind, "invalid-free", "{case}");
        assert!(finding.says(what), "{case}\n{}", outcome.report());
        assert_eq!(finding.stack("found by free")[0], "drop_item");
    }
}

#[test]
fn a_pointer_from_freed_memory_that_is_freed_is_a_use_of_it() {
    if !applies() {
        return;
    }
    let (_, finding) = the_finding(checked("free_of_filling"));
    assert_eq!(finding.kind, "use-after-free");
    assert!(finding.says("free(0xdededededededede): what freed memory is filled with"));
}
