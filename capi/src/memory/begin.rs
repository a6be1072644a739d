//! How a function begins: where nothing is checked, with a jump to libc's own.
//!
//! These beginnings stand together, and the looks elsewhere: so what a program calls most takes little
//! of the instruction cache, which programs of some size fill by themselves. They need not be relocated, as
//! the looks do not: libraries that are relocated before this one may call them, out of what chooses a
//! function for a processor (`STT_GNU_IFUNC`).

/// The instructions of the function `$name`; `$look` has those of what is done where something is checked.
macro_rules! begin {
    ($name:ident, $look:ident) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "cmp byte ptr [rip + {bounds} + 32], 0",
            "jne {look}",
            "jmp qword ptr [rip + {originals} + {index}]",
            ".cfi_endproc",
            bounds = sym hakmem_alloc::c_abi::BOUNDS,
            look = sym $look,
            originals = sym hakmem_alloc::c_abi::ORIGINALS,
            index = const hakmem_alloc::c_abi::Function::$name as usize * 8,
        )
    };
}
pub(super) use begin;
