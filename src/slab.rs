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

pub(crate) mod contradiction;

use crate::counters;
use crate::fault::{self, Call, Fault};
use crate::inbox::Inbox;
use crate::metadata::{self, MappingKind};
use crate::name::{Name, name};
use crate::observe::caller::{sees_blocks, sees_briefly};
use crate::observe::kept::{self, Keep, Kept};
use crate::observe::{Block, Event, Observed, Observer, Record, SlabCounts, Wish};
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::superslab::SuperSlab;
use crate::sync::{self, AtomicPtr, AtomicU32, AtomicU64, Cell, Ordering};
use crate::sys::lock::Lock;
use crate::sys::memory::{self, PAGE};
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::compiler_fence;

/// Free or remote words that fit in the header itself.
const INLINE_WORDS: usize = 8;
/// 1 in builds whose observers keep records of blocks, else 0.
const RECORDS: usize = (kept::LANES != 0) as usize;
/// Bytes of places that observers are shown ahead of those that are handed out next; one place at
/// least.
const CARVED_AHEAD: usize = 4 << 10;
/// Bitmap sizes that headers come in, words.
const WORD_STEPS: [usize; 4] = [INLINE_WORDS, 16, 32, 64];

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
    /// What observers keep of each block; null without memory for it. Nothing in a build
    /// without observers.
    records: [Cell<*mut u8>; RECORDS],
}

#[repr(C, align(64))]
struct Aligned<T>(T);

/// The part that other threads write; 128 bytes away from the owner's.
#[repr(C, align(128))]
struct Remote {
    /// A bit per remote word that may be non-zero. Set Release after the word; taken
    /// Acquire by the owner.
    rsum: AtomicU64,
    /// Announced returns that the owner has not counted. AcqRel both ways: it hands
    /// the token, and with it `next`, from one holder to the next one.
    rcount: AtomicU32,
    next: Cell<*const Slab>,
    inline: [AtomicU64; INLINE_WORDS],
}

const _: () = if sync::IS_CORE {
    assert!(size_of::<Constant>() == 64);
    assert!(offset_of!(Slab, inline_free) == 128);
    assert!(offset_of!(Slab, remote) == 256);
    assert!(size_of::<Slab>() == 384);
};

/// Headers that no slab uses, by bitmap size; linked by `after`.
static STOCK: Lock<Stock> = Lock::new(Stock([ptr::null(); WORD_STEPS.len()]));

struct Stock([*const Slab; WORD_STEPS.len()]);

impl Stock {
    fn take(&mut self, step: usize) -> Option<&'static Slab> {
        // SAFETY: headers are never unmapped; this one is in stock, so ours.
        let slab = unsafe { self.0[step].as_ref() }?;
        self.0[step] = slab.after.get();
        Some(slab)
    }
}

// SAFETY: the headers in stock are reached through the lock alone.
unsafe impl Send for Stock {}

/// How many blocks from the first on are `step` bytes from one another.
#[inline(always)]
fn count_steps(blocks: &[core::cell::Cell<*mut u8>], step: usize) -> usize {
    let mut next = blocks.first().map_or(0, |block| block.get() as usize);
    let follows = |block: &&core::cell::Cell<*mut u8>| {
        let follows = block.get() as usize == next;
        next = next.wrapping_add(step);
        follows
    };
    blocks.iter().take_while(follows).count()
}

/// Where a slab's memory is and what it is for.
pub(crate) struct Site {
    pub(crate) start: usize,
    pub(crate) slots: usize,
    pub(crate) superslab: *const SuperSlab,
    /// All of it reads as zero.
    pub(crate) clean: bool,
}

/// Neighbouring blocks. The highest comes first, so that a stack gives them out in the order
/// of their addresses.
#[derive(Clone)]
pub(crate) struct Run {
    end: usize,
    bytes: usize,
    len: usize,
}

impl Iterator for Run {
    type Item = *mut u8;

    #[inline(always)]
    fn next(&mut self) -> Option<*mut u8> {
        self.len = self.len.checked_sub(1)?;
        self.end -= self.bytes;
        Some(self.end as *mut u8)
    }
}

