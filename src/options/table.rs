//! Every environment variable, one row each.
//!
//! There are two tables, and it matters that there are two. [`PRODUCTION`] is
//! what the parser reads. [`DEBUG`] is never mentioned by it, so a build without
//! observers contains none of those names. Both are constants and not statics: a
//! constant that nothing uses leaves nothing in the binary, and the parser copies
//! out of [`PRODUCTION`] what it needs, so that the texts stay out as well.
//!
//! What holds, checked at compile time below:
//! 1. names begin with `HAKMEM_`, are in the order of their bytes, and are unique;
//! 2. a default is inside its range, and a range is not empty;
//! 3. a switch has the range 0 to 1, and a list, address or text has none.

use super::setting::Setting;
use super::variable::{Builds, Kind, Range, Variable};

/// The variables that every build reads, by name.
pub const PRODUCTION: &[Variable] = &[
    switch(
        Setting::HugePages,
        "HAKMEM_HUGE_PAGES",
        1,
        "1 asks for huge pages where they are small change to the heap, 0 never does.",
    ),
    count(
        Setting::PoolTlsArenaGrowthLevels,
        "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS",
        (1, 8),
        3,
        "How many times a thread's pool arena (blocks of 2 to 8 KB) may double.",
    ),
    megabytes(
        Setting::PoolTlsArenaMbInit,
        "HAKMEM_POOL_TLS_ARENA_MB_INIT",
        (1, 64),
        1,
        "The size of the first reservation that a thread makes for its pool arena.",
    ),
    megabytes(
        Setting::PoolTlsArenaMbMax,
        "HAKMEM_POOL_TLS_ARENA_MB_MAX",
        (1, 64),
        8,
        "The size that a reservation for a pool arena never passes, however often it may double.",
    ),
    count(
        Setting::PrewarmSuperslabs,
        "HAKMEM_PREWARM_SUPERSLABS",
        (0, 128),
        0,
        "How many SuperSlabs to map and populate at start-up for each TINY size class.",
    ),
    Variable {
        kind: Kind::List(&[]),
        range: None,
        ..switch(
            Setting::Stats,
            "HAKMEM_STATS",
            0,
            "1 prints the table of statistics when the program ends.",
        )
    },
    switch(
        Setting::SuperslabLazy,
        "HAKMEM_SUPERSLAB_LAZY",
        1,
        "1 keeps empty SuperSlabs in a cache, 0 unmaps each at once.",
    ),
    count(
        Setting::SuperslabLruCap,
        "HAKMEM_SUPERSLAB_LRU_CAP",
        (0, 1024),
        256,
        "The most empty SuperSlabs that the cache keeps; the one unused for longest goes first.",
    ),
    limit(
        Setting::SuperslabMaxCached,
        "HAKMEM_SUPERSLAB_MAX_CACHED",
        Kind::Count,
        "A second bound on the number of cached SuperSlabs; the smaller of the two wins.",
    ),
    limit(
        Setting::SuperslabMaxMemoryMb,
        "HAKMEM_SUPERSLAB_MAX_MEMORY_MB",
        Kind::Megabytes,
        "The most memory that cached SuperSlabs may hold.",
    ),
    count(
        Setting::SuperslabPrewarm,
        "HAKMEM_SUPERSLAB_PREWARM",
        (0, 128),
        0,
        "How many SuperSlabs to map and populate at start-up, in total.",
    ),
    switch(
        Setting::SuperslabReuse,
        "HAKMEM_SUPERSLAB_REUSE",
        0,
        "1 keeps a slab that became empty for its size class, 0 gives its slots to any class.",
    ),
    count(
        Setting::SuperslabSoftCap,
        "HAKMEM_SUPERSLAB_SOFT_CAP",
        (0, 1024),
        128,
        "How many cached SuperSlabs keep their pages; those beyond stay mapped without.",
    ),
    limit(
        Setting::SuperslabTtlSec,
        "HAKMEM_SUPERSLAB_TTL_SEC",
        Kind::Seconds,
        "How long a SuperSlab may stay in the cache unused.",
    ),
    count(
        Setting::TinyDrainThresh,
        "HAKMEM_TINY_DRAIN_THRESH",
        (0, 1024),
        256,
        "How many frees of other threads' blocks a thread holds back before it publishes them.",
    ),
    switch(
        Setting::TinyHeaderClassidx,
        "HAKMEM_TINY_HEADER_CLASSIDX",
        1,
        "1 takes a block's class from the page map on free, 0 from the validated look-up.",
    ),
    count(
        Setting::TinyP0Batch,
        "HAKMEM_TINY_P0_BATCH",
        (4, 128),
        64,
        "How many blocks a refill takes from a slab's bitmap at once.",
    ),
    switch(
        Setting::TinyP0Enable,
        "HAKMEM_TINY_P0_ENABLE",
        1,
        "1 refills in batches, 0 takes one block at a time from the slab.",
    ),
    switch(
        Setting::TinyP0NoDrain,
        "HAKMEM_TINY_P0_NO_DRAIN",
        0,
        "1 lets a refill pass over the blocks that other threads have freed.",
    ),
    count(
        Setting::TinySfcCapacity,
        "HAKMEM_TINY_SFC_CAPACITY",
        (32, 512),
        128,
        "How many blocks the front array of a hot class holds at first.",
    ),
    switch(
        Setting::TinySfcEnable,
        "HAKMEM_TINY_SFC_ENABLE",
        1,
        "1 serves from front arrays (the super front cache), 0 from the lists alone.",
    ),
    count(
        Setting::TinySfcHotClasses,
        "HAKMEM_TINY_SFC_HOT_CLASSES",
        (1, 16),
        8,
        "How many classes of a thread may get a large front array.",
    ),
    count(
        Setting::TinyTlsCap,
        "HAKMEM_TINY_TLS_CAP",
        (16, 1024),
        64,
        "The most blocks in a thread's list (SLL) of one class.",
    ),
    count(
        Setting::TinyTlsRefill,
        "HAKMEM_TINY_TLS_REFILL",
        (4, 256),
        16,
        "How many blocks a refill moves into the thread's lists.",
    ),
    switch(
        Setting::WrapLarge,
        "HAKMEM_WRAP_LARGE",
        1,
        "1 serves requests over 32 KB, 0 hands them to the system allocator.",
    ),
    switch(
        Setting::WrapMid,
        "HAKMEM_WRAP_MID",
        1,
        "1 serves requests of 8 to 32 KB, 0 hands them to the system allocator.",
    ),
    switch(
        Setting::WrapPool,
        "HAKMEM_WRAP_POOL",
        1,
        "1 serves requests of 2 to 8 KB, 0 hands them to the system allocator.",
    ),
    switch(
        Setting::WrapTiny,
        "HAKMEM_WRAP_TINY",
        1,
        "1 serves requests of up to 2048 bytes, 0 hands them to the system allocator.",
    ),
];

