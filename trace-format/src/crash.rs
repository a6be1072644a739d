//! The file `crash`: what ended the process, written by the thread that it happened to.
//!
//! ```text
//! 0       numbers, registers, return addresses
//! 4096    text, as it was said on standard error
//! ```
//!
//! It is made at start, with `state` 0. Whoever gets to move that to 1 writes the rest, in place:
//! it may run on a signal stack of a few KiB. Each part is there as soon as it is written; `state`
//! is 2 when all is.

use core::fmt;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::plain::layout;
use crate::ring::{half, word};
use crate::version::{MAGIC_CRASH, MAJOR, MINOR};

/// Registers that are kept.
pub const CRASH_REGISTERS: usize = 23;
/// Return addresses that are kept.
pub const CRASH_FRAMES: usize = 64;
/// Bytes of text that are kept.
pub const CRASH_TEXT: usize = 12288;

/// What the registers are on x86-64: the order of `gregs` in the C library's `ucontext_t`.
pub const REGISTER_NAMES: [&str; CRASH_REGISTERS] = [
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax",
    "rcx", "rsp", "rip", "rflags", "csgsfs", "err", "trapno", "oldmask", "cr2",
];

layout! {
    /// The file `crash`.
    pub struct CrashPage: 16384 {
        /// `hakmCRSH`.
        0 magic: [u8; 8],
        /// The format's major version.
        8 major: u16,
        /// The format's minor version.
        10 minor: u16,
        /// Bytes of what stands before the text.
        12 header_bytes: u32,
        /// The session that it belongs to.
        16 session: [u64; 2],
        /// 0 nothing happened, 1 being written, 2 complete.
        32 state: u32,
        /// The signal; 0 if hakmem itself found a fault.
        36 signal: i32,
        /// The signal's code (`si_code`), or the number of the fault.
        40 code: i32,
        /// The thread.
        44 tid: u32,
        /// The address that was accessed, or that the fault is about.
        48 fault_address: u64,
        /// When, in ticks.
        56 time: u64,
        /// The process.
        64 pid: u32,
        /// The ELF number of the machine, which says what the registers are.
        68 machine: u32,
        /// Registers in use: 0, or all of the machine's.
        72 register_count: u32,
        /// Return addresses in use.
        76 frame_count: u32,
        /// The registers. On x86-64 in the order of `gregs`.
        80 registers: [u64; 23],
        /// Bytes of text in use.
        264 text_bytes: u32,
        /// The stack of the block's allocation, in `stacks`; 0 if there is none.
        268 stack: u32,
        /// Return addresses, innermost first; the first is the instruction itself.
        272 frames: [u64; 64],
        /// Zero.
        784 reserved: [u8; 3312],
        /// What was said.
        4096 text: [u8; 12288],
    }
}

/// Nothing happened.
const STATE_NONE: u32 = 0;
/// Somebody is writing.
const STATE_OPEN: u32 = 1;
/// All is there.
const STATE_COMPLETE: u32 = 2;

/// The number of x86-64 in ELF files.
const EM_X86_64: u32 = 62;

impl CrashPage {
    /// Makes the file, in place: of what is mapped here only the first page is touched.
    ///
    /// # Safety
    ///
    /// The structure's size is mapped for writing at `file`, begins on a page, reads as zero, and
    /// nobody else accesses it yet.
    pub unsafe fn create(file: NonNull<u8>, session: [u64; 2]) {
        // SAFETY: the caller's clause; a pointer to a field lies in the structure.
        unsafe {
            let page = file.cast::<Self>().as_ptr();
            (&raw mut (*page).magic).write(MAGIC_CRASH);
            (&raw mut (*page).major).write(MAJOR);
            (&raw mut (*page).minor).write(MINOR);
            (&raw mut (*page).header_bytes).write(offset_of!(Self, text) as u32);
            (&raw mut (*page).session).write(session);
        }
    }

    /// Whether something was written to it.
    pub fn happened(&self) -> bool {
        self.state != STATE_NONE
    }

    /// Whether it was written to its end.
    pub fn is_complete(&self) -> bool {
        self.state == STATE_COMPLETE
    }

    /// The text, as far as it is there.
    pub fn text(&self) -> &[u8] {
        &self.text[..(self.text_bytes as usize).min(CRASH_TEXT)]
    }

    /// The return addresses, as far as they are there.
    pub fn frames(&self) -> &[u64] {
        &self.frames[..(self.frame_count as usize).min(CRASH_FRAMES)]
    }

    /// The registers, as far as they are there.
    pub fn registers(&self) -> &[u64] {
        &self.registers[..(self.register_count as usize).min(CRASH_REGISTERS)]
    }
}

/// What a report begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashCause {
    /// The signal; 0 if hakmem itself found a fault.
    pub signal: i32,
    /// The signal's code, or the number of the fault.
    pub code: i32,
    /// The address that was accessed, or that the fault is about.
    pub fault_address: u64,
    /// When, in ticks.
    pub time: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
}

