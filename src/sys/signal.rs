//! Signals that the observers handle, in front of what the program does with them.
//!
//! A handler of ours sees a signal first. What is not for us goes to the action that was in
//! force before: the program's handler, or the default.
//!
//! Alternate stacks are small: what handles a signal runs on a large one. The program's handlers run where
//! they would have.
//!
//! 1. A handler of ours runs with all signals blocked.

pub(crate) use super::stopped::{NAMES, Stopped};
use super::{action, keep_errno, large_stack};
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

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was for us.
    Ours,
    /// It is the program's.
    Others,
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
        if large_stack::make().is_none() {
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
        large_stack::run(run, (&raw mut errand).cast());
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

/// Whether the signal came of what the thread did itself.
fn is_synchronous(stopped: &Stopped) -> bool {
    stopped.code() > 0
}
