//! What the environment says: the variables, and their values in this process.
//!
//! ```text
//! variable   what is known of a variable       setting   where its value goes
//! table      all variables, a row each  ---->  parse     environment -> Options
//!                                              warning   what was wrong with a value
//! ```
//!
//! A range or a default is written down in `table.rs` and nowhere else: the
//! parser and `Options::DEFAULT` are computed from it, and a test compares
//! `docs/CONFIGURATION.md` with it. To add a variable: a row there, a field and
//! its three lines here, a name in `setting.rs`, a row on the page.

mod parse;
mod setting;
mod table;
mod variable;
mod warning;

#[cfg(test)]
mod tests;

pub use table::{DEBUG, PRODUCTION};
pub use variable::{Builds, Kind, Range, Variable};
pub(crate) use warning::Warning;

use setting::Setting;

/// The values of the production variables, read once at start-up. A field is
/// named after its variable; `None` is a limit that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// hakmem serves the tier; else the system does.
    pub wrap_tiny: bool,
    /// As `wrap_tiny`.
    pub wrap_pool: bool,
    /// As `wrap_tiny`.
    pub wrap_mid: bool,
    /// As `wrap_tiny`.
    pub wrap_large: bool,
    /// A slab that became empty stays with its class.
    pub superslab_reuse: bool,
    /// Empty SuperSlabs are cached; else unmapped at once.
    pub superslab_lazy: bool,
    /// SuperSlabs to populate at start-up, in total; 0: none, or as
    /// `prewarm_superslabs` says.
    pub superslab_prewarm: u32,
    /// Cached SuperSlabs; to be read through [`Options::cache_capacity`].
    pub superslab_lru_cap: u32,
    /// Cached SuperSlabs that keep their pages.
    pub superslab_soft_cap: u32,
    /// Cached SuperSlabs; to be read through [`Options::cache_capacity`].
    pub superslab_max_cached: Option<u32>,
    /// Units of 2^20 bytes that the cache may hold.
    pub superslab_max_memory_mb: Option<u32>,
    /// Seconds that a SuperSlab may stay in the cache.
    pub superslab_ttl_sec: Option<u32>,
    /// SuperSlabs to populate at start-up for each TINY class.
    pub prewarm_superslabs: u32,
    /// Blocks in a thread's list of one class.
    pub tiny_tls_cap: u32,
    /// Blocks that a refill moves.
    pub tiny_tls_refill: u32,
    /// Frees of other threads' blocks to hold back; 0: none.
    pub tiny_drain_thresh: u32,
    /// There are front arrays.
    pub tiny_sfc_enable: bool,
    /// Blocks in the front array of a hot class.
    pub tiny_sfc_capacity: u32,
    /// Classes of a thread that may have such an array.
    pub tiny_sfc_hot_classes: u32,
    /// A refill takes batches; else one block at a time.
    pub tiny_p0_enable: bool,
    /// Blocks that it takes from a slab's bitmap at once.
    pub tiny_p0_batch: u32,
    /// A refill does not collect what other threads freed.
    pub tiny_p0_no_drain: bool,
    /// A free takes the class from the page map; else from the validated look-up.
    pub tiny_header_classidx: bool,
    /// A thread's first pool reservation, units of 2^20 bytes.
    pub pool_tls_arena_mb_init: u32,
    /// Its largest, units of 2^20 bytes; not below the first.
    pub pool_tls_arena_mb_max: u32,
    /// How many times the reservation may double.
    pub pool_tls_arena_growth_levels: u32,
    /// Huge pages are asked for.
    pub huge_pages: bool,
    /// The table of statistics is printed at exit.
    pub stats: bool,
}

