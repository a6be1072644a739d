//! The actions that the program sets for the signals of a memory fault, in front of which a handler
//! of ours stays.
//!
//! ```text
//! sigaction(SIGSEGV, new, old) ──► kept here; old: what was kept before
//!                             └──► the kernel: our entry, with the program's flags and mask
//! a fault ──► our entry ──► the program's handler, as the kernel would have called it
//! ```
//!
//! Of the other signals that end a process the program's handler takes the place of ours, which is
//! not shown to it: a fuzzer leaves alone a signal that has a handler. Where the program goes back
//! to the default, ours is back.
//!
//! 1. The kernel has the program's flags and mask for our entry, so that all that they ask for is
//!    done by it; but for SA_RESETHAND, which is done here.
//! 2. What the program has set to be ignored the kernel has as well: it is inherited by what is
//!    executed.

use super::action::{self, Action};
use super::fatal_signal::{Blocked, Delivery, Entry, SIGBUS, SIGSEGV};
use super::{keep_errno, system_malloc};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A signal's action as the program has it. All zero: the default.
struct Kept {
    signal: i32,
    /// Relaxed: a handler that runs while the action changes may see the old one or the new one,
    /// and calls either with all that it may ask for.
    handler: AtomicUsize,
    flags: AtomicUsize,
    mask: AtomicU64,
    /// The handler that was there before ours; 0 if it is the default. Written before `ENTRY`.
    noted: AtomicUsize,
}

impl Kept {
    const fn new(signal: i32) -> Kept {
        Kept {
            signal,
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicUsize::new(0),
            mask: AtomicU64::new(0),
            noted: AtomicUsize::new(libc::SIG_DFL),
        }
    }

    fn read(&self) -> Action {
        let mut action = empty();
        action.sa_sigaction = self.handler.load(Ordering::Relaxed);
        action.sa_flags = self.flags.load(Ordering::Relaxed) as i32;
        // SAFETY: the first word of a set of signals, which has more.
        unsafe {
            let mask = (&raw mut action.sa_mask).cast::<u64>();
            mask.write(self.mask.load(Ordering::Relaxed));
        }
        action
    }

    fn write(&self, action: &Action) {
        // SAFETY: as above.
        let mask = unsafe { (&raw const action.sa_mask).cast::<u64>().read() };
        self.mask.store(mask, Ordering::Relaxed);
        self.flags
            .store(action.sa_flags as u32 as usize, Ordering::Relaxed);
        self.handler.store(action.sa_sigaction, Ordering::Relaxed);
    }

    /// What the kernel is to have for it.
    fn for_kernel(&self) -> Action {
        let mut action = self.read();
        match action.sa_sigaction {
            libc::SIG_IGN => return action,
            libc::SIG_DFL => {
                action = empty();
                action.sa_flags = libc::SA_ONSTACK;
            }
            _ => {}
        }
        action.sa_flags = action.sa_flags & !libc::SA_RESETHAND | libc::SA_SIGINFO;
        action.sa_sigaction = ENTRY.load(Ordering::Acquire);
        action
    }
}

/// A signal whose handler of ours the program's may take the place of.
struct Yielding {
    signal: i32,
    /// Our handler, once it was seen; 0 before. Relaxed: it is the same one each time.
    handler: AtomicUsize,
}

impl Yielding {
    const fn new(signal: i32) -> Yielding {
        Yielding {
            signal,
            handler: AtomicUsize::new(0),
        }
    }

    /// As libc's `sigaction`.
    ///
    /// # Safety
    /// As libc's.
    unsafe fn change(&self, new: *const Action, old: *mut Action) -> i32 {
        let mut now = empty();
        // SAFETY: a valid place for the answer.
        if unsafe { action::set(self.signal, ptr::null(), &mut now) } != 0 {
            return -1;
        }
        if is_ours(&now) {
            self.handler.store(now.sa_sigaction, Ordering::Relaxed);
            now = empty();
        }
        // SAFETY: the caller's clause: null, or a valid action.
        if let Some(new) = unsafe { new.as_ref() } {
            let mut new = *new;
            let ours = self.handler.load(Ordering::Relaxed);
            if new.sa_sigaction == libc::SIG_DFL && ours != 0 {
                new = empty();
                new.sa_sigaction = ours;
                new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            }
            // SAFETY: the program's action, or that of ours.
            if unsafe { action::set(self.signal, &new, ptr::null_mut()) } != 0 {
                return -1;
            }
        }
        if !old.is_null() {
            // SAFETY: the caller's clause.
            unsafe { old.write(now) };
        }
        0
    }
}

static OTHERS: [Yielding; 4] = [
    Yielding::new(libc::SIGABRT),
    Yielding::new(libc::SIGILL),
    Yielding::new(libc::SIGFPE),
    Yielding::new(libc::SIGSYS),
];

