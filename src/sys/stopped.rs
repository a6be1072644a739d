//! A signal as a handler receives it: what it says, and the registers of the thread that it stopped.

use core::ptr;

/// What `si_code` says of a watchpoint, and of a step.
const CODE_PERF: i32 = 6;
const CODE_TRACE: i32 = 2;
/// A write that the pages do not allow.
const CODE_ACCESS: i32 = 2;

/// The processor's flag that has it stop behind each instruction.
const STEP: i64 = 1 << 8;

/// A signal as a handler receives it, and the state of the thread that it stopped.
pub(crate) struct Stopped {
    pub(super) number: i32,
    pub(super) info: *mut libc::siginfo_t,
    pub(super) context: *mut libc::ucontext_t,
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

    pub(super) fn code(&self) -> i32 {
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
    pub(super) fn set_mask(&self, action: &libc::sigaction) {
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
