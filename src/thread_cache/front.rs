//! The front of a thread cache (SFC): what the fast paths touch, and all of it.
//!
//! ```text
//!            null │ p0 │ p1 │ p2 │    │    │
//!                 ▲              ▲         ▲
//!               bottom          top       end
//! ```
//!
//! A [`Bin`] is an array of free blocks of one class. A pop takes the entry below `top`
//! and finds the null below the bottom when there is none; a push stops at `end`. Neither
//! touches the blocks.
//!
//! All fast paths read the front's first line. Where in a page it lies is [`OFFSET`]: processors
//! that guess the way in the first-level cache by a hash of the address (AMD's since Zen) take two
//! lines of the same place in a page for one another when the hashes agree, and then each load of
//! the one throws out the other. The blocks in use most are the first ones of a slab, at
//! the start of a page, and so are the registry's entries for them.
//!
//! A thread that has no cache yet has the constant [`EMPTY`], whose bins are empty and full
//! at once and whose registry ends before it begins: so the fast paths need not ask.
//!
//! 1. The word below a bin's bottom is null, for good.
//! 2. `EMPTY` and `EXITED` are read-only memory. The fast paths write after a hit alone.

use crate::size_class::{CLASSES, SLOT_SHIFT, SizeClass, TINY_MAX};
use crate::sys::thread;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

/// Where in a page a cache's front begins: far from the page's start, and on a multiple of
/// few block sizes.
pub(crate) const OFFSET: usize = 0xc80;

/// Entries of the table from sizes to bins: one for each 16 bytes to [`TINY_MAX`].
const STEPS: usize = TINY_MAX / 16 + 1;

/// The part of a thread cache that the fast paths use; its first member.
#[repr(C)]
pub(crate) struct Front {
    /// As the registry's, so that a free reads one cache line less.
    base: Cell<usize>,
    limit: Cell<usize>,
    owners: Cell<*const AtomicUsize>,
    /// Byte offset from the front's start to the bin that serves a size.
    table: [u16; STEPS],
    bins: [Bin; CLASSES],
}

/// What became of a block that was to go to its front.
pub(crate) enum Push {
    Done,
    /// Its slot is no slab of this thread's. The front is a cache's.
    NotOurs,
    /// The front is full, or the address is none of the arena's.
    Failed,
}

/// An array of free blocks; see the head of this file.
#[repr(C)]
pub(crate) struct Bin {
    top: Cell<*mut *mut u8>,
    end: Cell<*mut *mut u8>,
}

/// A front without cells, so that it lies in read-only memory.
#[repr(C)]
pub(crate) struct ConstantFront {
    base: usize,
    limit: usize,
    owners: *const AtomicUsize,
    table: [u16; STEPS],
    bins: [ConstantBin; CLASSES],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ConstantBin {
    top: *const usize,
    end: *const usize,
}

// SAFETY: never written.
unsafe impl Sync for ConstantFront {}

const _: () = {
    assert!(size_of::<ConstantFront>() == size_of::<Front>());
    assert!(offset_of!(ConstantFront, bins) == offset_of!(Front, bins));
    assert!(offset_of!(ConstantFront, table) == offset_of!(Front, table));
    assert!(size_of::<Front>() <= u16::MAX as usize);
};

/// A bin without entries: the null that pops find, and the end where pushes stop.
static NO_ENTRIES: [usize; 2] = [0, 0];

/// The base of a constant front: no cache has it.
const CONSTANT_BASE: usize = usize::MAX;

const CONSTANT: ConstantFront = ConstantFront {
    base: CONSTANT_BASE,
    limit: 0,
    owners: ptr::null(),
    table: Front::TABLE,
    bins: [ConstantBin {
        top: &NO_ENTRIES[1],
        end: &NO_ENTRIES[1],
    }; CLASSES],
};

/// The front of a thread that has not needed a cache yet.
pub(crate) static EMPTY: ConstantFront = CONSTANT;
/// The front of a thread that has given up its cache.
pub(crate) static EXITED: ConstantFront = CONSTANT;
/// The front of a thread in the middle of a change: what a signal handler finds.
static BUSY: ConstantFront = CONSTANT;

/// A time in which this thread's front is [`BUSY`]: a signal handler that comes meanwhile
/// finds no cache, takes no lock, and disturbs nothing. Ends when dropped.
pub(crate) struct Quiet {
    /// The thread's word before, and after.
    word: Cell<*const u8>,
}

impl Quiet {
    pub(crate) fn begin() -> Quiet {
        Self::begin_from(thread::word())
    }

    /// As [`Quiet::begin`], for who knows the thread's word.
    #[inline(always)]
    pub(crate) fn begin_from(word: *const u8) -> Quiet {
        debug_assert!(ptr::eq(word, thread::word()));
        let word = Cell::new(word);
        thread::set_word(ptr::from_ref(&BUSY).cast());
        compiler_fence(Ordering::SeqCst);
        Quiet { word }
    }

