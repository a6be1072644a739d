//! Signals that the observers handle, in front of what the program does with them.
//!
//! A handler of ours sees a signal first. What is not for us goes to the action that was in
//! force before: the program's handler, or the default.
//!
//! Alternate stacks are small: what handles a signal runs on a stack of its own, one thread at a
//! time. The program's handlers run where they would have.
//!
//! 1. A handler of ours runs with all signals blocked.
//! 2. The large stack is used by the thread alone whose number stands in `HOLDER`.

use super::{action, keep_errno};
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// The processor stopped: at a watchpoint, at a breakpoint, behind a step.
pub(crate) static TRAP: Handler = Handler::new(libc::SIGTRAP, trap);
/// Memory could not be used as it was.
pub(crate) static FAULT: Handler = Handler::new(libc::SIGSEGV, fault);

extern "C" fn trap(_: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    TRAP.arrive(info, context);
}

extern "C" fn fault(_: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    FAULT.arrive(info, context);
}

/// What `si_code` says of a watchpoint, and of a step.
const CODE_PERF: i32 = 6;
const CODE_TRACE: i32 = 2;
/// A write that the pages do not allow.
const CODE_ACCESS: i32 = 2;

/// The processor's flag that has it stop behind each instruction.
const STEP: i64 = 1 << 8;

/// A signal as a handler receives it, and the state of the thread that it stopped.
pub(crate) struct Stopped {
    number: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
}

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was for us.
    Ours,
    /// It is the program's.
    Others,
}

/// Registers of the thread, in the order in which they are shown.
pub(crate) const NAMES: [&str; 18] = [
    "rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
    "r13", "r14", "r15", "flags",
];

const NUMBERS: [i32; 18] = [
    libc::REG_RIP,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RAX,
    libc::REG_RBX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
    libc::REG_EFL,
];

impl Stopped {
    fn word_of_info(&self, offset: usize) -> u64 {
        // SAFETY: the kernel's `siginfo_t` has 128 bytes, and the offsets here are below that.
        unsafe { self.info.byte_add(offset).cast::<u64>().read_unaligned() }
    }

    fn code(&self) -> i32 {
        // SAFETY: valid while the handler runs.
        unsafe { (*self.info).si_code }
    }

    /// The `data` of a watchpoint, if one was hit.
    pub(crate) fn breakpoint(&self) -> Option<u64> {
        const DATA: usize = 24;
        (self.number == libc::SIGTRAP && self.code() == CODE_PERF).then(|| self.word_of_info(DATA))
    }

    /// Whether the signal was blocked when the watchpoint was hit, and comes late.
    pub(crate) fn is_late(&self) -> bool {
        const FLAGS: usize = 32;
        const ASYNCHRONOUS: u64 = 1 << 32;
        self.breakpoint().is_some() && self.word_of_info(FLAGS) & ASYNCHRONOUS != 0
    }

    /// Whether the processor stopped behind an instruction because it was told to.
    pub(crate) fn is_step(&self) -> bool {
        self.number == libc::SIGTRAP && self.code() == CODE_TRACE
    }

    /// The address that could not be written, if pages did not allow it.
    pub(crate) fn refused_write(&self) -> Option<usize> {
        const ADDRESS: usize = 16;
        /// Bits of the page fault: it was a write, from the program.
        const WRITE: i64 = 1 << 1;
        let is_write = self.register(libc::REG_ERR) as i64 & WRITE != 0;
        (self.number == libc::SIGSEGV && self.code() == CODE_ACCESS && is_write)
            .then(|| self.word_of_info(ADDRESS) as usize)
    }

    fn register(&self, number: i32) -> usize {
        // SAFETY: valid while the handler runs; the number is one of libc's.
        unsafe { (*self.context).uc_mcontext.gregs[number as usize] as usize }
    }

    /// Where the thread goes on.
    pub(crate) fn pc(&self) -> usize {
        self.register(libc::REG_RIP)
    }

    pub(crate) fn sp(&self) -> usize {
        self.register(libc::REG_RSP)
    }

    pub(crate) fn fp(&self) -> usize {
        self.register(libc::REG_RBP)
    }

    /// The registers, in the order of [`NAMES`].
    pub(crate) fn registers(&self) -> [usize; NAMES.len()] {
        NUMBERS.map(|number| self.register(number))
    }

    /// Blocks the signals that the kernel would have blocked for a handler of the program's.
    fn set_mask(&self, action: &libc::sigaction) {
        // The kernel's set is one word, and the context has no room for more.
        // SAFETY: both sets have at least a word; valid while the handler runs.
        let mut mask = unsafe {
            let interrupted = (&raw const (*self.context).uc_sigmask).cast::<u64>().read();
            interrupted | (&raw const action.sa_mask).cast::<u64>().read()
        };
        if action.sa_flags & libc::SA_NODEFER == 0 {
            mask |= 1 << (self.number - 1);
        }
        // SAFETY: sets this thread's mask from one word, as its size says.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK as usize,
                &raw const mask,
                ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
    }