static ALL: [Kept; 2] = [Kept::new(SIGSEGV), Kept::new(SIGBUS)];
/// The handler of ours; 0 as long as there is none. Released when `ALL` has what was there before
/// it; read Acquire.
static ENTRY: AtomicUsize = AtomicUsize::new(0);
/// Who changes an action, with all signals blocked. Acquire and Release.
static IS_CHANGING: AtomicBool = AtomicBool::new(false);

fn empty() -> Action {
    // SAFETY: all zero bytes are the default action.
    unsafe { core::mem::zeroed() }
}

fn kept(signal: i32) -> Option<&'static Kept> {
    if ENTRY.load(Ordering::Acquire) == 0 {
        return None;
    }
    ALL.iter().find(|kept| kept.signal == signal)
}

/// A handler of ours takes the place of an action: one that is the program's is kept.
pub(crate) fn note(signal: i32, before: &Action) {
    if let Some(kept) = ALL.iter().find(|kept| kept.signal == signal)
        && !is_ours(before)
    {
        kept.write(before);
        kept.noted.store(before.sa_sigaction, Ordering::Relaxed);
    }
}

/// The action that a handler of ours passes a signal on to, in the place of the one that it has
/// found: one that is kept here is for our entry to call.
pub(crate) fn behind(signal: i32, found: *const Action) -> *const Action {
    // SAFETY: all zero bytes are the default action.
    static DEFAULT: Default = Default(unsafe { core::mem::zeroed() });
    // SAFETY: an action that a handler of ours has found.
    let handler = unsafe { (*found).sa_sigaction };
    match kept(signal) {
        Some(kept) if kept.noted.load(Ordering::Relaxed) == handler => &raw const DEFAULT.0,
        _ => found,
    }
}

struct Default(Action);

// SAFETY: only read.
unsafe impl Sync for Default {}

fn is_ours(action: &Action) -> bool {
    system_malloc::own_file().contains(&action.sa_sigaction)
}

/// `entry` is the handler of each of them from now on that is not ignored. Called once.
pub(crate) fn begin(entry: Entry) {
    ENTRY.store(entry as usize, Ordering::Release);
    for kept in &ALL {
        if kept.handler.load(Ordering::Relaxed) != libc::SIG_DFL {
            // SAFETY: the action is the program's, or has our entry.
            keep_errno(|| unsafe { action::set(kept.signal, &kept.for_kernel(), ptr::null_mut()) });
        }
    }
}

/// As libc's `sigaction`.
///
/// # Safety
/// As libc's.
pub(crate) unsafe fn change(signal: i32, new: *const Action, old: *mut Action) -> i32 {
    let Some(kept) = kept(signal) else {
        let is_set_up = ENTRY.load(Ordering::Acquire) != 0;
        return match OTHERS.iter().find(|other| other.signal == signal) {
            // SAFETY: the caller's clause.
            Some(other) if is_set_up => unsafe { other.change(new, old) },
            // SAFETY: as above.
            _ => unsafe { action::set(signal, new, old) },
        };
    };
    // SAFETY: the caller's clause: null, or a valid action; and so below.
    let new = unsafe { new.as_ref() };
    let before = {
        let _blocked = Blocked::begin();
        while IS_CHANGING.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        let before = kept.read();
        if let Some(new) = new {
            kept.write(new);
            kept.install();
        }
        IS_CHANGING.store(false, Ordering::Release);
        before
    };
    if !old.is_null() {
        // SAFETY: as above.
        unsafe { old.write(before) };
    }
    0
}

impl Kept {
    /// Tells the kernel, unless another handler of ours is in front, which calls this one.
    fn install(&self) {
        let mut now = empty();
        keep_errno(|| {
            // SAFETY: a valid place for the answer.
            unsafe { action::set(self.signal, ptr::null(), &mut now) };
            let handler = now.sa_sigaction;
            let is_other_of_ours = handler != ENTRY.load(Ordering::Relaxed)
                && system_malloc::own_file().contains(&handler);
            if !is_other_of_ours {
                // SAFETY: the action is the program's, or has our entry.
                unsafe { action::set(self.signal, &self.for_kernel(), ptr::null_mut()) };
            }
        });
    }
}

/// The program's handler for a signal that has come, if it has one. It is as the kernel does it: one
/// that is to be called once is forgotten.
pub(crate) fn handler(delivery: Delivery) -> Option<usize> {
    let kept = kept(delivery.signal)?;
    let is_handler = |&handler: &usize| handler != libc::SIG_DFL && handler != libc::SIG_IGN;
    let handler = Some(kept.handler.load(Ordering::Relaxed)).filter(is_handler)?;
    if kept.flags.load(Ordering::Relaxed) as i32 & libc::SA_RESETHAND == 0 {
        return Some(handler);
    }
    let handler = Some(kept.handler.swap(libc::SIG_DFL, Ordering::Relaxed)).filter(is_handler);
    kept.install();
    handler
}

/// In a fork's child nobody else is in the middle of a change.
pub(crate) fn forked() {
    IS_CHANGING.store(false, Ordering::Relaxed);
}
