//! Frees of other threads' blocks.

use hakmem_tests::statistics::applies;

use super::plainly;

#[test]
fn remote_freed() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 200",
        "report before",
        "thread",
        "give a",
        "end",
        "report after",
    ]);
    assert_eq!(run.at("before").class(48, "remote_freed"), 0);
    assert_eq!(run.at("after").class(48, "remote_freed"), 200);
}

/// All at once when the thread has held back 256 blocks of the one slab, and the rest at
/// its end.
#[test]
fn remote_published() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 400",
        "report before",
        "thread",
        "give a",
        "report held",
        "end",
        "report after",
    ]);
    let published = |report| run.at(report).class(48, "remote_published");
    assert_eq!(
        [published("before"), published("held"), published("after")],
        [0, 1, 2]
    );
}

/// Blocks of a slot of which others have gone home before.
#[test]
fn remote_frees_all_go_home() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 48 150",
        "take b 48 150",
        "report before",
        "thread",
        "give a",
        "give b",
        "end",
        "report after",
    ]);
    let moved = |count| run.at("after").class(48, count) - run.at("before").class(48, count);
    assert_eq!(moved("remote_freed"), 300);
    // On the way, and none with the thread that has ended.
    assert_eq!(moved("free"), 300);
}

/// The owner finds them when it runs out of blocks.
#[test]
fn collected() {
    if !applies() {
        return;
    }
    let run = plainly(&[
        "take a 32768 64",
        "thread",
        "give a",
        "end",
        "report before",
        "take b 32768 64",
        "report after",
    ]);
    assert_eq!(run.at("before").class(32768, "collected"), 0);
    assert_eq!(run.at("after").class(32768, "collected"), 64);
    assert_eq!(run.moved("superslabs_mapped", "before", "after"), 0);
}
