//! What a hook tells the pump: an event of fixed size.

use crate::size_class::{CLASSES, SizeClass, Tier};

/// How closely somebody has to look to want an event; the lowest are told first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Detail {
    /// Nothing is wanted.
    Nothing = 0,
    /// What changes the process's memory.
    Info = 1,
    /// What passes between a thread's cache and the rest.
    Debug = 2,
    /// What the program does.
    Trace = 3,
}

/// A size class, or that a block has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClassIndex(pub(crate) u8);

/// The classes, and the blocks that have none.
pub(crate) const CLASS_INDICES: usize = CLASSES + 1;

impl ClassIndex {
    pub(crate) fn of(class: usize) -> ClassIndex {
        ClassIndex(class.min(CLASSES) as u8)
    }

    /// Bytes of its blocks; `None` if blocks have no class, and each its own size.
    pub(crate) fn bytes(self) -> Option<usize> {
        self.class().map(SizeClass::bytes)
    }

    pub(crate) fn tier(self) -> Tier {
        self.class().map_or(Tier::Large, SizeClass::tier)
    }

    fn class(self) -> Option<SizeClass> {
        SizeClass::all().nth(usize::from(self.0))
    }
}

/// See the head of this file. `thread` is the kernel's number of the thread that it happened
/// to; 0 of a cache that no thread has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    Allocated {
        thread: u32,
        api: u8,
        class: ClassIndex,
        address: usize,
        size: usize,
        bytes: usize,
    },
    Freed {
        thread: u32,
        api: u8,
        class: ClassIndex,
        address: usize,
        bytes: usize,
    },
    /// Where it was, or its pages moved.
    Resized {
        thread: u32,
        class: ClassIndex,
        address: usize,
        from: usize,
        size: usize,
    },
    Refilled {
        thread: u32,
        class: ClassIndex,
        blocks: usize,
    },
    Drained {
        thread: u32,
        class: ClassIndex,
        blocks: usize,
    },
    RemoteFreed {
        thread: u32,
        address: usize,
    },
    Collected {
        thread: u32,
        slab: usize,
        blocks: usize,
    },
    SlabOpened {
        thread: u32,
        class: ClassIndex,
        slab: usize,
    },
    SlabClosed {
        thread: u32,
        class: ClassIndex,
        slab: usize,
    },
    SuperSlabMapped {
        thread: u32,
        address: usize,
    },
    SuperSlabFreed {
        thread: u32,
        address: usize,
    },
    Prewarmed {
        thread: u32,
        address: usize,
    },
    CachePurged {
        thread: u32,
        address: usize,
    },
    CacheKept {
        thread: u32,
        address: usize,
        cached: usize,
    },
    CacheTaken {
        thread: u32,
        address: usize,
        cached: usize,
    },
    CacheEvicted {
        thread: u32,
        address: usize,
        why: &'static str,
    },
}

// A stream holds thousands.
const _: () = assert!(size_of::<Record>() == 32);

impl Record {
    pub(crate) const fn detail(&self) -> Detail {
        match self {
            Record::Allocated { .. }
            | Record::Freed { .. }
            | Record::Resized { .. }
            | Record::RemoteFreed { .. } => Detail::Trace,
            Record::Refilled { .. }
            | Record::Drained { .. }
            | Record::Collected { .. }
            | Record::SlabOpened { .. }
            | Record::SlabClosed { .. }
            | Record::CachePurged { .. }
            | Record::CacheKept { .. }
            | Record::CacheTaken { .. } => Detail::Debug,
            Record::SuperSlabMapped { .. }
            | Record::SuperSlabFreed { .. }
            | Record::Prewarmed { .. }
            | Record::CacheEvicted { .. } => Detail::Info,
        }
    }
}
