//! The function through which a program came in.

/// A function of the allocator's faces; the numbers are those of the trace format.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Api {
    /// Not known.
    Unknown = 0,
    /// `GlobalAlloc::alloc` and its kin.
    RustAlloc = 1,
    RustAllocZeroed = 2,
    RustDealloc = 3,
    RustRealloc = 4,
    /// The malloc family.
    Malloc = 16,
    Calloc = 17,
    Realloc = 18,
    ReallocArray = 19,
    Memalign = 20,
    AlignedAlloc = 21,
    PosixMemalign = 22,
    Valloc = 23,
    Pvalloc = 24,
    Free = 25,
    FreeSized = 26,
    FreeAlignedSized = 27,
    Cfree = 28,
    /// C++'s operators.
    New = 32,
    NewArray = 33,
    NewAligned = 34,
    NewArrayAligned = 35,
    NewNothrow = 36,
    NewArrayNothrow = 37,
    NewAlignedNothrow = 38,
    NewArrayAlignedNothrow = 39,
    Delete = 48,
    DeleteArray = 49,
    DeleteAligned = 50,
    DeleteArrayAligned = 51,
    DeleteNothrow = 52,
    DeleteArrayNothrow = 53,
    DeleteAlignedNothrow = 54,
    DeleteArrayAlignedNothrow = 55,
    DeleteSized = 56,
    DeleteArraySized = 57,
    DeleteSizedAligned = 58,
    DeleteArraySizedAligned = 59,
}

impl Api {
    /// Whether `number` is one of the functions of C and C++ that are asked for an alignment.
    pub(crate) const fn takes_align(number: u8) -> bool {
        Api::Memalign as u8 <= number && number <= Api::Pvalloc as u8
            || number == Api::NewAligned as u8
            || number == Api::NewArrayAligned as u8
            || number == Api::NewAlignedNothrow as u8
            || number == Api::NewArrayAlignedNothrow as u8
    }

    /// Whether `number` is one of the forms of C's `free`.
    pub(crate) const fn is_free(number: u8) -> bool {
        Api::Free as u8 <= number && number <= Api::Cfree as u8
    }

    /// Whether `number` is one of the forms of `operator new`, which call the allocator from a
    /// frame of their own.
    #[inline(always)]
    pub(crate) const fn is_new(number: u8) -> bool {
        Api::New as u8 <= number && number <= Api::NewArrayAlignedNothrow as u8
    }
}
