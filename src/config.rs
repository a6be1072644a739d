//! The options in force in this process.
//!
//! Read once, by the first allocation after libc has set `environ`; until then the
//! defaults count. Allocations before that come from the dynamic loader and libc's own
//! set-up, on one thread.

use crate::observe::{Observed, Observer};
use crate::options::Options;
use crate::sys::environment;
use crate::sys::lock::Lock;
use crate::sys::stderr;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

const UNREAD: u32 = 0;
const READ: u32 = 2;

struct Config {
    /// Released after `options` was written for good; read Acquire.
    state: AtomicU32,
    /// Written before `state` says READ; zero until then, so that no page of the library's
    /// file is needed for it.
    options: UnsafeCell<MaybeUninit<Options>>,
}

// SAFETY: `options` is written under `WRITER`, once, before `state` says READ, and read
// through `get` alone.
unsafe impl Sync for Config {}

static CONFIG: Config = Config {
    state: AtomicU32::new(UNREAD),
    options: UnsafeCell::new(MaybeUninit::zeroed()),
};
static DEFAULTS: Options = Options::DEFAULT;
static WRITER: Lock<()> = Lock::new(());

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
        if Observed::expects(warning.name()) {
            return;
        }
        for piece in warning.pieces() {
            stderr::write(piece);
        }
    });
    // SAFETY: `state` is not READ, so nobody reads; the lock keeps other writers out.
    unsafe { (*CONFIG.options.get()).write(options) };
    CONFIG.state.store(READ, Ordering::Release);
    true
}

/// The options in force.
pub(crate) fn get() -> &'static Options {
    if is_read() {
        // SAFETY: written, and not written any more, once `state` is READ.
        unsafe { (*CONFIG.options.get()).assume_init_ref() }
    } else {
        &DEFAULTS
    }
}