    /// Has the thread stop behind its next instruction, or go on freely. False if it could not
    /// be told when it stops, for it has blocked the signal.
    pub(crate) fn step(&self, on: bool) -> bool {
        // SAFETY: valid while the handler runs, and no other reference is.
        let context = unsafe { &mut *self.context };
        // SAFETY: the context's mask is a set of signals.
        if on && unsafe { libc::sigismember(&context.uc_sigmask, libc::SIGTRAP) } == 1 {
            return false;
        }
        let flags = &mut context.uc_mcontext.gregs[libc::REG_EFL as usize];
        *flags = if on { *flags | STEP } else { *flags & !STEP };
        true
    }
}

/// A signal of ours: what handles it, and what did before.
pub(crate) struct Handler {
    number: i32,
    /// A `fn(&Stopped) -> Outcome`; 0 until there is one. Released before the entry is in
    /// force.
    handle: AtomicUsize,
    entry: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void),
    /// What was in force before. Written by who holds `changing`, before the handler is in
    /// force, or while it is not.
    before: UnsafeCell<libc::sigaction>,
    changing: AtomicBool,
    /// The thread that passed a signal on last, where the signal lies, and where on the stack
    /// it did so: the program's handler may pass the same one back to us, and then it is
    /// nobody's. Relaxed: read by that thread alone.
    passing: AtomicU32,
    passed: AtomicUsize,
    passing_at: AtomicUsize,
}

// SAFETY: see `before`; the rest are atomics and constants.
unsafe impl Sync for Handler {}

impl Handler {
    /// One for signal `number`, which `entry` passes on to [`Handler::arrive`].
    const fn new(
        number: i32,
        entry: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void),
    ) -> Handler {
        Handler {
            number,
            handle: AtomicUsize::new(0),
            entry,
            // SAFETY: all zero bytes are the default action.
            before: UnsafeCell::new(unsafe { core::mem::zeroed() }),
            changing: AtomicBool::new(false),
            passing: AtomicU32::new(0),
            passed: AtomicUsize::new(0),
            passing_at: AtomicUsize::new(0),
        }
    }

    /// Sees to it that the signal comes here first: the program may have set a handler of its
    /// own since. False if the system refuses.
    pub(crate) fn ensure(&self, handle: fn(&Stopped) -> Outcome) -> bool {
        if make_large_stack().is_none() {
            return false;
        }
        self.handle.store(handle as usize, Ordering::Release);
        let entry = self.entry as usize;
        // SAFETY: all zero bytes are a valid action.
        let mut now: libc::sigaction = unsafe { core::mem::zeroed() };
        // SAFETY: `now` is a valid place for the result.
        if keep_errno(|| unsafe { action::set(self.number, ptr::null(), &mut now) }) != 0 {
            return false;
        }
        if now.sa_sigaction == entry {
            return true;
        }
        if self.changing.swap(true, Ordering::Acquire) {
            return true;
        }
        // SAFETY: `changing` is ours, and the handler that reads it is not in force.
        unsafe { self.before.get().write(now) };
        // SAFETY: all zero bytes are a valid action.
        let mut ours: libc::sigaction = unsafe { core::mem::zeroed() };
        ours.sa_sigaction = entry;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: fills a set; then sets an action whose handler is a static function.
        let set = keep_errno(|| unsafe {
            libc::sigfillset(&mut ours.sa_mask);
            action::set(self.number, &ours, ptr::null_mut())
        });
        self.changing.store(false, Ordering::Release);
        set == 0
    }

    /// What the entry does.
    fn arrive(&self, info: *mut libc::siginfo_t, context: *mut c_void) {
        let stopped = Stopped {
            number: self.number,
            info,
            context: context.cast(),
        };
        keep_errno(|| {
            if self.handle(&stopped) == Outcome::Others {
                self.pass_on(&stopped);
            }
        });
    }

    fn handle(&self, stopped: &Stopped) -> Outcome {
        let handle = self.handle.load(Ordering::Acquire);
        // SAFETY: `ensure` stored a function of this type before the entry was in force.
        let handle = unsafe { core::mem::transmute::<usize, fn(&Stopped) -> Outcome>(handle) };
        let mut errand = (handle, stopped, Outcome::Others);
        on_large_stack(run, (&raw mut errand).cast());
        errand.2
    }

    fn pass_on(&self, stopped: &Stopped) {
        // SAFETY: `before` is not written while the handler is in force.
        let before = unsafe { &*self.before.get() };
        let thread = super::thread::id();
        let here = ptr::from_ref(stopped) as usize;
        let info = stopped.info as usize;
        // A handler that was left by a jump leaves its mark here; the next signal that comes
        // to lie at the same place is not below it.
        let is_back = self.passing.load(Ordering::Relaxed) == thread
            && self.passed.load(Ordering::Relaxed) == info
            && self.passing_at.load(Ordering::Relaxed) > here;
        match before.sa_sigaction {
            libc::SIG_IGN if !is_synchronous(stopped) => {}
            libc::SIG_DFL | libc::SIG_IGN => self.default(stopped),
            _ if is_back => self.default(stopped),
            handler => {
                self.passing_at.store(here, Ordering::Relaxed);
                self.passed.store(info, Ordering::Relaxed);
                self.passing.store(thread, Ordering::Relaxed);
                stopped.set_mask(before);
                // SAFETY: the program's own handler, called as the kernel would have.
                unsafe {
                    if before.sa_flags & libc::SA_SIGINFO != 0 {
                        let call: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) =
                            core::mem::transmute(handler);
                        call(self.number, stopped.info, stopped.context.cast());
                    } else {
                        let call: extern "C" fn(i32) = core::mem::transmute(handler);
                        call(self.number);
                    }
                }
                self.passing.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Has the signal do what it does by itself, once this handler has returned.
    fn default(&self, stopped: &Stopped) {
        // SAFETY: all zero bytes are the default action.
        let default: libc::sigaction = unsafe { core::mem::zeroed() };
        // SAFETY: sets an action and sends this thread a signal, which is blocked until the
        // handler returns.
        unsafe {
            action::set(self.number, &default, ptr::null_mut());
            if !is_synchronous(stopped) || self.number == libc::SIGTRAP {
                let (process, thread) = (libc::getpid() as usize, super::thread::id() as usize);
                libc::syscall(libc::SYS_tgkill, process, thread, self.number as usize);
            }
        }
        // A fault happens again at the same instruction, and ends the program there.
    }
}

/// What travels to the large stack and back.
type Errand<'a> = (fn(&Stopped) -> Outcome, &'a Stopped, Outcome);

