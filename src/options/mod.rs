//! What the environment says: the variables, and their values in this process.
//!
//! ```text
//! variable    what is known of a variable
//! table       all variables, a row each  ──┬─►  parse    environment -> Options
//! (production, observed, preset, older)    │    warning  what was wrong with a value
//!                                          └─►  check    environment -> findings
//! ```
//!
//! Texts with a grammar of their own, which observers go by, are read by `rule_text`, `guard_text`
//! and `site_text`; what is wrong with one says `misread`.
//!
//! A range or a default is written down in the table and nowhere else: the parser,
//! `Options::DEFAULT`, the validator, what `hakmem config` prints and the page of the manual are
//! made from it, and tests compare `docs/CONFIGURATION.md` and `hakmem.h` with it. To add a
//! variable: a row there, a field at the end of `options!` here, a row on the page.

mod check;
mod contradiction;
pub(crate) mod guard_text;
mod misread;
mod nearest;
pub(crate) mod numerals;
mod observed;
mod older;
mod parse;
mod preset;
mod production;
mod resolve;
pub(crate) mod rule_text;
mod show;
pub(crate) mod site_text;
mod table;
mod variable;
mod warning;

#[cfg(test)]
mod tests;

pub use check::{Finding, Severity, check};
pub use contradiction::Contradiction;
pub use misread::{Malformed, misread};
pub use nearest::nearest;
pub use observed::DEBUG;
pub use older::{OLDER, Older, SUNSET};
pub use preset::{PRESETS, Preset};
pub use production::PRODUCTION;
pub(crate) use production::STATS_FILE;
pub use resolve::{Resolved, Source, resolve};
pub use variable::{Builds, Field, Kind, Range, Variable};
pub(crate) use warning::Warning;

/// Declares [`Options`] and [`Setting`], a field and a name of it for each of the lines
/// `field: type = kind of default(name)`.
macro_rules! options {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:ident($setting:ident),)*) => {
        /// The values of the production variables, read once at start-up. A field is named after
        /// its variable; `None` is a limit that does not exist.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Options {
            $($(#[$doc])* pub $field: $type,)*
        }

        /// A field of [`Options`], as a value: a row of the table says by it where its value goes.
        /// It is what lets the defaults be computed from the table at compile time. Its numbers are
        /// those of `enum hakmem_option` in `hakmem.h`: new ones go to the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Setting {
            $(#[allow(missing_docs)] $setting,)*
        }

        impl Options {
            /// What counts where the environment says nothing.
            pub(crate) const DEFAULT: Self = Self {
                $($field: $default(Setting::$setting),)*
            };

            /// The value behind `setting`; `None` is a limit that does not exist.
            pub(crate) fn get(&self, setting: Setting) -> Option<u32> {
                match setting {
                    $(Setting::$setting => self.$field.number(),)*
                }
            }

            /// Stores `value`, which is inside the range of the variable behind `setting`.
            fn set(&mut self, setting: Setting, value: u32) {
                match setting {
                    $(Setting::$setting => self.$field = Value::of(value),)*
                }
            }
        }
    };
}

/// What an option can be, as the number that its variable says.
trait Value {
    fn of(number: u32) -> Self;
    fn number(self) -> Option<u32>;
}

impl Value for bool {
    fn of(number: u32) -> Self {
        number != 0
    }

    fn number(self) -> Option<u32> {
        Some(u32::from(self))
    }
}

impl Value for u32 {
    fn of(number: u32) -> Self {
        number
    }

    fn number(self) -> Option<u32> {
        Some(self)
    }
}

impl Value for Option<u32> {
    fn of(number: u32) -> Self {
        Some(number)
    }

    fn number(self) -> Option<u32> {
        self
    }
}

