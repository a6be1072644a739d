//! Who called the allocator, in builds that observe.
//!
//! Each function of the C ABI is a few instructions that look whether anything observes. If
//! nothing does, the function goes on as in a release build. Else it makes a frame and hands
//! its address on, from which the hooks read where the call returns to and walk the stack:
//!
//! ```text
//!             ┌──────────────────────┐ ◄─ sp, what the caller's stack pointer was
//! frame + 8   │ return address       │ ◄─ pc
//! frame       │ caller's rbp         │ ◄─ fp
//!             └──────────────────────┘
//! ```
//!
//! `operator new` has a frame of 24 bytes and a return address of its own in between.
//!
//! 1. A frame is read by the thread that made it, and before the function returns.

use super::Sees;
use super::api::Api;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU8, Ordering};

/// Whether anything observes, and what: see `switch`. On from the start, so that the first allocation
/// is seen; set by the set-up, when the options are known. Relaxed: a thread that notices late
/// observes late.
#[doc(hidden)]
pub static OBSERVES: AtomicU8 = AtomicU8::new(SEES);

/// From a frame of a C function to its return address, and from one of `operator new`'s.
const RETURN: usize = 1;
const RETURN_ABOVE_NEW: usize = RETURN + 1 + 3;

/// Who called the allocator, and through which function.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    frame: *const usize,
    /// The number of the function in the highest byte; below it the address of a block.
    what: usize,
    /// What the caller has said of the block: 0, or its size and above it 1 and the power of two
    /// that it is aligned to; and whether hooks see it in brief.
    told: usize,
}

/// As [`Caller::parts`] has them: where a call came from, and what it told.
pub(crate) type Origin = (*const usize, usize);
pub(crate) type Told = usize;

/// Addresses of blocks have fewer bits.
const API_SHIFT: u32 = 56;
const OTHER: usize = (1 << API_SHIFT) - 1;

/// Sizes have fewer bits.
const ALIGN_SHIFT: u32 = 48;
const SIZE: usize = (1 << ALIGN_SHIFT) - 1;
/// Something is told: a size, an alignment.
const TOLD_SIZE: usize = 1 << 63;
const TOLD_ALIGN: usize = 1 << 62;
/// Hooks see blocks in brief.
const BRIEF: usize = 1 << 61;

impl Caller {
    /// Somebody, through a function that is not observed.
    pub const NONE: Caller = Caller {
        frame: core::ptr::null(),
        what: 0,
        told: 0,
    };

    /// Who called the function that made `frame`.
    ///
    /// # Safety
    /// - `frame` is as at the head of this file, made by a function of `api`.
    /// - It stays while the caller is used.
    #[inline(always)]
    pub unsafe fn new(frame: *const usize, api: Api) -> Caller {
        // SAFETY: a frame is on a stack; so it need not be asked again whether there is a caller.
        unsafe { core::hint::assert_unchecked(!frame.is_null()) };
        Caller {
            frame,
            what: (api as usize) << API_SHIFT,
            told: 0,
        }
    }

