//! The look that a function has at its arguments before it makes a frame: where nothing can be
//! wrong, libc's own has them as they are, and returns to the program.
//!
//! ```text
//! nothing is checked ─────────────────────────────────────────► libc's own
//! few bytes, all of them a live block's by the pattern ───────►
//! no bytes, or none in the window, and libc's is known ───────►
//! anything else ──► 2: what stands behind the look, with the arguments as they are
//! ```
//!
//! `look!(1)` and `look!(2)` ask where the memory at the first arguments begins, and no more. The
//! others know how many bytes there are, in `rdx`, and do what `is_clear` of `ranges.rs` does, where
//! the argument for it is.
//!
//! Operands are `bounds`, `originals` and `index`, that of the function's entry in bytes. Labels: 2
//! is behind the look, 3 is libc's function, 7 asks for the window alone.

use core::mem::offset_of;
use hakmem_alloc::c_abi::{Bounds, FEW, PATTERN};

// What the instructions have as numbers.
const _: () = assert!(
    offset_of!(Bounds, window) == 0
        && offset_of!(Bounds, slabs) == 16
        && offset_of!(Bounds, checks) == 32
        && FEW == 128
        && PATTERN == 0xde
);

/// Goes to libc's function at once, if nothing can be wrong. Uses `r11`, and where it looks at bytes
/// `r8` to `r10` as well.
macro_rules! look {
    (1) => { concat!(unless_off!(), outside!("rdi"), known!(), go!(), "2:") };
    (2) => { concat!(unless_off!(), outside!("rdi"), outside!("rsi"), known!(), go!(), "2:") };
    (fill) => { look_at!("", "rdi") };
    (move) => { look_at!("", "rdi" "rsi") };
    (copy) => { look_at!(apart!(), "rdi" "rsi") };
    (compare) => { look_at!(in_page!(), "rdi" "rsi") };
}

/// As [`look`], at `rdx` bytes from each start on.
macro_rules! look_at {
    ($more:expr, $($start:literal)*) => {
        concat!(
            unless_off!(), few!(), $more, $(clear!($start),)* go!(),
            unless_none!(), $(outside!($start),)* known!(),
            "2:"
        )
    };
}

/// Goes to 3 where nothing is checked.
macro_rules! unless_off {
    () => {
        "cmp byte ptr [rip + {bounds} + 32], 0
         je 3f
        "
    };
}

/// Goes on where there are 1 to 128 bytes, of which `r8` is the offset of the last, with the address
/// of the slabs in `r10`; else to 7.
macro_rules! few {
    () => {
        "lea r8, [rdx - 1]
         cmp r8, 128
         jae 7f
         mov r10, [rip + {bounds} + 16]
        "
    };
}

/// Goes on where the ranges at `rdi` and `rsi` do not overlap; else to 7, which tells where that is
/// not to be said.
macro_rules! apart {
    () => {
        "lea r9, [rdi + r8]
         sub r9, rsi
         lea r11, [r8 + r8]
         cmp r9, r11
         jbe 7f
        "
    };
}

/// Goes on where the ranges at `rdi` and `rsi` lie in one page each: they need not be there beyond
/// the first byte. Else to 7.
macro_rules! in_page {
    () => {
        "lea r9, [rdi + r8]
         xor r9, rdi
         lea r11, [rsi + r8]
         xor r11, rsi
         or r9, r11
         cmp r9, 4096
         jae 7f
        "
    };
}

/// Goes on where the range is clear, as in `is_clear`, or not in the window; else to 2. In slabs all of
/// libc's functions are known.
macro_rules! clear {
    ($start:literal) => {
        concat!(
            "mov r11, ", $start, "
             sub r11, r10
             cmp r11, [rip + {bounds} + 24]
             jae 5f
             or r11, 8
             cmp byte ptr [r10 + r11], 0xde
             je 2f
             cmp byte ptr [", $start, " + r8], 0xde
             je 2f
             mov r11d, 15
             cmp r11, r8
             jae 6f
          4: cmp byte ptr [", $start, " + r11], 0xde
             je 2f
             add r11, 16
             cmp r11, r8
             jb 4b
             jmp 6f
          5: cmp qword ptr [rip + {originals} + {index}], 0
             je 2f
            ",
            outside!($start),
            "6:
            "
        )
    };
}

/// Goes on where an address is not in the window, else to 2.
macro_rules! outside {
    ($address:literal) => {
        concat!(
            "mov r11, ", $address, "
             sub r11, [rip + {bounds}]
             cmp r11, [rip + {bounds} + 8]
             jb 2f
            "
        )
    };
}

/// The end of a way on which libc's function is known.
macro_rules! go {
    () => {
        "3: jmp qword ptr [rip + {originals} + {index}]
        "
    };
}

/// Goes to 8 where there are no bytes, which may be anywhere.
macro_rules! unless_none {
    () => {
        "7: test rdx, rdx
         jz 8f
        "
    };
}

/// Goes to libc's function if that is known, else to 2.
macro_rules! known {
    () => {
        "8: mov r11, [rip + {originals} + {index}]
         test r11, r11
         jz 2f
         jmp r11
        "
    };
}
