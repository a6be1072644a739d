//! The other threads of the process, stopped for a while, with their registers: each gets a signal
//! whose handler waits until all may go on.
//!
//! 1. A place's `context` is valid from `HERE` on, until the threads may go on.
//! 2. The handler stays installed: a signal that comes late would end the process otherwise.
//! 3. One thread at a time stops the others.
//!
//! While threads are stopped nothing may be waited for that one of them may hold: no lock.

use super::{action, keep_errno, process, thread};
use core::cell::Cell;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

/// Threads that can be stopped at a time.
const PLACES: usize = 1024;
/// How often it is looked whether a thread has come, 50 microseconds or more apart.
const LOOKS: usize = 4000;

const FREE: u32 = 0;
const ASKED: u32 = 1;
const HERE: u32 = 2;

struct Place {
    thread: AtomicU32,
    /// Released by the handler with what stands below; read Acquire.
    state: AtomicU32,
    context: AtomicPtr<libc::ucontext_t>,
}

static STOPPED: [Place; PLACES] = [const {
    Place {
        thread: AtomicU32::new(0),
        state: AtomicU32::new(FREE),
        context: AtomicPtr::new(ptr::null_mut()),
    }
}; PLACES];
/// 1 while threads wait, who sleep on it. Release and Acquire.
static WAITING: AtomicU32 = AtomicU32::new(0);
/// The signal; 0 until one is chosen.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Registers that can hold an address.
pub(crate) const REGISTERS: usize = 15;

/// A thread that waits.
pub(crate) struct State {
    pub(crate) sp: usize,
    pub(crate) registers: [usize; REGISTERS],
}

/// The other threads wait, those that were asked, until this is dropped.
pub(crate) struct Halt {
    asked: Cell<usize>,
    /// Dropped by the thread that has made it.
    _thread: PhantomData<*const ()>,
}

extern "C" fn arrive(_: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    keep_errno(|| {
        let id = thread::id();
        let is_mine = |place: &&Place| {
            place.thread.load(Ordering::Relaxed) == id
                && place.state.load(Ordering::Relaxed) == ASKED
        };
        let Some(place) = STOPPED.iter().find(is_mine) else {
            return;
        };
        place.context.store(context.cast(), Ordering::Relaxed);
        place.state.store(HERE, Ordering::Release);
        while WAITING.load(Ordering::Acquire) == 1 {
            futex(libc::FUTEX_WAIT, 1);
        }
        place.state.store(FREE, Ordering::Release);
    });
}

fn futex(operation: i32, value: u32) {
    // SAFETY: a futex on a static word; without a time limit.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            &raw const WAITING,
            (operation | libc::FUTEX_PRIVATE_FLAG) as usize,
            value as usize,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// The signal that has our handler: the highest one that nobody uses.
fn signal() -> Option<i32> {
    let known = SIGNAL.load(Ordering::Relaxed);
    let handler = arrive as extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) as usize;
    // SAFETY: all zero bytes are a valid action, here and below.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    let mut now = |signal| {
        // SAFETY: a valid place for the answer.
        let failed = unsafe { action::set(signal, ptr::null(), &mut action) };
        (failed == 0).then_some(action.sa_sigaction)
    };
    if known != 0 && now(known) == Some(handler) {
        return Some(known);
    }
    let signal = (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .rev()
        .find(|&signal| now(signal) == Some(libc::SIG_DFL))?;
    // SAFETY: as above.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler;
    // A thread may have a small stack at the moment, and another one for handlers.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: fills a set; sets an action whose handler is a static function.
    let set = unsafe {
        libc::sigfillset(&mut action.sa_mask);
        action::set(signal, &action, ptr::null_mut())
    };
    SIGNAL.store(signal, Ordering::Relaxed);
    (set == 0).then_some(signal)
}

/// Makes ready to stop threads; `None` without a signal for it.
pub(crate) fn begin() -> Option<Halt> {
    keep_errno(signal)?;
    WAITING.store(1, Ordering::Release);
    Some(Halt {
        asked: Cell::new(0),
        _thread: PhantomData,
    })
}

