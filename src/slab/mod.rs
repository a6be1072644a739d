//! A slab: a run of slots cut into blocks of one size class, and who owns it.
//!
//! ```text
//!   0 ┌──────────────────────────────────────┐
//!     │ identity, owner                      │ read by all, written by nobody meanwhile
//!  64 ├──────────────────────────────────────┤
//!     │ counters, list links                 │ written by the owner
//! 128 │ free words 0..8, listed words 0..8   │
//! 256 ├──────────────────────────────────────┤
//!     │ rsum, rcount, next                   │ written by threads that free
//! 280 │ remote words 0..8                    │ blocks of this slab from afar
//! 384 └──────────────────────────────────────┘
//!     free and listed words and, 128-aligned behind them, remote words of slabs
//!     with more than 512 blocks
//! ```
//!
//! A header lies in metadata memory and never moves or goes away; a closed slab's
//! header serves another slab of the same bitmap size.
//!
//! Invariants
//! 1. A block is in exactly one place: `free` bit set; `remote` bit set; in a thread's
//!    front, list or remote buffer; or with the program. Its `listed` bit says that it is
//!    on the owner's list: so a block that is freed twice is found when it comes there
//!    again, or back to the slab, whatever the program has written into it.
//! 2. `used` = blocks out of `free`, less those whose return was announced by `rcount`
//!    and counted by the owner. It may be too high for a while, never too low.
//! 3. `summary` has a bit for each `free` word that is not zero.
//! 4. Blocks of index `fresh` and above were never handed out since their slots were
//!    clean: they read as zero.
//! 5. Who turns `rcount` from zero holds the slab's *token* until an owner turns it back
//!    to zero; `next` belongs to the token's holder.
//! 6. A slab is closed at `used == 0` only: then no token is out, no thread is inside
//!    [`Slab::publish`], and no block is cached anywhere.
//! 7. A LARGE slab is one block. It has no owner, and no bitmap but `remote` word 0,
//!    whose bit says that the block has been freed.

mod bitmaps;
pub(crate) mod contradiction;
mod free;
mod opening;
mod remote;
mod seen;
mod stock;

use crate::fault::Fault;
use crate::inbox::Inbox;
use crate::name::{Name, name};
use crate::observe::{Observed, Observer, kept};
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::superslab::SuperSlab;
use crate::sync::{self, AtomicPtr, AtomicU64, Cell};
use crate::sys::memory::PAGE;
use core::mem::offset_of;
use core::ptr;
pub(crate) use free::Run;
use remote::Remote;

/// Free or remote words that fit in the header itself.
const INLINE_WORDS: usize = 8;
/// 1 in builds whose observers keep records of blocks, else 0.
const RECORDS: usize = (kept::LANES != 0) as usize;

/// What a slab's memory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Nothing: the header is in stock.
    Closed = 0,
    /// Blocks of a size class.
    Blocks = 1,
    /// One LARGE block: a run of slots in a SuperSlab.
    Run = 2,
    /// One LARGE block: a mapping of its own.
    Mapping = 3,
}

/// The header of a slab; see the head of this file.
#[repr(C, align(128))]
pub(crate) struct Slab {
    constant: Constant,
    /// Neighbours in the owner's list of slabs with free blocks, or in the list of
    /// large blocks, or in the stock of headers.
    before: Cell<*const Slab>,
    after: Cell<*const Slab>,
    summary: Cell<u64>,
    used: Cell<u16>,
    fresh: Cell<u16>,
    /// Places below have been shown to observers before somebody had them. Nothing in a build
    /// without observers.
    carved: [Cell<u16>; RECORDS],
    listed: Cell<bool>,
    /// Free words, and as many listed words behind them.
    inline_free: Aligned<[Cell<u64>; 2 * INLINE_WORDS]>,
    remote: Remote,
}