options! {
    /// hakmem serves the tier; else the system does.
    wrap_tiny: bool = switch(WrapTiny),
    /// As `wrap_tiny`.
    wrap_pool: bool = switch(WrapPool),
    /// As `wrap_tiny`.
    wrap_mid: bool = switch(WrapMid),
    /// As `wrap_tiny`.
    wrap_large: bool = switch(WrapLarge),
    /// A slab that became empty stays with its class.
    superslab_reuse: bool = switch(SuperslabReuse),
    /// Empty SuperSlabs are cached; else unmapped at once.
    superslab_lazy: bool = switch(SuperslabLazy),
    /// SuperSlabs to populate at start-up, in total; 0: none, or as
    /// `prewarm_superslabs` says.
    superslab_prewarm: u32 = count(SuperslabPrewarm),
    /// Cached SuperSlabs; to be read through [`Options::cache_capacity`].
    superslab_lru_cap: u32 = count(SuperslabLruCap),
    /// Cached SuperSlabs that keep their pages.
    superslab_soft_cap: u32 = count(SuperslabSoftCap),
    /// Cached SuperSlabs; to be read through [`Options::cache_capacity`].
    superslab_max_cached: Option<u32> = limit(SuperslabMaxCached),
    /// Units of 2^20 bytes that the cache may hold.
    superslab_max_memory_mb: Option<u32> = limit(SuperslabMaxMemoryMb),
    /// Seconds that a SuperSlab may stay in the cache.
    superslab_ttl_sec: Option<u32> = limit(SuperslabTtlSec),
    /// SuperSlabs to populate at start-up for each TINY class.
    prewarm_superslabs: u32 = count(PrewarmSuperslabs),
    /// Blocks in a thread's list of one class.
    tiny_tls_cap: u32 = count(TinyTlsCap),
    /// Blocks that a refill moves.
    tiny_tls_refill: u32 = count(TinyTlsRefill),
    /// Frees of other threads' blocks to hold back; 0: none.
    tiny_drain_thresh: u32 = count(TinyDrainThresh),
    /// There are front arrays.
    tiny_sfc_enable: bool = switch(TinySfcEnable),
    /// Blocks in the front array of a hot class.
    tiny_sfc_capacity: u32 = count(TinySfcCapacity),
    /// Classes of a thread that may have such an array.
    tiny_sfc_hot_classes: u32 = count(TinySfcHotClasses),
    /// A refill takes batches; else one block at a time.
    tiny_p0_enable: bool = switch(TinyP0Enable),
    /// Blocks that it takes from a slab's bitmap at once.
    tiny_p0_batch: u32 = count(TinyP0Batch),
    /// A refill does not collect what other threads freed.
    tiny_p0_no_drain: bool = switch(TinyP0NoDrain),
    /// A free takes the class from the page map; else from the validated look-up.
    tiny_header_classidx: bool = switch(TinyHeaderClassidx),
    /// A thread's first pool reservation, units of 2^20 bytes.
    pool_tls_arena_mb_init: u32 = count(PoolTlsArenaMbInit),
    /// Its largest, units of 2^20 bytes; not below the first.
    pool_tls_arena_mb_max: u32 = count(PoolTlsArenaMbMax),
    /// How many times the reservation may double.
    pool_tls_arena_growth_levels: u32 = count(PoolTlsArenaGrowthLevels),
    /// Huge pages are asked for.
    huge_pages: bool = switch(HugePages),
    /// What is printed at exit: bit 0 for the whole table, the next ones for the areas of
    /// `HAKMEM_STATS`.
    stats: u32 = count(Stats),
    /// The preset, by its place; `None` for none.
    profile: Option<u32> = limit(Profile),
    /// Fronts, lists and batches are adapted.
    alloc_learn: bool = switch(AllocLearn),
    /// Refills and drains of a thread from one decision to the next.
    alloc_learn_window: u32 = count(AllocLearnWindow),
    /// Hundredths by which a capacity may change at once.
    alloc_learn_rate: u32 = count(AllocLearnRate),
    /// Huge pages, purge and stock are adapted.
    mem_learn: bool = switch(MemLearn),
    /// Milliseconds from one decision on memory to the next.
    mem_learn_window: u32 = count(MemLearnWindow),
    /// Hundredths of the memory in use that may lie free.
    mem_learn_threshold: u32 = count(MemLearnThreshold),
    /// Units of 2^20 bytes of resident memory from which on nothing is kept.
    learn_budget_mb: Option<u32> = unset(LearnBudgetMb),
    /// Units of 2^10 bytes of blocks that a front may hold.
    learn_cached_kb: Option<u32> = unset(LearnCachedKb),
    /// Seconds after which nothing more is learnt.
    learn_freeze_sec: Option<u32> = unset(LearnFreezeSec),
    /// Windows of rest after which a class is cold.
    learn_patience: Option<u32> = unset(LearnPatience),
    /// What was learnt is printed at exit.
    learn_print: Option<u32> = unset(LearnPrint),
    /// Milliseconds that free pages beyond the bound stay.
    purge_delay_ms: u32 = count(PurgeDelayMs),
    /// Units of 2^20 bytes of freed units that are kept in any case.
    stock_mb: u32 = count(StockMb),
    /// Seconds from one printing of the statistics to the next; 0: none but at exit.
    stats_every_sec: u32 = count(StatsEverySec),
    /// The signal at which they are printed; 0: none.
    stats_signal: u32 = count(StatsSignal),
}

impl Options {
    /// The options that the strings `NAME=value` of an environment ask for.
    ///
    /// Each value is inside its variable's range: one that is malformed gives way
    /// to the default and one out of range to the nearest bound, and `warn` is told.
    /// Neither allocates nor panics.
    pub(crate) fn read<'a>(
        environ: impl Iterator<Item = &'a [u8]>,
        warn: &mut dyn FnMut(&Warning),
    ) -> Self {
        parse::read(environ, warn).options
    }

    /// How many empty SuperSlabs the cache may hold: the smaller of the two limits
    /// on their number.
    pub(crate) const fn cache_capacity(&self) -> u32 {
        match self.superslab_max_cached {
            Some(most) if most < self.superslab_lru_cap => most,
            _ => self.superslab_lru_cap,
        }
    }

    /// Resolves settings that contradict one another: an arena's largest reservation is at least
    /// its first. Says whether it had to be raised.
    fn settle(&mut self) -> bool {
        let is_below = self.pool_tls_arena_mb_max < self.pool_tls_arena_mb_init;
        if is_below {
            self.pool_tls_arena_mb_max = self.pool_tls_arena_mb_init;
        }
        is_below
    }

    /// The value of the production variable with this number ([`Variable::option`]); `None` of one
    /// that there is not.
    pub(crate) fn by_number(&self, number: u32) -> Option<Option<u32>> {
        let mut settings = parse::settings();
        let setting = settings.find(|(_, setting)| *setting as u32 == number);
        setting.map(|(_, setting)| self.get(setting))
    }

    /// Every production variable with its value here; `None` is a limit that does not exist.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&'static str, Option<u32>)> {
        parse::settings().map(|(name, setting)| (name, self.get(setting)))
    }
}

/// No row has it but one among others.
const fn unset(_: Setting) -> Option<u32> {
    None
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
