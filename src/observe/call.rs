//! What hooks are told of a call: the block, the request that it serves, and the end of its use.

use super::caller::Caller;
use super::kept::{Keep, Kept};
use core::ptr::NonNull;

/// A request for memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Bytes asked for.
    pub(crate) size: usize,
    /// At least 16.
    pub(crate) align: usize,
    /// Its [`Caller::other`] is the block that is resized into this one.
    pub(crate) caller: Caller,
}

/// The end of a block's use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    /// Its [`Caller::other`] is the block that this one is resized into by a copy.
    pub(crate) caller: Caller,
    /// The block goes home to another thread's slab.
    pub(crate) is_remote: bool,
}

impl Request {
    /// As [`Caller::copy`].
    #[inline(always)]
    pub(super) fn copy(&self) -> Request {
        Request {
            size: self.size,
            align: self.align,
            caller: self.caller.copy(),
        }
    }
}

impl Release {
    /// As [`Caller::copy`].
    #[inline(always)]
    pub(super) fn copy(&self) -> Release {
        Release {
            caller: self.caller.copy(),
            is_remote: self.is_remote,
        }
    }
}

/// A block, as hooks see it.
pub(crate) struct Block<'a, R> {
    pub(crate) address: NonNull<u8>,
    /// Bytes that it has.
    pub(crate) bytes: usize,
    /// Its size class; [`LARGE`] if it has none.
    pub(crate) class: usize,
    /// What observers keep of it; `None` where there was no memory for that.
    pub(crate) record: Option<Kept<'a, R>>,
}

impl<R> Block<'_, R> {
    /// By value: a reference to one that is in registers would bring it into memory.
    #[inline(always)]
    pub(super) fn copy(&self) -> Self {
        Block { ..*self }
    }
}

impl<A: Keep, B: Keep> Block<'_, (A, B)> {
    /// As the first of two observers sees it.
    #[inline(always)]
    pub(super) fn first(&self) -> Block<'_, A> {
        Block {
            address: self.address,
            bytes: self.bytes,
            class: self.class,
            record: self.record.map(Kept::first),
        }
    }

    /// As the second of two observers sees it.
    #[inline(always)]
    pub(super) fn second(&self) -> Block<'_, B> {
        Block {
            address: self.address,
            bytes: self.bytes,
            class: self.class,
            record: self.record.map(Kept::second),
        }
    }
}

/// A block of an observer's own.
pub(crate) struct Diverted {
    pub(crate) start: NonNull<u8>,
    /// It reads as zero.
    pub(crate) zero: bool,
}

/// The class of a block that has none, as the trace format has it.
pub(crate) const LARGE: usize = 254;
