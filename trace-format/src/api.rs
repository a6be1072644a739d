//! Through which function a request came.
//!
//! ```text
//! 0        not said
//! 1  …  4  Rust's GlobalAlloc
//! 16 … 28  C
//! 32 … 39  operator new:    32 + 1 array + 2 aligned + 4 nothrow
//! 48 … 63  operator delete: 48 + 1 array + 2 aligned + 4 nothrow + 8 sized
//! 64       the allocator itself
//! ```

use crate::plain::codes;

codes! {
    /// The function through which a request came. Numbers are never reused.
    pub enum Api: u8 {
        /// Not said, or of no meaning for the kind.
        Unknown = 0 "unknown",
        /// `GlobalAlloc::alloc`.
        RustAlloc = 1 "GlobalAlloc::alloc",
        /// `GlobalAlloc::alloc_zeroed`.
        RustAllocZeroed = 2 "GlobalAlloc::alloc_zeroed",
        /// `GlobalAlloc::dealloc`.
        RustDealloc = 3 "GlobalAlloc::dealloc",
        /// `GlobalAlloc::realloc`.
        RustRealloc = 4 "GlobalAlloc::realloc",
        /// `malloc`.
        Malloc = 16 "malloc",
        /// `calloc`.
        Calloc = 17 "calloc",
        /// `realloc`.
        Realloc = 18 "realloc",
        /// `reallocarray`.
        Reallocarray = 19 "reallocarray",
        /// `memalign`.
        Memalign = 20 "memalign",
        /// `aligned_alloc`.
        AlignedAlloc = 21 "aligned_alloc",
        /// `posix_memalign`.
        PosixMemalign = 22 "posix_memalign",
        /// `valloc`.
        Valloc = 23 "valloc",
        /// `pvalloc`.
        Pvalloc = 24 "pvalloc",
        /// `free`.
        Free = 25 "free",
        /// `free_sized`.
        FreeSized = 26 "free_sized",
        /// `free_aligned_sized`.
        FreeAlignedSized = 27 "free_aligned_sized",
        /// `cfree`.
        Cfree = 28 "cfree",
        /// `operator new`.
        New = 32 "new",
        /// `operator new[]`.
        NewArray = 33 "new[]",
        /// `operator new`, aligned.
        NewAligned = 34 "new (aligned)",
        /// `operator new[]`, aligned.
        NewArrayAligned = 35 "new[] (aligned)",
        /// `operator new`, nothrow.
        NewNothrow = 36 "new (nothrow)",
        /// `operator new[]`, nothrow.
        NewArrayNothrow = 37 "new[] (nothrow)",
        /// `operator new`, aligned, nothrow.
        NewAlignedNothrow = 38 "new (aligned, nothrow)",
        /// `operator new[]`, aligned, nothrow.
        NewArrayAlignedNothrow = 39 "new[] (aligned, nothrow)",
        /// `operator delete`.
        Delete = 48 "delete",
        /// `operator delete[]`.
        DeleteArray = 49 "delete[]",
        /// `operator delete`, aligned.
        DeleteAligned = 50 "delete (aligned)",
        /// `operator delete[]`, aligned.
        DeleteArrayAligned = 51 "delete[] (aligned)",
        /// `operator delete`, nothrow.
        DeleteNothrow = 52 "delete (nothrow)",
        /// `operator delete[]`, nothrow.
        DeleteArrayNothrow = 53 "delete[] (nothrow)",
        /// `operator delete`, aligned, nothrow.
        DeleteAlignedNothrow = 54 "delete (aligned, nothrow)",
        /// `operator delete[]`, aligned, nothrow.
        DeleteArrayAlignedNothrow = 55 "delete[] (aligned, nothrow)",
        /// `operator delete`, sized.
        DeleteSized = 56 "delete (sized)",
        /// `operator delete[]`, sized.
        DeleteArraySized = 57 "delete[] (sized)",
        /// `operator delete`, sized, aligned.
        DeleteSizedAligned = 58 "delete (sized, aligned)",
        /// `operator delete[]`, sized, aligned.
        DeleteArraySizedAligned = 59 "delete[] (sized, aligned)",
        /// The allocator's own doing.
        Internal = 64 "hakmem",
    }
}