/// The variables that builds with observers read, by name.
///
/// Nothing in this crate but its tests may use this constant: that is what keeps
/// these names out of a production library. It is here for the programs that
/// explain and check a configuration.
pub const DEBUG: &[Variable] = &[
    debug(
        "HAKMEM_FIXED_ADDRESSES",
        0,
        "Puts blocks at the same addresses in each run; `hakmem run --fixed-addresses` sets it.",
    ),
    debug_text(
        "HAKMEM_GUARD",
        "Which blocks get pages of their own, with one that cannot be touched beside them: \
         all, 1/N, size=A-B, site=FUNCTION, thread=T; right, left or random.",
    ),
    debug_text(
        "HAKMEM_INTEGRITY_CHECKS",
        "How much is checked: 0 nothing, light each free alone, 1 or full also freed blocks; \
         1 if not set.",
    ),
    debug(
        "HAKMEM_LEAKS",
        0,
        "Tells at exit which blocks nothing points to any more.",
    ),
    debug_text(
        "HAKMEM_ON_ERROR",
        "What follows a finding: abort, continue or stop; abort if not set.",
    ),
    debug_count(
        "HAKMEM_PTR_TRACE_DUMP",
        Kind::Count,
        (0, 1 << 20),
        0,
        "Dumps the newest records when the program ends: as many as it says, or 128 if it is 1.",
    ),
    debug(
        "HAKMEM_PTR_TRACE_VERBOSE",
        0,
        "Says each record on standard error when it is made.",
    ),
    debug_count(
        "HAKMEM_QUARANTINE_KB",
        Kind::Count,
        (0, 1 << 20),
        1024,
        "How many KiB of freed blocks a thread keeps from being used again.",
    ),
    debug_text(
        "HAKMEM_REPORT",
        "The file to which findings are added as lines of JSON; %p in it stands for the \
         process's number.",
    ),
    debug(
        "HAKMEM_SS_FREE_DEBUG",
        0,
        "Logs each SuperSlab that is freed.",
    ),
    debug(
        "HAKMEM_SS_LRU_DEBUG",
        0,
        "Logs what the SuperSlab cache keeps and evicts.",
    ),
    debug(
        "HAKMEM_SS_PREWARM_DEBUG",
        0,
        "Logs the SuperSlabs that are mapped ahead at start-up.",
    ),
    Variable {
        kind: Kind::Text,
        range: None,
        default: None,
        ..debug(
            "HAKMEM_STACKS",
            0,
            "How stacks of calls are walked: fp, table, dwarf, or off for the caller alone; \
             fp if not set.",
        )
    },
    Variable {
        kind: Kind::Count,
        range: Some(Range { min: 1, max: 64 }),
        ..debug(
            "HAKMEM_STACK_DEPTH",
            16,
            "How many return addresses are kept of a stack, the innermost.",
        )
    },
    debug(
        "HAKMEM_SUPER_LOOKUP_DEBUG",
        0,
        "Logs each look-up in the registry.",
    ),
    debug(
        "HAKMEM_SUPER_REG_DEBUG",
        0,
        "Logs each entry into the registry and each removal.",
    ),
    debug(
        "HAKMEM_TIMING",
        0,
        "Measures how long the allocator's operations take.",
    ),
    debug(
        "HAKMEM_TINY_ALLOC_DEBUG",
        0,
        "Dumps the state from which a thread allocates.",
    ),
    debug(
        "HAKMEM_TINY_FREELIST_MASK",
        0,
        "Logs each change of a slab's mask of free blocks.",
    ),
    debug(
        "HAKMEM_TINY_P0_LOG",
        0,
        "Checks the counters of batch refills and logs them.",
    ),
    debug(
        "HAKMEM_TINY_PROFILE",
        0,
        "Counts hits, misses and refills of the front caches.",
    ),
    debug(
        "HAKMEM_TINY_SLL_DIAG",
        0,
        "Diagnoses the threads' lists of free blocks.",
    ),
    Variable {
        kind: Kind::List(&[
            "all", "alloc", "free", "lookup", "lru", "mask", "p0", "prewarm", "ptr", "reg",
        ]),
        range: None,
        ..debug(
            "HAKMEM_TRACE",
            0,
            "Switches logs and traces on by their areas; 1 traces allocations.",
        )
    },
    debug("HAKMEM_TRACE_ALLOCATIONS", 0, "Traces every allocation."),
    debug_text(
        "HAKMEM_TRACE_DIR",
        "The directory to trace into; %p in it stands for the process's number.",
    ),
    debug_text(
        "HAKMEM_TRACE_FILTER",
        "Which allocations are traced: every=N,size=A-B,class=A-B,thread=T,site=ADDRESS.",
    ),
    debug_count(
        "HAKMEM_TRACE_MAX_MB",
        Kind::Megabytes,
        (1, 1 << 20),
        1024,
        "How much the full mode may write; behind it the newest events alone are kept.",
    ),
    debug_text(
        "HAKMEM_TRACE_MODE",
        "ring keeps the newest events of each thread, full keeps all.",
    ),
    debug_count(
        "HAKMEM_TRACE_RING_KB",
        Kind::Count,
        (4, 1 << 20),
        512,
        "The size of a thread's ring in KiB, rounded up to a power of two.",
    ),
    debug_count(
        "HAKMEM_TRACE_STACKS_MB",
        Kind::Megabytes,
        (1, 1024),
        4,
        "The size of the table of stacks.",
    ),
    Variable {
        kind: Kind::Text,
        range: None,
        default: None,
        ..debug(
            "HAKMEM_WATCH",
            0,
            "Rules with semicolons between: which blocks are watched, and what is done then.",
        )
    },
    Variable {
        kind: Kind::Text,
        range: None,
        default: None,
        ..debug(
            "HAKMEM_WATCH_ADDR",
            0,
            "Watches addresses and ranges, with commas between: tells what happens to the \
             blocks there, and who writes to them after their free.",
        )
    },
    debug(
        "HAKMEM_WATCH_HARDWARE",
        1,
        "1 arms blocks with the processor's watchpoints, 0 by page protection and comparison.",
    ),
];

