//! `dlopen` without `RTLD_DEEPBIND`.
//!
//! A library that is opened with that flag takes the symbols of its own dependencies before those
//! of the process: libc's `malloc` and `free`, where all others have this library's. What one side
//! hands out the other one frees, and libc ends the program. The flag is no more than an order of
//! search, so it is left out. PHP opens each of its extensions with it.
//!
//! libc's `dlopen` looks for the file as its caller's is set up to (`DT_RUNPATH`), and knows that
//! by the return address: so it is reached by a jump.

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where libc's begins; 0 until it is known. Relaxed: code, which is there before anybody can name
/// it.
static LIBCS: AtomicUsize = AtomicUsize::new(0);

// A program that is linked statically has the first one only if it uses it, and the second one for
// what libc itself opens.
core::arch::global_asm!(
    ".weak dlsym",
    ".weak __libc_dlopen_mode",
    // Not looked for by the loader.
    ".hidden __libc_dlopen_mode",
);

/// POSIX `dlopen`.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "and esi, {kept}",
        "mov rax, [rip + {libcs}]",
        "test rax, rax",
        "jnz 2f",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, [rip + dlsym@GOTPCREL]",
        "mov rsi, [rip + __libc_dlopen_mode@GOTPCREL]",
        "call {find}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "2:",
        "jmp rax",
        ".cfi_endproc",
        kept = const !libc::RTLD_DEEPBIND,
        libcs = sym LIBCS,
        find = sym find,
    )
}

type Look = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// Where libc's `dlopen` begins, asked of libc's `dlsym`; in a program without a loader, of the
/// function that libc itself opens files by.
#[cold]
extern "C" fn find(look: Option<Look>, static_one: usize) -> usize {
    // SAFETY: a name; what comes behind this library is asked for.
    let found = look.map(|look| unsafe { look(libc::RTLD_NEXT, c"dlopen".as_ptr()) as usize });
    let address = match (found.unwrap_or(0), static_one) {
        (0, 0) => cannot as *const () as usize,
        (0, static_one) => static_one,
        (found, _) => found,
    };
    LIBCS.store(address, Ordering::Relaxed);
    address
}

extern "C" fn cannot(_: *const c_char, _: c_int) -> *mut c_void {
    core::ptr::null_mut()
}
