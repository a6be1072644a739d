//! [`Block`]: one pointer from the process's malloc, owned.
//!
//! The workloads are written with this type instead of `Box` so that they call malloc
//! and free themselves and keep pointers of one word, as C programs do.
//!
//! Invariant: the pointer came from malloc, was not freed, and its first byte was
//! written.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// An owned block whose size only its allocator remembers; dropping it calls free.
///
/// An `Option<Block>` is one word, so a table of slots is a table of pointers.
#[derive(Debug)]
#[repr(transparent)]
pub struct Block(NonNull<u8>);

const _: () = assert!(size_of::<Option<Block>>() == size_of::<*mut u8>());

// SAFETY: a block is owned memory without a tie to its thread: malloc's blocks may be
// used and freed by any thread.
unsafe impl Send for Block {}

impl Block {
    /// Calls `malloc(size)` and writes `mark` to the first and the last byte; `size` is
    /// at least 1. Ends the program with status 1 if there is no memory.
    #[inline(always)]
    pub fn new(size: usize, mark: u8) -> Self {
        debug_assert!(size > 0);
        // SAFETY: malloc takes any size.
        let raw = unsafe { libc::malloc(size) }.cast::<u8>();
        let Some(start) = NonNull::new(raw) else {
            out_of_memory("malloc", size)
        };
        // Volatile, so that the compiler must keep the block even if nobody reads it.
        // SAFETY: the block has `size` bytes and `size > 0`.
        unsafe { start.write_volatile(mark) };
        // SAFETY: as above, the last byte is at `size - 1`.
        unsafe { start.add(size - 1).write_volatile(mark) };
        Self(start)
    }

    /// Gives the pointer away; the block is not freed.
    #[inline(always)]
    pub fn into_raw(self) -> *mut u8 {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Takes a pointer back.
    ///
    /// # Safety
    /// * `raw` came from [`Block::into_raw`], and only this call takes it back.
    #[inline(always)]
    pub unsafe fn from_raw(raw: *mut u8) -> Self {
        // SAFETY: by the caller's clause it was a block's pointer, which is not null.
        Self(unsafe { NonNull::new_unchecked(raw) })
    }

    /// The first byte: the mark that `new` wrote, or what `set_mark` did since.
    #[inline(always)]
    pub fn mark(&self) -> u8 {
        // SAFETY: the invariant: a live block whose first byte was written.
        unsafe { self.0.read_volatile() }
    }

    /// Writes the first byte.
    #[inline(always)]
    pub fn set_mark(&mut self, mark: u8) {
        // SAFETY: the invariant: a live block of at least one byte.
        unsafe { self.0.write_volatile(mark) };
    }
}

impl Drop for Block {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the invariant: from malloc, not freed before, and nobody keeps it.
        unsafe { libc::free(self.0.as_ptr().cast()) };
    }
}

/// Says which call failed and ends the program with status 1.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory(call: &str, size: usize) -> ! {
    eprintln!("{call} of {size} bytes failed");
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_mark() {
        let mut block = Block::new(1, 7);
        assert_eq!(block.mark(), 7);
        block.set_mark(8);
        assert_eq!(block.mark(), 8);
    }
}
