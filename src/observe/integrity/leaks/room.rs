//! Memory of a scan's own: an array that is mapped for it, and unmapped when dropped.

use crate::sys::memory::{self, PAGE};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// See the head of this file. Its elements begin as zero bytes.
pub(super) struct Room<T> {
    address: usize,
    len: usize,
    _elements: PhantomData<T>,
}

/// What may be all zero bytes, and needs no more than a page's alignment.
///
/// # Safety
/// Zero bytes are a value of the type, which has no destructor.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: numbers.
unsafe impl Plain for usize {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: two numbers.
unsafe impl Plain for (usize, usize) {}

impl<T: Plain> Room<T> {
    /// Room for `len` elements; `None` without memory.
    pub(super) fn new(len: usize) -> Option<Room<T>> {
        let len = len.max(1);
        let bytes = Self::bytes(len)?;
        Some(Room {
            address: memory::map_zeroed(bytes, PAGE)?,
            len,
            _elements: PhantomData,
        })
    }

    fn bytes(len: usize) -> Option<usize> {
        let bytes = len.checked_mul(size_of::<T>())?;
        bytes.checked_next_multiple_of(PAGE)
    }

    /// Where it is, and where it ends.
    pub(super) fn range(&self) -> (usize, usize) {
        let bytes = Self::bytes(self.len).unwrap_or(0);
        (self.address, self.address + bytes)
    }
}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: mapped by `new` for so many, of which zero bytes are a value.
        unsafe { core::slice::from_raw_parts(self.address as *const T, self.len) }
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut T, self.len) }
    }
}

impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        let bytes = (self.len * size_of::<T>()).next_multiple_of(PAGE);
        // SAFETY: mapped by `new`, and no borrow is left.
        unsafe { memory::unmap(self.address, bytes) };
    }
}
