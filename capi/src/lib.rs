//! The C and C++ face of hakmem: `libhakmem.so` and `libhakmem.a`.
//!
//! Each exported function is a shim over the Rust crate's heap, so that no compiler takes
//! `malloc` and `memset` together for a `calloc` that calls itself.

#![no_std]

mod cxx;
mod debug;
mod dlopen;
mod introspection;
mod malloc;
mod start;

hakmem_alloc::if_checked! {
    mod memory;
    mod signals;
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort has no preconditions.
    unsafe { libc::abort() }
}
