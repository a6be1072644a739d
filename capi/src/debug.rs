//! `hakmem-debug.h`: what the library with observers in it exports beside the other one.

hakmem_alloc::if_observed! {
    /// See `hakmem-debug.h`.
    #[unsafe(no_mangle)]
    pub extern "C" fn hakmem_debug_dump() {
        hakmem_alloc::debug::dump();
    }
}
