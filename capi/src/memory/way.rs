//! The way of a function: where its calls go on.
//!
//! ```text
//! memcpy ──► look ──► … once nothing is checked:  memcpy ──► libc's own
//! ```
//!
//! The function itself is one jump. All of them stand together, and so what a program calls most
//! takes little of the instruction cache, which programs of some size fill by themselves.

use core::ffi::c_void;
use core::sync::atomic::AtomicPtr;

/// The address of the instructions that a call goes on with. Relaxed, and written by instructions alone
/// (`look.rs`): either value will do.
pub(super) type Way = AtomicPtr<c_void>;

/// A way that begins with a look, `$look`.
macro_rules! way_of {
    ($look:ident) => {
        $crate::memory::way::Way::new($look as *const () as *mut core::ffi::c_void)
    };
}
pub(super) use way_of;

/// The instructions of a function whose way is `$way`.
macro_rules! go_way {
    ($way:ident) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "jmp qword ptr [rip + {way}]",
            ".cfi_endproc",
            way = sym $way,
        )
    };
}
pub(super) use go_way;
