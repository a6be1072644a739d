//! The reservations of slots that a thread makes for its POOL slabs.

use hakmem_tests::statistics::{applies, exercise};

use super::MIB;

/// How many reservations 3840 blocks of 8 KiB, 30 MiB, take under these settings.
fn reservations(settings: &[(&str, &str)]) -> u64 {
    let run = exercise(settings, &["take a 8192 3840", "report taken"]);
    run.at("taken").pool("arena_steps")
}

const INIT: &str = "HAKMEM_POOL_TLS_ARENA_MB_INIT";
const MAX: &str = "HAKMEM_POOL_TLS_ARENA_MB_MAX";
const LEVELS: &str = "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS";

#[test]
fn pool_tls_arena_mb_init() {
    if !applies() {
        return;
    }
    // 1 + 2 + 4 + 8 + 8 + 8, 8 * 4, and one of 64.
    let steps = ["1", "8", "64"].map(|init| reservations(&[(INIT, init)]));
    assert_eq!(steps, [6, 4, 1]);
    // What else the program asks for meanwhile does not come in between.
    let mut steps = Vec::new();
    for i in 0..8 {
        steps.push(format!("take pool{i} 8192 128"));
        steps.push(format!("take large{i} 1000000 1"));
        steps.push(format!("where pool{i}"));
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let [scattered, consecutive] = ["1", "64"].map(|size| {
        let run = exercise(&[(INIT, size), (MAX, size)], &steps);
        let blocks: Vec<_> = (0..8)
            .flat_map(|i| run.addresses(&format!("pool{i}")))
            .collect();
        assert_eq!(blocks.len(), 8 * 128);
        let [Some(first), Some(last)] = [blocks.iter().min(), blocks.iter().max()] else {
            panic!("no blocks")
        };
        (last + 8192 - first) as u64
    });
    assert_eq!(consecutive, 8 * MIB);
    assert!(scattered > 8 * MIB, "{scattered} bytes from first to last");
}

#[test]
fn pool_tls_arena_mb_max() {
    if !applies() {
        return;
    }
    let at_most = |max| reservations(&[(MAX, max), (LEVELS, "8")]);
    // 15 * 2 with what the first one's SuperSlab has left, 1 + 2 + 4 + 8 + 8 + 8, and
    // 1 + 2 + 4 + 8 + 16.
    assert_eq!(["2", "8", "64"].map(at_most), [15, 6, 5]);
    // A bound below the first reservation counts as that.
    assert_eq!(reservations(&[(INIT, "64"), (MAX, "2")]), 1);
}

#[test]
fn pool_tls_arena_growth_levels() {
    if !applies() {
        return;
    }
    let doubling = |levels| reservations(&[(MAX, "64"), (LEVELS, levels)]);
    assert_eq!(["1", "3", "8"].map(doubling), [15, 6, 5]);
}
