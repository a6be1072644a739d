//! The allocator's own structures, damaged while the program runs: what does not agree is found, and
//! told by its name.

use hakmem_tests::reported::{findings, kinds};
use hakmem_tests::{Allocator, Outcome, Run, compile, reference, skip};

/// The case of `programs/metadata.c`, and the field that is told.
const CASES: [(&str, &str); 44] = [
    ("used", "slab.used"),
    ("summary", "slab.summary"),
    ("blocks", "slab.blocks"),
    ("slots", "slab.slots"),
    ("colour", "slab.colour"),
    ("superslab", "slab.superslab"),
    ("free_bit", "slab."),
    ("slot_free", "superslab.free"),
    ("registry", "registry.slabs"),
    ("kind", "slab.kind"),
    ("owner", "slab.owner"),
    ("kind_of_run", "slab.kind"),
    ("kind_of_run_is_blocks", "slab.kind"),
    ("kind_of_mapping", "slab.kind"),
    ("owner_of_run", "slab.owner"),
    ("run_blocks", "slab.blocks"),
    ("run_used", "slab.used"),
    ("run_slots", "slab.slots"),
    ("run_pages", "slab.pages"),
    ("run_superslab", "slab.superslab"),
    ("run_start", "slab.start"),
    ("run_slot_free", "superslab.free"),
    ("run_entry", "registry.slabs"),
    ("run_owner_entry", "registry.owners"),
    ("mapping_used", "slab.used"),
    ("mapping_slots", "slab.slots"),
    ("mapping_superslab", "slab.superslab"),
    ("mapping_pages", "slab.pages"),
    ("mapping_start", "slab.start"),
    ("mapping_shrunk", "slab.pages"),
    ("mapping_grown", "slab.pages"),
    ("mapping_beyond", "slab.pages"),
    ("mapping_into_stock", "slab.pages"),
    ("parked_used", "slab.used"),
    ("parked_summary", "slab.summary"),
    ("parked_registry", "slab.superslab"),
    ("parked_state", "cache.state"),
    ("parked_busy", "cache.busy"),
    ("parked_top", "bin.top"),
    ("parked_top_between", "bin.top"),
    ("parked_end", "bin.end"),
    ("parked_entry", "bin.top"),
    ("parked_list", "shelf.list.len"),
    ("parked_list_head", "shelf.list.head"),
];

fn run(case: &str) -> Outcome {
    Run::new(compile::program("metadata.c"))
        .arg(case)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
        .env("HAKMEM_ON_ERROR", "continue")
        // Large blocks would be guarded ones, which have no slab.
        .env("HAKMEM_GUARD", "none")
        .output()
}

#[test]
fn each_field_that_others_contradict_is_told() {
    if reference() {
        return skip("glibc's allocator does not look at itself");
    }
    for (case, field) in CASES {
        let outcome = run(case);
        outcome.success();
        assert_eq!(
            kinds(&outcome),
            ["metadata-corruption"],
            "{}",
            outcome.report()
        );
        let finding = &findings(&outcome)[0];
        assert!(
            finding.sentence.contains(&format!(" {field}")),
            "{case}: {}",
            outcome.report()
        );
    }
}

#[test]
fn a_large_block_is_looked_at_beside_other_threads() {
    if reference() {
        return skip("glibc's allocator does not look at itself");
    }
    let outcome = run("overrun");
    outcome.success();
    assert_eq!(kinds(&outcome), ["heap-overflow"], "{}", outcome.report());
}

/// Slabs that are opened, resized and closed, caches that are parked and adopted, all the time while
/// others look.
#[test]
fn what_others_are_changing_is_no_contradiction() {
    if reference() {
        return skip("glibc's allocator does not look at itself");
    }
    let outcome = run("busy_threads");
    outcome.success();
    assert_eq!(findings(&outcome).len(), 0, "{}", outcome.report());
}
