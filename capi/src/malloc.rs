//! The malloc family, with glibc's semantics in the corners.

use core::ffi::{c_int, c_void};
use core::ptr;
use hakmem_alloc::c_abi::{self as heap, Caller};
use hakmem_alloc::entry;

const PAGE: usize = 4096;

fn fail(error: c_int) -> *mut c_void {
    heap::set_errno(error);
    ptr::null_mut()
}

entry! {
    /// C11 `malloc`; zero bytes get a block as well.
    pub fn malloc(size: usize) -> *mut c_void = Malloc, |caller| {
        heap::allocate(size, caller).cast()
    };

    /// C11 `calloc`; ENOMEM where the product overflows.
    pub fn calloc(count: usize, size: usize) -> *mut c_void = Calloc, |caller| {
        match count.checked_mul(size) {
            Some(bytes) => heap::allocate_zeroed(bytes, caller).cast(),
            None => fail(libc::ENOMEM),
        }
    };

    /// C11 `realloc`; `realloc(block, 0)` frees, as glibc's does.
    ///
    /// # Safety
    /// As C11 7.22.3.5.
    pub fn realloc(block: *mut c_void, size: usize) -> *mut c_void = Realloc, |caller| {
        // SAFETY: the caller's clause.
        unsafe { resize(block, size, caller) }
    };

    /// BSD `reallocarray`: `realloc` of `count * size` bytes, ENOMEM where that overflows.
    ///
    /// # Safety
    /// As [`realloc`].
    pub fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void
        = ReallocArray, |caller| {
        match count.checked_mul(size) {
            // SAFETY: the caller's clause.
            Some(bytes) => unsafe { resize(block, bytes, caller) },
            None => fail(libc::ENOMEM),
        }
    };

    /// C11 `free`; keeps `errno` (POSIX.1-2024).
    ///
    /// # Safety
    /// As C11 7.22.3.3.
    pub fn free(block: *mut c_void) = Free, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::deallocate(block.cast(), caller) }
    };

    /// The old name of [`free`].
    ///
    /// # Safety
    /// As [`free`].
    pub fn cfree(block: *mut c_void) = Cfree, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::deallocate(block.cast(), caller) }
    };

    /// C23 `free_sized`. The size is known from the address; observers compare it.
    ///
    /// # Safety
    /// As C23 7.24.3.4.
    pub fn free_sized(block: *mut c_void, size: usize) = FreeSized, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::deallocate(block.cast(), caller.telling_size(size)) }
    };

    /// C23 `free_aligned_sized`, as [`free_sized`].
    ///
    /// # Safety
    /// As C23 7.24.3.5.
    pub fn free_aligned_sized(block: *mut c_void, align: usize, size: usize)
        = FreeAlignedSized, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::deallocate(block.cast(), caller.telling_size(size).telling_align(align)) }
    };

    /// SVID `memalign`: an alignment that is no power of two is rounded up, one that is too
    /// large for that is EINVAL.
    pub fn memalign(align: usize, size: usize) -> *mut c_void = Memalign, |caller| {
        aligned(align, size, caller)
    };

    /// C11 `aligned_alloc`; as glibc's before 2.38, the same as [`memalign`].
    pub fn aligned_alloc(align: usize, size: usize) -> *mut c_void = AlignedAlloc, |caller| {
        aligned(align, size, caller)
    };

    /// POSIX `posix_memalign`: returns EINVAL or ENOMEM, and leaves `errno` and, on failure,
    /// `*result` alone.
    ///
    /// # Safety
    /// `result` is a valid place for a pointer.
    pub fn posix_memalign(result: *mut *mut c_void, align: usize, size: usize) -> c_int
        = PosixMemalign, |caller| {
        // SAFETY: the caller's clause.
        unsafe { aligned_at(result, align, size, caller) }
    };

    /// BSD `valloc`: aligned to a page.
    pub fn valloc(size: usize) -> *mut c_void = Valloc, |caller| {
        heap::allocate_aligned(size, PAGE, caller).cast()
    };

    /// SVID `pvalloc`: aligned to a page, and whole pages.
    pub fn pvalloc(size: usize) -> *mut c_void = Pvalloc, |caller| {
        match size.max(1).checked_next_multiple_of(PAGE) {
            Some(bytes) => heap::allocate_aligned(bytes, PAGE, caller).cast(),
            None => fail(libc::ENOMEM),
        }
    };
}

/// # Safety
/// As [`realloc`].
#[inline(always)]
unsafe fn resize(block: *mut c_void, size: usize, caller: Caller) -> *mut c_void {
    if size == 0 && !block.is_null() {
        // SAFETY: the caller's clause.
        unsafe { heap::resize_to_nothing(block.cast(), caller) };
        return ptr::null_mut();
    }
    // SAFETY: the caller's clause.
    unsafe { heap::resize(block.cast(), size, caller).cast() }
}

/// An alignment as given, rounded up to a power of two as glibc does; none if that
/// overflows.
fn rounded(align: usize) -> Option<usize> {
    align.max(1).checked_next_power_of_two()
}

#[inline(always)]
fn aligned(align: usize, size: usize, caller: Caller) -> *mut c_void {
    match rounded(align) {
        Some(align) => heap::allocate_aligned(size, align, caller).cast(),
        None => fail(libc::EINVAL),
    }
}

/// # Safety
/// As [`posix_memalign`].
#[inline(always)]
unsafe fn aligned_at(result: *mut *mut c_void, align: usize, size: usize, caller: Caller) -> c_int {
    if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
        return libc::EINVAL;
    }
    // SAFETY: `__errno_location` returns this thread's errno, always valid.
    let before = unsafe { *libc::__errno_location() };
    let block = heap::allocate_aligned(size, align, caller);
    heap::set_errno(before);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller's clause.
    unsafe { *result = block.cast() };
    0
}

entry! {
    /// glibc's `malloc_usable_size`: bytes that may be used of a block, 0 of null.
    ///
    /// # Safety
    /// `block` is a live block or null.
    pub fn malloc_usable_size(block: *mut c_void) -> usize = Unknown, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::usable_size(block.cast(), caller) }
    };
}