    /// As [`Caller::new`], where hooks see blocks in brief.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn new_brief(frame: *const usize, api: Api) -> Caller {
        // SAFETY: the caller's clause.
        let caller = unsafe { Caller::new(frame, api) };
        Caller {
            told: BRIEF,
            ..caller
        }
    }

    /// Its parts: a caller is passed by a pointer, and these are in registers.
    #[inline(always)]
    pub(crate) fn parts(self) -> (Origin, Told) {
        ((self.frame, self.what), self.told)
    }

    /// The caller whose parts these are.
    #[inline(always)]
    pub(crate) fn of_parts((frame, what): Origin, told: Told) -> Caller {
        Caller { frame, what, told }
    }

    /// Whether hooks see blocks in brief.
    #[inline(always)]
    pub(crate) fn is_brief(self) -> bool {
        self.told & BRIEF != 0
    }

    /// This one, word by word. What is not inlined is given a pointer to a caller; to a plain copy
    /// the compiler would give it a pointer to the original, which then had to be in memory also
    /// where nothing of the kind is called.
    #[inline(always)]
    pub(crate) fn copy(self) -> Caller {
        Caller {
            frame: self.frame,
            what: self.what,
            told: self.told,
        }
    }

    /// As this one, in the middle of a resize, whose other block is at `other`.
    #[inline(always)]
    pub(crate) fn resizing(self, other: usize) -> Caller {
        Caller {
            what: self.what & !OTHER | other & OTHER,
            ..self
        }
    }

    /// As this one, who says that the block has been asked for with that size, in bytes.
    #[inline(always)]
    #[must_use]
    pub fn telling_size(self, size: usize) -> Caller {
        Caller {
            told: self.told | TOLD_SIZE | if size < SIZE { size } else { SIZE },
            ..self
        }
    }

    /// As this one, who says that the block has been asked for with that alignment, a power of
    /// two.
    #[inline(always)]
    #[must_use]
    pub fn telling_align(self, align: usize) -> Caller {
        let log2 = (align.trailing_zeros() as usize) & 63;
        Caller {
            told: self.told | TOLD_ALIGN | log2 << ALIGN_SHIFT,
            ..self
        }
    }

    /// The size that the caller says the block has been asked for with.
    #[inline(always)]
    pub(crate) fn told_size(self) -> Option<usize> {
        (self.told & TOLD_SIZE != 0).then_some(self.told & SIZE)
    }

    /// The alignment that the caller says the block has been asked for with, as a power of two.
    #[inline(always)]
    pub(crate) fn told_align(self) -> Option<u32> {
        let log2 = (self.told >> ALIGN_SHIFT) as u32 & 63;
        (self.told & TOLD_ALIGN != 0).then_some(log2)
    }

    /// Whether the call came through the Rust face.
    #[inline(always)]
    pub(crate) fn is_of_rust(self) -> bool {
        (Api::RustAlloc as u8..=Api::RustRealloc as u8).contains(&self.api())
    }

    #[inline(always)]
    pub(crate) fn is_some(self) -> bool {
        !self.frame.is_null()
    }

    /// Whether somebody observes who it is.
    #[inline(always)]
    pub fn is_known(self) -> bool {
        self.is_some()
    }

    /// The function that the program called, as a number of [`Api`].
    #[inline(always)]
    pub(crate) fn api(self) -> u8 {
        (self.what >> API_SHIFT) as u8
    }

    /// The other block of a resize; 0 where there is none.
    #[inline(always)]
    pub(crate) fn other(self) -> usize {
        self.what & OTHER
    }

    #[inline(always)]
    fn return_slot(self) -> *const usize {
        let words = if Api::is_new(self.api()) {
            RETURN_ABOVE_NEW
        } else {
            RETURN
        };
        self.frame.wrapping_add(words)
    }

    /// Where the call returns to. The caller is some.
    #[inline(always)]
    pub(crate) fn pc(self) -> usize {
        // SAFETY: `new` was given a frame, above which its return address stands.
        unsafe { *self.return_slot() }
    }

    /// The stack pointer at the return. The caller is some.
    #[inline(always)]
    pub(crate) fn sp(self) -> usize {
        self.return_slot().wrapping_add(1) as usize
    }

    /// The caller's frame pointer, if it keeps one. The caller is some.
    #[inline(always)]
    pub(crate) fn fp(self) -> usize {
        // SAFETY: `new` was given a frame, whose first word it is.
        unsafe { *self.frame }
    }
}

/// Runs `call` for the function that this is inlined into: the call came from there.
#[inline(always)]
pub(crate) fn with_caller<T, F: FnOnce(Caller) -> T>(api: Api, call: F) -> T {
    if OBSERVES.load(Ordering::Relaxed) == 0 {
        return call(Caller::NONE);
    }
    let mut errand = Errand {
        api,
        call: Some(call),
        result: None,
    };
    call_with_frame((&raw mut errand).cast(), run::<T, F>);
    errand.result.expect("run stores it")
}

/// What travels through a function that knows no types.
struct Errand<T, F> {
    api: Api,
    call: Option<F>,
    result: Option<T>,
}

extern "C" fn run<T, F: FnOnce(Caller) -> T>(errand: *mut c_void, frame: *const usize) {
    // SAFETY: `with_caller` passes its own errand of these types, and waits.
    let errand = unsafe { &mut *errand.cast::<Errand<T, F>>() };
    // SAFETY: `call_with_frame` made the frame, and waits.
    let caller = unsafe { Caller::new(frame, errand.api) };
    errand.result = errand.call.take().map(|call| call(caller));
}

/// Calls `thunk(errand, frame)` with a frame of its own.
#[unsafe(naked)]
extern "C" fn call_with_frame(
    errand: *mut c_void,
    thunk: extern "C" fn(*mut c_void, *const usize),
) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rax, rsi",
        "mov rsi, rbp",
        "call rax",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Hooks see blocks in slabs in brief; the next one after 0, which is nothing.
#[doc(hidden)]
pub const SEES_BRIEFLY: u8 = 1;
/// They see all blocks.
const SEES: u8 = 2;
/// They see those alone that are diverted.
const DIVERTS: u8 = 3;

/// Switches the hooks on or off, for calls that come in from now on: what they see of blocks, and
/// whether requests are diverted.
pub(crate) fn switch(sees: Sees, diverts: bool) {
    let what = match (sees, diverts) {
        (Sees::Nothing, false) => 0,
        (Sees::Nothing, true) => DIVERTS,
        (Sees::Brief, false) => SEES_BRIEFLY,
        _ => SEES,
    };
    OBSERVES.store(what, Ordering::Relaxed);
}