/// What changes only when nobody else can be looking: read by all threads, so in a cache line
/// that none of them writes.
#[repr(C, align(64))]
struct Constant {
    start: Cell<usize>,
    superslab: Cell<*const SuperSlab>,
    free: Cell<*const Cell<u64>>,
    remote: Cell<*const AtomicU64>,
    /// The owner's inbox. Written while no owner runs (the cache is parked) with
    /// Release, read Acquire by the token's holder and by frees.
    owner: AtomicPtr<Inbox>,
    /// Pages of a LARGE block.
    pages: Cell<u32>,
    blocks: Cell<u16>,
    class: Cell<u8>,
    slots: Cell<u8>,
    kind: Cell<u8>,
    words: Cell<u8>,
    /// Bytes in front of its first block.
    colour: Cell<u16>,
    /// What observers keep of each block; null without memory for it. Nothing in a build
    /// without observers.
    records: [Cell<*mut u8>; RECORDS],
}

#[repr(C, align(64))]
struct Aligned<T>(T);

const _: () = if sync::IS_CORE {
    assert!(size_of::<Constant>() == 64);
    assert!(offset_of!(Slab, inline_free) == 128);
    assert!(offset_of!(Slab, remote) == 256);
    assert!(size_of::<Slab>() == 384);
};

/// Where a slab's memory is and what it is for.
pub(crate) struct Site {
    pub(crate) start: usize,
    pub(crate) slots: usize,
    pub(crate) superslab: *const SuperSlab,
    /// All of it reads as zero.
    pub(crate) clean: bool,
}

impl Slab {
    /// Where a reader of a core file finds what.
    pub(crate) const OFFSETS: [(Name, usize); 20] = [
        (name("slab.start"), offset_of!(Slab, constant.start)),
        (name("slab.colour"), offset_of!(Slab, constant.colour)),
        (name("slab.free"), offset_of!(Slab, constant.free)),
        (name("slab.blocks"), offset_of!(Slab, constant.blocks)),
        (name("slab.class"), offset_of!(Slab, constant.class)),
        (name("slab.slots"), offset_of!(Slab, constant.slots)),
        (name("slab.kind"), offset_of!(Slab, constant.kind)),
        (name("slab.pages"), offset_of!(Slab, constant.pages)),
        (name("slab.remote"), offset_of!(Slab, constant.remote)),
        (name("slab.owner"), offset_of!(Slab, constant.owner)),
        (name("slab.superslab"), offset_of!(Slab, constant.superslab)),
        (name("slab.words"), offset_of!(Slab, constant.words)),
        (name("slab.used"), offset_of!(Slab, used)),
        (name("slab.fresh"), offset_of!(Slab, fresh)),
        (name("slab.summary"), offset_of!(Slab, summary)),
        (name("slab.partial"), offset_of!(Slab, listed)),
        (name("slab.before"), offset_of!(Slab, before)),
        (name("slab.after"), offset_of!(Slab, after)),
        (name("slab.remote.summary"), offset_of!(Slab, remote.rsum)),
        (name("slab.remote.count"), offset_of!(Slab, remote.rcount)),
    ];

    /// Where a reader finds the address of what observers keep of the blocks; none in a build that
    /// keeps nothing.
    pub(crate) const RECORDS: [usize; RECORDS] = [offset_of!(Slab, constant.records); RECORDS];

    /// As [`Slab::RECORDS`], how many blocks have been shown to observers.
    pub(crate) const CARVED: [usize; RECORDS] = [offset_of!(Slab, carved); RECORDS];

    /// The first block that may be handed out.
    pub(crate) const FIRST: usize = Observed::SKIPS_FIRST as usize;

