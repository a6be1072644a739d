//! What happened: the kind of a record, and what the record's fields mean for it.
//!
//! `thread`, `stack`, `caller` and `time` mean the same for each. Where nothing is said, `size`,
//! `align_log2` and `class` are those of the block, and `generation` counts the lives of its place.

use crate::plain::codes;

codes! {
    /// What happened. Numbers are never reused; a reader keeps records of numbers that it does not
    /// know as they are.
    pub enum Kind: u8 {
        /// `address` was handed out. `value`: bytes that the block offers, or 0. With
        /// [`Flags::FAILED`](crate::Flags::FAILED) nothing was, and `address` is 0.
        Allocate = 1 "allocate",
        /// `address` was given back by the thread that owns its slab.
        Free = 2 "free",
        /// A resize, first half: `address` was given up. `size`: the old one. `value`: the new
        /// address.
        ResizeOut = 3 "resize-out",
        /// A resize, second half: `address` was handed out. `value`: the old address.
        ResizeIn = 4 "resize-in",
        /// `address` was given back by a thread that does not own its slab.
        RemoteFree = 5 "remote-free",
        /// A class's front was filled. `value`: blocks. `class`: which.
        Refill = 6 "refill",
        /// Blocks went from a class's front to their slabs. `value`: blocks. `class`: which.
        Drain = 7 "drain",
        /// Blocks came back to the slab at `address` from other threads. `value`: blocks.
        Collect = 8 "collect",
        /// A slab was opened at `address`. `size`: its bytes. `value`: bytes of a block.
        SlabOpened = 9 "slab-opened",
        /// The slab at `address` was closed. `size`: its bytes.
        SlabClosed = 10 "slab-closed",
        /// A thread began to use the allocator. `value`: 1 if it took on an ended thread's cache.
        /// Its name may follow in continuations; then `size` is the name's length.
        ThreadBegan = 11 "thread-began",
        /// A thread ended.
        ThreadEnded = 12 "thread-ended",
        /// The program's own mark. `address` and `value`: as the program gave them. `size`: bytes
        /// of text, which follows in continuations.
        Mark = 13 "mark",
        /// Watched memory changed. `address`: where. `size`: bytes. `caller`: the instruction.
        /// `value`: the new value; a continuation of 8 bytes has the old one.
        WatchHit = 14 "watch-hit",
        /// Something was found to be wrong. `address`: the block. `size`: its size. `value`: what,
        /// as the session's text in `crash` or in continuations says.
        Fault = 15 "fault",
        /// A file was mapped. `address`: its lowest address. `size`: bytes of address space.
        /// `value`: its place in `modules`, from 0.
        ModuleLoaded = 16 "module-loaded",
        /// A file was unmapped. Fields as in `ModuleLoaded`.
        ModuleUnloaded = 17 "module-unloaded",
        /// The process forked. `value`: the child's process id in the parent, and in the child the
        /// parent's.
        Forked = 18 "forked",
        /// Blocks were examined. `address`: the block, or 0 for many. `value`: how many were
        /// damaged.
        Verify = 19 "verify",
        /// The memory at `address`, whose reuse had been put off, may be used again. `value`: the
        /// sequence number of its free, or 0.
        Reuse = 20 "reuse",
        /// Events were not recorded. `value`: how many.
        Lost = 21 "lost",
        /// The text or bytes that belong to the record before it in the same file.
        Continuation = 22 "continuation",
    }
}

impl Kind {
    /// Whether the record is about a block of memory, or a part of one: whether `address` and
    /// `size` are a range.
    pub const fn has_range(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Allocate
                | Free
                | ResizeOut
                | ResizeIn
                | RemoteFree
                | SlabOpened
                | SlabClosed
                | WatchHit
                | Fault
                | Verify
                | Reuse
        )
    }

    /// Whether the record is about one block.
    pub const fn has_block(self) -> bool {
        self.has_range() && !matches!(self, Kind::SlabOpened | Kind::SlabClosed | Kind::WatchHit)
    }
}