impl Options {
    /// What counts where the environment says nothing.
    pub(crate) const DEFAULT: Self = Self {
        wrap_tiny: switch(Setting::WrapTiny),
        wrap_pool: switch(Setting::WrapPool),
        wrap_mid: switch(Setting::WrapMid),
        wrap_large: switch(Setting::WrapLarge),
        superslab_reuse: switch(Setting::SuperslabReuse),
        superslab_lazy: switch(Setting::SuperslabLazy),
        superslab_prewarm: count(Setting::SuperslabPrewarm),
        superslab_lru_cap: count(Setting::SuperslabLruCap),
        superslab_soft_cap: count(Setting::SuperslabSoftCap),
        superslab_max_cached: limit(Setting::SuperslabMaxCached),
        superslab_max_memory_mb: limit(Setting::SuperslabMaxMemoryMb),
        superslab_ttl_sec: limit(Setting::SuperslabTtlSec),
        prewarm_superslabs: count(Setting::PrewarmSuperslabs),
        tiny_tls_cap: count(Setting::TinyTlsCap),
        tiny_tls_refill: count(Setting::TinyTlsRefill),
        tiny_drain_thresh: count(Setting::TinyDrainThresh),
        tiny_sfc_enable: switch(Setting::TinySfcEnable),
        tiny_sfc_capacity: count(Setting::TinySfcCapacity),
        tiny_sfc_hot_classes: count(Setting::TinySfcHotClasses),
        tiny_p0_enable: switch(Setting::TinyP0Enable),
        tiny_p0_batch: count(Setting::TinyP0Batch),
        tiny_p0_no_drain: switch(Setting::TinyP0NoDrain),
        tiny_header_classidx: switch(Setting::TinyHeaderClassidx),
        pool_tls_arena_mb_init: count(Setting::PoolTlsArenaMbInit),
        pool_tls_arena_mb_max: count(Setting::PoolTlsArenaMbMax),
        pool_tls_arena_growth_levels: count(Setting::PoolTlsArenaGrowthLevels),
        huge_pages: switch(Setting::HugePages),
        stats: switch(Setting::Stats),
    };