    /// A closed header; its words are not reached until their addresses are set.
    fn new() -> Slab {
        Slab {
            constant: Constant {
                start: Cell::new(0),
                superslab: Cell::new(ptr::null()),
                free: Cell::new(ptr::null()),
                remote: Cell::new(ptr::null()),
                owner: AtomicPtr::new(ptr::null_mut()),
                pages: Cell::new(0),
                blocks: Cell::new(0),
                class: Cell::new(0),
                slots: Cell::new(0),
                kind: Cell::new(Kind::Closed as u8),
                words: Cell::new(INLINE_WORDS as u8),
                colour: Cell::new(0),
                records: core::array::from_fn(|_| Cell::new(ptr::null_mut())),
            },
            before: Cell::new(ptr::null()),
            after: Cell::new(ptr::null()),
            summary: Cell::new(0),
            used: Cell::new(0),
            fresh: Cell::new(0),
            listed: Cell::new(false),
            inline_free: Aligned(core::array::from_fn(|_| Cell::new(0))),
            remote: Remote::new(),
            carved: core::array::from_fn(|_| Cell::new(0)),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.constant.kind.get() {
            1 => Kind::Blocks,
            2 => Kind::Run,
            3 => Kind::Mapping,
            _ => Kind::Closed,
        }
    }

    pub(crate) fn start(&self) -> usize {
        self.constant.start.get()
    }

    /// The address of its first block.
    #[inline(always)]
    pub(crate) fn first_block(&self) -> usize {
        self.start() + usize::from(self.constant.colour.get())
    }

    /// Slots that the slab's memory takes; 0 for a mapping.
    pub(crate) fn slots(&self) -> usize {
        usize::from(self.constant.slots.get())
    }

    /// A run has so many from here on; the caller keeps the registry right.
    pub(crate) fn set_slots(&self, slots: usize) {
        self.constant.slots.set(slots as u8);
    }

    /// Where the slab's memory lies, to be given back.
    pub(crate) fn site(&self) -> Site {
        Site {
            start: self.start(),
            slots: self.slots(),
            superslab: self.constant.superslab.get(),
            clean: false,
        }
    }

    /// The SuperSlab that its slots are of.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn superslab(&self) -> *const SuperSlab {
        self.constant.superslab.get()
    }

    /// The class of a slab of blocks.
    pub(crate) fn class(&self) -> SizeClass {
        SizeClass::from_index(usize::from(self.constant.class.get()))
    }

    /// Blocks, in use or not.
    pub(crate) fn blocks(&self) -> usize {
        usize::from(self.constant.blocks.get())
    }

    /// Bytes that the program may use of each block.
    pub(crate) fn block_bytes(&self) -> usize {
        match self.kind() {
            Kind::Blocks => self.class().bytes(),
            _ => self.pages() * PAGE,
        }
    }

    /// Whether each page has a whole block in it: then the program has them all, once it has
    /// had every block.
    fn fills_pages(&self) -> bool {
        self.class().bytes() <= PAGE / 2
    }

    pub(crate) fn pages(&self) -> usize {
        self.constant.pages.get() as usize
    }

    pub(crate) fn set_pages(&self, pages: u32) {
        self.constant.pages.set(pages);
    }

    /// Moves a LARGE slab to another address; the caller keeps the registry right.
    pub(crate) fn set_start(&self, start: usize) {
        self.constant.start.set(start);
    }

    /// Bytes from the slab's start to its end.
    pub(crate) fn span(&self) -> usize {
        match self.kind() {
            Kind::Mapping => self.pages() * PAGE,
            _ => self.slots() * SLOT_BYTES,
        }
    }

    /// Whether a LARGE block reads as zero, as far as nobody has written to it.
    pub(crate) fn is_clean(&self) -> bool {
        self.fresh.get() == 0
    }

    pub(crate) fn used(&self) -> usize {
        usize::from(self.used.get())
    }

    pub(crate) fn before(&self) -> &Cell<*const Slab> {
        &self.before
    }

    pub(crate) fn after(&self) -> &Cell<*const Slab> {
        &self.after
    }

    /// Whether the slab is on its owner's list of slabs with free blocks.
    pub(crate) fn listed(&self) -> &Cell<bool> {
        &self.listed
    }

    /// The index of the block at `address`, which lies in the slab; none is in the place that is kept back.
    pub(crate) fn index_of(&self, address: usize) -> Result<usize, Fault> {
        let offset = address.wrapping_sub(self.first_block());
        let class = self.class();
        let index = class.block_index(offset);
        let is_block = (Slab::FIRST..self.blocks()).contains(&index);
        if index * class.bytes() != offset || !is_block {
            return Err(Fault::Interior);
        }
        Ok(index)
    }

    /// The address of block `index`.
    pub(crate) fn block(&self, index: usize) -> *mut u8 {
        (self.first_block() + index * self.class().bytes()) as *mut u8
    }
}
