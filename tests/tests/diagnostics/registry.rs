//! Look-ups in the registry, and its entries.

use hakmem_tests::statistics::applies;
use hakmem_tests::{Allocator, Run};

use super::{lines, observed, with};

#[test]
fn lookups_are_logged() {
    if !applies() {
        return;
    }
    let settings = [("HAKMEM_SUPER_LOOKUP_DEBUG", "1")];
    let steps = [
        "take a 1000 5",
        "where a",
        "mark from",
        "usable a",
        "mark to",
    ];
    let seen = observed(&settings, &steps);
    let said = seen.said();
    let at = |mark: &str| said.iter().position(|line| line == mark).expect("a mark");
    let between = &said[at("from") + 1..at("to")];
    let blocks = seen.addresses("a");
    assert_eq!(between.len(), blocks.len());
    for (line, block) in between.iter().zip(blocks) {
        let end = format!(": {block:#x} -> slab {:#x}", block & !0xffff);
        assert!(line.ends_with(&end), "{line}");
    }
    // An address of nobody's.
    let outcome = Run::program("misuse.c")
        .args(["foreign", "stack", "free"])
        .env("HAKMEM_TRACE", "lookup")
        .allocator(Allocator::Observed)
        .output();
    let stderr = outcome.stderr_text();
    assert!(
        stderr.lines().any(|line| line.ends_with(" -> none")),
        "{}",
        outcome.report()
    );
}

#[test]
fn the_registry_logs_entries() {
    if !applies() {
        return;
    }
    let steps = [
        "take a 1000 1",
        "where a",
        "take b 3000000 1",
        "where b",
        "give b",
        "report done",
        "trim",
    ];
    let seen = observed(&[("HAKMEM_SUPER_REG_DEBUG", "1")], &steps);
    let lines = lines(&seen, "reg");
    let slab = seen.addresses("a")[0] & !0xffff;
    let large = seen.addresses("b")[0];
    assert_eq!(
        with(&lines, &format!("entered slab {slab:#x}, 1 slot")).len(),
        1
    );
    for what in ["entered", "cleared"] {
        assert_eq!(
            with(&lines, &format!("{what} slab {large:#x}, a mapping")).len(),
            1
        );
    }
    let mapped = seen.at("done").pool("superslabs_mapped");
    let entered = with(&lines, "entered SuperSlab ");
    assert_eq!(entered.len() as u64, mapped);
    let base = slab & !0x1f_ffff;
    assert!(
        entered
            .iter()
            .any(|line| line.ends_with(&format!("{base:#x}")))
    );
}
