//! A block as the program has it: where it is, what was asked for, what stands in it.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::slice;

/// The bytes at either end that are written and checked whatever the size; in between it
/// is one byte in [`STRIDE`], so that a block of megabytes takes no longer than a page.
const EDGE: usize = 512;
const STRIDE: usize = 4093;

/// A live block of the model, which alone writes to it.
#[derive(Debug)]
pub struct Block {
    start: NonNull<u8>,
    layout: Layout,
    seed: u8,
}

// SAFETY: the model hands a block from thread to thread and never shares it.
unsafe impl Send for Block {}

impl Block {
    /// Checks the alignment.
    ///
    /// # Safety
    /// `start` has `layout.size()` bytes that are readable, writable and nobody else's for as
    /// long as the block lives.
    pub unsafe fn new(start: NonNull<u8>, layout: Layout) -> Self {
        assert!(
            start.as_ptr().addr().is_multiple_of(layout.align()),
            "{start:p} is not aligned for {layout:?}"
        );
        Self {
            start,
            layout,
            seed: 0,
        }
    }

    /// Its first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// What was asked for.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its address, and the one behind it.
    pub fn range(&self) -> std::ops::Range<usize> {
        let start = self.start.as_ptr().addr();
        start..start + self.layout.size()
    }

    /// Writes what [`Block::check`] will look for.
    pub fn write(&mut self, seed: u8) {
        self.seed = seed;
        for index in checked(self.layout.size()) {
            self.bytes_mut()[index] = expected(seed, index);
        }
    }

    /// Checks that the contents are those written last.
    pub fn check(&self) {
        self.check_first(self.layout.size(), self.layout.size());
    }

    /// Checks what is left of contents of `old` bytes in the first `count`.
    fn check_first(&self, old: usize, count: usize) {
        for index in checked(old).take_while(|&index| index < count) {
            let (found, written) = (self.bytes()[index], expected(self.seed, index));
            assert_eq!(
                found, written,
                "byte {index} of {:?} at {:p} changed",
                self.layout, self.start
            );
        }
    }

    /// Checks that all of it reads as zero.
    pub fn check_zero(&self) {
        // Piece by piece, by memcmp, which is fast in a debug build too.
        let zero = [0; 4096];
        let mut pieces = self.bytes().chunks(zero.len());
        let dirty = pieces.position(|piece| piece != &zero[..piece.len()]);
        assert_eq!(
            dirty, None,
            "{:?} at {:p} is not zero in that piece",
            self.layout, self.start
        );
    }

    /// The block after a successful resize, checked for the contents that it had.
    ///
    /// # Safety
    /// As for [`Block::new`]; this block's memory is not used any more, unless it is the same.
    pub unsafe fn resized(self, start: NonNull<u8>, size: usize) -> Self {
        let layout = Layout::from_size_align(size, self.layout.align()).expect("checked before");
        // SAFETY: the caller's clause.
        let mut block = unsafe { Block::new(start, layout) };
        block.seed = self.seed;
        let old = self.layout.size();
        block.check_first(old, old.min(size));
        block
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the clause of `new`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the clause of `new`.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

/// The indices that are written and checked, in rising order.
fn checked(size: usize) -> impl Iterator<Item = usize> {
    let head = size.min(EDGE);
    let tail = head.max(size.saturating_sub(EDGE));
    (0..head)
        .chain((head..tail).step_by(STRIDE))
        .chain(tail..size)
}

fn expected(seed: u8, index: usize) -> u8 {
    seed ^ (index as u8) ^ ((index >> 8) as u8).rotate_left(3) ^ 0x5a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on(memory: &mut [u64]) -> Block {
        let layout = Layout::for_value(memory);
        // SAFETY: the test's own memory, which outlives the block.
        unsafe { Block::new(NonNull::from(memory).cast(), layout) }
    }

    #[test]
    fn what_was_written_is_found() {
        let mut memory = vec![0u64; 3000];
        let mut block = block_on(&mut memory);
        block.check_zero();
        block.write(7);
        block.check();
    }

    #[test]
    #[should_panic(expected = "changed")]
    fn a_changed_byte_is_found() {
        let mut memory = vec![0u64; 3000];
        let mut block = block_on(&mut memory);
        block.write(7);
        let last = memory.len() - 1;
        memory[last] ^= 1;
        block.check();
    }

    #[test]
    #[should_panic(expected = "not zero")]
    fn dirty_memory_is_found() {
        let mut memory = vec![0u64; 3000];
        memory[2000] = 1;
        block_on(&mut memory).check_zero();
    }

    #[test]
    fn both_ends_are_checked_whole() {
        let size = 1 << 20;
        let indices: Vec<usize> = checked(size).collect();
        assert!(indices.is_sorted());
        assert_eq!(indices[..EDGE], (0..EDGE).collect::<Vec<_>>());
        assert_eq!(
            indices[indices.len() - EDGE..],
            (size - EDGE..size).collect::<Vec<_>>()
        );
        assert_eq!(checked(10).count(), 10);
    }
}
