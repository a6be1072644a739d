//! The name of a field of [`Options`](super::Options), as a value.
//!
//! A row of the table says by it where its value goes. It is what lets the
//! defaults be computed from the table at compile time (a pointer to a function
//! could not be called there).

/// A field of [`Options`](super::Options); each is named after its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    WrapTiny,
    WrapPool,
    WrapMid,
    WrapLarge,
    SuperslabReuse,
    SuperslabLazy,
    SuperslabPrewarm,
    SuperslabLruCap,
    SuperslabSoftCap,
    SuperslabMaxCached,
    SuperslabMaxMemoryMb,
    SuperslabTtlSec,
    PrewarmSuperslabs,
    TinyTlsCap,
    TinyTlsRefill,
    TinyDrainThresh,
    TinySfcEnable,
    TinySfcCapacity,
    TinySfcHotClasses,
    TinyP0Enable,
    TinyP0Batch,
    TinyP0NoDrain,
    TinyHeaderClassidx,
    PoolTlsArenaMbInit,
    PoolTlsArenaMbMax,
    PoolTlsArenaGrowthLevels,
    HugePages,
    Stats,
}
