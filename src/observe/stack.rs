//! The stack of calls at an entry of the allocator: the caller alone.

use super::caller::Caller;

/// The most frames that are taken.
pub(crate) const FRAMES: usize = 16;

/// What a thread keeps to walk its stack.
pub(crate) struct Local;

impl Local {
    pub(crate) const NEW: Local = Local;

    /// The thread begins.
    pub(crate) fn began(&self) {}
}

/// Return addresses of the calls that led to the allocator, innermost first; says how many.
#[inline(always)]
pub(crate) fn capture(_: &Local, caller: Caller, frames: &mut [u64; FRAMES]) -> usize {
    frames[0] = caller.pc() as u64;
    1
}
