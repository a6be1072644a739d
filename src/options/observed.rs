//! The variables that builds with observers read beside those of production.

use super::table::{debug, debug_count, debug_list, debug_text, debug_word};
use super::variable::{Kind, Variable};

/// The variables that builds with observers read, by name.
///
/// The parser of production must not use this constant: that is what keeps these names out of
/// a production library. Observers do, and programs that explain and check a configuration.
pub const DEBUG: &[Variable] = &[
    debug(
        "HAKMEM_FIXED_ADDRESSES",
        0,
        "Puts blocks at the same addresses in each run; `hakmem run --fixed-addresses` sets it.",
    ),
    debug_text(
        "HAKMEM_GUARD",
        "Which blocks get pages of their own, with one that cannot be touched beside them: \
         all, 1/N, size=A-B, site=FUNCTION, thread=T; right, exact, left or random.",
    ),
    debug_word(
        "HAKMEM_INTEGRITY_CHECKS",
        &["0", "1", "light", "full"],
        Some(1),
        "How much is checked: 0 nothing, light each free alone, 1 or full also freed blocks.",
    ),
    debug(
        "HAKMEM_LEAKS",
        0,
        "Tells at exit which blocks nothing points to any more.",
    ),
    debug_text(
        "HAKMEM_LEAKS_SUPPRESS",
        "Leaks that are not told: functions or files of code in their stacks, with commas between \
         and * for anything; @FILE reads them from a file, one a line.",
    ),
    debug("HAKMEM_LEARN_DEBUG", 0, "Logs each decision of learning."),
    debug_word(
        "HAKMEM_ON_ERROR",
        &["abort", "continue", "stop"],
        Some(0),
        "What follows a finding.",
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
        64,
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
    debug_text(
        "HAKMEM_STACKS",
        "How stacks of calls are walked: fp, table, dwarf, or off for the caller alone; \
         fp if not set.",
    ),
    debug_count(
        "HAKMEM_STACK_DEPTH",
        Kind::Count,
        (1, 64),
        16,
        "How many return addresses are kept of a stack, the innermost.",
    ),
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
    debug_list(
        "HAKMEM_TRACE",
        &[
            "all", "alloc", "free", "json", "learn", "lookup", "lru", "mask", "p0", "prewarm",
            "ptr", "reg",
        ],
        "Switches logs and traces on by their areas, json as lines of JSON; 1 traces allocations.",
    ),
    debug("HAKMEM_TRACE_ALLOCATIONS", 0, "Traces every allocation."),
    debug_text(
        "HAKMEM_TRACE_DIR",
        "The directory to trace into; %p in it stands for the process's number.",
    ),
    debug_text(
        "HAKMEM_TRACE_FILE",
        "The file to append the lines of HAKMEM_TRACE's areas to, in place of standard error; %p \
         in it stands for the process's number.",
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
    debug_text(
        "HAKMEM_VERIFY_SIGNAL",
        "The signal, by name or number, that has all blocks looked at.",
    ),
    debug_text(
        "HAKMEM_WATCH",
        "Rules with semicolons between: which blocks are watched, and what is done then.",
    ),
    debug_text(
        "HAKMEM_WATCH_ADDR",
        "Watches addresses and ranges, with commas between: tells what happens to the \
         blocks there, and who writes to them after their free.",
    ),
    debug(
        "HAKMEM_WATCH_HARDWARE",
        1,
        "1 arms blocks with the processor's watchpoints, 0 by page protection and comparison.",
    ),
];

/// The areas of `HAKMEM_STATS` that stand for debug variables.
pub(super) const STATS_AREAS: &[&str] = &["profile", "sll", "state", "timing", "trace"];
