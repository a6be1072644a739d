//! The look that a function has at its arguments before it makes a frame: where nothing can be
//! wrong, libc's own has them as they are, and returns to the program.
//!
//! ```text
//! nothing is checked ─────────────────────────────────────────► libc's own, from now on at once
//! few bytes, all of them a live block's by the pattern ───────►
//! no bytes, or none in the window, and libc's is known ───────►
//! anything else ──► 2: what stands behind the look, with the arguments as they are
//! ```
//!
//! `look!(1)` and `look!(2)` ask where the memory at the first arguments begins, and no more;
//! `look!(list)` not even that, since it is written in a list that may lie anywhere. The others know
//! how many bytes there are, in `rdx`, and do what `is_clear` of `ranges.rs` does, where the argument
//! for it is.
//!
//! Operands are `bounds`, `originals`, `index`, that of the function's entry in bytes, and `way`. Labels:
//! 2 is behind the look, 3 is libc's function, 4 is that for good, 7 asks for the window alone.

/// Goes to libc's function at once, if nothing can be wrong. Uses `r11`, and where it looks at bytes
/// `rax` and `r8` to `r10` as well.
macro_rules! look {
    (1) => { concat!(unless_off!(), outside!("rdi"), known!(), for_good!(), "2:") };
    (2) => { concat!(unless_off!(), outside!("rdi"), outside!("rsi"), known!(), for_good!(), "2:") };
    (list) => { concat!(unless_off!(), "jmp 2f\n", for_good!(), "2:") };
    (fill) => { look_at_one!() };
    (move) => { look_at_two!("", "") };
    (copy) => { look_at_two!("", apart!()) };
    (compare) => { look_at_two!(in_page!(), "") };
}

/// As [`look`], at `rdx` bytes from `rdi` on: first what is done for few bytes in slabs, then the rest.
macro_rules! look_at_one {
    () => {
        concat!(
            unless_off!(),
            few!(),
            clear!("rdi", "4"),
            go!(),
            clear_slow!("rdi", "4", "3b"),
            unless_none!(),
            elsewhere!("rdi", "9f"),
            "9:
            ",
            known!(),
            for_good!(),
            "2:"
        )
    };
}

/// As [`look_at_one`], and from `rsi` on. Between the looks at them stands what is asked if the first
/// range is in the window.
macro_rules! look_at_two {
    ($before:expr, $between:expr) => {
        concat!(
            unless_off!(),
            few!(),
            $before,
            clear!("rdi", "4"),
            $between,
            "62:
            ",
            clear!("rsi", "5"),
            go!(),
            clear_slow!("rdi", "4", "63f"),
            clear_slow!("rsi", "5", "3b"),
            // The first one is outside of the window, and most often the second one is.
            "63:
             mov r11, rsi
             sub r11, [rip + {bounds}]
             cmp r11, [rip + {bounds} + 8]
             jb 62b
             jmp 3b
            ",
            unless_none!(),
            elsewhere!("rdi", "9f"),
            "9:
            ",
            elsewhere!("rsi", "9f"),
            "9:
            ",
            known!(),
            for_good!(),
            "2:"
        )
    };
}

/// Goes to 4 where nothing is checked.
macro_rules! unless_off {
    () => {
        "cmp byte ptr [rip + {bounds} + 32], 0
         je 4f
        "
    };
}

/// Goes to libc's function, and so does each call from now on.
macro_rules! for_good {
    () => {
        "4: mov r11, [rip + {originals} + {index}]
         mov [rip + {way}], r11
         jmp r11
        "
    };
}

/// Goes on where there are 1 to 256 bytes, of which `r8` is the offset of the last, with the address
/// of the slabs in `r10`; else to 7.
macro_rules! few {
    () => {
        "lea r8, [rdx - 1]
         cmp r8, 256
         jae 7f
         mov r10, [rip + {bounds} + 16]
        "
    };
}

/// Goes on where the ranges at `rdi` and `rsi` do not overlap; else to 7, for it is said of those
/// in the window alone.
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

/// Goes on where a range is clear, as `is_clear` says; else to what [`clear_slow`] has.
macro_rules! clear {
    ($start:literal, $n:literal) => {
        concat!(
            "mov r11, ", $start, "
             sub r11, r10
             cmp r11, [rip + {bounds} + 24]
             jae ", $n, "5f
             or r11, 8
             cmp byte ptr [r10 + r11], 0xde
             je ", $n, "3f
             ", $n, "1:
             cmp byte ptr [", $start, " + r8], 0xde
             je 2f
             cmp r8, 15
             ja ", $n, "4f
             ", $n, "6:
            "
        )
    };
}

/// The rest of [`clear`]: where 8 bytes on is the pattern, whether there can be a link; the bytes in
/// between; ranges that are not in slabs, of which those outside of the window go to `$outside`. Where
/// there are slabs, libc's functions are known.
macro_rules! clear_slow {
    ($start:literal, $n:literal, $outside:literal) => {
        concat!(
            $n, "3: cmp byte ptr [", $start, "], 0xde
             je 2f
             mov r11, ", $start, "
             and r11, -16
             cmp byte ptr [r11 + 8], 0xde
             jne ", $n, "1b
             cmp byte ptr [r11 + 7], 0xde
             je ", $n, "1b
             test r11d, 0xfff
             jz 2f
             cmp byte ptr [r11 - 1], 0xde
             je 2f
             jmp ", $n, "1b
             ", $n, "4: mov r11d, 15
             ", $n, "7: cmp byte ptr [", $start, " + r11], 0xde
             je 2f
             add r11, 16
             cmp r11, r8
             jb ", $n, "7b
             jmp ", $n, "6b
             ", $n, "5: cmp qword ptr [rip + {originals} + {index}], 0
             je 2f
            ",
            elsewhere!($start, $outside),
            "jmp ", $n, "6b
            "
        )
    };
}

/// Goes on where `rdx` bytes are in a guarded block that is live, to `$outside` where they begin
/// outside of the window; else to 2. The way to such a block is that of `region.rs`.
macro_rules! elsewhere {
    ($start:literal, $outside:literal) => {
        concat!(
            "mov r11, ", $start, "
             sub r11, [rip + {bounds}]
             cmp r11, [rip + {bounds} + 8]
             jae ", $outside, "
            ",
            // The entry of its page leads to a slot.
            "mov r9, [rip + {bounds} + 40]
             mov r11, ", $start, "
             sub r11, [r9]
             shr r11, 12
             cmp r11, [r9 + 8]
             jae 2f
             mov rax, [r9 + 16]
             mov r11d, [rax + r11 * 4]
             mov eax, 0xaaaaaaab
             imul r11, rax
             shr r11, 33
             shl r11, 7
             add r11, [r9 + 24]
            ",
            // Live, and from its start on there are as many bytes.
            "mov rax, [r11]
             mov r9, rax
             shr r9, 60
             cmp r9d, 1
             jne 2f
             shl rax, 18
             shr rax, 18
             mov r9, ", $start, "
             sub r9, [r11 + 104]
             jb 2f
             sub rax, r9
             jb 2f
             cmp rax, rdx
             jb 2f
            "
        )
    };
}

/// Where all is to be asked for: goes to 8 if there are no bytes, which may be anywhere.
macro_rules! unless_none {
    () => {
        "7: test rdx, rdx
         jz 8f
        "
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

/// The end of a way on which libc's function is known.
macro_rules! go {
    () => {
        "3: jmp qword ptr [rip + {originals} + {index}]
        "
    };
}
