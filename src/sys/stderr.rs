//! Lines on standard error, without allocation and without formatting machinery.

use super::keep_errno;
use crate::decimal::Decimal;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// Device and inode of what was file descriptor 2 at the start. A program that
/// closes its descriptors may find a file of its own there: nothing is written to it.
/// Written once at start-up, before the process has a second thread.
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);
static KNOWN: AtomicBool = AtomicBool::new(false);

fn identity(descriptor: i32) -> Option<(u64, u64)> {
    // SAFETY: all zero bytes are a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is a valid place for the result.
    let failed =
        keep_errno(|| unsafe { libc::syscall(libc::SYS_fstat, descriptor, &raw mut stat) });
    (failed == 0).then_some((stat.st_dev, stat.st_ino))
}

/// A copy of the descriptor that outlives the program's own closing of it, plus one; 0 until
/// kept. Relaxed: the descriptor alone is handed on.
static KEPT: AtomicI32 = AtomicI32::new(0);

/// Keeps standard error for what is written at exit: some programs close it before.
pub(crate) fn keep() {
    // Out of the way of programs that count on low numbers, where the limit allows.
    const LOWEST: [usize; 3] = [500, 100, 10];
    for lowest in LOWEST {
        // SAFETY: duplicates a descriptor; closed on exec.
        let kept = keep_errno(|| unsafe {
            libc::syscall(libc::SYS_fcntl, 2, libc::F_DUPFD_CLOEXEC, lowest)
        }) as i32;
        KEPT.store(kept + 1, Ordering::Relaxed);
        if kept >= 0 {
            return;
        }
    }
}

/// The descriptor that is what the program started with as standard error.
fn descriptor() -> Option<i32> {
    let then = (
        DEVICE.load(Ordering::Relaxed),
        INODE.load(Ordering::Relaxed),
    );
    let known = KNOWN.load(Ordering::Acquire);
    [2, KEPT.load(Ordering::Relaxed) - 1]
        .into_iter()
        .find(|&descriptor| identity(descriptor).is_some_and(|now| !known || now == then))
}

/// Remembers what standard error is now.
pub(crate) fn remember() {
    if let Some((device, inode)) = identity(2) {
        DEVICE.store(device, Ordering::Relaxed);
        INODE.store(inode, Ordering::Relaxed);
        KNOWN.store(true, Ordering::Release);
    }
}

/// A line under construction; longer ones are cut.
pub(crate) struct Line {
    bytes: [u8; Line::LONGEST],
    len: usize,
}

impl Line {
    /// Bytes that a line may have with its end.
    const LONGEST: usize = 384;

    /// An empty line.
    pub(crate) const fn new() -> Self {
        Line {
            bytes: [0; Line::LONGEST],
            len: 0,
        }
    }

    /// Adds text.
    pub(crate) fn text(mut self, text: &[u8]) -> Self {
        for &byte in text {
            if self.len < self.bytes.len() - 1 {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
        self
    }

    /// Adds an address as `0x…`.
    pub(crate) fn address(self, address: usize) -> Self {
        let mut digits = [0u8; 16];
        let mut at = digits.len();
        let mut rest = address;
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
            if rest == 0 {
                break;
            }
        }
        self.text(b"0x").text(&digits[at..])
    }

    /// Adds a number in decimal.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn number(self, number: u64) -> Self {
        self.text(Decimal::new(number).bytes())
    }

    /// Fills up with spaces to a length of `column`.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn to(mut self, column: usize) -> Self {
        while self.len < column.min(self.bytes.len() - 1) {
            self = self.text(b" ");
        }
        self
    }

    /// Adds `added` so that it ends `width` bytes from here, if it is no longer.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn right(self, width: usize, added: &Line) -> Self {
        let column = self.len + width.saturating_sub(added.len);
        self.to(column).text(added.bytes())
    }

    /// Adds a number in decimal that ends `width` bytes from here, if it is no longer.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn column(self, width: usize, number: u64) -> Self {
        self.right(width, &Line::new().number(number))
    }

    /// What the line has so far.
    #[allow(dead_code, reason = "observers call it")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Ends the line and writes it, unless descriptor 2 is not the standard error
    /// that the program started with.
    pub(crate) fn write(self) {
        self.end_with(write);
    }

    /// Ends the line and hands it to `out`.
    #[inline(always)]
    pub(crate) fn end_with(mut self, out: impl FnOnce(&[u8])) {
        self.bytes[self.len] = b'\n';
        out(&self.bytes[..=self.len]);
    }
}

/// Writes to standard error if it still is what the program started with.
pub(crate) fn write(mut bytes: &[u8]) {
    let Some(descriptor) = descriptor() else {
        return;
    };
    while !bytes.is_empty() {
        let written = keep_errno(|| write_unsignalled(descriptor, bytes));
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            _ => return,
        }
    }
}

/// `write`, by which a program is not ended whose standard error is a pipe that nobody reads any more: it
/// may never write there itself. The signal is for this thread, and is taken back before it is let through.
fn write_unsignalled(descriptor: i32, bytes: &[u8]) -> libc::c_long {
    static PIPE: u64 = 1 << (libc::SIGPIPE - 1);
    static NOW: libc::timespec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let before = mask(libc::SIG_BLOCK, PIPE);
    let was_there = before & PIPE != 0 && pending() & PIPE != 0;
    // SAFETY: the bytes are readable for their length.
    let written =
        unsafe { libc::syscall(libc::SYS_write, descriptor, bytes.as_ptr(), bytes.len()) };
    if written < 0 && super::errno() == libc::EPIPE && !was_there {
        // SAFETY: takes a signal of this set that is there, and waits for none.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const PIPE,
                ptr::null_mut::<libc::siginfo_t>(),
                &raw const NOW,
                size_of::<u64>(),
            )
        };
        super::set_errno(libc::EPIPE);
    }
    if before & PIPE == 0 {
        mask(libc::SIG_SETMASK, before);
    }
    written
}

/// Changes this thread's signal mask; says what it was.
fn mask(how: i32, signals: u64) -> u64 {
    let mut before = 0u64;
    // SAFETY: reads one mask and writes one, of the size that is said.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how as usize,
            &raw const signals,
            &raw mut before,
            size_of::<u64>(),
        )
    };
    before
}

/// The signals that wait for this thread to let them through.
fn pending() -> u64 {
    let mut signals = 0u64;
    // SAFETY: writes a mask of the size that is said.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut signals, size_of::<u64>()) };
    signals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_long_lines_are_cut() {
        let line = Line::new().text(b"a").to(4).number(0).number(u64::MAX);
        assert_eq!(line.bytes(), b"a   018446744073709551615");
        let line = Line::new().right(5, &Line::new().number(42));
        assert_eq!(
            line.right(1, &Line::new().text(b"xyz")).bytes(),
            b"   42xyz"
        );
        let line = (0..100).fold(Line::new(), |line, _| line.text(b"0123456789"));
        assert_eq!(line.bytes().len(), Line::LONGEST - 1);
        assert_eq!(line.to(10 * Line::LONGEST).bytes().len(), Line::LONGEST - 1);
    }
}
