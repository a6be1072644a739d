//! The allocator's own structures, damaged while the program runs: what does not agree is found, and
//! told by its name.

use hakmem_tests::reported::{findings, kinds};
use hakmem_tests::{Allocator, Run, compile, reference, skip};

/// The case of `programs/metadata.c`, and the field that is told.
const CASES: [(&str, &str); 8] = [
    ("used", "slab.used"),
    ("summary", "slab.summary"),
    ("blocks", "slab.blocks"),
    ("slots", "slab.slots"),
    ("superslab", "slab.superslab"),
    ("free_bit", "slab."),
    ("slot_free", "superslab.free"),
    ("registry", "registry.slabs"),
];

#[test]
fn each_field_that_others_contradict_is_told() {
    if reference() {
        return skip("glibc's allocator does not look at itself");
    }
    for (case, field) in CASES {
        let outcome = Run::new(compile::program("metadata.c"))
            .arg(case)
            .allocator(Allocator::Observed)
            .env("HAKMEM_INTEGRITY_CHECKS", "1")
            .env("HAKMEM_ON_ERROR", "continue")
            .output();
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
