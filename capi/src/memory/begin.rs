//! How a function begins: where nothing is checked, with a jump to libc's own.
//!
//! These beginnings stand together, and the looks elsewhere: so what a program calls most takes little
//! of the instruction cache, which programs of some size fill by themselves. They need not be relocated, as
//! the looks do not: libraries that are relocated before this one may call them, out of what chooses a
//! function for a processor (`STT_GNU_IFUNC`).

/// Defines a function. Where something is checked it goes on with a look at its arguments, and where that is
/// not enough with the instructions in brackets, in a frame; what they name is `sym` of what stands behind.
macro_rules! function {
    (
        $(#[$attribute:meta])*
        $name:ident of $count:tt ($($argument:ident: $type:ty),*) $(-> $result:ty)?,
        [$($code:expr),* $(,)?],
        $($operand:ident = $symbol:path),* $(,)?
    ) => {
        #[unsafe(naked)]
        unsafe extern "C" fn look() {
            core::arch::naked_asm!(
                ".cfi_startproc",
                look!($count),
                crate::memory::make_frame!(),
                $($code,)*
                ".cfi_endproc",
                bounds = sym hakmem_alloc::c_abi::BOUNDS,
                originals = sym hakmem_alloc::c_abi::ORIGINALS,
                index = const hakmem_alloc::c_abi::Function::$name as usize * 8,
                $($operand = sym $symbol,)*
            )
        }

        $(#[$attribute])*
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        #[unsafe(link_section = ".text.hot.hakmem")]
        pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "cmp byte ptr [rip + {bounds} + 32], 0",
                "jne {look}",
                "jmp qword ptr [rip + {originals} + {index}]",
                ".cfi_endproc",
                bounds = sym hakmem_alloc::c_abi::BOUNDS,
                look = sym look,
                originals = sym hakmem_alloc::c_abi::ORIGINALS,
                index = const hakmem_alloc::c_abi::Function::$name as usize * 8,
            )
        }
    };
}
pub(super) use function;
