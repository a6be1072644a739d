//! What is kept of each thread: the stacks that it is called from, and what it has freed.
//!
//! 1. It belongs to a thread cache for good, and so goes from a thread that has ended to one that
//!    begins; what is in quarantine stays there.

use super::placed_stacks::PlacedStacks;
use super::quarantine::Quarantine;
use crate::observe::stack::near_rules::NearRules;
use crate::observe::stack_ids::StackIds;
use crate::observe::{own_memory, stack};
use crate::sys::fatal_signal;
use crate::sys::memory::PAGE;
use crate::sys::thread;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// See the head of this file.
pub(super) struct Thread {
    pub(super) known: PlacedStacks,
    pub(super) rules: NearRules,
    pub(super) ids: StackIds,
    pub(super) stack: stack::Local,
    /// The kernel's number of the thread.
    pub(super) number: Cell<u32>,
    /// A stack for signal handlers; 0 if there is none.
    pub(super) signal_stack: Cell<usize>,
    pub(super) quarantine: Quarantine,
    /// The one made before it.
    before: Cell<*const Thread>,
}

impl Thread {
    /// Where a reader of a core file finds what.
    pub(super) const OFFSETS: [(&'static str, usize); 3] = [
        ("checked_thread.before", offset_of!(Thread, before)),
        ("checked_thread.number", offset_of!(Thread, number)),
        ("checked_thread.quarantine", offset_of!(Thread, quarantine)),
    ];

    /// The address of the word that has the newest one's address.
    pub(super) fn newest_address() -> usize {
        &raw const NEWEST as usize
    }
}

/// The newest of all. Pushed Release, read Acquire.
static NEWEST: AtomicPtr<Thread> = AtomicPtr::new(ptr::null_mut());

/// This is a forked child, and its one thread has another number.
pub(super) fn forked() {
    // SAFETY: null, or made by `make_thread`, for good.
    let mut at = unsafe { NEWEST.load(Ordering::Acquire).as_ref() };
    while let Some(thread) = at {
        thread.number.set(thread::id());
        // SAFETY: as above.
        at = unsafe { thread.before.get().as_ref() };
    }
}

fn push(new: &'static Thread) {
    let mut newest = NEWEST.load(Ordering::Relaxed);
    loop {
        new.before.set(newest);
        let pointer = ptr::from_ref(new).cast_mut();
        match NEWEST.compare_exchange_weak(newest, pointer, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => newest = now,
        }
    }
}

/// What a thread cache has of it: nothing, until there is something to keep.
pub(crate) struct Local {
    thread: Cell<*const Thread>,
    is_beginning: Cell<bool>,
    /// Requests until one gets a guarded block, where one in so many does; 0 before the first.
    pub(super) until_guarded: Cell<u32>,
}

impl Local {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(super) const NEW: Local = Local {
        thread: Cell::new(ptr::null()),
        is_beginning: Cell::new(false),
        until_guarded: Cell::new(0),
    };

    /// What is kept of this thread; `None` without memory for it, or in a signal handler that
    /// comes while it is made.
    #[inline(always)]
    pub(super) fn thread(&self) -> Option<&'static Thread> {
        // SAFETY: null, or made by `make_thread`, for good.
        match unsafe { self.thread.get().as_ref() } {
            None => self.make_thread(),
            thread => thread,
        }
    }

    /// What is kept of this thread, if there is something.
    #[inline(always)]
    pub(super) fn known_thread(&self) -> Option<&'static Thread> {
        // SAFETY: as in `thread`.
        unsafe { self.thread.get().as_ref() }
    }

    #[cold]
    #[inline(never)]
    fn make_thread(&self) -> Option<&'static Thread> {
        if self.is_beginning.replace(true) {
            return None;
        }
        let bytes = size_of::<Thread>().next_multiple_of(PAGE);
        let thread = own_memory::map(bytes).map(|address| {
            let place = address as *mut Thread;
            // SAFETY: mapped just now, of that size; zero bytes are valid for the stacks, rules
            // and ids that are known and for an empty quarantine; the rest is written.
            unsafe {
                (&raw mut (*place).stack).write(stack::Local::NEW);
                &*place
            }
        });
        if let Some(thread) = thread {
            thread.number.set(thread::id());
            use_signal_stack(thread);
            push(thread);
            self.thread.set(thread);
        }
        self.is_beginning.set(false);
        thread
    }

    /// The cache has another thread from now on.
    pub(super) fn began(&self) {
        if let Some(thread) = self.known_thread() {
            thread.known.forget();
            thread.stack.began();
            thread.number.set(thread::id());
            use_signal_stack(thread);
        }
    }

    /// Its thread ends.
    pub(super) fn ended(&self) {
        if let Some(thread) = self.known_thread()
            && thread.signal_stack.get() != 0
        {
            fatal_signal::leave_stack(thread.signal_stack.get());
        }
    }
}

/// A thread is heard that has used up its stack.
fn use_signal_stack(thread: &Thread) {
    if thread.signal_stack.get() == 0 {
        thread
            .signal_stack
            .set(fatal_signal::make_stack().unwrap_or(0));
    }
    if thread.signal_stack.get() != 0 {
        fatal_signal::use_stack(thread.signal_stack.get());
    }
}
