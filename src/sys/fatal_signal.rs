//! Signals that end a process: their handlers, and the stack that these run on.

use super::memory::{self, PAGE};
use super::{action, keep_errno};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

#[cfg(feature = "integrity")]
pub(crate) use libc::{SIGABRT, SIGBUS};
pub(crate) use libc::{SIGSEGV, siginfo_t as Info};

/// The signals that a fault of the program raises, and what ends it for a reason of its own.
pub(crate) const FATAL: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGABRT,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// The name of one of [`FATAL`].
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGABRT => "SIGABRT",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGSYS => "SIGSYS",
        _ => "a signal",
    }
}

/// What a handler is given.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) signal: i32,
    info: *mut Info,
    context: *mut c_void,
}

/// Registers in [`Delivery::registers`].
pub(crate) const REGISTERS: usize = 23;

/// The registers that programs compute with, by name, of [`Delivery::registers`].
#[cfg(feature = "integrity")]
pub(crate) fn general(registers: &[u64; REGISTERS]) -> [(&'static str, u64); 15] {
    let of = |index: i32| registers[index as usize];
    [
        ("rax", of(libc::REG_RAX)),
        ("rbx", of(libc::REG_RBX)),
        ("rcx", of(libc::REG_RCX)),
        ("rdx", of(libc::REG_RDX)),
        ("rsi", of(libc::REG_RSI)),
        ("rdi", of(libc::REG_RDI)),
        ("rbp", of(libc::REG_RBP)),
        ("r8", of(libc::REG_R8)),
        ("r9", of(libc::REG_R9)),
        ("r10", of(libc::REG_R10)),
        ("r11", of(libc::REG_R11)),
        ("r12", of(libc::REG_R12)),
        ("r13", of(libc::REG_R13)),
        ("r14", of(libc::REG_R14)),
        ("r15", of(libc::REG_R15)),
    ]
}

/// A handler that is given all there is.
pub(crate) type Entry = extern "C" fn(i32, *mut Info, *mut c_void);

/// The actions that were there before ours.
pub(crate) struct Before([MaybeUninit<libc::sigaction>; FATAL.len()]);

impl Before {
    pub(crate) const NONE: Before = Before([const { MaybeUninit::zeroed() }; FATAL.len()]);
}

/// Has `entry` called for each of [`FATAL`] that the process does not ignore, on the thread's
/// alternate stack if it has one; keeps what was there before.
///
/// # Safety
/// Nobody else uses `before` meanwhile.
pub(crate) unsafe fn install(entry: Entry, before: *mut Before) {
    keep_errno(|| {
        for (index, &signal) in FATAL.iter().enumerate() {
            // SAFETY: all zero bytes are a valid action.
            let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
            action.sa_sigaction = entry as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the caller's clause; the index is that of a signal.
            let old = unsafe { (&raw mut (*before).0[index]).cast::<libc::sigaction>() };
            // SAFETY: both are valid places, and the handler is a static function.
            unsafe {
                if action::set(signal, ptr::null(), old) != 0 {
                    continue;
                }
                #[cfg(feature = "integrity")]
                super::program_signal::note(signal, &*old);
                if (*old).sa_sigaction == libc::SIG_IGN {
                    continue;
                }
                action.sa_mask = (*old).sa_mask;
                action::set(signal, &action, old);
            }
        }
    });
}

/// Has `entry` called for a signal that a fault of memory raises, if `first`, which [`install`] was
/// given, is no longer; keeps what has taken its place. Says whether it was so.
///
/// # Safety
/// Nobody else uses `before` meanwhile.
#[cfg(feature = "integrity")]
pub(crate) unsafe fn install_over(first: Entry, entry: Entry, before: *mut Before) -> bool {
    let mut is_over = false;
    keep_errno(|| {
        for (index, &signal) in FATAL.iter().enumerate() {
            if !matches!(signal, libc::SIGSEGV | libc::SIGBUS) {
                continue;
            }
            // SAFETY: the caller's clause; the index is that of a signal.
            let now = unsafe { (&raw mut (*before).0[index]).cast::<libc::sigaction>() };
            // SAFETY: a valid place, and the kernel's answer in it.
            let is_another = unsafe {
                action::set(signal, ptr::null(), now) == 0
                    && (*now).sa_sigaction != first as *const () as usize
                    && (*now).sa_sigaction != libc::SIG_DFL
                    && (*now).sa_sigaction != libc::SIG_IGN
            };
            if is_another {
                // SAFETY: all zero bytes are a valid action; both places are valid, and the
                // handler is a static function.
                unsafe {
                    let mut action: libc::sigaction = core::mem::zeroed();
                    action.sa_sigaction = entry as *const () as usize;
                    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                    action.sa_mask = (*now).sa_mask;
                    action::set(signal, &action, now);
                }
                is_over = true;
            }
        }
    });
    is_over
}

impl Delivery {
    /// # Safety
    /// What the kernel has passed to a handler with SA_SIGINFO, which has not returned.
    pub(crate) unsafe fn new(signal: i32, info: *mut Info, context: *mut c_void) -> Delivery {
        Delivery {
            signal,
            info,
            context,
        }
    }

    /// Why it was sent.
    pub(crate) fn code(self) -> i32 {
        // SAFETY: `new`'s clause.
        unsafe { (*self.info).si_code }
    }

    /// The address that was accessed; 0 if the signal was sent by somebody.
    pub(crate) fn address(self) -> usize {
        let is_of_fault = self.code() > 0 && self.signal != libc::SIGABRT;
        if !is_of_fault {
            return 0;
        }
        // SAFETY: `new`'s clause; signals of faults have an address.
        unsafe { (*self.info).si_addr() as usize }
    }

    /// The processor's account of a page that could not be accessed; `None` if that is not the
    /// reason.
    #[cfg(feature = "integrity")]
    pub(crate) fn page_fault(self) -> Option<u64> {
        const PAGE_FAULT: u64 = 14;
        let registers = self.registers();
        let of = |index: i32| registers[index as usize];
        (of(libc::REG_TRAPNO) == PAGE_FAULT).then(|| of(libc::REG_ERR))
    }

    /// The registers that were interrupted, in the order of `gregs`.
    pub(crate) fn registers(self) -> [u64; REGISTERS] {
        // SAFETY: `new`'s clause.
        let context = unsafe { &*self.context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs.map(|register| register as u64)
    }

    /// Where the thread was, its stack pointer and frame pointer.
    pub(crate) fn place(self) -> (usize, usize, usize) {
        let registers = self.registers();
        let of = |index: i32| registers[index as usize] as usize;
        (of(libc::REG_RIP), of(libc::REG_RSP), of(libc::REG_RBP))
    }

    /// Calls a handler of the program's with it.
    ///
    /// # Safety
    /// `handler` is the address of one.
    #[cfg(feature = "integrity")]
    pub(crate) unsafe fn call(self, handler: usize) {
        // SAFETY: the caller's clause. One that wants the number alone does not look at the rest.
        let handler = unsafe { core::mem::transmute::<usize, Entry>(handler) };
        handler(self.signal, self.info, self.context);
    }

    /// Whether nobody but us wants it.
    ///
    /// # Safety
    /// `before` was filled by [`install`].
    pub(crate) unsafe fn is_final(self, before: *const Before) -> bool {
        let index = FATAL.iter().position(|&signal| signal == self.signal);
        // SAFETY: the caller's clause; all zero bytes are SIG_DFL.
        index.is_none_or(|index| unsafe {
            (*before).0[index].assume_init_ref().sa_sigaction == libc::SIG_DFL
        })
    }

    /// Puts back what was there before us, and has the same signal delivered once more: when the
    /// handler has returned, it comes to the program's handler, or ends the process.
    ///
    /// # Safety
    /// `before` was filled by [`install`].
    pub(crate) unsafe fn pass_on(self, before: *const Before) {
        let Some(index) = FATAL.iter().position(|&signal| signal == self.signal) else {
            return;
        };
        keep_errno(|| {
            // SAFETY: the caller's clause, and `new`'s.
            unsafe {
                let action = (&raw const (*before).0[index]).cast::<libc::sigaction>();
                #[cfg(feature = "integrity")]
                let action = super::program_signal::behind(self.signal, action);
                action::set(self.signal, action, ptr::null_mut());
                let process = libc::syscall(libc::SYS_getpid);
                let thread = libc::syscall(libc::SYS_gettid);
                let signal = self.signal as usize;
                libc::syscall(
                    libc::SYS_rt_tgsigqueueinfo,
                    process,
                    thread,
                    signal,
                    self.info,
                );
            }
        });
    }
}

/// Bytes of an alternate stack of ours.
const STACK_BYTES: usize = 64 << 10;

fn alternate_stack() -> Option<libc::stack_t> {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: a valid place for the answer.
    let failed = keep_errno(|| unsafe {
        let nothing = ptr::null::<libc::stack_t>();
        libc::syscall(libc::SYS_sigaltstack, nothing, stack.as_mut_ptr())
    });
    // SAFETY: all bytes were zero, or were written by the kernel.
    (failed == 0).then(|| unsafe { stack.assume_init() })
}

/// Gives this thread an alternate stack, if it has none, or one on which our handlers would not
/// find room (Rust's standard library makes one of a few pages): the one at `address`, which
/// [`make_stack`] made.
pub(crate) fn use_stack(address: usize) {
    let is_for_us = |stack: libc::stack_t| {
        let is_used = stack.ss_flags & libc::SS_ONSTACK != 0;
        stack.ss_flags & libc::SS_DISABLE != 0 || !is_used && stack.ss_size < STACK_BYTES
    };
    if alternate_stack().is_some_and(is_for_us) {
        set_stack(address, 0);
    }
}

/// Takes the stack at `address` away from this thread, if it has it.
pub(crate) fn leave_stack(address: usize) {
    if alternate_stack().is_some_and(|stack| stack.ss_sp as usize == address) {
        set_stack(address, libc::SS_DISABLE);
    }
}

fn set_stack(address: usize, flags: i32) {
    let stack = libc::stack_t {
        ss_sp: address as *mut c_void,
        ss_flags: flags,
        ss_size: STACK_BYTES,
    };
    // SAFETY: the memory is for signal handlers alone, for good.
    keep_errno(|| unsafe {
        let nothing = ptr::null_mut::<libc::stack_t>();
        libc::syscall(libc::SYS_sigaltstack, &raw const stack, nothing)
    });
}

/// Memory for an alternate stack, for good, with a page below it that cannot be touched.
pub(crate) fn make_stack() -> Option<usize> {
    let start = memory::reserve(PAGE + STACK_BYTES, PAGE)? + PAGE;
    // SAFETY: reserved just now.
    unsafe { memory::commit(start, STACK_BYTES) }.then_some(start)
}

/// All signals are kept out of this thread until the value is dropped.
pub(crate) struct Blocked(u64);

impl Blocked {
    pub(crate) fn begin() -> Blocked {
        let mut before = 0u64;
        mask(&u64::MAX, &mut before);
        Blocked(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let mut nothing = 0;
        mask(&self.0, &mut nothing);
    }
}

fn mask(new: &u64, before: &mut u64) {
    // SAFETY: both are words of the kernel's size of a mask.
    keep_errno(|| unsafe {
        let (new, before) = (ptr::from_ref(new), ptr::from_mut(before));
        let set = libc::SIG_SETMASK as usize;
        libc::syscall(libc::SYS_rt_sigprocmask, set, new, before, 8usize)
    });
}

/// Waits for a few milliseconds.
pub(crate) fn wait() {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 5_000_000,
    };
    // SAFETY: the time is a valid one.
    keep_errno(|| unsafe {
        libc::syscall(
            libc::SYS_nanosleep,
            &raw const time,
            ptr::null_mut::<libc::timespec>(),
        )
    });
}
