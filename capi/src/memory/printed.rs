//! Functions that print into memory: `sprintf` and its kin.
//!
//! How much is printed is known once it is: into a block of the heap it is printed twice, the
//! first time nowhere.

use super::{checked, fortify, original, save_arguments};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use hakmem_alloc::c_abi::{Call, Function, UNLIMITED, find_originals, left};

/// What a `va_list` points to (System V ABI, AMD64 supplement, 3.5.7).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Arguments {
    general: u32,
    floating: u32,
    on_stack: *mut c_void,
    in_registers: *mut c_void,
}

/// What a function was asked to print.
struct Print {
    to: *mut c_char,
    /// Bytes that it may write: `n` of `snprintf`.
    limit: usize,
    /// Of the functions with `_FORTIFY_SOURCE`, whether `%n` is to be looked at.
    flag: Option<c_int>,
    format: *const c_char,
    arguments: *mut Arguments,
}

impl Print {
    /// Prints as libc does, at most `limit` bytes with the end.
    ///
    /// # Safety
    /// As of `vsnprintf`.
    unsafe fn bounded(
        &self,
        to: *mut c_char,
        limit: usize,
        arguments: *mut Arguments,
    ) -> c_int {
        type Plain =
            unsafe extern "C" fn(*mut c_char, usize, *const c_char, *mut Arguments) -> c_int;
        type Fortified = unsafe extern "C" fn(
            *mut c_char,
            usize,
            c_int,
            usize,
            *const c_char,
            *mut Arguments,
        ) -> c_int;
        let result = match self.flag {
            None => original!(vsnprintf as Plain).map(|print| {
                // SAFETY: the caller's clause.
                unsafe { print(to, limit, self.format, arguments) }
            }),
            Some(flag) => original!(__vsnprintf_chk as Fortified).map(|print| {
                // SAFETY: as above.
                unsafe { print(to, limit, flag, UNLIMITED, self.format, arguments) }
            }),
        };
        result.unwrap_or(-1)
    }

    /// Prints as libc does, without a bound: then the result may be an argument as well, as many
    /// programs have it.
    ///
    /// # Safety
    /// As of `vsprintf`.
    unsafe fn unbounded(&self) -> c_int {
        type Plain = unsafe extern "C" fn(*mut c_char, *const c_char, *mut Arguments) -> c_int;
        match original!(vsprintf as Plain) {
            Some(print) if self.limit == UNLIMITED && self.flag.is_none() => {
                // SAFETY: the caller's clause.
                unsafe { print(self.to, self.format, self.arguments) }
            }
            // SAFETY: as above. No result of `printf` is longer.
            _ => unsafe {
                self.bounded(self.to, self.limit.min(c_int::MAX as usize), self.arguments)
            },
        }
    }

    /// Prints, as far as the block goes; `room` is what the compiler knows of.
    ///
    /// # Safety
    /// As of `vsnprintf`.
    unsafe fn print(self, call: Call, room: usize) -> c_int {
        if Function::vsnprintf.original() == 0 {
            find_originals();
        }
        let is_bounded = self.limit != UNLIMITED;
        if is_bounded {
            fortify(self.limit, room);
        }
        let left = left(self.to as usize);
        if left >= self.limit && is_bounded || left.min(room) == UNLIMITED {
            // SAFETY: the caller's clause.
            return unsafe { self.unbounded() };
        }
        // SAFETY: the caller's arguments, which are read once more below.
        let mut again = unsafe { *self.arguments };
        // SAFETY: the caller's clause; nothing is written.
        let printed = unsafe { self.bounded(ptr::null_mut(), 0, &raw mut again) };
        let Ok(len) = usize::try_from(printed) else {
            return printed;
        };
        if !is_bounded {
            fortify(len + 1, room);
        }
        let wanted = self.limit.min(len + 1);
        let may = call.writable(self.to as usize, wanted);
        if may == wanted {
            // SAFETY: the caller's clause.
            return unsafe { self.unbounded() };
        }
        // SAFETY: as above.
        unsafe { self.bounded(self.to, may, self.arguments) }
    }
}

