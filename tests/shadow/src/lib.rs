//! Sequences of heap operations, checked against a model of what a heap must do.
//!
//! ```text
//! bytes ──► Case, a list of Operations ──► Shadow ──► hakmem
//!  ▲                                         └── panics where hakmem is wrong
//!  └── the fuzzer's, or a seed's
//! ```
//!
//! The fuzz target `ops` and the tests below run the same cases: those of the tests come
//! from fixed seeds. hakmem is called directly and is not the allocator of the process, so
//! that after a case the heap must be empty, and the model's own memory lies elsewhere.

mod block;
mod case;
mod operation;
mod shadow;
mod worker;

pub use block::Block;
pub use case::Case;
pub use operation::{Operation, Request, Size};
pub use shadow::Shadow;
