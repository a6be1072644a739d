//! hakmem: a general-purpose memory allocator for Linux.
//!
//! A Rust program makes it its allocator with two lines:
//!
//! ```
//! #[global_allocator]
//! static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;
//! # fn main() {}
//! ```
//!
//! Any other program runs on it through `libhakmem.so` and `LD_PRELOAD`, which the
//! `hakmem-capi` crate of the same repository builds.
//!
//! Metadata lives apart from user memory, so an overflow cannot reach it, and a core file
//! tells the state of every block. `docs/ARCHITECTURE.md` in the repository walks through
//! the first allocation and the first free by another thread.
//!
//! Only x86-64 Linux with glibc is supported and tested.

#![no_std]

#[cfg(test)]
extern crate std;

mod arena;
mod block;
#[doc(hidden)]
pub mod c_abi;
mod config;
mod counters;
pub mod debug;
mod decimal;
mod fault;
mod global;
mod heap;
mod huge_pages;
mod inbox;
mod large;
mod metadata;
mod name;
mod observe;
pub mod options;
mod registry;
mod report;
mod root;
mod setup;
mod shared_pool;
mod size_class;
mod slab;
mod stats;
mod superslab;
mod sync;
mod sys;
mod thread_cache;
mod tuning;
mod unit_stock;
mod walk;

pub use global::Hakmem;
#[allow(unused_imports, reason = "a build without observers offers nothing")]
pub use observe::offered::*;
pub use stats::{ClassStatistics, PoolStatistics, Statistics, TIERS, TierStatistics, statistics};
pub use walk::{Block, BlockState, walk};

/// Gives all memory that nobody uses back to the system; says whether there was some. Other
/// threads' caches keep what they hold.
pub fn collect() -> bool {
    heap::collect()
}
