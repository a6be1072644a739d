//! What a program may say to the library that observes it; in others it says it to nobody.

use core::ffi::{CStr, c_char, c_ulong, c_void};
use hakmem_alloc::c_abi::{self as heap, Caller};
use hakmem_alloc::entry;

/// # Safety
/// `text` is null or ends with a zero byte.
#[inline(always)]
unsafe fn mark(text: *const c_char, address: *const c_void, value: c_ulong, caller: Caller) {
    if caller.is_known() {
        let text = match text.is_null() {
            true => c"",
            // SAFETY: the caller's clause.
            false => unsafe { CStr::from_ptr(text) },
        };
        heap::mark(text.to_bytes(), address as usize, value, caller);
    }
}

entry! {
    /// Marks this point in the trace; nothing where nothing is traced.
    ///
    /// # Safety
    /// `text` is null or ends with a zero byte.
    pub fn hakmem_mark(text: *const c_char, address: *const c_void, value: c_ulong)
        = Unknown, |caller| {
        // SAFETY: the caller's clause.
        unsafe { mark(text, address, value, caller) }
    };
}

hakmem_alloc::if_observed! {
    /// See `hakmem-debug.h`.
    #[unsafe(no_mangle)]
    pub extern "C" fn hakmem_debug_dump() {
        hakmem_alloc::debug::dump();
    }

    /// See `hakmem-debug.h`.
    #[unsafe(no_mangle)]
    pub extern "C" fn hakmem_verify() -> usize {
        hakmem_alloc::debug::verify()
    }

    /// See `hakmem-debug.h`.
    #[unsafe(no_mangle)]
    pub extern "C" fn hakmem_leaks() -> usize {
        hakmem_alloc::debug::leaks()
    }
}
