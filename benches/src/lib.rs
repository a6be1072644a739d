//! What the benchmark programs share.
//!
//! Each program in `src/bin` is one workload with a fixed amount of work: its
//! arguments and its seed determine every size, every order and every count, so that
//! two runs on two allocators do the same and print the same checksum.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | positional arguments with defaults and bounds |
//! | [`block`] | an owned pointer from malloc, the thing that is measured |
//! | [`buffer`] | an owned, sized and growable piece from malloc, calloc and realloc |
//! | [`exchange`] | slots in which threads swap blocks |
//! | [`natural`] | big integers, one heap block each |
//! | [`prng`] | the random numbers |
//! | [`report`] | the line that each program prints |
//! | [`usage`] | CPU time and peak memory of this process |
//! | [`loaded`] | which shared objects are mapped, as proof of a preload |
//! | [`stats`] | medians, spread and intervals for the comparison |

pub mod args;
pub mod block;
pub mod buffer;
pub mod exchange;
pub mod loaded;
pub mod natural;
pub mod prng;
pub mod report;
pub mod stats;
pub mod usage;
