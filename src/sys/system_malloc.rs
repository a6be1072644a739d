//! The system's own allocator, under the names by which glibc exports it beside
//! `malloc`. They are weak: in a static program they are absent when libc's
//! malloc is not linked in, and then the system allocator is not available.

use core::arch::{asm, global_asm};
use core::ffi::c_void;
use core::mem::transmute;
use core::ops::Range;

global_asm!(".hidden __ehdr_start", ".hidden _end");

type Malloc = unsafe extern "C" fn(usize) -> *mut c_void;
type Pair = unsafe extern "C" fn(usize, usize) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);

/// The address of a symbol, as the dynamic linker has found it.
macro_rules! address {
    ($name:literal $(, $directive:literal)*) => {{
        let address: usize;
        // SAFETY: reads the symbol's entry in the global offset table, which is
        // zero where a weak symbol is not defined.
        unsafe {
            asm!(
                $(concat!($directive, " ", $name),)*
                concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        address
    }};
}

/// As [`address`], of a symbol that may not exist. It is said to be weak here and not once a
/// file: each object file that the compiler makes of this crate has to say so.
macro_rules! weak {
    ($name:literal) => {
        address!($name, ".weak")
    };
}

/// Whether there is a system allocator to hand requests to.
pub(crate) fn available() -> bool {
    weak!("__libc_malloc") != 0 && weak!("__libc_free") != 0
}

/// Whether we export a `malloc` and the process has another one: a program that loads the
/// library with `dlopen` keeps the one that it had. Its blocks may then come to our `free`.
///
/// Compares the address that the dynamic linker has found for `malloc` with [`own_file`].
pub(crate) fn is_the_process_s() -> bool {
    is_exported() && !own_file().contains(&address!("malloc"))
}

/// Whether we export a `malloc`.
pub(crate) fn is_exported() -> bool {
    // Defined by the C ABI crate, which exports `malloc`.
    address!("__hakmem_exports_malloc", ".weak", ".hidden") != 0
}

/// The addresses of the library, or in a static program those of the program.
#[inline(always)]
pub(crate) fn own_file() -> Range<usize> {
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
    first..end
}

/// The system's `malloc`; null when it has none, or no memory.
pub(crate) fn malloc(size: usize) -> *mut u8 {
    let address = weak!("__libc_malloc");
    if address == 0 {
        return core::ptr::null_mut();
    }
    // SAFETY: `__libc_malloc` has malloc's signature.
    unsafe { transmute::<usize, Malloc>(address)(size).cast() }
}

/// The system's `calloc`; null when it has none, or no memory.
pub(crate) fn calloc(size: usize) -> *mut u8 {
    let address = weak!("__libc_calloc");
    if address == 0 {
        return core::ptr::null_mut();
    }
    // SAFETY: `__libc_calloc` has calloc's signature.
    unsafe { transmute::<usize, Pair>(address)(1, size).cast() }
}

/// The system's `memalign`; null when it has none, or no memory.
pub(crate) fn memalign(align: usize, size: usize) -> *mut u8 {
    let address = weak!("__libc_memalign");
    if address == 0 {
        return core::ptr::null_mut();
    }
    // SAFETY: `__libc_memalign` has memalign's signature.
    unsafe { transmute::<usize, Pair>(address)(align, size).cast() }
}

/// The system's `realloc`; null when it has none, or no memory.
///
/// # Safety
/// `block` came from the system's allocator and is live.
pub(crate) unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    let address = weak!("__libc_realloc");
    if address == 0 {
        return core::ptr::null_mut();
    }
    // SAFETY: `__libc_realloc` has realloc's signature; the caller's clause.
    unsafe { transmute::<usize, Realloc>(address)(block.cast(), size).cast() }
}

/// The system's `free`.
///
/// # Safety
/// `block` came from the system's allocator and is live.
pub(crate) unsafe fn free(block: *mut u8) {
    let address = weak!("__libc_free");
    if address != 0 {
        // SAFETY: `__libc_free` has free's signature; the caller's clause.
        unsafe { transmute::<usize, Free>(address)(block.cast()) };
    }
}

/// Bytes of a block of the system's allocator that the program may use.
///
/// glibc exports its `malloc_usable_size` under that name alone, which may be ours.
/// The size is read where glibc keeps it: in the word before the block, with flags
/// in the low three bits, of which 2 marks a mapping of its own (glibc's malloc.c,
/// `struct malloc_chunk`; unchanged since 2.3).
///
/// # Safety
/// `block` came from the system's allocator and is live.
pub(crate) unsafe fn usable_size(block: *mut u8) -> usize {
    const WORD: usize = size_of::<usize>();
    // SAFETY: a live block of glibc has its size in the word before it.
    let size = unsafe { *block.cast::<usize>().sub(1) };
    let header = if size & 2 != 0 { 2 * WORD } else { WORD };
    (size & !7) - header
}