impl Halt {
    /// Asks a thread to stop; false if it is gone, or there is no place for it. One that blocks
    /// the signal had better not be asked.
    pub(crate) fn ask(&self, id: u32) -> bool {
        let Some(place) = STOPPED.get(self.asked.get()) else {
            return false;
        };
        // A thread may be on its way out of its place, from the last time.
        wait_until(|| place.state.load(Ordering::Acquire) == FREE);
        place.thread.store(id, Ordering::Relaxed);
        place.state.store(ASKED, Ordering::Release);
        // SAFETY: sends a signal to a thread of this process, which handles it.
        let sent = keep_errno(|| unsafe {
            let (process, signal) = (process::id() as usize, SIGNAL.load(Ordering::Relaxed));
            libc::syscall(libc::SYS_tgkill, process, id as usize, signal as usize)
        });
        if sent != 0 {
            place.state.store(FREE, Ordering::Release);
            return false;
        }
        self.asked.set(self.asked.get() + 1);
        true
    }

    /// Waits until those that were asked have come, those for which `is_there` holds; not for
    /// ever.
    pub(crate) fn wait(&self, is_there: impl Fn(u32) -> bool) {
        for place in &STOPPED[..self.asked.get()] {
            let thread = place.thread.load(Ordering::Relaxed);
            wait_until(|| place.state.load(Ordering::Acquire) != ASKED || !is_there(thread));
        }
    }

    /// A thread that was asked, and has come.
    pub(crate) fn state(&self, id: u32) -> Option<State> {
        let place = STOPPED[..self.asked.get()].iter().find(|place| {
            place.thread.load(Ordering::Relaxed) == id
                && place.state.load(Ordering::Acquire) == HERE
        })?;
        // SAFETY: what the kernel has passed to the handler, which waits.
        let context = unsafe { &*place.context.load(Ordering::Relaxed) };
        let of = |number: i32| context.uc_mcontext.gregs[number as usize] as usize;
        Some(State {
            sp: of(libc::REG_RSP),
            registers: [
                libc::REG_RAX,
                libc::REG_RBX,
                libc::REG_RCX,
                libc::REG_RDX,
                libc::REG_RSI,
                libc::REG_RDI,
                libc::REG_RBP,
                libc::REG_R8,
                libc::REG_R9,
                libc::REG_R10,
                libc::REG_R11,
                libc::REG_R12,
                libc::REG_R13,
                libc::REG_R14,
                libc::REG_R15,
            ]
            .map(of),
        })
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        WAITING.store(0, Ordering::Release);
        for place in &STOPPED[..self.asked.get()] {
            // Who comes from here on finds that it is not asked.
            let _ = place
                .state
                .compare_exchange(ASKED, FREE, Ordering::AcqRel, Ordering::Acquire);
        }
        keep_errno(|| futex(libc::FUTEX_WAKE, i32::MAX as u32));
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        process::nap();
    }
}

/// The one thread of a fork's child: nobody waits.
pub(crate) fn forked() {
    WAITING.store(0, Ordering::Release);
    for place in &STOPPED {
        place.state.store(FREE, Ordering::Release);
    }
}

/// The registers that [`with_registers`] has put on the stack at `sp`.
pub(crate) fn kept_registers(sp: usize) -> [usize; 6] {
    // SAFETY: `with_registers` has put them there, behind a word of nothing, and waits.
    unsafe { *((sp + size_of::<usize>()) as *const [usize; 6]) }
}

/// Calls `f(argument, sp)` with the registers that a function keeps for its caller on the stack,
/// from `sp` up.
///
/// # Safety
/// `f` may be called with `argument`.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn with_registers(
    argument: *mut c_void,
    f: extern "C" fn(*mut c_void, usize),
) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push 0",
        "mov rax, rsi",
        "mov rsi, rsp",
        "call rax",
        // None of them was changed.
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
