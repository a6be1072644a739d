//! Whether the process's `malloc` is ours.
//!
//! A program that loads the library with `dlopen` keeps the `malloc` that it had. Its blocks
//! may then come to our `free`, and are handed on.

use core::arch::{asm, global_asm};

// Runs when the library is loaded.
global_asm!(
    ".pushsection .init_array,\"aw\",@init_array",
    ".p2align 3",
    ".quad {start}",
    ".popsection",
    ".hidden __ehdr_start",
    ".hidden _end",
    start = sym start,
);

/// Compares the address that the dynamic linker has found for `malloc` with the range of
/// this library, or in a static program with that of the program.
extern "C" fn start() {
    let found: usize;
    // SAFETY: reads the entry for `malloc` in the global offset table, which the dynamic
    // linker has filled by the time that initialisers run.
    unsafe {
        asm!(
            "mov {}, qword ptr [rip + malloc@GOTPCREL]",
            out(reg) found,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    let (first, end): (usize, usize);
    // SAFETY: forms the addresses of the linker's symbols for the first and last byte.
    unsafe {
        asm!(
            "lea {}, [rip + __ehdr_start]",
            "lea {}, [rip + _end]",
            out(reg) first,
            out(reg) end,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    if !(first..end).contains(&found) {
        hakmem_alloc::c_abi::note_another_malloc();
    }
}