extern "C" fn run(errand: *mut c_void) {
    // SAFETY: `handle` passes its own, and waits.
    let errand = unsafe { &mut *errand.cast::<Errand<'_>>() };
    errand.2 = (errand.0)(errand.1);
}

/// Bytes of the large stack.
const LARGE_BYTES: usize = 128 << 10;
/// Where it begins; 0 until it is mapped. Set once with Release, read Acquire.
static LARGE: AtomicUsize = AtomicUsize::new(0);
/// The thread that runs on it; 0 for none. Acquire on taking pairs with Release on giving back.
static HOLDER: AtomicU32 = AtomicU32::new(0);

/// Maps the large stack, once: its lowest address, and its bytes; `None` without memory.
pub(crate) fn make_large_stack() -> Option<(usize, usize)> {
    let there = LARGE.load(Ordering::Acquire);
    if there != 0 {
        return Some((there, LARGE_BYTES));
    }
    let made = super::memory::map_zeroed(LARGE_BYTES, super::memory::PAGE)?;
    // Of two at a time one stays unused.
    let first = LARGE.compare_exchange(0, made, Ordering::AcqRel, Ordering::Acquire);
    Some((first.map_or_else(|other| other, |_| made), LARGE_BYTES))
}

/// Calls `f(argument)` on the large stack when no other thread uses it; not at all if this one
/// does already, or another one does not come back.
fn on_large_stack(f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    const TRIES: usize = 20_000;
    let this = super::thread::id();
    for _ in 0..TRIES {
        match HOLDER.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                let top = LARGE.load(Ordering::Acquire) + LARGE_BYTES;
                // SAFETY: the top of a mapped stack that is this thread's; aligned to a page.
                unsafe { call_on(top, f, argument) };
                HOLDER.store(0, Ordering::Release);
                return;
            }
            Err(holder) if holder == this => return,
            Err(_) => super::process::nap(),
        }
    }
}

/// As [`on_large_stack`], from a handler of another module; where there is no such stack, on this
/// one.
#[cfg(feature = "integrity")]
pub(crate) fn run_on_large_stack(f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    if LARGE.load(Ordering::Acquire) == 0 {
        return f(argument);
    }
    keep_errno(|| on_large_stack(f, argument));
}

/// The one thread of a fork's child has the large stack for itself.
pub(crate) fn forked() {
    HOLDER.store(0, Ordering::Release);
}

/// Calls `f(argument)` with the stack pointer at `top`.
///
/// # Safety
/// `top` is the aligned end of memory that nobody else uses meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn call_on(top: usize, f: extern "C" fn(*mut c_void), argument: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Whether the signal came of what the thread did itself.
fn is_synchronous(stopped: &Stopped) -> bool {
    stopped.code() > 0
}