    /// Has the thread's word be another one in the end.
    pub(crate) fn end_with(&self, word: *const u8) {
        self.word.set(word);
    }

    /// The front that the thread had before.
    pub(crate) fn front(&self) -> &'static Front {
        // SAFETY: as in `Front::current`.
        unsafe { &*self.word.get().cast::<Front>() }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        thread::set_word(self.word.get());
    }
}

impl Front {
    const TABLE: [u16; STEPS] = {
        let mut table = [0; STEPS];
        let mut step = 0;
        while step < STEPS {
            table[step] = Front::offset_of_bin(SizeClass::of(step * 16)) as u16;
            step += 1;
        }
        table
    };

    const fn offset_of_bin(class: SizeClass) -> usize {
        offset_of!(Front, bins) + class.index() * size_of::<Bin>()
    }

    /// Byte offsets of the first bin, and of `top` and `end` in a bin, and a bin's size: for
    /// readers of a core file.
    pub(crate) const OFFSETS: (usize, usize, usize, usize) = (
        offset_of!(Front, bins),
        offset_of!(Bin, top),
        offset_of!(Bin, end),
        size_of::<Bin>(),
    );

    /// Sets up a front in zeroed memory: its table. Bins are given their arrays later.
    ///
    /// # Safety
    /// `front` is writable zeroed memory that nobody else uses.
    pub(crate) unsafe fn set_up(front: NonNull<Front>) {
        // SAFETY: the caller's clause.
        unsafe { (&raw mut (*front.as_ptr()).table).write(Front::TABLE) };
    }

    /// Takes over the registry's range and array; `limit` 0 keeps every free off the
    /// fast path.
    pub(crate) fn set_view(&self, base: usize, limit: usize, owners: *const AtomicUsize) {
        self.base.set(base);
        self.owners.set(owners);
        self.limit.set(limit);
    }

    /// The front of this thread.
    #[inline(always)]
    pub(crate) fn current() -> &'static Front {
        // SAFETY: the word is always the address of a front: a constant one, which is
        // laid out as a front and only read through cells, or a cache's.
        unsafe { &*thread::word().cast::<Front>() }
    }

    /// Whether this is the front of a cache, and not a constant.
    pub(crate) fn is_real(&self) -> bool {
        self.base.get() != CONSTANT_BASE
    }

    /// Whether this thread is in the middle of a change: a signal handler asks.
    pub(crate) fn is_busy(&self) -> bool {
        ptr::eq(ptr::from_ref(self).cast(), &BUSY)
    }

    /// Whether this thread has given up its cache.
    pub(crate) fn is_exited(&self) -> bool {
        ptr::eq(ptr::from_ref(self).cast(), &EXITED)
    }

    pub(crate) fn bin(&self, class: SizeClass) -> &Bin {
        &self.bins[class.index()]
    }

    /// The bin that serves `size` bytes.
    ///
    /// # Safety
    /// `size` is at most [`TINY_MAX`].
    #[inline(always)]
    pub(crate) unsafe fn bin_for(&self, size: usize) -> &Bin {
        // SAFETY: `size` is at most TINY_MAX, so the step is in the table.
        let offset = unsafe { *self.table.get_unchecked((size + 15) >> 4) };
        // SAFETY: the table has offsets of bins of this front.
        unsafe {
            &*ptr::from_ref(self)
                .byte_add(usize::from(offset))
                .cast::<Bin>()
        }
    }

    /// The class of a bin of this front.
    #[inline(always)]
    pub(crate) fn class_of(&self, bin: &Bin) -> SizeClass {
        let offset = ptr::from_ref(bin) as usize - self.bins.as_ptr() as usize;
        SizeClass::from_index(offset / size_of::<Bin>())
    }

    /// Bytes of the blocks of a bin of this front.
    #[inline(always)]
    pub(crate) fn bytes_of(&self, bin: &Bin) -> usize {
        let offset = ptr::from_ref(bin) as usize - self.bins.as_ptr() as usize;
        SizeClass::bytes_at(offset / size_of::<Bin>())
    }

    /// The bin of a block whose slab this thread's cache owns, or of another address in that.
    #[inline(always)]
    pub(crate) fn bin_of(&self, address: usize) -> Option<&Bin> {
        let slot = address.wrapping_sub(self.base.get()) >> SLOT_SHIFT;
        if slot >= self.limit.get() {
            return None;
        }
        // SAFETY: entries below `limit` are readable.
        let owner = unsafe { &*self.owners.get().add(slot) }.load(Ordering::Relaxed);
        let offset = owner.wrapping_sub(ptr::from_ref(self) as usize);
        if offset >= size_of::<Front>() {
            return None;
        }
        // SAFETY: an owner entry is the address of a bin; it lies in this front.
        Some(unsafe { &*ptr::from_ref(self).byte_add(offset).cast::<Bin>() })
    }

    /// Pushes a block whose slab this thread's cache owns.
    #[inline(always)]
    pub(crate) fn push(&self, block: *mut u8) -> Push {
        let slot = (block as usize).wrapping_sub(self.base.get()) >> SLOT_SHIFT;
        if slot >= self.limit.get() {
            return Push::Failed;
        }
        // SAFETY: entries below `limit` are readable.
        let owner = unsafe { &*self.owners.get().add(slot) }.load(Ordering::Relaxed);
        let offset = owner.wrapping_sub(ptr::from_ref(self) as usize);
        if offset >= size_of::<Front>() {
            return Push::NotOurs;
        }
        // SAFETY: an owner entry is the address of a bin; it lies in this front.
        let bin = unsafe { &*ptr::from_ref(self).byte_add(offset).cast::<Bin>() };
        match bin.push(block) {
            true => Push::Done,
            false => Push::Failed,
        }
    }
}