/// Whether hooks see blocks in slabs in brief.
#[inline(always)]
pub(crate) fn sees_briefly() -> bool {
    OBSERVES.load(Ordering::Relaxed) == SEES_BRIEFLY
}

/// Whether hooks see blocks. Who looks after the last use of a block knows it if a hook saw that.
#[inline(always)]
pub(crate) fn sees_blocks() -> bool {
    OBSERVES.load(Ordering::Relaxed) == SEES
}

/// Whether hooks see no blocks but those that are diverted.
#[inline(always)]
pub(crate) fn only_diverts() -> bool {
    OBSERVES.load(Ordering::Relaxed) == DIVERTS
}

/// What only a build with observers has.
#[doc(hidden)]
#[macro_export]
macro_rules! if_observed {
    ($($item:item)*) => { $($item)* };
}

/// Defines functions of the C ABI. Each is given the [`Caller`] that its body names, and the
/// [`Api`] that stands behind the `=` tells the observers which function it was.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($(
        $(#[$attribute:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
            = $api:ident, |$caller:ident| $body:expr;
    )*) => {$(
        const _: () = {
            unsafe extern "C" fn unseen($($argument: $type),*) $(-> $result)? {
                let $caller = $crate::c_abi::Caller::NONE;
                $body
            }
            unsafe extern "C" fn seen($($argument: $type,)* frame: *const usize) $(-> $result)? {
                // SAFETY: the function below makes the frame and waits.
                let $caller = unsafe {
                    $crate::c_abi::Caller::new(frame, $crate::c_abi::Api::$api)
                };
                $body
            }
            unsafe extern "C" fn brief($($argument: $type,)* frame: *const usize) $(-> $result)? {
                // SAFETY: as above.
                let $caller = unsafe {
                    $crate::c_abi::Caller::new_brief(frame, $crate::c_abi::Api::$api)
                };
                $body
            }
            $(#[$attribute])*
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                $crate::entry_code!(unseen, seen, brief, $($argument)*)
            }
        };
    )*};
}

/// Defines functions that `operator new` in its forms calls, one frame of 24 bytes below the
/// program's.
#[doc(hidden)]
#[macro_export]
macro_rules! entry_below {
    ($(
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty
            = $api:ident, |$caller:ident| $body:expr;
    )*) => {$(
        #[unsafe(naked)]
        extern "C" fn $name($($argument: $type),*) -> $result {
            extern "C" fn unseen($($argument: $type),*) -> $result {
                let $caller = $crate::c_abi::Caller::NONE;
                $body
            }
            extern "C" fn seen($($argument: $type,)* frame: *const usize) -> $result {
                // SAFETY: the function around makes the frame and waits; `operator new` in all
                // its forms has three words below its return address.
                let $caller = unsafe {
                    $crate::c_abi::Caller::new(frame, $crate::c_abi::Api::$api)
                };
                $body
            }
            extern "C" fn brief($($argument: $type,)* frame: *const usize) -> $result {
                // SAFETY: as above.
                let $caller = unsafe {
                    $crate::c_abi::Caller::new_brief(frame, $crate::c_abi::Api::$api)
                };
                $body
            }
            $crate::entry_code!(unseen, seen, brief, $($argument)*)
        }
    )*};
}

/// The instructions of an entry; the frame's address is passed behind the arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! entry_code {
    (@register) => { "rdi" };
    (@register $a:ident) => { "rsi" };
    (@register $a:ident $b:ident) => { "rdx" };
    (@register $a:ident $b:ident $c:ident) => { "rcx" };
    ($unseen:ident, $seen:ident, $brief:ident, $($argument:ident)*) => {
        ::core::arch::naked_asm!(
            ".cfi_startproc",
            "cmp byte ptr [rip + {observes}], {sees_briefly}",
            "jb {unseen}",
            "push rbp",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset rbp, 0",
            concat!("mov ", $crate::entry_code!(@register $($argument)*), ", rsp"),
            // By the comparison above.
            "jne 2f",
            "call {brief}",
            "pop rbp",
            ".cfi_remember_state",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore rbp",
            "ret",
            ".cfi_restore_state",
            "2:",
            "mov rbp, rsp",
            ".cfi_def_cfa_register rbp",
            "call {seen}",
            "pop rbp",
            ".cfi_def_cfa rsp, 8",
            "ret",
            ".cfi_endproc",
            // Each in one line of the cache.
            ".p2align 6",
            observes = sym $crate::c_abi::OBSERVES,
            sees_briefly = const $crate::c_abi::SEES_BRIEFLY,
            unseen = sym $unseen,
            seen = sym $seen,
            brief = sym $brief,
        )
    };
}