impl Slab {
    /// Where a reader of a core file finds what.
    pub(crate) const OFFSETS: [(Name, usize); 19] = [
        (name("slab.start"), offset_of!(Slab, constant.start)),
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

    /// A header of `words` words that no slab uses yet, with its words zero; in stock
    /// or new. `None` without memory.
    fn from_stock(words: usize) -> Option<&'static Slab> {
        let step = WORD_STEPS.iter().position(|&step| words <= step)?;
        if let Some(slab) = Slab::take_from_stock(step) {
            return Some(slab);
        }
        // Without memory for a new one a larger one will do.
        Slab::make(step).or_else(|| (step + 1..WORD_STEPS.len()).find_map(Slab::take_from_stock))
    }

    fn take_from_stock(step: usize) -> Option<&'static Slab> {
        STOCK.lock().take(step)
    }

    fn make(step: usize) -> Option<&'static Slab> {
        let words = WORD_STEPS[step];
        let owners = (2 * words * 8).next_multiple_of(metadata::ALIGN);
        let remotes = (words * 8).next_multiple_of(metadata::ALIGN);
        let tail = if words == INLINE_WORDS {
            0
        } else {
            owners + remotes
        };
        let memory = metadata::allocate(size_of::<Slab>() + tail)?;
        // SAFETY: new zeroed memory of that size and alignment, for good.
        let slab = unsafe { Slab::make_at(memory) };
        if words != INLINE_WORDS {
            // SAFETY: `tail` bytes of zero lie behind the header: `words` free words, as many
            // listed ones, and on the next multiple of 128 as many remote words.
            let behind = unsafe { memory.add(size_of::<Slab>()) };
            slab.constant.free.set(behind.as_ptr().cast());
            // SAFETY: as above.
            let remote = unsafe { behind.add(owners) };
            slab.constant.remote.set(remote.as_ptr().cast());
            slab.constant.words.set(words as u8);
        }
        slab.add_records(words * 64);
        Some(slab)
    }

    /// Gives the header what observers keep of `blocks` blocks, if they do, and if there is
    /// memory.
    fn add_records(&self, blocks: usize) {
        for records in &self.constant.records {
            if let Some(memory) = metadata::allocate_kept(blocks * kept::STRIDE) {
                records.set(memory.as_ptr());
            }
        }
    }

    /// What observers keep of a block, if they do.
    #[inline(always)]
    pub(crate) fn record(&'static self, index: usize) -> Option<Kept<'static, Record>> {
        let records = NonNull::new(self.constant.records.first()?.get())?;
        // SAFETY: `add_records` made one for each block that the bitmap can have.
        Some(unsafe { Kept::of_slab(records, index) })
    }

    /// A block, as observers see it.
    #[inline(always)]
    pub(crate) fn seen(&'static self, index: usize) -> Option<Block<'static, Record>> {
        Some(Block {
            address: NonNull::new(self.block(index))?,
            bytes: self.class().bytes(),
            class: self.class().index(),
            record: self.record(index),
        })
    }

    /// Whether observers have been shown the place of a block.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn is_carved(&self, index: usize) -> bool {
        let carved = self.carved.first().map_or(0, Cell::get);
        index < usize::from(carved)
    }

    fn wipe_records(&self) {
        let records = self.constant.records.first().map(Cell::get);
        // Where no hook has written, the pages have not been touched, and need not be.
        let are_written = sees_blocks() || sees_briefly() && self.blocks() == 1;
        if let Some(records) = records.and_then(NonNull::new)
            && are_written
        {
            // SAFETY: there is a record for each block; none of them is in use any more.
            unsafe { Record::wipe(records, self.blocks()) };
        }
        self.carved.iter().for_each(|carved| carved.set(0));
    }

    /// A closed header with its inline words.
    ///
    /// # Safety
    /// `memory` has the size and alignment of a header and is the caller's, for good.
    pub(crate) unsafe fn make_at(memory: NonNull<u8>) -> &'static Slab {
        let slab = memory.cast::<Slab>();
        // SAFETY: the caller's clause.
        unsafe { slab.write(Slab::new()) };
        // SAFETY: initialised just now; headers are never unmapped.
        let slab = unsafe { slab.as_ref() };
        slab.constant.free.set(slab.inline_free.0.as_ptr());
        slab.constant.remote.set(slab.remote.inline.as_ptr());
        slab
    }

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
                records: core::array::from_fn(|_| Cell::new(ptr::null_mut())),
            },
            before: Cell::new(ptr::null()),
            after: Cell::new(ptr::null()),
            summary: Cell::new(0),
            used: Cell::new(0),
            fresh: Cell::new(0),
            listed: Cell::new(false),
            inline_free: Aligned(core::array::from_fn(|_| Cell::new(0))),
            remote: Remote {
                rsum: AtomicU64::new(0),
                rcount: AtomicU32::new(0),
                next: Cell::new(ptr::null()),
                inline: core::array::from_fn(|_| AtomicU64::new(0)),
            },
            carved: core::array::from_fn(|_| Cell::new(0)),
        }
    }

    /// A slab of `class` at `site`, all of its blocks free, owned by `owner`. The
    /// caller enters it in the registry. `None` without memory for its header.
    pub(crate) fn open(site: &Site, class: SizeClass, owner: &Inbox) -> Option<&'static Slab> {
        let slab = Slab::from_stock(class.blocks().div_ceil(64))?;
        slab.set_up(site, class, owner);
        Some(slab)
    }

    /// Opens a closed slab; see [`Slab::open`].
    pub(crate) fn set_up(&self, site: &Site, class: SizeClass, owner: &Inbox) {
        let blocks = class.blocks();
        self.constant.start.set(site.start);
        self.constant.superslab.set(site.superslab);
        self.constant.slots.set(site.slots as u8);
        self.constant.class.set(class.index() as u8);
        self.constant.blocks.set(blocks as u16);
        self.used.set(0);
        let fresh = if site.clean { Slab::FIRST } else { blocks };
        self.fresh.set(fresh as u16);
        if !site.clean && self.fills_pages() {
            counters::filled_changed(0, self.slots());
        }
        let words = blocks.div_ceil(64);
        for word in 0..words {
            let bits = (blocks - word * 64).min(64);
            let first = if word == 0 { Slab::FIRST } else { 0 };
            self.set_free(word, (u64::MAX >> (64 - bits)) & (u64::MAX << first));
        }
        self.summary.set(u64::MAX >> (64 - words));
        self.constant
            .owner
            .store(ptr::from_ref(owner).cast_mut(), Ordering::Release);
        self.constant.kind.set(Kind::Blocks as u8);
    }

    /// The slab of one LARGE block of `pages` pages.
    pub(crate) fn open_large(site: &Site, kind: Kind, pages: usize) -> Option<&'static Slab> {
        let slab = Slab::from_stock(INLINE_WORDS)?;
        slab.set_up_large(site, kind, pages)
    }

    /// As [`Slab::open_large`] for a mapping, without waiting for a lock: without a header
    /// in stock that can be had at once, one is made in a page of its own.
    pub(crate) fn open_large_at_once(site: &Site, pages: usize) -> Option<&'static Slab> {
        let in_stock = STOCK.try_lock().and_then(|mut stock| stock.take(0));
        let slab = match in_stock {
            Some(slab) => slab,
            None => {
                let page = memory::map_zeroed(PAGE, PAGE)?;
                metadata::record(page, PAGE, MappingKind::Metadata);
                // SAFETY: a page of ours, for good.
                unsafe { Slab::make_at(NonNull::new(page as *mut u8)?) }
            }
        };
        slab.set_up_large(site, Kind::Mapping, pages)
    }

    fn set_up_large(&'static self, site: &Site, kind: Kind, pages: usize) -> Option<&'static Slab> {
        self.constant.start.set(site.start);
        self.constant.superslab.set(site.superslab);
        self.constant.slots.set(site.slots as u8);
        self.constant.pages.set(u32::try_from(pages).ok()?);
        self.constant.blocks.set(1);
        self.used.set(1);
        self.fresh.set(if site.clean { 0 } else { 1 });
        self.constant
            .owner
            .store(ptr::null_mut(), Ordering::Release);
        self.constant.kind.set(kind as u8);
        Some(self)
    }

    /// Puts the header back in stock. The caller has taken the slab out of the
    /// registry and holds its memory.
    pub(crate) fn close(&self) {
        self.wipe();
        let step = WORD_STEPS
            .iter()
            .position(|&step| step == usize::from(self.constant.words.get()))
            .unwrap_or(0);
        let mut stock = STOCK.lock();
        self.after.set(stock.0[step]);
        stock.0[step] = self;
    }

    /// Makes the slab a closed one, whose words are zero.
    pub(crate) fn wipe(&self) {
        debug_assert!(self.remote.rcount.load(Ordering::Relaxed) == 0);
        if self.kind() == Kind::Blocks
            && usize::from(self.fresh.get()) == self.blocks()
            && self.fills_pages()
        {
            counters::filled_changed(self.slots(), 0);
        }
        self.constant.kind.set(Kind::Closed as u8);
        let used_words = usize::from(self.constant.blocks.get()).div_ceil(64);
        for word in 0..used_words {
            self.set_free(word, 0);
            self.remote_word(word).store(0, Ordering::Relaxed);
        }
        self.summary.set(0);
        self.remote.rsum.store(0, Ordering::Relaxed);
        self.wipe_records();
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
            _ => self.pages() * crate::sys::memory::PAGE,
        }
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

    fn free_word(&self, word: usize) -> &Cell<u64> {
        debug_assert!(word < usize::from(self.constant.words.get()));
        // SAFETY: `free` points to `words` words, set up in `from_stock`.
        unsafe { &*self.constant.free.get().add(word) }
    }

    /// Sets a word of the bitmap of free blocks.
    #[inline(always)]
    fn set_free(&self, word: usize, bits: u64) {
        let cell = self.free_word(word);
        if Observed::ACTIVE {
            Observed::notice(Event::MaskChanged {
                slab: self.start(),
                word,
                before: cell.get(),
                after: bits,
            });
        }
        cell.set(bits);
    }

    fn listed_word(&self, word: usize) -> &Cell<u64> {
        let words = usize::from(self.constant.words.get());
        debug_assert!(word < words);
        // SAFETY: behind the free words are as many listed ones, set up in `make`.
        unsafe { &*self.constant.free.get().add(words + word) }
    }

    /// Notes that a block is on its owner's list; false if it was there already.
    pub(crate) fn set_listed(&self, index: usize) -> bool {
        let cell = self.listed_word(index / 64);
        let bit = 1 << (index % 64);
        let before = cell.get();
        cell.set(before | bit);
        before & bit == 0
    }

    /// Whether a block is noted as on its owner's list.
    pub(crate) fn is_listed(&self, index: usize) -> bool {
        self.listed_word(index / 64).get() & 1 << (index % 64) != 0
    }

    /// Notes that a block is no longer on its owner's list; false if it was not there.
    pub(crate) fn clear_listed(&self, index: usize) -> bool {
        let cell = self.listed_word(index / 64);
        let bit = 1 << (index % 64);
        let before = cell.get();
        cell.set(before & !bit);
        before & bit != 0
    }

    fn remote_word(&self, word: usize) -> &AtomicU64 {
        debug_assert!(word < usize::from(self.constant.words.get()));
        // SAFETY: `remote` points to as many words, set up in `from_stock`.
        unsafe { &*self.constant.remote.get().add(word) }
    }

    /// The index of the block at `address`, which lies in the slab.
    pub(crate) fn index_of(&self, address: usize) -> Result<usize, Fault> {
        let offset = address - self.start();
        let class = self.class();
        let index = class.block_index(offset);
        if index * class.bytes() != offset || index >= self.blocks() {
            return Err(Fault::Interior);
        }
        Ok(index)
    }

    /// The address of block `index`.
    pub(crate) fn block(&self, index: usize) -> *mut u8 {
        (self.start() + index * self.class().bytes()) as *mut u8
    }

    // Owner's side.

    /// Whether a block is free here, by the bitmap (never by `used`).
    pub(crate) fn has_free(&self) -> bool {
        self.summary.get() != 0
    }

    /// Whether no free block has been handed out since the slab's memory was clean.
    pub(crate) fn has_fresh_alone(&self) -> bool {
        let word = self.summary.get().trailing_zeros() as usize;
        if word >= usize::from(self.constant.words.get()) {
            return false;
        }
        let lowest = word * 64 + self.free_word(word).get().trailing_zeros() as usize;
        lowest >= usize::from(self.fresh.get())
    }

    /// Shows observers the places that nobody has had since the slab was opened: those of the
    /// next `want` free blocks, and some that follow.
    #[inline(always)]
    pub(crate) fn carve(&'static self, want: usize) {
        for carved in &self.carved {
            if usize::from(carved.get()) < self.blocks() && Observed::wants(Wish::Places) {
                self.carve_slow(carved, self.end_of_free(want));
            }
        }
    }

    /// As [`Slab::carve`], of the places below index `end`, and some that follow.
    #[cold]
    #[inline(never)]
    fn carve_slow(&'static self, carved: &Cell<u16>, end: usize) {
        let bytes = self.class().bytes();
        let from = usize::from(carved.get());
        let to = end + (CARVED_AHEAD / bytes).max(1);
        let to = to.min(self.blocks());
        for index in from..to {
            // The observer's own, or free; of others it is not known whose they are.
            let is_free = (0..Slab::FIRST).contains(&index) || self.bits_of(index).0;
            if let Some(block) = self.seen(index) {
                Observed::carved(&block, is_free);
            }
        }
        carved.set(to.max(from) as u16);
    }

    /// The index behind the first `want` free blocks, or behind all if there are fewer.
    fn end_of_free(&self, mut want: usize) -> usize {
        for word in 0..self.blocks().div_ceil(64) {
            let mut bits = self.free_word(word).get();
            let count = bits.count_ones() as usize;
            if want > count {
                want -= count;
                continue;
            }
            for _ in 1..want {
                bits &= bits - 1;
            }
            return word * 64 + bits.trailing_zeros() as usize + 1;
        }
        self.blocks()
    }

    /// Takes up to `want` free blocks, lowest addresses first, and hands them to `each`,
    /// neighbours together; returns how many.
    #[inline(always)]
    pub(crate) fn take(&self, want: usize, mut each: impl FnMut(Run)) -> usize {
        let bytes = self.class().bytes();
        let start = self.start();
        let mut summary = self.summary.get();
        let mut taken = 0;
        let mut last = 0;
        while summary != 0 && taken < want {
            let word = summary.trailing_zeros() as usize;
            let mut bits = self.free_word(word).get();
            while bits != 0 && taken < want {
                // A run of neighbours at a time.
                let first = bits.trailing_zeros() as usize;
                let run = (!(bits >> first)).trailing_zeros() as usize;
                let run = run.min(want - taken);
                each(Run {
                    end: start + (word * 64 + first + run) * bytes,
                    bytes,
                    len: run,
                });
                bits &= !((u64::MAX >> (64 - run)) << first);
                taken += run;
                last = word * 64 + first + run - 1;
            }
            // A reader of a core finds each block with its taker, before it is gone here.
            compiler_fence(Ordering::Release);
            self.set_free(word, bits);
            if bits == 0 {
                summary &= summary - 1;
            }
        }
        self.summary.set(summary);
        self.used.set(self.used.get() + taken as u16);
        if taken > 0 && last >= usize::from(self.fresh.get()) {
            self.set_fresh(last + 1);
        }
        taken
    }

    /// Takes one block that reads as zero, if there is one.
    pub(crate) fn take_fresh(&'static self) -> Option<*mut u8> {
        let index = usize::from(self.fresh.get());
        if index >= self.blocks() {
            return None;
        }
        for carved in &self.carved {
            if usize::from(carved.get()) <= index && Observed::wants(Wish::Places) {
                self.carve_slow(carved, index + 1);
            }
        }
        let (word, bit) = (index / 64, 1u64 << (index % 64));
        let cell = self.free_word(word);
        debug_assert!(cell.get() & bit != 0);
        self.set_free(word, cell.get() & !bit);
        if cell.get() == 0 {
            self.summary.set(self.summary.get() & !(1 << word));
        }
        self.used.set(self.used.get() + 1);
        self.set_fresh(index + 1);
        Some(self.block(index))
    }

    /// Notes that blocks have been handed out up to index `fresh`.
    fn set_fresh(&self, fresh: usize) {
        self.fresh.set(fresh as u16);
        if fresh == self.blocks() && self.fills_pages() {
            counters::filled_changed(0, self.slots());
            // SAFETY: records of SuperSlabs are never unmapped.
            if let Some(superslab) = unsafe { self.constant.superslab.get().as_ref() } {
                superslab.forget_unfilled(superslab.mask_of(&self.site()));
            }
        }
    }

    /// Whether each page has a whole block in it: then the program has them all, once it has
    /// had every block.
    fn fills_pages(&self) -> bool {
        self.class().bytes() <= PAGE / 2
    }

    /// Takes back, of the blocks that this thread held, those at the head of `blocks` that
    /// are of this slab; returns how many, at least one. This is where the release build sees
    /// what it can for nothing, and aborts: an address inside a block, and a block that is
    /// free already.
    #[inline]
    pub(crate) fn put_back(&self, blocks: &[core::cell::Cell<*mut u8>]) -> usize {
        let (start, span, class, count) = (self.start(), self.span(), self.class(), self.blocks());
        let bytes = class.bytes();
        let inside =
            |block: &core::cell::Cell<*mut u8>| (block.get() as usize).wrapping_sub(start) < span;
        if let Some(alone) = blocks.first()
            && inside(alone)
            && !blocks.get(1).is_some_and(inside)
        {
            let offset = alone.get() as usize - start;
            let index = class.block_index(offset);
            if index * bytes != offset || index >= count {
                fault::abort(Call::Free, alone.get(), Fault::Interior);
            }
            self.put_back_word(index / 64, 1 << (index % 64), 1);
            return 1;
        }
        let mut at = 0;
        // The blocks of one word of the bitmap at a time.
        let mut word = usize::MAX;
        let mut bits = 0;
        let mut counted = 0;
        while let Some(block) = blocks.get(at) {
            let block = block.get();
            let offset = (block as usize).wrapping_sub(start);
            if offset >= span {
                break;
            }
            let index = class.block_index(offset);
            if index * bytes != offset || index >= count {
                fault::abort(Call::Free, block, Fault::Interior);
            }
            // With its neighbours, as far as they follow it, upwards or downwards, and are in
            // the same word.
            let bit = index % 64;
            let rest = &blocks[at..];
            let most = (64 - bit).min(count - index);
            let mut run = count_steps(&rest[..rest.len().min(most)], bytes);
            let mut lowest = bit;
            if run == 1 {
                run = count_steps(&rest[..rest.len().min(bit + 1)], bytes.wrapping_neg());
                lowest = bit + 1 - run;
            }
            let mask = (u64::MAX >> (64 - run)) << lowest;
            if index / 64 != word {
                if word != usize::MAX {
                    self.put_back_word(word, bits, at - counted);
                }
                word = index / 64;
                bits = 0;
                counted = at;
            }
            if bits & mask != 0 {
                fault::abort(Call::Free, block, Fault::DoubleFree);
            }
            bits |= mask;
            at += run;
        }
        if word != usize::MAX {
            self.put_back_word(word, bits, at - counted);
        }
        at
    }

    #[inline(always)]
    fn put_back_word(&self, word: usize, bits: u64, returned: usize) {
        let cell = self.free_word(word);
        let remote = self.remote_word(word).load(Ordering::Relaxed);
        let twice = (cell.get() | self.listed_word(word).get() | remote) & bits;
        let used = self.used.get();
        if twice != 0 || usize::from(used) < returned {
            let bit = if twice != 0 { twice } else { bits }.trailing_zeros();
            let block = self.block(word * 64 + bit as usize);
            fault::abort(Call::Free, block, Fault::DoubleFree);
        }
        self.set_free(word, cell.get() | bits);
        self.summary.set(self.summary.get() | 1 << word);
        self.used.set(used - returned as u16);
    }

    /// Takes in what other threads have returned. Called by the owner alone, from
    /// [`Inbox::empty`]; on a fault says which block.
    pub(crate) fn collect(&self) -> Result<u32, (usize, Fault)> {
        let announced = self.remote.rcount.swap(0, Ordering::AcqRel);
        let mut words = self.remote.rsum.swap(0, Ordering::Acquire);
        self.summary.set(self.summary.get() | words);
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let bits = self.remote_word(word).swap(0, Ordering::Acquire);
            let cell = self.free_word(word);
            let twice = (cell.get() | self.listed_word(word).get()) & bits;
            if twice != 0 {
                let index = word * 64 + twice.trailing_zeros() as usize;
                return Err((index, Fault::DoubleFree));
            }
            self.set_free(word, cell.get() | bits);
            if cell.get() == 0 {
                self.summary.set(self.summary.get() & !(1 << word));
            }
        }
        // More have come back than were out.
        let Some(used) = self.used.get().checked_sub(announced as u16) else {
            return Err((0, Fault::DoubleFree));
        };
        self.used.set(used);
        Ok(announced)
    }

    /// A block that another thread has returned and that is not collected yet.
    pub(crate) fn returned_from_afar(&self) -> Option<usize> {
        if self.remote.rsum.load(Ordering::Relaxed) == 0 {
            return None;
        }
        (0..self.blocks().div_ceil(64)).find_map(|word| {
            let bits = self.remote_word(word).load(Ordering::Relaxed);
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    // Anybody's side.

    /// The inbox of the slab's owner; null for LARGE.
    pub(crate) fn owner(&self) -> *const Inbox {
        self.constant.owner.load(Ordering::Acquire)
    }

    /// Gives the slab to another owner. Neither the old one nor the new one runs on it
    /// meanwhile: its cache is parked and the caller holds it.
    pub(crate) fn set_owner(&self, owner: &Inbox) {
        self.constant
            .owner
            .store(ptr::from_ref(owner).cast_mut(), Ordering::Release);
    }

    /// Returns `count` blocks to the slab's owner: `batch` has for each a bit in a
    /// word. The blocks are the caller's; after the call nothing of the slab is.
    pub(crate) fn publish(
        &self,
        batch: impl Iterator<Item = (usize, u64)>,
        count: u32,
    ) -> Result<(), (usize, Fault)> {
        let mut words = 0;
        for (word, bits) in batch {
            let before = self.remote_word(word).fetch_or(bits, Ordering::Release);
            if before & bits != 0 {
                let index = word * 64 + (before & bits).trailing_zeros() as usize;
                return Err((index, Fault::DoubleFree));
            }
            words |= 1 << word;
        }
        self.remote.rsum.fetch_or(words, Ordering::Release);
        if self.remote.rcount.fetch_add(count, Ordering::AcqRel) == 0 {
            let owner = self.owner();
            // SAFETY: a slab of blocks always has an owner, and inboxes are never
            // unmapped.
            unsafe { &*owner }.push(self);
        }
        Ok(())
    }

    /// The link of the inbox's stack; the token's holder's alone.
    pub(crate) fn next(&self) -> &Cell<*const Slab> {
        &self.remote.next
    }

    /// Marks a LARGE block as freed; false if it was already.
    pub(crate) fn mark_freed(&self) -> bool {
        self.remote_word(0).swap(1, Ordering::AcqRel) == 0
    }

    /// Where block `index` is by the bitmaps alone: `(in free, in remote)`. Exact
    /// while nobody runs, an impression otherwise.
    pub(crate) fn bits_of(&self, index: usize) -> (bool, bool) {
        let bit = 1u64 << (index % 64);
        (
            self.free_word(index / 64).get() & bit != 0,
            self.remote_word(index / 64).load(Ordering::Relaxed) & bit != 0,
        )
    }

    /// Blocks that are free here, those that other threads returned included.
    pub(crate) fn count_free(&self) -> usize {
        (0..self.blocks().div_ceil(64))
            .map(|word| {
                let remote = self.remote_word(word).load(Ordering::Relaxed);
                (self.free_word(word).get() | remote).count_ones() as usize
            })
            .sum()
    }

    /// The counts of the owner's side.
    pub(crate) fn counts(&self) -> SlabCounts {
        let words = 0..self.blocks().div_ceil(64);
        SlabCounts {
            used: self.used(),
            free: words
                .map(|word| self.free_word(word).get().count_ones() as usize)
                .sum(),
        }
    }

    /// Takes the stock's lock for a fork.
    pub(crate) fn hold_stock() {
        STOCK.hold();
    }

    /// # Safety
    /// [`Slab::hold_stock`] was called by this thread, or by the one that this process
    /// was forked from.
    pub(crate) unsafe fn let_go_stock() {
        // SAFETY: the caller's clause.
        unsafe { STOCK.let_go() };
    }

    /// Bytes from the slab's start to its end.
    pub(crate) fn span(&self) -> usize {
        match self.kind() {
            Kind::Mapping => self.pages() * crate::sys::memory::PAGE,
            _ => self.slots() * SLOT_BYTES,
        }
    }
}
