//! What a program did wrong, as far as the release build sees it, and the end of it.
//!
//! Nothing unwinds out of the allocator: a fault writes one line from a stack buffer
//! and aborts.

use crate::observe::{Observed, Observer};
use crate::sys::process;
use crate::sys::stderr::Line;

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The address belongs to no block of ours.
    Foreign,
    /// The address lies inside a block, not at its start.
    Interior,
    /// The block is free already.
    DoubleFree,
    /// The block is free, and no longer holds the link that was written into it.
    BrokenLink,
}

/// The function that the program called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Free,
    Realloc,
    UsableSize,
}

impl Fault {
    fn text(self) -> &'static [u8] {
        match self {
            Fault::Foreign => b"invalid pointer: no block of this allocator",
            Fault::Interior => b"invalid pointer: inside a block, not at its start",
            Fault::DoubleFree => b"double free: this block is free already",
            Fault::BrokenLink => b"double free, or a write after the free of this block",
        }
    }
}

impl Call {
    fn text(self) -> &'static [u8] {
        match self {
            Call::Free => b"free",
            Call::Realloc => b"realloc",
            Call::UsableSize => b"malloc_usable_size",
        }
    }
}

/// What `call` found at `address`, as a line.
pub(crate) fn line(call: Call, address: *const u8, fault: Fault) -> Line {
    Line::new()
        .text(b"hakmem: ")
        .text(call.text())
        .text(b"(")
        .address(address as usize)
        .text(b"): ")
        .text(fault.text())
}

/// Says on one line what `call` found at `address`, and aborts.
#[cold]
#[inline(never)]
pub(crate) fn abort(call: Call, address: *const u8, fault: Fault) -> ! {
    Observed::aborting(call, address, fault);
    line(call, address, fault).write();
    process::abort()
}
