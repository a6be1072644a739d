//! Symbols that the linker wants, and one that tells the allocator who it is.

use core::arch::global_asm;

global_asm!(
    ".pushsection .rodata.hakmem_start,\"a\",@progbits",
    ".p2align 3",
    // That `malloc` is exported: the allocator looks whether the process's is ours. The
    // address alone counts.
    ".weak __hakmem_exports_malloc",
    ".hidden __hakmem_exports_malloc",
    ".type __hakmem_exports_malloc, @object",
    ".size __hakmem_exports_malloc, 8",
    "__hakmem_exports_malloc:",
    // What the compiler's start files would define, which the shared library is linked
    // without: the owner of what is registered for the exit. Zero is the program itself, as
    // the library is never unloaded. Weak: an executable has its own.
    ".weak __dso_handle",
    ".hidden __dso_handle",
    ".type __dso_handle, @object",
    ".size __dso_handle, 8",
    "__dso_handle:",
    ".quad 0",
    ".popsection",
    // Without a byte of data that the loader maps, valgrind (3.19) reads none of the library's
    // symbols: it takes `.bss` for a section that is nowhere.
    ".pushsection .data.hakmem_start,\"awR\",@progbits",
    ".globl __hakmem_data",
    ".hidden __hakmem_data",
    ".type __hakmem_data, @object",
    ".size __hakmem_data, 8",
    "__hakmem_data:",
    ".quad 1",
    ".popsection",
);