    /// The options that the strings `NAME=value` of an environment ask for.
    ///
    /// Each value is inside its variable's range: one that is malformed gives way
    /// to the default and one out of range to the nearest bound, and `warn` is told.
    /// Neither allocates nor panics.
    pub(crate) fn read<'a>(
        environ: impl Iterator<Item = &'a [u8]>,
        warn: &mut dyn FnMut(&Warning),
    ) -> Self {
        parse::read(environ, warn)
    }

    /// How many empty SuperSlabs the cache may hold: the smaller of the two limits
    /// on their number.
    pub(crate) const fn cache_capacity(&self) -> u32 {
        match self.superslab_max_cached {
            Some(most) if most < self.superslab_lru_cap => most,
            _ => self.superslab_lru_cap,
        }
    }

    /// Resolves settings that contradict one another: an arena's largest
    /// reservation is at least its first.
    fn settle(&mut self) {
        if self.pool_tls_arena_mb_max < self.pool_tls_arena_mb_init {
            self.pool_tls_arena_mb_max = self.pool_tls_arena_mb_init;
        }
    }

    /// The value behind `setting`; `None` is a limit that does not exist.
    fn get(&self, setting: Setting) -> Option<u32> {
        match setting {
            Setting::WrapTiny => Some(u32::from(self.wrap_tiny)),
            Setting::WrapPool => Some(u32::from(self.wrap_pool)),
            Setting::WrapMid => Some(u32::from(self.wrap_mid)),
            Setting::WrapLarge => Some(u32::from(self.wrap_large)),
            Setting::SuperslabReuse => Some(u32::from(self.superslab_reuse)),
            Setting::SuperslabLazy => Some(u32::from(self.superslab_lazy)),
            Setting::SuperslabPrewarm => Some(self.superslab_prewarm),
            Setting::SuperslabLruCap => Some(self.superslab_lru_cap),
            Setting::SuperslabSoftCap => Some(self.superslab_soft_cap),
            Setting::SuperslabMaxCached => self.superslab_max_cached,
            Setting::SuperslabMaxMemoryMb => self.superslab_max_memory_mb,
            Setting::SuperslabTtlSec => self.superslab_ttl_sec,
            Setting::PrewarmSuperslabs => Some(self.prewarm_superslabs),
            Setting::TinyTlsCap => Some(self.tiny_tls_cap),
            Setting::TinyTlsRefill => Some(self.tiny_tls_refill),
            Setting::TinyDrainThresh => Some(self.tiny_drain_thresh),
            Setting::TinySfcEnable => Some(u32::from(self.tiny_sfc_enable)),
            Setting::TinySfcCapacity => Some(self.tiny_sfc_capacity),
            Setting::TinySfcHotClasses => Some(self.tiny_sfc_hot_classes),
            Setting::TinyP0Enable => Some(u32::from(self.tiny_p0_enable)),
            Setting::TinyP0Batch => Some(self.tiny_p0_batch),
            Setting::TinyP0NoDrain => Some(u32::from(self.tiny_p0_no_drain)),
            Setting::TinyHeaderClassidx => Some(u32::from(self.tiny_header_classidx)),
            Setting::PoolTlsArenaMbInit => Some(self.pool_tls_arena_mb_init),
            Setting::PoolTlsArenaMbMax => Some(self.pool_tls_arena_mb_max),
            Setting::PoolTlsArenaGrowthLevels => Some(self.pool_tls_arena_growth_levels),
            Setting::HugePages => Some(u32::from(self.huge_pages)),
            Setting::Stats => Some(u32::from(self.stats)),
        }
    }

    /// Every production variable with its value here; `None` is a limit that does not exist.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&'static str, Option<u32>)> {
        parse::settings().map(|(name, setting)| (name, self.get(setting)))
    }

    /// Stores `value`, which is inside the range of the variable behind `setting`.
    fn set(&mut self, setting: Setting, value: u32) {
        let on = value != 0;
        match setting {
            Setting::WrapTiny => self.wrap_tiny = on,
            Setting::WrapPool => self.wrap_pool = on,
            Setting::WrapMid => self.wrap_mid = on,
            Setting::WrapLarge => self.wrap_large = on,
            Setting::SuperslabReuse => self.superslab_reuse = on,
            Setting::SuperslabLazy => self.superslab_lazy = on,
            Setting::SuperslabPrewarm => self.superslab_prewarm = value,
            Setting::SuperslabLruCap => self.superslab_lru_cap = value,
            Setting::SuperslabSoftCap => self.superslab_soft_cap = value,
            Setting::SuperslabMaxCached => self.superslab_max_cached = Some(value),
            Setting::SuperslabMaxMemoryMb => self.superslab_max_memory_mb = Some(value),
            Setting::SuperslabTtlSec => self.superslab_ttl_sec = Some(value),
            Setting::PrewarmSuperslabs => self.prewarm_superslabs = value,
            Setting::TinyTlsCap => self.tiny_tls_cap = value,
            Setting::TinyTlsRefill => self.tiny_tls_refill = value,
            Setting::TinyDrainThresh => self.tiny_drain_thresh = value,
            Setting::TinySfcEnable => self.tiny_sfc_enable = on,
            Setting::TinySfcCapacity => self.tiny_sfc_capacity = value,
            Setting::TinySfcHotClasses => self.tiny_sfc_hot_classes = value,
            Setting::TinyP0Enable => self.tiny_p0_enable = on,
            Setting::TinyP0Batch => self.tiny_p0_batch = value,
            Setting::TinyP0NoDrain => self.tiny_p0_no_drain = on,
            Setting::TinyHeaderClassidx => self.tiny_header_classidx = on,
            Setting::PoolTlsArenaMbInit => self.pool_tls_arena_mb_init = value,
            Setting::PoolTlsArenaMbMax => self.pool_tls_arena_mb_max = value,
            Setting::PoolTlsArenaGrowthLevels => self.pool_tls_arena_growth_levels = value,
            Setting::HugePages => self.huge_pages = on,
            Setting::Stats => self.stats = on,
        }
    }
}

/// The default of the limit behind `setting`.
const fn limit(setting: Setting) -> Option<u32> {
    let mut i = 0;
    while i < PRODUCTION.len() {
        if let Some(of_row) = PRODUCTION[i].setting
            && of_row as u8 == setting as u8
        {
            return PRODUCTION[i].default;
        }
        i += 1;
    }
    panic!("a setting without a row")
}

/// The default of the number behind `setting`.
const fn count(setting: Setting) -> u32 {
    match limit(setting) {
        Some(default) => default,
        None => panic!("a number without a default"),
    }
}

/// The default of the switch behind `setting`.
const fn switch(setting: Setting) -> bool {
    count(setting) != 0
}
