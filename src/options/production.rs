//! The variables that every build reads.

use super::Setting;
use super::table::{
    count, fields, limit, list, megabytes, milliseconds, percent, switch, text, word,
};
use super::variable::{Field, Kind, Range, Variable};

/// The variables that every build reads, by name.
pub const PRODUCTION: &[Variable] = &[
    switch(
        Setting::AllocLearn,
        "HAKMEM_ALLOC_LEARN",
        0,
        "1 adapts the threads' fronts, lists and batches to what their classes do.",
    ),
    percent(
        Setting::AllocLearnRate,
        "HAKMEM_ALLOC_LEARN_RATE",
        (1, 100),
        50,
        "By how much of itself a capacity may change after a window.",
    ),
    count(
        Setting::AllocLearnWindow,
        "HAKMEM_ALLOC_LEARN_WINDOW",
        (64, 65536),
        1024,
        "After how many refills and drains of a thread it decides anew what is hot.",
    ),
    switch(
        Setting::HugePages,
        "HAKMEM_HUGE_PAGES",
        1,
        "1 asks for huge pages where they are small change to the heap, 0 never does.",
    ),
    fields(
        "HAKMEM_LEARN_ADVANCED",
        ADVANCED,
        "Overrides of what learning goes by, with commas between: name=number.",
    ),
    switch(
        Setting::MemLearn,
        "HAKMEM_MEM_LEARN",
        0,
        "1 adapts huge pages, the purge and the stock of freed memory to the program.",
    ),
    percent(
        Setting::MemLearnThreshold,
        "HAKMEM_MEM_LEARN_THRESHOLD",
        (1, 100),
        10,
        "The share of the memory in use that may lie free before it counts as too much.",
    ),
    milliseconds(
        Setting::MemLearnWindow,
        "HAKMEM_MEM_LEARN_WINDOW",
        (10, 60000),
        200,
        "How long it is from one decision on memory to the next.",
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
    word(
        Setting::Profile,
        "HAKMEM_PROFILE",
        &super::preset::NAMES,
        None,
        "Sets what its preset says; a variable that is set itself wins.",
    ),
    milliseconds(
        Setting::PurgeDelayMs,
        "HAKMEM_PURGE_DELAY_MS",
        (0, 60000),
        50,
        "How long free pages beyond their bound stay before they are given back.",
    ),
    list(
        Setting::Stats,
        "HAKMEM_STATS",
        &["all", "classes", "json", "learn", "pool", "tiers", "totals"],
        "Prints statistics when the program ends: 1 or all for the whole table, or its parts.",
    ),
    count(
        Setting::StatsEverySec,
        "HAKMEM_STATS_EVERY_SEC",
        (0, 86400),
        0,
        "Prints the statistics again after so many seconds, while the program runs; 0 does not.",
    ),
    text(
        STATS_FILE,
        "The file to append statistics to, in place of standard error; %p in it stands for the \
         process's number.",
    ),
    count(
        Setting::StatsSignal,
        "HAKMEM_STATS_SIGNAL",
        (0, 64),
        0,
        "Prints the statistics whenever this signal comes, by its number; 0 for none.",
    ),
    megabytes(
        Setting::StockMb,
        "HAKMEM_STOCK_MB",
        (0, 65536),
        32,
        "How much freed memory of large blocks is kept for a second, or as much as is in use.",
    ),
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

/// Read by who prints statistics.
pub(crate) const STATS_FILE: &str = "HAKMEM_STATS_FILE";

/// What `HAKMEM_LEARN_ADVANCED` may say, by name.
const ADVANCED: &[Field] = &[
    field(
        "budget_mb",
        Setting::LearnBudgetMb,
        (0, 1 << 20),
        "resident memory of the heap from which on free pages go back at once; 0 is no budget",
    ),
    field(
        "cached_kb",
        Setting::LearnCachedKb,
        (16, 4096),
        "bytes of blocks that a front of learning's may hold",
    ),
    field(
        "freeze_sec",
        Setting::LearnFreezeSec,
        (0, 86400),
        "seconds after which learning ends and prints what it learnt; 0 is never",
    ),
    field(
        "patience",
        Setting::LearnPatience,
        (1, 64),
        "windows without a refill or drain after which a class is cold",
    ),
    field(
        "print",
        Setting::LearnPrint,
        (0, 1),
        "1 prints what was learnt when the program ends, as variables to set",
    ),
];

const fn field(
    name: &'static str,
    setting: Setting,
    bounds: (u32, u32),
    text: &'static str,
) -> Field {
    Field {
        name,
        range: Range {
            min: bounds.0,
            max: bounds.1,
        },
        text,
        setting,
    }
}
