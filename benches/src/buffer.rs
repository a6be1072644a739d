//! [`Buffer`]: a sized piece of memory from malloc, calloc or realloc, owned.
//!
//! Invariant: `start` came from one of these calls, was not freed, and has `len > 0`
//! bytes.

use crate::block::out_of_memory;
use std::ptr::NonNull;

/// The distance at which [`Buffer::touch`] writes: the page size of x86-64.
pub const PAGE: usize = 4096;

/// An owned piece that knows its size; dropping it calls free.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: owned memory without a tie to its thread, as for `Block`.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Calls `malloc(len)`; the contents are arbitrary. `len` is at least 1.
    #[inline(always)]
    pub fn uninit(len: usize) -> Self {
        debug_assert!(len > 0);
        // SAFETY: malloc takes any size.
        let raw = unsafe { libc::malloc(len) };
        Self::owning("malloc", raw, len)
    }

    /// Calls `calloc(1, len)`. `len` is at least 1.
    #[inline(always)]
    pub fn zeroed(len: usize) -> Self {
        debug_assert!(len > 0);
        // SAFETY: calloc takes any size.
        let raw = unsafe { libc::calloc(1, len) };
        Self::owning("calloc", raw, len)
    }

    /// Calls `realloc(…, len)`; bytes up to the smaller size stay. `len` is at least 1.
    #[inline(always)]
    pub fn resize(&mut self, len: usize) {
        debug_assert!(len > 0);
        // SAFETY: the invariant: `start` is a live block of malloc; it is replaced below.
        let raw = unsafe { libc::realloc(self.start.as_ptr().cast(), len) };
        let Some(start) = NonNull::new(raw.cast()) else {
            out_of_memory("realloc", len)
        };
        self.start = start;
        self.len = len;
    }

    #[inline(always)]
    fn owning(call: &str, raw: *mut libc::c_void, len: usize) -> Self {
        match NonNull::new(raw.cast()) {
            Some(start) => Self { start, len },
            None => out_of_memory(call, len),
        }
    }

    /// The size that was asked for, in bytes.
    #[inline(always)]
    pub fn size(&self) -> usize {
        self.len
    }

    /// Writes the byte at `index`, which must be below the size.
    #[inline(always)]
    pub fn set(&mut self, index: usize, value: u8) {
        assert!(index < self.len, "index {index} of {} bytes", self.len);
        // SAFETY: `index` is within the block.
        unsafe { self.start.add(index).write_volatile(value) };
    }

    /// Reads the byte at `index`, which must be below the size and must have been
    /// written, or zeroed by [`Buffer::zeroed`].
    ///
    /// # Safety
    /// * The byte at `index` is initialised.
    #[inline(always)]
    pub unsafe fn get(&self, index: usize) -> u8 {
        assert!(index < self.len, "index {index} of {} bytes", self.len);
        // SAFETY: within the block, and initialised by the caller's clause.
        unsafe { self.start.add(index).read_volatile() }
    }

    /// Writes one byte to each page from byte `from` to the end, and the last byte.
    pub fn touch(&mut self, from: usize, value: u8) {
        for index in (from..self.len).step_by(PAGE) {
            self.set(index, value);
        }
        self.set(self.len - 1, value);
    }

    /// Writes the first `count` bytes, or all if there are fewer.
    pub fn fill(&mut self, count: usize, value: u8) {
        // SAFETY: the block has `len` bytes, and no more are written.
        unsafe { self.start.as_ptr().write_bytes(value, count.min(self.len)) };
    }
}

impl Drop for Buffer {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the invariant: live, and nobody keeps it.
        unsafe { libc::free(self.start.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_keeps_what_was_written() {
        let mut buffer = Buffer::uninit(10);
        buffer.set(9, 7);
        buffer.resize(100_000);
        // SAFETY: the byte was written above.
        assert_eq!(unsafe { buffer.get(9) }, 7);
        assert_eq!(buffer.size(), 100_000);
    }

    #[test]
    fn zeroed_is_zero_to_the_end() {
        let mut buffer = Buffer::zeroed(9000);
        // SAFETY: calloc initialised every byte.
        assert_eq!(unsafe { buffer.get(8999) }, 0);
        buffer.touch(0, 3);
        for index in [0, PAGE, 2 * PAGE, 8999] {
            // SAFETY: as above.
            assert_eq!(unsafe { buffer.get(index) }, 3, "{index}");
        }
        buffer.fill(20_000, 9);
        // SAFETY: as above.
        assert_eq!(unsafe { buffer.get(8998) }, 9);
    }

    #[test]
    #[should_panic(expected = "index 10 of 10 bytes")]
    fn writes_beyond_the_end_are_refused() {
        Buffer::uninit(10).set(10, 1);
    }
}