const _: () = check(PRODUCTION);
const _: () = check(DEBUG);

/// A variable of every build that is 0 or 1.
const fn switch(
    setting: Setting,
    name: &'static str,
    default: u32,
    text: &'static str,
) -> Variable {
    Variable {
        name,
        kind: Kind::Switch,
        range: Some(Range::SWITCH),
        default: Some(default),
        builds: Builds::Every,
        since: "0.1.0",
        deprecated_by: None,
        text,
        setting: Some(setting),
    }
}

/// A variable of every build that is a number with bounds (smallest, largest).
const fn count(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    Variable {
        kind: Kind::Count,
        range: Some(Range {
            min: bounds.0,
            max: bounds.1,
        }),
        ..switch(setting, name, default, text)
    }
}

/// As [`count`], in megabytes.
const fn megabytes(
    setting: Setting,
    name: &'static str,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    Variable {
        kind: Kind::Megabytes,
        ..count(setting, name, bounds, default, text)
    }
}

/// A variable of every build that sets a limit where there is none by default.
const fn limit(setting: Setting, name: &'static str, kind: Kind, text: &'static str) -> Variable {
    Variable {
        kind,
        range: Some(Range::UNBOUNDED),
        default: None,
        ..switch(setting, name, 0, text)
    }
}

/// A switch of the builds with observers.
const fn debug(name: &'static str, default: u32, text: &'static str) -> Variable {
    Variable {
        name,
        kind: Kind::Switch,
        range: Some(Range::SWITCH),
        default: Some(default),
        builds: Builds::Observed,
        since: "0.1.0",
        deprecated_by: None,
        text,
        setting: None,
    }
}

