//! The options in force in this process.
//!
//! Read once, by the first allocation after libc has set `environ`; until then the
//! defaults count. Allocations before that come from the dynamic loader and libc's own
//! set-up, on one thread.

use crate::options::Options;
use crate::sys::environment;
use crate::sys::lock::Lock;
use crate::sys::stderr;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const UNREAD: u32 = 0;
const READ: u32 = 2;

struct Config {
    /// Released after `options` was written for good; read Acquire.
    state: AtomicU32,
    options: UnsafeCell<Options>,
}

// SAFETY: `options` is written under `WRITER`, once, before `state` says READ, and read
// through `get` alone.
unsafe impl Sync for Config {}

static CONFIG: Config = Config {
    state: AtomicU32::new(UNREAD),
    options: UnsafeCell::new(Options::DEFAULT),
};
static DEFAULTS: Options = Options::DEFAULT;
static WRITER: Lock<()> = Lock::new(());

/// The process's `malloc` is another one: the library was loaded beside it. Set before it
/// hands out anything, and never reset.
static BESIDE_ANOTHER: AtomicBool = AtomicBool::new(false);

/// Notes that the process's `malloc` is another one.
pub(crate) fn note_another_malloc() {
    BESIDE_ANOTHER.store(true, Ordering::Relaxed);
}

/// Whether the process's `malloc` is another one.
pub(crate) fn is_beside_another_malloc() -> bool {
    BESIDE_ANOTHER.load(Ordering::Relaxed)
}

/// Whether the environment has been read.
pub(crate) fn is_read() -> bool {
    CONFIG.state.load(Ordering::Acquire) == READ
}

/// Reads the environment if libc has set it; says whether the options are final.
pub(crate) fn read_environment() -> bool {
    if is_read() {
        return true;
    }
    let _one = WRITER.lock();
    if is_read() {
        return true;
    }
    // SAFETY: this runs in one of the process's first allocations; a program that changes
    // its environment from another thread by then has undefined behaviour of its own.
    let Some(variables) = (unsafe { environment::variables() }) else {
        return false;
    };
    let options = Options::read(variables, &mut |warning| {
        for piece in warning.pieces() {
            stderr::write(piece);
        }
    });
    // SAFETY: `state` is not READ, so nobody reads; the lock keeps other writers out.
    unsafe { *CONFIG.options.get() = options };
    CONFIG.state.store(READ, Ordering::Release);
    true
}

/// The options in force.
pub(crate) fn get() -> &'static Options {
    if is_read() {
        // SAFETY: not written any more once `state` is READ.
        unsafe { &*CONFIG.options.get() }
    } else {
        &DEFAULTS
    }
}
