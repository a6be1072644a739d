//! The thread: the one word of thread-local storage, and a call at its end.
//!
//! The word lies in the static TLS block (initial-exec model: two instructions to
//! read it). Its initial value is the address of a constant, so that a thread needs
//! no set-up before its first allocation. The symbol carries the crate's version:
//! two versions in one program have a word each.

use super::keep_errno;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod word {
    use core::arch::{asm, global_asm};

    macro_rules! symbol {
        () => {
            concat!(
                "__hakmem_thread_cache_",
                env!("CARGO_PKG_VERSION_MAJOR"),
                "_",
                env!("CARGO_PKG_VERSION_MINOR"),
                "_",
                env!("CARGO_PKG_VERSION_PATCH")
            )
        };
    }

    global_asm!(
        ".pushsection .tdata,\"awT\",@progbits",
        ".p2align 3",
        concat!(".globl ", symbol!()),
        concat!(".hidden ", symbol!()),
        concat!(".type ", symbol!(), ",@object"),
        concat!(".size ", symbol!(), ",8"),
        concat!(symbol!(), ":"),
        ".quad {initial}",
        ".popsection",
        initial = sym crate::thread_cache::front::EMPTY,
    );

    #[inline(always)]
    pub(super) fn get() -> *const u8 {
        let word: *const u8;
        // SAFETY: reads this thread's word, which `global_asm!` above defines with
        // that size in the static TLS block.
        unsafe {
            asm!(
                concat!("mov {0}, qword ptr [rip + ", symbol!(), "@GOTTPOFF]"),
                "mov {0}, qword ptr fs:[{0}]",
                out(reg) word,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        word
    }

    pub(super) fn set(value: *const u8) {
        // SAFETY: writes this thread's word, see `get`.
        unsafe {
            asm!(
                concat!("mov {1}, qword ptr [rip + ", symbol!(), "@GOTTPOFF]"),
                "mov qword ptr fs:[{1}], {0}",
                in(reg) value,
                out(reg) _,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
compile_error!(
    "hakmem runs on x86-64 Linux; other targets need a thread-local word in sys/thread.rs"
);

/// This thread's word.
#[inline(always)]
pub(crate) fn word() -> *const u8 {
    word::get()
}

/// Sets this thread's word.
pub(crate) fn set_word(value: *const u8) {
    word::set(value);
}

/// The key whose destructor runs at each thread's end, plus one; 0 until made.
/// Written once, Release; read Acquire.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Has `handler` called with `value` when this thread ends, once. May allocate,
/// so the thread's word has to be usable already.
pub(crate) fn at_end(handler: unsafe extern "C" fn(*mut c_void), value: *mut c_void) {
    keep_errno(|| {
        let mut key = KEY.load(Ordering::Acquire);
        if key == 0 {
            let mut made: libc::pthread_key_t = 0;
            // SAFETY: `made` is a valid place; the handler is a static function.
            if unsafe { libc::pthread_key_create(&mut made, Some(handler)) } != 0 {
                return;
            }
            match KEY.compare_exchange(0, made + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => key = made + 1,
                Err(other) => {
                    // SAFETY: this key was made above and nobody else knows it.
                    unsafe { libc::pthread_key_delete(made) };
                    key = other;
                }
            }
        }
        // SAFETY: the key exists from here on.
        unsafe { libc::pthread_setspecific(key - 1, value) };
    });
}

/// The kernel's number of this thread.
pub(crate) fn id() -> u32 {
    // SAFETY: gettid has no preconditions.
    keep_errno(|| unsafe { libc::syscall(libc::SYS_gettid) as u32 })
}

/// A number that no other thread of the process has while this one runs, and that costs no
/// system call: the address of glibc's block for the thread. Not 0.
#[cfg(any(feature = "watch", feature = "integrity"))]
pub(crate) fn identity() -> usize {
    let block: usize;
    // SAFETY: the x86-64 ABI has the address of the thread's block in its first word.
    unsafe {
        core::arch::asm!(
            "mov {}, qword ptr fs:[0]",
            out(reg) block,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    block
}

/// This thread's name, padded with zeroes.
#[cfg(feature = "trace")]
pub(crate) fn name() -> [u8; 16] {
    let mut name = [0; 16];
    // SAFETY: the kernel writes at most 16 bytes.
    keep_errno(|| unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) });
    name
}
