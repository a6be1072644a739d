//! C++: `operator new` and `operator delete` in all their forms, by their Itanium names.
//!
//! A failing `new` calls the new handler until there is memory, or no handler; then it
//! throws. Handlers throw as well. No frame of Rust may be unwound, so the forms that can
//! throw are written in assembly, with the unwind information that the C++ runtime needs, and
//! the exception is libstdc++'s own. Both it and the handler are found through weak symbols:
//! the library does not depend on libstdc++.

use core::arch::{global_asm, naked_asm};
use core::ffi::c_void;
use hakmem_alloc::c_abi::{self as heap, Caller};
use hakmem_alloc::{entry, entry_below};

global_asm!(
    ".weak _ZSt15get_new_handlerv",
    ".weak _ZSt17__throw_bad_allocv",
    ".weak __cxa_begin_catch",
    ".weak __cxa_end_catch",
    ".weak __gxx_personality_v0",
    // The personality routine, as the unwind information refers to it.
    ".pushsection .data.rel.ro.hakmem_personality,\"aw\",@progbits",
    ".p2align 3",
    ".hidden hakmem_personality",
    "hakmem_personality:",
    ".quad __gxx_personality_v0",
    ".popsection",
);

entry_below! {
    fn new(size: usize, _align: usize) -> *mut c_void = New, |caller| plain(size, caller);
    fn new_array(size: usize, _align: usize) -> *mut c_void = NewArray, |caller| {
        plain(size, caller)
    };
    fn new_nothrow(size: usize, _tag: usize) -> *mut c_void = NewNothrow, |caller| {
        plain(size, caller)
    };
    fn new_array_nothrow(size: usize, _tag: usize) -> *mut c_void = NewArrayNothrow, |caller| {
        plain(size, caller)
    };
    fn new_aligned(size: usize, align: usize) -> *mut c_void = NewAligned, |caller| {
        aligned(size, align, caller)
    };
    fn new_array_aligned(size: usize, align: usize) -> *mut c_void = NewArrayAligned, |caller| {
        aligned(size, align, caller)
    };
    fn new_aligned_nothrow(size: usize, align: usize) -> *mut c_void
        = NewAlignedNothrow, |caller| aligned(size, align, caller);
    fn new_array_aligned_nothrow(size: usize, align: usize) -> *mut c_void
        = NewArrayAlignedNothrow, |caller| aligned(size, align, caller);
}

#[inline(always)]
fn plain(size: usize, caller: Caller) -> *mut c_void {
    heap::allocate(size, caller).cast()
}

#[inline(always)]
fn aligned(size: usize, align: usize, caller: Caller) -> *mut c_void {
    heap::allocate_aligned(size, align, caller).cast()
}

/// The body of a throwing form: `allocate(size, align)`, else the handler, else the throw.
macro_rules! throwing {
    ($name:ident, $allocate:path, $doc:literal) => {
        #[doc = $doc]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name(size: usize, align: usize) -> *mut c_void {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "2:",
                "call {allocate}",
                "test rax, rax",
                "je 3f",
                "add rsp, 24",
                ".cfi_remember_state",
                ".cfi_adjust_cfa_offset -24",
                "ret",
                ".cfi_restore_state",
                // No memory: is there a handler?
                "3:",
                "mov rax, qword ptr [rip + _ZSt15get_new_handlerv@GOTPCREL]",
                "test rax, rax",
                "je 4f",
                "call rax",
                "test rax, rax",
                "je 4f",
                "call rax",
                "mov rdi, qword ptr [rsp + 16]",
                "mov rsi, qword ptr [rsp + 8]",
                "jmp 2b",
                "4:",
                "add rsp, 24",
                ".cfi_adjust_cfa_offset -24",
                "mov rax, qword ptr [rip + _ZSt17__throw_bad_allocv@GOTPCREL]",
                "test rax, rax",
                "je {no_runtime}",
                "jmp rax",
                ".cfi_endproc",
                allocate = sym $allocate,
                no_runtime = sym no_runtime,
            )
        }
    };
}

/// The body of a form that returns null: as above, and an exception out of the handler is
/// caught.
macro_rules! nothrow {
    ($name:ident, $allocate:path, $doc:literal) => {
        #[doc = $doc]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name(size: usize, align: usize) -> *mut c_void {
            naked_asm!(
                ".cfi_startproc",
                ".cfi_personality 0x9b, hakmem_personality",
                concat!(".cfi_lsda 0x1b, .Lhakmem_lsda_", stringify!($name)),
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "2:",
                "call {allocate}",
                "test rax, rax",
                "jne 4f",
                "mov rax, qword ptr [rip + _ZSt15get_new_handlerv@GOTPCREL]",
                "test rax, rax",
                "je 4f",
                "call rax",
                "test rax, rax",
                "je 4f",
                // The one call that may throw.
                "20:",
                "call rax",
                "21:",
                "mov rdi, qword ptr [rsp + 16]",
                "mov rsi, qword ptr [rsp + 8]",
                "jmp 2b",
                // The landing pad: the exception object is in rax.
                "30:",
                "mov rdi, rax",
                "call qword ptr [rip + __cxa_begin_catch@GOTPCREL]",
                "call qword ptr [rip + __cxa_end_catch@GOTPCREL]",
                "xor eax, eax",
                "4:",
                "add rsp, 24",
                ".cfi_adjust_cfa_offset -24",
                "ret",
                "40:",
                ".cfi_endproc",
                // What may be thrown where, in the Itanium ABI's table: one call site with
                // a landing pad that catches everything, and the rest, which throws nothing.
                ".pushsection .gcc_except_table,\"a\",@progbits",
                ".p2align 2",
                concat!(".Lhakmem_lsda_", stringify!($name), ":"),
                ".byte 0xff",
                ".byte 0x9b",
                ".uleb128 56f - 52f",
                "52:",
                ".byte 0x01",
                ".uleb128 54f - 53f",
                "53:",
                ".uleb128 20b - {name}",
                ".uleb128 21b - 20b",
                ".uleb128 30b - {name}",
                ".uleb128 1",
                "54:",
                // Action 1: type filter 1, and no further one.
                ".byte 1",
                ".byte 0",
                ".p2align 2",
                // Type 1: null, which is catch (...).
                ".long 0",
                "56:",
                ".popsection",
                allocate = sym $allocate,
                name = sym $name,
            )
        }
    };
}

