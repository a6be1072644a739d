//! The processor's watchpoints, by way of `perf_event_open`.
//!
//! A [`Breakpoint`] is a file descriptor: an event on one thread and on the threads that this
//! one starts from then on. The thread that writes to the word gets SIGTRAP with `TRAP_PERF`
//! at once, before its next instruction.
//!
//! 1. A descriptor is closed only while it still is the event that was opened: a program that
//!    closes what it does not know may have been given the number again.

use super::{errno, keep_errno};
use core::mem::offset_of;

/// Watchpoints that x86-64 has for each thread.
pub(crate) const REGISTERS: usize = 4;
/// Bytes that one of them covers.
pub(crate) const WORD: usize = 8;

const TYPE_BREAKPOINT: u32 = 5;
const BREAKPOINT_WRITE: u32 = 2;
const FLAG_DESCRIPTOR_CLOEXEC: usize = 8;
const IOCTL_DISABLE: usize = 0x2401;
const IOCTL_ID: usize = 0x8008_2407;

const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const INHERIT_THREAD: u64 = 1 << 35;
const REMOVE_ON_EXEC: u64 = 1 << 36;
const SIGTRAP: u64 = 1 << 37;

/// `struct perf_event_attr` of Linux 5.13, as far as to `sig_data`.
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    access: u32,
    address: u64,
    len: u64,
    unused: [u64; 6],
    data: u64,
}

const _: () = assert!(offset_of!(Attributes, flags) == 40);
const _: () = assert!(offset_of!(Attributes, address) == 56);
const _: () = assert!(offset_of!(Attributes, data) == 120);
const _: () = assert!(size_of::<Attributes>() == 128);

/// An event that is open, or none.
#[derive(Clone, Copy)]
pub(crate) struct Breakpoint {
    descriptor: i32,
    /// The kernel's number of the event.
    id: u64,
}

/// Why there is no watchpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The thread has ended.
    NoThread,
    /// The thread's registers are in use.
    Full,
    /// There are too many open files.
    Files,
    /// The system does not let this process have any.
    Forbidden(i32),
}

impl Breakpoint {
    /// Watches the word at `address`, a multiple of 8, for writes by `thread`, a number of a
    /// thread of this process. `data` comes with each signal.
    pub(crate) fn open(address: usize, thread: u32, data: u64) -> Result<Breakpoint, Refusal> {
        let attributes = Attributes {
            kind: TYPE_BREAKPOINT,
            size: size_of::<Attributes>() as u32,
            config: 0,
            period: 1,
            sample_type: 0,
            read_format: 0,
            flags: INHERIT
                | EXCLUDE_KERNEL
                | EXCLUDE_HYPERVISOR
                | INHERIT_THREAD
                | REMOVE_ON_EXEC
                | SIGTRAP,
            wakeup: 0,
            access: BREAKPOINT_WRITE,
            address: address as u64,
            len: WORD as u64,
            unused: [0; 6],
            data,
        };
        let (opened, error) = keep_errno(|| {
            let (any_cpu, no_group) = (usize::MAX, usize::MAX);
            // SAFETY: the attributes are readable for the size that they state.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_perf_event_open,
                    &raw const attributes,
                    thread as usize,
                    any_cpu,
                    no_group,
                    FLAG_DESCRIPTOR_CLOEXEC,
                )
            };
            (result as i32, errno())
        });
        if opened < 0 {
            return Err(match error {
                libc::ESRCH => Refusal::NoThread,
                libc::ENOSPC => Refusal::Full,
                libc::EMFILE | libc::ENFILE => Refusal::Files,
                error => Refusal::Forbidden(error),
            });
        }
        let descriptor = out_of_the_way(opened);
        let id = event_of(descriptor).unwrap_or(0);
        Ok(Breakpoint { descriptor, id })
    }

    /// Ends it, for the threads as well that inherited it.
    pub(crate) fn close(self) {
        self.end(true);
    }

    /// Gives up the descriptor that a fork copied: the event is the parent's.
    pub(crate) fn forget(self) {
        self.end(false);
    }

    fn end(self, disable: bool) {
        if event_of(self.descriptor) != Some(self.id) {
            return;
        }
        // SAFETY: the descriptor is the event that was opened here; disabling an event and
        // closing its descriptor touch no memory.
        keep_errno(|| unsafe {
            let descriptor = self.descriptor as usize;
            if disable {
                libc::syscall(libc::SYS_ioctl, descriptor, IOCTL_DISABLE, 0usize);
            }
            libc::syscall(libc::SYS_close, descriptor);
        });
    }
}

/// Moves a descriptor away from the low numbers that programs count on.
fn out_of_the_way(descriptor: i32) -> i32 {
    const LOWEST: usize = 500;
    // SAFETY: duplicates a descriptor of ours, and closes the first one.
    keep_errno(|| unsafe {
        let moved = libc::syscall(
            libc::SYS_fcntl,
            descriptor as usize,
            libc::F_DUPFD_CLOEXEC as usize,
            LOWEST,
        );
        if moved < 0 {
            return descriptor;
        }
        libc::syscall(libc::SYS_close, descriptor as usize);
        moved as i32
    })
}

/// The number of the event behind a descriptor, if it is one.
fn event_of(descriptor: i32) -> Option<u64> {
    let mut id = 0u64;
    // SAFETY: `id` is a valid place for the result; other files refuse this request, whose
    // number is the events' own.
    let failed = keep_errno(|| unsafe {
        libc::syscall(libc::SYS_ioctl, descriptor as usize, IOCTL_ID, &raw mut id)
    });
    (failed == 0).then_some(id)
}
