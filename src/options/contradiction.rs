//! Settings that work against one another.

use super::parse::Reading;
use super::preset::PRESETS;
use super::{Builds, Options, Setting};

/// Two settings, and why they do not go together.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Contradiction {
    /// The variable that has less effect than was meant.
    pub name: &'static str,
    /// The variable, or what else is in its way.
    pub other: &'static str,
    /// What happens.
    pub text: &'static str,
    /// Whether it is there.
    test: fn(&Facts<'_>) -> bool,
}

/// What a test looks at.
struct Facts<'a> {
    reading: &'a Reading,
    build: Builds,
}

impl Facts<'_> {
    fn options(&self) -> &Options {
        &self.reading.options
    }

    /// Whether the environment itself sets it, and not a preset.
    fn says(&self, setting: Setting) -> bool {
        let place = super::PRODUCTION
            .iter()
            .position(|row| row.setting == Some(setting));
        place.is_some_and(|place| self.reading.set >> (place & 63) & 1 == 1)
    }

    fn says_name(&self, name: &str) -> bool {
        let place = super::PRODUCTION.iter().position(|row| row.name == name);
        place.is_some_and(|place| self.reading.set >> (place & 63) & 1 == 1)
    }
}

/// Calls `found` with each one that an environment has.
pub(super) fn find(
    reading: &Reading,
    build: Builds,
    found: &mut dyn FnMut(&'static Contradiction),
) {
    let facts = Facts { reading, build };
    for contradiction in ALL {
        if (contradiction.test)(&facts) {
            found(contradiction);
        }
    }
}

macro_rules! all {
    ($($name:literal / $other:literal: $text:literal if $test:expr;)*) => {
        /// All of them.
        const ALL: &[Contradiction] = &[$(Contradiction {
            name: $name,
            other: $other,
            text: $text,
            test: $test,
        },)*];
    };
}

use Setting as S;

all! {
    "HAKMEM_SUPERSLAB_SOFT_CAP" / "HAKMEM_SUPERSLAB_LRU_CAP":
        "a soft cap above the cache's capacity has no effect"
        if |f| f.says(S::SuperslabSoftCap)
            && f.options().superslab_soft_cap > f.options().cache_capacity();
    "HAKMEM_SUPERSLAB_MAX_CACHED" / "HAKMEM_SUPERSLAB_LRU_CAP":
        "the smaller of the two is the cache's capacity, and the other has no effect"
        if |f| f.says(S::SuperslabMaxCached) && f.says(S::SuperslabLruCap);
    "HAKMEM_POOL_TLS_ARENA_MB_INIT" / "HAKMEM_POOL_TLS_ARENA_MB_MAX":
        "the first reservation is above the largest, which counts as the first"
        if |f| f.reading.arena_is_raised;
    "HAKMEM_POOL_TLS_ARENA_GROWTH_LEVELS" / "HAKMEM_POOL_TLS_ARENA_MB_MAX":
        "the largest reservation is the first one already, so none is doubled"
        if |f| f.says(S::PoolTlsArenaGrowthLevels)
            && f.options().pool_tls_arena_mb_init >= f.options().pool_tls_arena_mb_max;
    "HAKMEM_SUPERSLAB_REUSE" / "HAKMEM_SUPERSLAB_LAZY":
        "slabs that are kept for their class keep their SuperSlab from being unmapped"
        if |f| f.options().superslab_reuse && !f.options().superslab_lazy;
    "HAKMEM_SUPERSLAB_LRU_CAP" / "HAKMEM_SUPERSLAB_LAZY":
        "without the cache its capacity has no effect"
        if |f| !f.options().superslab_lazy && f.says(S::SuperslabLruCap);
    "HAKMEM_SUPERSLAB_SOFT_CAP" / "HAKMEM_SUPERSLAB_LAZY":
        "without the cache its soft cap has no effect"
        if |f| !f.options().superslab_lazy && f.says(S::SuperslabSoftCap);
    "HAKMEM_SUPERSLAB_MAX_CACHED" / "HAKMEM_SUPERSLAB_LAZY":
        "without the cache its capacity has no effect"
        if |f| !f.options().superslab_lazy && f.says(S::SuperslabMaxCached);
    "HAKMEM_SUPERSLAB_MAX_MEMORY_MB" / "HAKMEM_SUPERSLAB_LAZY":
        "without the cache its limit of memory has no effect"
        if |f| !f.options().superslab_lazy && f.says(S::SuperslabMaxMemoryMb);
    "HAKMEM_SUPERSLAB_TTL_SEC" / "HAKMEM_SUPERSLAB_LAZY":
        "without the cache its time to live has no effect"
        if |f| !f.options().superslab_lazy && f.says(S::SuperslabTtlSec);
    "HAKMEM_SUPERSLAB_PREWARM" / "HAKMEM_SUPERSLAB_LRU_CAP":
        "more are mapped ahead than the cache may hold, and the rest is unmapped again"
        if |f| f.options().prewarm_superslabs == 0
            && f.options().superslab_prewarm > f.options().cache_capacity();
    "HAKMEM_PREWARM_SUPERSLABS" / "HAKMEM_SUPERSLAB_PREWARM":
        "the total is below what the classes ask for, and bounds it"
        if |f| f.says(S::SuperslabPrewarm) && f.options().superslab_prewarm > 0
            && f.options().superslab_prewarm < f.options().prewarm_superslabs
                .saturating_mul(crate::size_class::TINY_CLASSES as u32);
    "HAKMEM_TINY_SFC_CAPACITY" / "HAKMEM_TINY_SFC_ENABLE":
        "without fronts their capacity has no effect"
        if |f| !f.options().tiny_sfc_enable && f.says(S::TinySfcCapacity);
    "HAKMEM_TINY_SFC_HOT_CLASSES" / "HAKMEM_TINY_SFC_ENABLE":
        "without fronts no class has one"
        if |f| !f.options().tiny_sfc_enable && f.says(S::TinySfcHotClasses);
    "HAKMEM_TINY_P0_BATCH" / "HAKMEM_TINY_P0_ENABLE":
        "without batches their size has no effect"
        if |f| !f.options().tiny_p0_enable && f.says(S::TinyP0Batch);
    "HAKMEM_TINY_TLS_REFILL" / "HAKMEM_TINY_P0_ENABLE":
        "without batches a refill moves one block"
        if |f| !f.options().tiny_p0_enable && f.says(S::TinyTlsRefill);
    "HAKMEM_TINY_TLS_REFILL" / "HAKMEM_TINY_TLS_CAP":
        "a refill does not lift the list's capacity, and moves no more than that"
        if |f| f.says(S::TinyTlsRefill) && !f.options().tiny_sfc_enable
            && f.options().tiny_tls_refill > f.options().tiny_tls_cap;
    "HAKMEM_ALLOC_LEARN_RATE" / "HAKMEM_ALLOC_LEARN":
        "nothing is learnt, so the rate has no effect"
        if |f| !f.options().alloc_learn && f.says(S::AllocLearnRate);
    "HAKMEM_ALLOC_LEARN_WINDOW" / "HAKMEM_ALLOC_LEARN":
        "nothing is learnt, so the window has no effect"
        if |f| !f.options().alloc_learn && f.says(S::AllocLearnWindow);
    "HAKMEM_ALLOC_LEARN" / "HAKMEM_TINY_SFC_ENABLE":
        "without fronts there is nothing to adapt"
        if |f| f.options().alloc_learn && !f.options().tiny_sfc_enable;
    "HAKMEM_MEM_LEARN_WINDOW" / "HAKMEM_MEM_LEARN":
        "nothing is learnt, so the window has no effect"
        if |f| !f.options().mem_learn && f.says(S::MemLearnWindow);
    "HAKMEM_MEM_LEARN_THRESHOLD" / "HAKMEM_MEM_LEARN":
        "nothing is learnt, so the threshold has no effect"
        if |f| !f.options().mem_learn && f.says(S::MemLearnThreshold);
    "HAKMEM_LEARN_ADVANCED" / "HAKMEM_ALLOC_LEARN":
        "nothing is learnt, neither of allocation nor of memory"
        if |f| f.says_name("HAKMEM_LEARN_ADVANCED")
            && !f.options().alloc_learn && !f.options().mem_learn;
    "HAKMEM_STATS_FILE" / "HAKMEM_STATS":
        "no statistics are printed"
        if |f| f.options().stats == 0 && f.says_name("HAKMEM_STATS_FILE");
    "HAKMEM_STATS_EVERY_SEC" / "HAKMEM_STATS":
        "no statistics are printed"
        if |f| f.options().stats == 0 && f.says(S::StatsEverySec);
    "HAKMEM_STATS_SIGNAL" / "HAKMEM_STATS":
        "no statistics are printed"
        if |f| f.options().stats == 0 && f.says(S::StatsSignal);
    "HAKMEM_PROFILE" / "the release build":
        "the preset `debug` sets debug variables alone, and this build reads none"
        if |f| f.build == Builds::Every && preset_is(f.options(), "debug");
}

fn preset_is(options: &Options, name: &str) -> bool {
    let place = options.profile.map(|place| place as usize);
    place
        .and_then(|place| PRESETS.get(place))
        .is_some_and(|preset| preset.name == name)
}
