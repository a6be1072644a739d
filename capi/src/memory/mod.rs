//! Checked memory functions: libc's `memcpy`, `strcpy` and their kin, which look how far a block
//! of the heap goes before they read or write it.
//!
//! ```text
//! memcpy ── an address in the window? ── no ──► libc's own, with the arguments as they are
//!                      │ yes, or libc's is not known
//!                      ▼
//!             frame, check of each range ── too far ──► report
//!                      └── libc's own, or a plain one, with what may be used
//! ```
//!
//! The window is empty where nothing is checked. What this library itself does comes through here
//! as well, for the compiler makes calls of copies: it is never told of, and nothing that is called
//! from here may be made of such a call (`plain.rs`).
//!
//! On the way nothing is allocated, but for `strdup`, and no lock is taken: so they work in signal
//! handlers, and before anything is set up.

use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, UNLIMITED, beginning, is_clear, left};

#[macro_use]
mod look;

mod addresses;
mod around;
mod before;
mod begin;
mod blocks;
mod mappings;
mod names;
mod plain;
mod printed;
mod programs;
mod received;
mod scattered;
mod sent;
mod sorted;
mod streams;
mod strings;
mod structures;
mod wide;

/// The number of libc's function of a name: where it begins, once that is known.
macro_rules! original {
    ($name:ident as $type:ty) => {{
        let address = hakmem_alloc::c_abi::Function::$name.original();
        // SAFETY: zero, or the address of the function of that name, which has that type.
        unsafe { core::mem::transmute::<usize, Option<$type>>(address) }
    }};
}
use original;

/// Passes the frame behind the arguments.
macro_rules! pass_frame {
    ($a:ident) => { "mov rsi, rbp" };
    ($a:ident $b:ident) => { "mov rdx, rbp" };
    ($a:ident $b:ident $c:ident) => { "mov rcx, rbp" };
    ($a:ident $b:ident $c:ident $d:ident) => { "mov r8, rbp" };
    ($a:ident $b:ident $c:ident $d:ident $e:ident) => { "mov r9, rbp" };
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident) => { "sub rsp, 8\npush rbp" };
}
use pass_frame;

/// Defines functions: `fn name of 1` has its memory at the first argument, `of 2` at the first two.
/// The body is given the [`Call`] that it names.
macro_rules! checked {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
            |$call:ident| $body:expr;
    )*) => {$(
        const _: () = {
            unsafe extern "C" fn seen($($argument: $type,)* frame: *const usize) $(-> $result)? {
                // SAFETY: the function below makes the frame and waits.
                let $call = unsafe {
                    hakmem_alloc::c_abi::Call::new(frame, hakmem_alloc::c_abi::Function::$name)
                };
                $body
            }

            crate::memory::begin::function! {
                $(#[$attribute])*
                $name of $count ($($argument: $type),*) $(-> $result)?,
                [
                    crate::memory::pass_frame!($($argument)*),
                    "call {seen}",
                    "leave",
                    ".cfi_def_cfa rsp, 8",
                    "ret",
                ],
                seen = seen,
            }
        };
    )*};
}
use checked;

/// Makes a frame that can be unwound; `leave` ends it.
macro_rules! make_frame {
    () => {
        "push rbp
         .cfi_adjust_cfa_offset 8
         .cfi_rel_offset rbp, 0
         mov rbp, rsp
         .cfi_def_cfa_register rbp"
    };
}
use make_frame;

/// Stores the registers of arguments at the stack pointer, in their order: 48 bytes.
macro_rules! save_arguments {
    () => {
        "mov [rsp], rdi
         mov [rsp + 8], rsi
         mov [rsp + 16], rdx
         mov [rsp + 24], rcx
         mov [rsp + 32], r8
         mov [rsp + 40], r9"
    };
}
use save_arguments;

/// Loads what [`save_arguments`] has stored.
macro_rules! load_arguments {
    () => {
        "mov rdi, [rsp]
         mov rsi, [rsp + 8]
         mov rdx, [rsp + 16]
         mov rcx, [rsp + 24]
         mov r8, [rsp + 32]
         mov r9, [rsp + 40]"
    };
}
use load_arguments;

unsafe extern "C" {
    /// Ends the program, as what `_FORTIFY_SOURCE` checks does.
    fn __chk_fail() -> !;
}

/// Ends the program if the compiler knows better than the caller how much room there is.
#[inline(always)]
fn fortify(len: usize, room: usize) {
    if len > room {
        // SAFETY: no preconditions.
        unsafe { __chk_fail() }
    }
}

/// As libc's `memmove`, of what may be used; tells of the rest.
///
/// # Safety
/// As libc's.
#[inline(always)]
unsafe fn copy(call: Call, to: *mut c_void, from: *const c_void, len: usize) {
    let to_len = call.writable(to as usize, len);
    let len = call.readable(from as usize, len).min(to_len);
    // SAFETY: the caller's clause.
    unsafe { plain::copy(to.cast(), from.cast(), len) };
}

/// As libc's `memset`, of what may be written; tells of the rest.
///
/// # Safety
/// As libc's.
#[inline(always)]
unsafe fn fill(call: Call, to: *mut c_void, byte: i32, len: usize) {
    let len = call.writable(to as usize, len);
    // SAFETY: the caller's clause.
    unsafe { plain::fill(to.cast(), byte, len) };
}

/// The index of the first byte that is `byte` or `or`, in what may be read; tells if it is behind
/// that. Else how many bytes are not it.
///
/// # Safety
/// `limit` bytes can be read, or those up to the one that is looked for.
#[inline(always)]
unsafe fn seek(
    call: Call,
    start: *const u8,
    limit: usize,
    byte: u8,
    or: u8,
) -> Result<usize, usize> {
    // SAFETY: the caller's clause.
    if let Some(index) = unsafe { seek_near(start, byte, or) }
        && index < limit
    {
        return Ok(index);
    }
    let len = limit.min(left(start as usize));
    // SAFETY: the caller's clause.
    match unsafe { plain::find(start, len, byte, or) } {
        Some(index) => Ok(index),
        None if len == limit => Err(limit),
        None => {
            let len = call.past_end(start as usize).min(limit);
            // SAFETY: the caller's clause.
            unsafe { plain::find(start, len, byte, or) }.ok_or(len)
        }
    }
}

/// As [`seek`], of what is found among the first bytes, and is seen to be in the block.
///
/// # Safety
/// As of that.
#[inline(always)]
unsafe fn seek_near(start: *const u8, byte: u8, or: u8) -> Option<usize> {
    let bytes = beginning(start as usize)?;
    // SAFETY: they can be read.
    let index = unsafe { plain::find_in(bytes, byte, or) }?;
    is_clear(start as usize, index + 1).then_some(index)
}

/// Bytes in front of a string's end; of one without an end those that may be read.
///
/// # Safety
/// A string.
#[inline(always)]
unsafe fn length(call: Call, string: *const u8) -> usize {
    // SAFETY: the caller's clause.
    unsafe { seek(call, string, UNLIMITED, 0, 0) }.unwrap_or_else(|len| len)
}
