//! What has to hold of the tables, the parser and the page about them.

mod presets;
mod reading;
mod table;
mod validator;
mod warnings;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;

/// The options that `environ` asks for, and the warnings on the way.
fn read(environ: &[&[u8]]) -> (Options, Vec<String>) {
    let mut warnings = Vec::new();
    let options = Options::read(environ.iter().copied(), &mut |warning| {
        warnings.push(String::from_utf8(warning.pieces().concat()).expect("ASCII"));
    });
    (options, warnings)
}

/// `NAME=value`, as the environment has it.
fn entry(name: &str, value: &str) -> Vec<u8> {
    format!("{name}={value}").into_bytes()
}

/// Reads `NAME=value` alone, which has to give one warning, and returns it.
fn refused(name: &str, value: &[u8]) -> (Options, String) {
    let entry = [name.as_bytes(), b"=", value].concat();
    let (options, mut warnings) = read(&[&entry]);
    assert_eq!(warnings.len(), 1, "{name}={value:?}: {warnings:?}");
    (options, warnings.remove(0))
}

/// All fields, each by the name of its variable. Written out a second time on
/// purpose: this is what the table and the parser are compared with.
fn fields(o: &Options) -> Vec<(&'static str, Option<u32>)> {
    let Options {
        wrap_tiny,
        wrap_pool,
        wrap_mid,
        wrap_large,
        superslab_reuse,
        superslab_lazy,
        superslab_prewarm,
        superslab_lru_cap,
        superslab_soft_cap,
        superslab_max_cached,
        superslab_max_memory_mb,
        superslab_ttl_sec,
        prewarm_superslabs,
        tiny_tls_cap,
        tiny_tls_refill,
        tiny_drain_thresh,
        tiny_sfc_enable,
        tiny_sfc_capacity,
        tiny_sfc_hot_classes,
        tiny_p0_enable,
        tiny_p0_batch,
        tiny_p0_no_drain,
        tiny_header_classidx,
        pool_tls_arena_mb_init,
        pool_tls_arena_mb_max,
        pool_tls_arena_growth_levels,
        huge_pages,
        stats,
        profile,
        alloc_learn,
        alloc_learn_window,
        alloc_learn_rate,
        mem_learn,
        mem_learn_window,
        mem_learn_threshold,
        learn_budget_mb: _,
        learn_cached_kb: _,
        learn_freeze_sec: _,
        learn_patience: _,
        learn_print: _,
        purge_delay_ms,
        stock_mb,
        stats_every_sec,
        stats_signal,
    } = *o;
    std::vec![
        ("HAKMEM_WRAP_TINY", Some(wrap_tiny.into())),
        ("HAKMEM_WRAP_POOL", Some(wrap_pool.into())),
        ("HAKMEM_WRAP_MID", Some(wrap_mid.into())),
        ("HAKMEM_WRAP_LARGE", Some(wrap_large.into())),
        ("HAKMEM_SUPERSLAB_REUSE", Some(superslab_reuse.into())),
        ("HAKMEM_SUPERSLAB_LAZY", Some(superslab_lazy.into())),
        ("HAKMEM_SUPERSLAB_PREWARM", Some(superslab_prewarm)),
        ("HAKMEM_SUPERSLAB_LRU_CAP", Some(superslab_lru_cap)),
        ("HAKMEM_SUPERSLAB_SOFT_CAP", Some(superslab_soft_cap)),
        ("HAKMEM_SUPERSLAB_MAX_CACHED", superslab_max_cached),
        ("HAKMEM_SUPERSLAB_MAX_MEMORY_MB", superslab_max_memory_mb),
        ("HAKMEM_SUPERSLAB_TTL_SEC", superslab_ttl_sec),
        ("HAKMEM_PREWARM_SUPERSLABS", Some(prewarm_superslabs)),
        ("HAKMEM_TINY_TLS_CAP", Some(tiny_tls_cap)),
        ("HAKMEM_TINY_TLS_REFILL", Some(tiny_tls_refill)),
        ("HAKMEM_TINY_DRAIN_THRESH", Some(tiny_drain_thresh)),
        ("HAKMEM_TINY_SFC_ENABLE", Some(tiny_sfc_enable.into())),
        ("HAKMEM_TINY_SFC_CAPACITY", Some(tiny_sfc_capacity)),
        ("HAKMEM_TINY_SFC_HOT_CLASSES", Some(tiny_sfc_hot_classes)),
        ("HAKMEM_TINY_P0_ENABLE", Some(tiny_p0_enable.into())),
        ("HAKMEM_TINY_P0_BATCH", Some(tiny_p0_batch)),
        ("HAKMEM_TINY_P0_NO_DRAIN", Some(tiny_p0_no_drain.into())),
        (
            "HAKMEM_TINY_HEADER_CLASSIDX",
            Some(tiny_header_classidx.into()),
        ),
        (
            "HAKMEM_POOL_TLS_ARENA_MB_INIT",
            Some(pool_tls_arena_mb_init),
        ),
        ("HAKMEM_POOL_TLS_ARENA_MB_MAX", Some(pool_tls_arena_mb_max)),
        (
            "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS",
            Some(pool_tls_arena_growth_levels),
        ),
        ("HAKMEM_HUGE_PAGES", Some(huge_pages.into())),
        ("HAKMEM_STATS", Some(stats)),
        ("HAKMEM_PROFILE", profile),
        ("HAKMEM_ALLOC_LEARN", Some(alloc_learn.into())),
        ("HAKMEM_ALLOC_LEARN_WINDOW", Some(alloc_learn_window)),
        ("HAKMEM_ALLOC_LEARN_RATE", Some(alloc_learn_rate)),
        ("HAKMEM_MEM_LEARN", Some(mem_learn.into())),
        ("HAKMEM_MEM_LEARN_WINDOW", Some(mem_learn_window)),
        ("HAKMEM_MEM_LEARN_THRESHOLD", Some(mem_learn_threshold)),
        ("HAKMEM_PURGE_DELAY_MS", Some(purge_delay_ms)),
        ("HAKMEM_STOCK_MB", Some(stock_mb)),
        ("HAKMEM_STATS_EVERY_SEC", Some(stats_every_sec)),
        ("HAKMEM_STATS_SIGNAL", Some(stats_signal)),
    ]
}

/// The production variables that are numbers to the parser.
fn numbers() -> impl Iterator<Item = &'static Variable> {
    PRODUCTION.iter().filter(|row| row.setting.is_some())
}

/// The value of the environment that stands for this number.
fn value(row: &Variable, number: u32) -> String {
    format!("{}", row.shown(Some(number)))
}

/// The range of a production variable, also of one whose words stand for 0 and 1.
fn range(row: &Variable) -> Range {
    row.range.unwrap_or(Range::SWITCH)
}

/// A value of `row` that is allowed and not its default.
fn another(row: &Variable) -> u32 {
    match row.default {
        None => 7,
        Some(default) if default < range(row).max => default + 1,
        Some(default) => default - 1,
    }
}