/// There is no memory, and no C++ runtime that could throw.
extern "C" fn no_runtime() -> ! {
    const MESSAGE: &[u8] =
        b"hakmem: operator new: no memory, and no C++ runtime to throw bad_alloc\n";
    // SAFETY: the message is readable for its length.
    unsafe { libc::syscall(libc::SYS_write, 2, MESSAGE.as_ptr(), MESSAGE.len()) };
    // SAFETY: abort has no preconditions.
    unsafe { libc::abort() }
}

throwing!(_Znwm, new, "`operator new(size_t)`");
throwing!(_Znam, new_array, "`operator new[](size_t)`");
throwing!(
    _ZnwmSt11align_val_t,
    new_aligned,
    "`operator new(size_t, align_val_t)`"
);
throwing!(
    _ZnamSt11align_val_t,
    new_array_aligned,
    "`operator new[](size_t, align_val_t)`"
);
nothrow!(
    _ZnwmRKSt9nothrow_t,
    new_nothrow,
    "`operator new(size_t, nothrow_t const&)`"
);
nothrow!(
    _ZnamRKSt9nothrow_t,
    new_array_nothrow,
    "`operator new[](size_t, nothrow_t const&)`"
);
nothrow!(
    _ZnwmSt11align_val_tRKSt9nothrow_t,
    new_aligned_nothrow,
    "`operator new(size_t, align_val_t, nothrow_t const&)`"
);
nothrow!(
    _ZnamSt11align_val_tRKSt9nothrow_t,
    new_array_aligned_nothrow,
    "`operator new[](size_t, align_val_t, nothrow_t const&)`"
);
entry! {
    /// `operator delete(void*)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPv(block: *mut c_void) = Delete, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller) }
    };

    /// `operator delete[](void*)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPv(block: *mut c_void) = DeleteArray, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller) }
    };

    /// `operator delete(void*, size_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPvm(block: *mut c_void, size: usize) = DeleteSized, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_size(size)) }
    };

    /// `operator delete[](void*, size_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPvm(block: *mut c_void, size: usize) = DeleteArraySized, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_size(size)) }
    };

    /// `operator delete(void*, nothrow_t const&)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPvRKSt9nothrow_t(block: *mut c_void, _tag: usize) = DeleteNothrow, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller) }
    };

    /// `operator delete[](void*, nothrow_t const&)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPvRKSt9nothrow_t(block: *mut c_void, _tag: usize) = DeleteArrayNothrow, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller) }
    };

    /// `operator delete(void*, align_val_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPvSt11align_val_t(block: *mut c_void, align: usize) = DeleteAligned, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_align(align)) }
    };

    /// `operator delete[](void*, align_val_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPvSt11align_val_t(block: *mut c_void, align: usize) = DeleteArrayAligned, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_align(align)) }
    };

    /// `operator delete(void*, size_t, align_val_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPvmSt11align_val_t(block: *mut c_void, size: usize, align: usize)
        = DeleteSizedAligned, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_size(size).telling_align(align)) }
    };

    /// `operator delete[](void*, size_t, align_val_t)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPvmSt11align_val_t(block: *mut c_void, size: usize, align: usize)
        = DeleteArraySizedAligned, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_size(size).telling_align(align)) }
    };

    /// `operator delete(void*, align_val_t, nothrow_t const&)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdlPvSt11align_val_tRKSt9nothrow_t(block: *mut c_void, align: usize, _tag: usize)
        = DeleteAlignedNothrow, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_align(align)) }
    };

    /// `operator delete[](void*, align_val_t, nothrow_t const&)`
    ///
    /// # Safety
    /// As [`delete`].
    pub fn _ZdaPvSt11align_val_tRKSt9nothrow_t(block: *mut c_void, align: usize, _tag: usize)
        = DeleteArrayAlignedNothrow, |caller| {
        // SAFETY: the caller's clause.
        unsafe { delete(block, caller.telling_align(align)) }
    };
}

/// # Safety
/// `block` came from the matching `operator new`, or is null, and is not used any more.
#[inline(always)]
unsafe fn delete(block: *mut c_void, caller: Caller) {
    // SAFETY: the caller's clause.
    unsafe { heap::deallocate(block.cast(), caller) };
}
