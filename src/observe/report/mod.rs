//! What observers say of blocks and of the program's code: lines on standard error, put together
//! on the stack.
//!
//! Names of functions are read from the files of code (`place.rs`, `elf.rs`), without allocating
//! and without the loader's lock; `turn.rs` has one thread speak at a time.

pub(crate) mod elf;
pub(crate) mod place;
pub(crate) mod turn;

use crate::observe::api::Api;
use crate::sys::stderr;
use place::Place;

const LENGTH: usize = 640;
/// What each line begins with.
const PREFIX: &[u8] = b"==hakmem== ";

/// A line under construction; longer ones are cut.
pub(crate) struct Line {
    bytes: [u8; LENGTH],
    len: usize,
}

impl Line {
    /// A line with nothing but its beginning.
    pub(crate) fn new() -> Line {
        let mut line = Line {
            bytes: [0; LENGTH],
            len: 0,
        };
        line.text(PREFIX);
        line
    }

    /// A line without its beginning: a part of another one.
    pub(crate) fn part() -> Line {
        Line {
            bytes: [0; LENGTH],
            len: 0,
        }
    }

    /// What it has so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Line {
        for &byte in text {
            if self.len < LENGTH - 1 {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
        self
    }

    /// As [`Line::text`], what is no printable ASCII as a question mark.
    pub(crate) fn foreign(&mut self, text: &[u8]) -> &mut Line {
        for &byte in text {
            self.text(&[if (b' '..=b'~').contains(&byte) {
                byte
            } else {
                b'?'
            }]);
        }
        self
    }

    /// A number in decimal.
    pub(crate) fn number(&mut self, number: usize) -> &mut Line {
        self.digits(number, 10)
    }

    /// `0x` and a number.
    pub(crate) fn address(&mut self, address: usize) -> &mut Line {
        self.text(b"0x").digits(address, 16)
    }

    /// How many bytes, and where they are.
    pub(crate) fn bytes_at(&mut self, bytes: usize, address: usize) -> &mut Line {
        self.number(bytes).text(b" bytes at ").address(address)
    }

    /// A byte as two digits.
    pub(crate) fn byte(&mut self, byte: u8) -> &mut Line {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ])
    }

    fn digits(&mut self, mut number: usize, base: usize) -> &mut Line {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[number % base];
            number /= base;
            if number == 0 {
                break;
            }
        }
        self.text(&digits[at..])
    }

    /// An address of code as the file's name and the offset in it.
    pub(crate) fn place(&mut self, pc: usize) -> &mut Line {
        match Place::of(pc) {
            Some(place) => self.foreign(place.file()).text(b"+").address(place.offset),
            None => self.address(pc),
        }
    }

    /// As [`Line::place`], and the function in brackets if there is a name for it. The
    /// instruction that counts is the one before `pc` where a call returns to it.
    pub(crate) fn function(&mut self, pc: usize, returns: bool) -> &mut Line {
        self.place(pc);
        let before = pc.wrapping_sub(usize::from(returns));
        if let Some(function) = Place::of(before).and_then(|place| place.function()) {
            self.text(b" (")
                .foreign(function.name())
                .text(b"+")
                .address(function.offset + usize::from(returns))
                .text(b")");
        }
        self
    }

    /// Ends the line and writes it.
    pub(crate) fn write(&mut self) {
        self.bytes[self.len] = b'\n';
        stderr::write(&self.bytes[..=self.len]);
    }
}

/// Writes a stack, a line a frame. The first one is a return address as the others, or the
/// instruction itself.
pub(crate) fn stack(frames: &[u64], first_returns: bool) {
    for (number, &frame) in frames.iter().enumerate() {
        Line::new()
            .text(b"    #")
            .number(number)
            .text(b" ")
            .function(frame as usize, number > 0 || first_returns)
            .write();
    }
}

/// How a program writes a function of the faces, by its number.
pub(crate) fn name_of(api: u8) -> &'static [u8] {
    const NAMES: [(Api, &[u8]); 37] = [
        (Api::RustAlloc, b"GlobalAlloc::alloc"),
        (Api::RustAllocZeroed, b"GlobalAlloc::alloc_zeroed"),
        (Api::RustDealloc, b"GlobalAlloc::dealloc"),
        (Api::RustRealloc, b"GlobalAlloc::realloc"),
        (Api::Malloc, b"malloc"),
        (Api::Calloc, b"calloc"),
        (Api::Realloc, b"realloc"),
        (Api::ReallocArray, b"reallocarray"),
        (Api::Memalign, b"memalign"),
        (Api::AlignedAlloc, b"aligned_alloc"),
        (Api::PosixMemalign, b"posix_memalign"),
        (Api::Valloc, b"valloc"),
        (Api::Pvalloc, b"pvalloc"),
        (Api::Free, b"free"),
        (Api::FreeSized, b"free_sized"),
        (Api::FreeAlignedSized, b"free_aligned_sized"),
        (Api::Cfree, b"cfree"),
        (Api::New, b"operator new"),
        (Api::NewArray, b"operator new[]"),
        (Api::NewAligned, b"operator new (aligned)"),
        (Api::NewArrayAligned, b"operator new[] (aligned)"),
        (Api::NewNothrow, b"operator new (nothrow)"),
        (Api::NewArrayNothrow, b"operator new[] (nothrow)"),
        (Api::NewAlignedNothrow, b"operator new (aligned, nothrow)"),
        (
            Api::NewArrayAlignedNothrow,
            b"operator new[] (aligned, nothrow)",
        ),
        (Api::Delete, b"operator delete"),
        (Api::DeleteArray, b"operator delete[]"),
        (Api::DeleteAligned, b"operator delete (aligned)"),
        (Api::DeleteArrayAligned, b"operator delete[] (aligned)"),
        (Api::DeleteNothrow, b"operator delete (nothrow)"),
        (Api::DeleteArrayNothrow, b"operator delete[] (nothrow)"),
        (
            Api::DeleteAlignedNothrow,
            b"operator delete (aligned, nothrow)",
        ),
        (
            Api::DeleteArrayAlignedNothrow,
            b"operator delete[] (aligned, nothrow)",
        ),
        (Api::DeleteSized, b"operator delete (sized)"),
        (Api::DeleteArraySized, b"operator delete[] (sized)"),
        (Api::DeleteSizedAligned, b"operator delete (sized, aligned)"),
        (
            Api::DeleteArraySizedAligned,
            b"operator delete[] (sized, aligned)",
        ),
    ];
    let found = NAMES.iter().find(|(number, _)| *number as u8 == api);
    found.map_or(b"?", |(_, name)| *name)
}
