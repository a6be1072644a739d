//! Records as `tracing` events.

use super::figures::Losses;
use crate::observe::api::Api;
use crate::observe::stream::record::{ClassIndex, Detail, Record};
use core::fmt;
use tracing::{Level, debug, event_enabled, info, trace, warn};

const TARGET: &str = "hakmem";

/// An address, as people write it.
struct At(usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The bytes of the class's blocks, or `large`.
impl fmt::Display for ClassIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes() {
            Some(bytes) => write!(f, "{bytes}"),
            None => f.write_str("large"),
        }
    }
}

/// The method of `GlobalAlloc` through which the program came.
fn call(api: u8) -> &'static str {
    const ALLOC: u8 = Api::RustAlloc as u8;
    const ALLOC_ZEROED: u8 = Api::RustAllocZeroed as u8;
    const DEALLOC: u8 = Api::RustDealloc as u8;
    const REALLOC: u8 = Api::RustRealloc as u8;
    match api {
        ALLOC => "alloc",
        ALLOC_ZEROED => "alloc_zeroed",
        DEALLOC => "dealloc",
        REALLOC => "realloc",
        _ => "other",
    }
}

/// How much detail this thread's subscriber wants now.
pub(super) fn wanted() -> Detail {
    if event_enabled!(target: TARGET, Level::TRACE) {
        Detail::Trace
    } else if event_enabled!(target: TARGET, Level::DEBUG) {
        Detail::Debug
    } else if event_enabled!(target: TARGET, Level::INFO) {
        Detail::Info
    } else {
        Detail::Nothing
    }
}

/// Hands an event to this thread's subscriber. The level is that of [`Record::detail`].
pub(super) fn emit(record: &Record) {
    match *record {
        Record::Allocated {
            thread,
            api,
            class,
            address,
            size,
            bytes,
        } => trace!(
            target: TARGET,
            address = %At(address), size, bytes, %class, thread, call = call(api),
            "allocated"
        ),
        Record::Freed {
            thread,
            api,
            class,
            address,
            bytes,
        } => trace!(
            target: TARGET,
            address = %At(address), bytes, %class, thread, call = call(api),
            "freed"
        ),
        Record::Resized {
            thread,
            class,
            address,
            from,
            size,
        } => trace!(
            target: TARGET,
            address = %At(address), from = %At(from), size, %class, thread,
            "resized"
        ),
        Record::RemoteFreed { thread, address } => trace!(
            target: TARGET,
            address = %At(address), thread,
            "freed remotely"
        ),
        Record::Refilled {
            thread,
            class,
            blocks,
        } => debug!(target: TARGET, %class, blocks, thread, "cache refilled"),
        Record::Drained {
            thread,
            class,
            blocks,
        } => debug!(target: TARGET, %class, blocks, thread, "cache drained"),
        Record::Collected {
            thread,
            slab,
            blocks,
        } => debug!(
            target: TARGET,
            address = %At(slab), blocks, thread,
            "remote frees collected"
        ),
        Record::SlabOpened {
            thread,
            class,
            slab,
        } => debug!(target: TARGET, address = %At(slab), %class, thread, "slab opened"),
        Record::SlabClosed {
            thread,
            class,
            slab,
        } => debug!(target: TARGET, address = %At(slab), %class, thread, "slab closed"),
        Record::CacheKept {
            thread,
            address,
            cached,
        } => debug!(
            target: TARGET,
            address = %At(address), cached, thread,
            "superslab cached"
        ),
        Record::CacheTaken {
            thread,
            address,
            cached,
        } => debug!(
            target: TARGET,
            address = %At(address), cached, thread,
            "superslab taken from the cache"
        ),
        Record::CachePurged { thread, address } => debug!(
            target: TARGET,
            address = %At(address), thread,
            "superslab purged"
        ),
        Record::CacheEvicted {
            thread,
            address,
            why,
        } => info!(
            target: TARGET,
            address = %At(address), why, thread,
            "superslab evicted from the cache"
        ),
        Record::SuperSlabMapped { thread, address } => info!(
            target: TARGET,
            address = %At(address), thread,
            "superslab mapped"
        ),
        Record::SuperSlabFreed { thread, address } => info!(
            target: TARGET,
            address = %At(address), thread,
            "superslab freed"
        ),
        Record::Prewarmed { thread, address } => info!(
            target: TARGET,
            address = %At(address), thread,
            "superslab prewarmed"
        ),
    }
}

/// Says what was lost, if something was.
pub(super) fn emit_losses(losses: &Losses) {
    for (why, lost) in losses.by_reason() {
        if lost > 0 {
            warn!(target: TARGET, lost, why, "events lost");
        }
    }
}