/// A number of the builds with observers, with bounds (smallest, largest).
const fn debug_count(
    name: &'static str,
    kind: Kind,
    bounds: (u32, u32),
    default: u32,
    text: &'static str,
) -> Variable {
    Variable {
        kind,
        range: Some(Range {
            min: bounds.0,
            max: bounds.1,
        }),
        ..debug(name, default, text)
    }
}

/// A text of the builds with observers.
const fn debug_text(name: &'static str, text: &'static str) -> Variable {
    Variable {
        kind: Kind::Text,
        range: None,
        default: None,
        ..debug(name, 0, text)
    }
}

/// Fails the build where a table breaks one of the rules at the head of the file.
const fn check(table: &[Variable]) {
    let mut i = 0;
    while i < table.len() {
        let row = &table[i];
        let (prefix, _) = row.name.as_bytes().split_at(7);
        assert!(!less(prefix, b"HAKMEM_") && !less(b"HAKMEM_", prefix));
        assert!(i == 0 || less(table[i - 1].name.as_bytes(), row.name.as_bytes()));
        let numeric = match row.kind {
            Kind::Switch => matches!(row.range, Some(Range { min: 0, max: 1 })),
            Kind::Count | Kind::Megabytes | Kind::Seconds => row.range.is_some(),
            Kind::List(_) | Kind::Address | Kind::Text => row.range.is_none(),
        };
        assert!(numeric, "a range where there must be none, or none");
        if let Some(range) = row.range {
            assert!(range.min <= range.max);
            if let Some(default) = row.default {
                assert!(range.contains(default));
            }
        }
        i += 1;
    }
}

/// Whether `a` comes before `b` in the order of bytes.
const fn less(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}