impl Bin {
    /// Puts blocks on top.
    ///
    /// # Safety
    /// There is room for them.
    #[inline(always)]
    pub(crate) unsafe fn push_all(&self, blocks: impl Iterator<Item = *mut u8>) {
        let mut top = self.top.get();
        for block in blocks {
            // SAFETY: `top` is below `end`, by the caller's clause, so it is a word of the array.
            unsafe { *top = block };
            // SAFETY: as above.
            top = unsafe { top.add(1) };
        }
        self.top.set(top);
    }

    /// The addresses of the top and of the array's end.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(super) fn addresses(&self) -> (usize, usize) {
        (self.top.get() as usize, self.end.get() as usize)
    }

    /// Gives the bin an empty array.
    ///
    /// # Safety
    /// `bottom` is followed by `capacity` writable words and preceded by a null word, all
    /// for this bin alone.
    pub(crate) unsafe fn set_array(&self, bottom: *mut *mut u8, capacity: usize) {
        self.top.set(bottom);
        // SAFETY: the caller's clause.
        self.end.set(unsafe { bottom.add(capacity) });
    }

    /// Takes the block pushed last.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<NonNull<u8>> {
        // SAFETY: a word lies below `top`: an entry, or the null below the bottom.
        let below = unsafe { self.top.get().sub(1) };
        // SAFETY: as above.
        let block = NonNull::new(unsafe { *below })?;
        self.top.set(below);
        Some(block)
    }

    /// Puts a block on top; false when the array is full.
    #[inline(always)]
    pub(crate) fn push(&self, block: *mut u8) -> bool {
        let top = self.top.get();
        if top == self.end.get() {
            return false;
        }
        // SAFETY: `top` is below `end`, so it is a word of the array.
        unsafe { *top = block };
        // SAFETY: as above.
        self.top.set(unsafe { top.add(1) });
        true
    }

    /// The entries, the oldest first; at most `capacity`, whatever another thread that is
    /// changing the array lets us read.
    ///
    /// # Safety
    /// `bottom` is that of an array of this bin with `capacity` words.
    pub(crate) unsafe fn entries(&self, bottom: *mut *mut u8, capacity: usize) -> &[Cell<*mut u8>] {
        let len = (self.top.get() as usize).wrapping_sub(bottom as usize) / size_of::<*mut u8>();
        if len > capacity {
            return &[];
        }
        // SAFETY: the words from the bottom to `top` are entries, within the array; `Cell`
        // has the layout of what it holds.
        unsafe { core::slice::from_raw_parts(bottom.cast(), len) }
    }

    /// Takes away the `count` oldest entries, which the caller has copied.
    ///
    /// # Safety
    /// `bottom` is that of this bin's array, and there are at least `count` entries.
    pub(crate) unsafe fn drop_oldest(&self, bottom: *mut *mut u8, count: usize) {
        // SAFETY: the caller's clause.
        let rest = unsafe { self.top.get().offset_from(bottom) } as usize - count;
        // SAFETY: both ranges lie in the array.
        unsafe { ptr::copy(bottom.add(count), bottom, rest) };
        // SAFETY: `rest` entries are left.
        self.top.set(unsafe { bottom.add(rest) });
    }

    /// Shows `count` entries that were written from the bottom on.
    ///
    /// # Safety
    /// `bottom` is that of this bin's array, and `count` of its words were written.
    pub(crate) unsafe fn set_len(&self, bottom: *mut *mut u8, count: usize) {
        // SAFETY: the caller's clause.
        self.top.set(unsafe { bottom.add(count) });
    }
}
