//! The level `light`: what stands at the end of a block's place is overwritten, and that is found and
//! told; what was there before the level was known is left alone.

use hakmem_tests::reported::{findings, kinds, the_finding};
use hakmem_tests::watched::address;
use hakmem_tests::{Allocator, Run, compile, not_reference};

/// The status of `light.c` where nothing stops it.
const STATUS: i32 = 7;

fn light(case: &str) -> Run {
    Run::new(compile::optimized_program("light.c"))
        .arg(case)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "light")
}

fn applies() -> bool {
    not_reference("glibc's allocator does not check")
}

/// That a case ends as a kind of finding, in these words of a block of its own. What is written may be, by
/// chance, what the word had in a byte, one in 256: then a byte less is told, and the case is run once more,
/// at another address.
#[track_caller]
fn is_told(case: &str, kind: &str, block: &str, words: &str) {
    let mut said = String::new();
    for _ in 0..3 {
        let outcome = light(case).output();
        let told = format!("{words} at {:#x}", address(&outcome, block));
        let found = findings(&outcome);
        if let [finding] = &found[..]
            && finding.kind == kind
            && finding.says(&told)
        {
            return;
        }
        said = format!("{told}: {}", outcome.report());
    }
    panic!("{said}");
}

/// The block fills its place, so the first byte behind it is the word's. What the word was is found out
/// again where no more than half of it is lost.
#[test]
fn a_word_that_is_overwritten_says_who_ran_over_his_end() {
    if !applies() {
        return;
    }
    let overflow = "heap-overflow";
    let directly = "directly behind the end of a block of 24 bytes";
    let one = format!("1 byte was written {directly}");
    is_told("one_behind", overflow, "item ", &one);
    let two = format!("2 bytes were written {directly}");
    is_told("two_behind", overflow, "item ", &two);
    let four = format!("4 bytes were written {directly}");
    is_told("four_behind", overflow, "item ", &four);
    let more = "bytes were written behind the end of a block of at most 24 bytes";
    is_told("eight_behind", overflow, "item ", more);
    let later = "4 bytes were written 1 byte behind the end of a block of 20 bytes";
    is_told("from_the_pattern", overflow, "item ", later);
}

/// A word is of its own place alone. Which way the write came is not seen: all but the check is the same.
#[test]
fn a_word_of_another_place_is_none() {
    if !applies() {
        return;
    }
    let (outcome, finding) = the_finding(light("copied_word"));
    let kinds = ["heap-overflow", "heap-underflow"];
    assert!(
        kinds.contains(&finding.kind.as_str()),
        "{}",
        outcome.report()
    );
    let item = format!("a block of 24 bytes at {:#x}", address(&outcome, "item "));
    let above = format!("a block of 24 bytes at {:#x}", address(&outcome, "above "));
    assert!(
        finding.says(&item) || finding.says(&above),
        "{}",
        outcome.report()
    );
}

#[test]
fn a_word_that_is_overwritten_says_who_ran_below_his_start() {
    if !applies() {
        return;
    }
    let underflow = "heap-underflow";
    let one = "1 byte was written directly in front of a block of 24 bytes";
    let four = "4 bytes were written directly in front of a block of 24 bytes";
    // Of a place without pattern nothing tells the two apart, but in front of it the block's bytes.
    is_told(
        "freed_below",
        underflow,
        "item ",
        "directly in front of a block of 24 bytes",
    );
    is_told(
        "eight_in_front",
        underflow,
        "item ",
        "directly in front of a block of 16 bytes",
    );
    let first = "1 byte was written directly in front of a block of 2040 bytes";
    is_told("first", underflow, "first ", first);
    for (case, words) in [("one_in_front", one), ("four_in_front", four)] {
        is_told(case, underflow, "item ", words);
    }
}

#[test]
fn a_word_behind_a_freed_block_is_looked_at_as_well() {
    if !applies() {
        return;
    }
    let words = "0 bytes behind the end of a freed block of 24 bytes";
    is_told("behind_a_freed", "write-after-free", "item ", words);
}

/// The place that a slab keeps back has a word or a record, and looks like one of which nothing is known; and
/// in front of the first one of all there is no memory.
#[test]
fn a_place_that_nobody_was_given_is_not_taken_back() {
    if !applies() {
        return;
    }
    let cases = [
        ("freed_first_place", "free"),
        ("resized_first_place", "realloc"),
        ("measured_first_place", "malloc_usable_size"),
    ];
    let of_level = |level| cases.map(|(case, function)| (level, case, function));
    for (level, case, function) in ["light", "full"].into_iter().flat_map(of_level) {
        let run = light(case).env("HAKMEM_INTEGRITY_CHECKS", level);
        let (outcome, finding) = the_finding(run);
        assert_eq!(finding.kind, "invalid-free", "{}", outcome.report());
        let kept = address(&outcome, "kept ");
        let told = format!("{function}({kept:#x}): no block was handed out at this address");
        assert!(finding.says(&told), "{told}: {}", outcome.report());
    }
}

/// Neither owns the block's slab: one of them finds it freed, each time.
#[test]
fn of_two_threads_that_free_at_once_one_is_second() {
    if !applies() {
        return;
    }
    let outcome = light("two_threads")
        .env("HAKMEM_ON_ERROR", "continue")
        .output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    let kinds = kinds(&outcome);
    assert_eq!(kinds.len(), 200, "{}", outcome.report());
    assert!(kinds.iter().all(|kind| kind == "double-free"));
}

#[test]
fn slabs_that_serve_another_class_have_no_old_words() {
    if !applies() {
        return;
    }
    let outcome = light("other_classes").output();
    assert_eq!(outcome.status.code(), Some(STATUS), "{}", outcome.report());
    assert_eq!(outcome.stderr_text(), "", "{}", outcome.report());
}

/// Nothing is claimed of what was handed out before anybody knew what to check.
#[test]
fn blocks_from_before_the_level_was_known_are_left_alone() {
    if !applies() {
        return;
    }
    for case in ["early", "early_kept"] {
        let outcome = light(case).output();
        assert_eq!(
            outcome.status.code(),
            Some(STATUS),
            "{case}: {}",
            outcome.report()
        );
        assert_eq!(outcome.stderr_text(), "", "{case}: {}", outcome.report());
    }
    // The allocator's own checks find it.
    let (outcome, finding) = the_finding(light("early_twice"));
    assert_eq!(finding.kind, "double-free", "{}", outcome.report());
    assert!(finding.says("as far as was seen"), "{}", outcome.report());
}
