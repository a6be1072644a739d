//! Which blocks are guarded, and where they lie in their pages.

use super::{applies, is_found, is_sound, is_stopped, number, program, run};

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