/// Writes the report, in place. It is complete when this is dropped.
#[derive(Debug)]
pub struct CrashReport(NonNull<u8>);

impl CrashReport {
    /// Begins the report. None if there is one already: the first one stays.
    ///
    /// # Safety
    ///
    /// [`CrashPage::create`] made a file here, which stays mapped as long as the value is used.
    pub unsafe fn begin(file: NonNull<u8>, cause: &CrashCause) -> Option<Self> {
        // SAFETY: the field lies in the page. The exchange decides who writes; it orders nothing.
        let state = unsafe { half(file, offset_of!(CrashPage, state)) };
        let (relaxed, free) = (Ordering::Relaxed, STATE_NONE);
        state
            .compare_exchange(free, STATE_OPEN, relaxed, relaxed)
            .ok()?;
        let report = Self(file);
        report.set_half(offset_of!(CrashPage, signal), cause.signal.cast_unsigned());
        report.set_half(offset_of!(CrashPage, code), cause.code.cast_unsigned());
        report.set_half(offset_of!(CrashPage, tid), cause.tid);
        report.set_half(offset_of!(CrashPage, pid), cause.pid);
        report.set_word(offset_of!(CrashPage, fault_address), cause.fault_address);
        report.set_word(offset_of!(CrashPage, time), cause.time);
        Some(report)
    }

    /// Goes on with a report that was begun by this process: what is set again is replaced, and
    /// text is added.
    ///
    /// # Safety
    ///
    /// As of [`CrashReport::begin`].
    pub unsafe fn resume(file: NonNull<u8>) -> Self {
        Self(file)
    }

    /// Whether a report was begun, and whether it is complete.
    ///
    /// # Safety
    ///
    /// As of [`CrashReport::begin`].
    pub unsafe fn state(file: NonNull<u8>) -> (bool, bool) {
        // SAFETY: the field lies in the page. Acquire pairs with the store when a report ends.
        let state = unsafe { half(file, offset_of!(CrashPage, state)) }.load(Ordering::Acquire);
        (state != STATE_NONE, state == STATE_COMPLETE)
    }

    /// The registers of x86-64, in the order of `gregs`.
    pub fn set_registers(&self, registers: &[u64; CRASH_REGISTERS]) {
        for (index, value) in registers.iter().enumerate() {
            self.set_word(offset_of!(CrashPage, registers) + 8 * index, *value);
        }
        self.set_half(offset_of!(CrashPage, machine), EM_X86_64);
        self.set_half(
            offset_of!(CrashPage, register_count),
            CRASH_REGISTERS as u32,
        );
    }

    /// The return addresses, innermost first; the first [`CRASH_FRAMES`] are kept.
    pub fn set_frames(&self, frames: &[u64]) {
        let frames = &frames[..frames.len().min(CRASH_FRAMES)];
        for (index, frame) in frames.iter().enumerate() {
            self.set_word(offset_of!(CrashPage, frames) + 8 * index, *frame);
        }
        self.set_half(offset_of!(CrashPage, frame_count), frames.len() as u32);
    }

    /// The id of a stack that belongs to it.
    pub fn set_stack(&self, stack: u32) {
        self.set_half(offset_of!(CrashPage, stack), stack);
    }

    /// Adds text; what does not fit any more is left out.
    pub fn push(&self, text: &[u8]) {
        // SAFETY: the field lies in the page.
        let length = unsafe { half(self.0, offset_of!(CrashPage, text_bytes)) };
        let start = (length.load(Ordering::Relaxed) as usize).min(CRASH_TEXT);
        let text = &text[..text.len().min(CRASH_TEXT - start)];
        for (index, byte) in text.iter().enumerate() {
            let offset = offset_of!(CrashPage, text) + start + index;
            // SAFETY: `start + index` is below the field's size.
            let place = unsafe { AtomicU8::from_ptr(self.0.add(offset).as_ptr()) };
            place.store(*byte, Ordering::Relaxed);
        }
        // Release: who sees the length sees the text.
        length.store((start + text.len()) as u32, Ordering::Release);
    }

    fn set_half(&self, offset: usize, value: u32) {
        // SAFETY: callers name fields of the page.
        unsafe { half(self.0, offset) }.store(value, Ordering::Relaxed);
    }

    fn set_word(&self, offset: usize, value: u64) {
        // SAFETY: callers name fields of the page.
        unsafe { word(self.0, offset) }.store(value, Ordering::Relaxed);
    }
}

impl fmt::Write for CrashReport {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl Drop for CrashReport {
    fn drop(&mut self) {
        // SAFETY: the field lies in the page. Release: who sees it complete sees all of it.
        let state = unsafe { half(self.0, offset_of!(CrashPage, state)) };
        state.store(STATE_COMPLETE, Ordering::Release);
    }
}
