//! libgcc's unwinder, which throws exceptions and which `backtrace` uses. Weak: without it the
//! process has none.

use core::arch::asm;
use core::ffi::{c_int, c_void};
use core::mem::transmute;

macro_rules! weak {
    ($name:literal) => {{
        let address: usize;
        // SAFETY: reads the symbol's entry in the global offset table, which is zero where the
        // weak symbol is not defined.
        unsafe {
            asm!(
                concat!(".weak ", $name),
                concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        address
    }};
}

/// A frame, while the unwinder looks at it.
pub(crate) struct Frame(*mut c_void);

impl Frame {
    /// The return address, or in what a signal has interrupted the instruction.
    pub(crate) fn pc(&self) -> usize {
        type Get = unsafe extern "C" fn(*mut c_void) -> usize;
        let function = weak!("_Unwind_GetIP");
        // SAFETY: `_Unwind_GetIP` has that signature, and is there if `_Unwind_Backtrace` is.
        unsafe { transmute::<usize, Get>(function)(self.0) }
    }

    /// The stack pointer there.
    pub(crate) fn sp(&self) -> usize {
        type Get = unsafe extern "C" fn(*mut c_void) -> usize;
        let function = weak!("_Unwind_GetCFA");
        // SAFETY: as in `pc`.
        unsafe { transmute::<usize, Get>(function)(self.0) }
    }
}

/// Whether the process has the unwinder.
pub(crate) fn available() -> bool {
    weak!("_Unwind_Backtrace") != 0 && weak!("_Unwind_GetIP") != 0 && weak!("_Unwind_GetCFA") != 0
}

/// Calls `each` with each frame, the innermost first, until it says false. The unwinder is to
/// be [`available`].
pub(crate) fn each<F: FnMut(&Frame) -> bool>(mut each: F) {
    type Each = extern "C" fn(*mut c_void, *mut c_void) -> c_int;
    type Backtrace = unsafe extern "C" fn(Each, *mut c_void) -> c_int;
    /// `_URC_NO_REASON` goes on, `_URC_END_OF_STACK` is one of those that do not.
    const ON: c_int = 0;
    const END: c_int = 5;
    extern "C" fn one<F: FnMut(&Frame) -> bool>(frame: *mut c_void, each: *mut c_void) -> c_int {
        // SAFETY: what `each` passed to the unwinder, which waits.
        let each = unsafe { &mut *each.cast::<F>() };
        if each(&Frame(frame)) { ON } else { END }
    }
    let function = weak!("_Unwind_Backtrace");
    super::keep_errno(|| {
        // SAFETY: `_Unwind_Backtrace` has that signature; `one` is for this type.
        unsafe { transmute::<usize, Backtrace>(function)(one::<F>, (&raw mut each).cast()) }
    });
}
