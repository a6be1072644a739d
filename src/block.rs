//! Blocks while nobody uses them: the only code that reads or writes their links.
//!
//! A free block on a [`FreeList`] holds the address of the next one in its first
//! word, XORed with a key of the process: what a program writes into a block that it has
//! freed is then no address, and found out when the link is used. No other module writes
//! into a block that the program does not hold.
//!
//! 1. A list ends with null, and `len` counts its blocks exactly.
//! 2. A block is on one list at most.

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What links are XORed with. Set once, before the first list; Relaxed suffices.
static KEY: AtomicUsize = AtomicUsize::new(0);

/// A bit of the key that is always set.
const ODD: usize = 1 << 56;

/// Sets the key of the process; called once, before any block is on a list. Its uppermost byte is
/// made odd: so a link is no address, and does not end with a byte that observers fill blocks with.
pub(crate) fn set_key(key: usize) {
    KEY.store(key | ODD, Ordering::Relaxed);
}

/// The key, for readers of a core file.
pub(crate) fn key() -> usize {
    KEY.load(Ordering::Relaxed)
}

/// Writes null to a block that goes home to the thread that allocated it.
///
/// That thread will write to it, and what both threads have read last is in both processors'
/// caches then: to make a shared line one's own takes several times as long as to take it from
/// the one cache that has it. So this one makes it its own now, while nothing waits for it.
///
/// # Safety
/// `block` is at least 8 bytes, aligned to 8, writable, and held by the caller alone.
#[inline(always)]
pub(crate) unsafe fn leave(block: *mut u8) {
    // SAFETY: the caller's clause.
    unsafe { block.cast::<*mut u8>().write(ptr::null_mut()) };
}

/// A singly linked list of free blocks of one class, last in first out (SLL).
pub(crate) struct FreeList {
    head: Cell<*mut u8>,
    len: Cell<u32>,
}

impl FreeList {
    #[cfg(test)]
    pub(crate) const fn new() -> Self {
        FreeList {
            head: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
        }
    }

    /// Blocks on the list.
    pub(crate) fn len(&self) -> u32 {
        self.len.get()
    }

    /// # Safety
    /// `block` is at least 8 bytes, aligned to 8, writable, and held by the
    /// caller alone, who gives it to the list.
    pub(crate) unsafe fn push(&self, block: *mut u8) {
        // SAFETY: the caller's clause.
        unsafe { set_link(block, self.head.get()) };
        self.head.set(block);
        self.len.set(self.len.get() + 1);
    }

    /// The block pushed last, which stays on the list.
    pub(crate) fn first(&self) -> Option<*mut u8> {
        let block = self.head.get();
        (!block.is_null()).then_some(block)
    }

    /// The block pushed last, which is the caller's from here on.
    pub(crate) fn pop(&self) -> Option<*mut u8> {
        let block = self.head.get();
        if block.is_null() {
            return None;
        }
        // SAFETY: the list owns `block` (its push gave it), so its link is intact
        // as far as nobody wrote to a freed block.
        self.head.set(unsafe { link(block) });
        self.len.set(self.len.get() - 1);
        Some(block)
    }

    /// Keeps the `keep` newest blocks and hands each older one to `each`.
    pub(crate) fn cut(&self, keep: u32, mut each: impl FnMut(*mut u8)) {
        if self.len.get() <= keep {
            return;
        }
        let mut last = ptr::null_mut();
        let mut block = self.head.get();
        for _ in 0..keep {
            last = block;
            // SAFETY: `keep` is below `len`, so `block` is on the list.
            block = unsafe { link(block) };
        }
        if last.is_null() {
            self.head.set(ptr::null_mut());
        } else {
            // SAFETY: `last` is on the list.
            unsafe { set_link(last, ptr::null_mut()) };
        }
        self.len.set(keep);
        while !block.is_null() {
            // SAFETY: `block` was on the list and has not been handed on yet.
            let next = unsafe { link(block) };
            each(block);
            block = next;
        }
    }

    /// Calls `each` for every block, newest first, and leaves them where they are.
    /// Stops after `len` blocks, so that a damaged link cannot loop.
    pub(crate) fn for_each(&self, mut each: impl FnMut(*mut u8)) {
        let mut block = self.head.get();
        for _ in 0..self.len.get() {
            if block.is_null() {
                return;
            }
            each(block);
            // SAFETY: `block` is on the list.
            block = unsafe { link(block) };
        }
    }

    /// Calls `each` for every block, newest first, as long as it says that the block is one
    /// whose memory can be read: so that a damaged link leads nowhere. `each` sees to it that
    /// a list that bites its tail is left.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn walk(&self, mut each: impl FnMut(*mut u8) -> bool) {
        let mut block = self.head.get();
        while !block.is_null() && each(block) {
            // SAFETY: `each` says that it can be read.
            block = unsafe { link(block) };
        }
    }

    /// Byte offsets of the head pointer and of the length in this structure, for
    /// readers of a core file.
    pub(crate) const OFFSETS: (usize, usize) = (
        core::mem::offset_of!(FreeList, head),
        core::mem::offset_of!(FreeList, len),
    );
}

/// # Safety
/// `block` is a free block whose link was written by [`set_link`].
unsafe fn link(block: *mut u8) -> *mut u8 {
    // SAFETY: the caller's clause; blocks are aligned to 16.
    let link = unsafe { *block.cast::<usize>() };
    (link ^ KEY.load(Ordering::Relaxed)) as *mut u8
}

/// # Safety
/// `block` is a free block of at least 8 bytes that the caller holds.
unsafe fn set_link(block: *mut u8, next: *mut u8) {
    // SAFETY: the caller's clause; blocks are aligned to 16.
    unsafe { *block.cast::<usize>() = next as usize ^ KEY.load(Ordering::Relaxed) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn keeps_the_newest_and_hands_out_the_rest() {
        let mut memory = [[0u64; 2]; 8];
        let blocks: Vec<*mut u8> = memory.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        let list = FreeList::new();
        for &block in &blocks {
            // SAFETY: each element of `memory` is 16 bytes and ours.
            unsafe { list.push(block) };
        }
        let mut cut = Vec::new();
        list.cut(3, |block| cut.push(block));
        assert_eq!(list.len(), 3);
        assert_eq!(cut, [blocks[4], blocks[3], blocks[2], blocks[1], blocks[0]]);
        let mut seen = Vec::new();
        list.for_each(|block| seen.push(block));
        assert_eq!(seen, [blocks[7], blocks[6], blocks[5]]);
        assert_eq!(list.pop(), Some(blocks[7]));
        list.cut(0, |_| ());
        assert_eq!(list.pop(), None);
    }
}