checked! {
    /// C11 `vsprintf`.
    fn vsprintf of 1(to: *mut c_char, format: *const c_char, arguments: *mut Arguments) -> c_int
        |call| {
        let print = Print { to, limit: UNLIMITED, flag: None, format, arguments };
        // SAFETY: the caller's clause, here and below.
        unsafe { print.print(call, UNLIMITED) }
    };

    /// C11 `vsnprintf`.
    fn vsnprintf of 1(
        to: *mut c_char,
        limit: usize,
        format: *const c_char,
        arguments: *mut Arguments,
    ) -> c_int |call| {
        let print = Print { to, limit, flag: None, format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, UNLIMITED) }
    };

    /// `vsprintf` with `_FORTIFY_SOURCE`.
    fn __vsprintf_chk of 1(
        to: *mut c_char,
        flag: c_int,
        room: usize,
        format: *const c_char,
        arguments: *mut Arguments,
    ) -> c_int |call| {
        let print = Print { to, limit: UNLIMITED, flag: Some(flag), format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, room) }
    };

    /// `vsnprintf` with `_FORTIFY_SOURCE`.
    fn __vsnprintf_chk of 1(
        to: *mut c_char,
        limit: usize,
        flag: c_int,
        room: usize,
        format: *const c_char,
        arguments: *mut Arguments,
    ) -> c_int |call| {
        let print = Print { to, limit, flag: Some(flag), format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, room) }
    };
}

/// Defines functions with arguments behind their last one: their registers are kept in the order of
/// a `va_list`'s, which lies above them and below the frame.
macro_rules! variadic {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),*; $next:literal, $general:literal)
            |$call:ident, $arguments:ident| $body:expr;
    )*) => {$(
        const _: () = {
            unsafe extern "C" fn seen($($argument: $type,)* $arguments: *mut Arguments) -> c_int {
                // SAFETY: the function below makes the frame, above the arguments, and waits.
                let $call = unsafe {
                    Call::new($arguments.wrapping_byte_add(32).cast(), Function::$name)
                };
                $body
            }

            crate::memory::begin::function! {
                $(#[$attribute])*
                $name of 1 (),
                [
                    "sub rsp, 208",
                    save_arguments!(),
                    // So many of the vector registers are used, at most.
                    "test al, al",
                    "je 3f",
                    "movaps [rsp + 48], xmm0",
                    "movaps [rsp + 64], xmm1",
                    "movaps [rsp + 80], xmm2",
                    "movaps [rsp + 96], xmm3",
                    "movaps [rsp + 112], xmm4",
                    "movaps [rsp + 128], xmm5",
                    "movaps [rsp + 144], xmm6",
                    "movaps [rsp + 160], xmm7",
                    "3:",
                    concat!("mov dword ptr [rsp + 176], ", $general),
                    "mov dword ptr [rsp + 180], 48",
                    "lea r11, [rbp + 16]",
                    "mov [rsp + 184], r11",
                    "mov [rsp + 192], rsp",
                    concat!("lea ", $next, ", [rsp + 176]"),
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

variadic! {
    /// C11 `sprintf`.
    fn sprintf(to: *mut c_char, format: *const c_char; "rdx", 16)
        |call, arguments| {
        let print = Print { to, limit: UNLIMITED, flag: None, format, arguments };
        // SAFETY: the caller's clause, here and below.
        unsafe { print.print(call, UNLIMITED) }
    };

    /// C11 `snprintf`.
    fn snprintf(to: *mut c_char, limit: usize, format: *const c_char; "rcx", 24)
        |call, arguments| {
        let print = Print { to, limit, flag: None, format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, UNLIMITED) }
    };

    /// `sprintf` with `_FORTIFY_SOURCE`.
    fn __sprintf_chk(
        to: *mut c_char,
        flag: c_int,
        room: usize,
        format: *const c_char; "r8", 32
    ) |call, arguments| {
        let print = Print { to, limit: UNLIMITED, flag: Some(flag), format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, room) }
    };

    /// `snprintf` with `_FORTIFY_SOURCE`.
    fn __snprintf_chk(
        to: *mut c_char,
        limit: usize,
        flag: c_int,
        room: usize,
        format: *const c_char; "r9", 40
    ) |call, arguments| {
        let print = Print { to, limit, flag: Some(flag), format, arguments };
        // SAFETY: as above.
        unsafe { print.print(call, room) }
    };
}
