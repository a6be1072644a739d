//! The process's first allocation, and its forks.
//!
//! Before anything is handed out: standard error is remembered, the environment read if
//! libc has set it, the arena reserved, SuperSlabs prewarmed, the root structure filled.
//! After the first thread has its cache, and libc is there: the fork handlers and what runs
//! at exit are registered, which allocates.

use crate::arena;
use crate::block;
use crate::config;
use crate::large;
use crate::metadata;
use crate::observe::{Observed, Observer, Occasion, caller};
use crate::report;
use crate::root;
use crate::shared_pool;
use crate::slab::Slab;
use crate::sys::lock::Lock;
use crate::sys::process;
use crate::sys::stderr;
use crate::sys::thread;
use crate::thread_cache::front::{Front, Quiet};
use crate::thread_cache::{Busy, NoCache, ThreadCache, parked};
use crate::unit_stock;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

const NEW: u32 = 0;
const USABLE: u32 = 1;
const COMPLETE: u32 = 2;

/// Released when a stage is complete; read Acquire.
static STAGE: AtomicU32 = AtomicU32::new(NEW);
static ONE: Lock<()> = Lock::new(());
static OPTIONS_USED: AtomicBool = AtomicBool::new(false);
/// The front of the thread that forks, between the handlers. Written and read by that thread
/// alone, which holds all the locks.
static FORKING: AtomicPtr<Front> = AtomicPtr::new(ptr::null_mut());
static REGISTERING: AtomicBool = AtomicBool::new(false);

/// This thread's cache, in a process that is set up.
#[inline]
pub(crate) fn enter() -> Result<Busy, NoCache> {
    if STAGE.load(Ordering::Acquire) != COMPLETE && !Front::current().is_busy() {
        set_up();
    }
    report::poll();
    let entered = ThreadCache::enter();
    if entered.is_ok() {
        // What signal handlers have freed would wait for the next large block otherwise.
        large::free_deferred();
    }
    entered
}

#[cold]
fn set_up() {
    let quiet = Quiet::begin();
    if STAGE.load(Ordering::Acquire) == NEW {
        let _one = ONE.lock();
        if STAGE.load(Ordering::Relaxed) == NEW {
            stderr::remember();
            config::read_environment();
            block::set_key(process::random());
            arena::set_up();
            root::fill();
            STAGE.store(USABLE, Ordering::Release);
        }
    }
    if config::read_environment() && !OPTIONS_USED.swap(true, Ordering::AcqRel) {
        root::add_options();
        let sees = Observed::set_up();
        caller::switch(sees, Observed::diverts());
        shared_pool::prewarm();
    }
    drop(quiet);
    // What is registered allocates: the thread needs its cache first, and comes through
    // here once more meanwhile.
    if !config::read_environment() || REGISTERING.swap(true, Ordering::AcqRel) {
        return;
    }
    if ThreadCache::enter().is_err() {
        REGISTERING.store(false, Ordering::Release);
        return;
    }
    process::at_fork(before_fork, after_fork, in_child);
    report::set_up();
    if Observed::ACTIVE {
        process::at_exit_of_observers(exits);
    }
    STAGE.store(COMPLETE, Ordering::Release);
}

extern "C" fn exits() {
    let quiet = Quiet::begin();
    ThreadCache::show_all(Occasion::Exit);
    drop(quiet);
    Observed::exits();
}

/// Takes all locks, those first under which others are taken.
extern "C" fn before_fork() {
    parked::hold();
    shared_pool::hold();
    unit_stock::hold();
    Slab::hold_stock();
    arena::hold();
    metadata::hold();
    // Other libraries' handlers run while all is locked, and may allocate: they are served
    // as signal handlers are.
    let quiet = Quiet::begin();
    FORKING.store(ptr::from_ref(quiet.front()).cast_mut(), Ordering::Relaxed);
    core::mem::forget(quiet);
}

extern "C" fn after_fork() {
    thread::set_word(FORKING.load(Ordering::Relaxed).cast());
    // SAFETY: this thread has run `before_fork`.
    unsafe {
        metadata::let_go();
        arena::let_go();
        Slab::let_go_stock();
        unit_stock::let_go();
        shared_pool::let_go();
        parked::let_go();
    }
}

extern "C" fn in_child() {
    // SAFETY: `before_fork` has stored this thread's front, which is never unmapped.
    let front = unsafe { &*FORKING.load(Ordering::Relaxed) };
    let own = front.is_real().then(|| ThreadCache::of(front));
    parked::adopt_after_fork(own);
    shared_pool::forget_purger();
    after_fork();
    if let Some(own) = own.filter(|_| Observed::ACTIVE) {
        own.renumber();
    }
    ThreadCache::show_all(Occasion::Forked);
    Observed::forked();
}
