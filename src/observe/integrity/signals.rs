//! Signals that end the program: what the heap has to say about them, before they take their way.
//!
//! The handlers stand in front of what was there, and pass every signal on. An access to the pages of
//! guarded blocks is told with the block; of another one the registers may say more, for memory that
//! was freed, or never written to, is filled with bytes that are no address, and else `wild.rs` says
//! what is near. Then all blocks are looked at, for a program that dies has often damaged some
//! before.

use super::guard::{self, How};
use super::kind::Kind;
use super::pattern::{FREED, FRESH};
use super::report::{self, Finder, Finding, Subject};
use super::{scan, wild};
use crate::observe::report::Line;
use crate::observe::stack;
use crate::sys::fatal_signal::{self, Before, Delivery, Info, SIGBUS, SIGSEGV};
use crate::sys::thread;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

struct BeforeCell(UnsafeCell<Before>);

// SAFETY: written at the set-up, before the handlers can run; read by them.
unsafe impl Sync for BeforeCell {}

static BEFORE: BeforeCell = BeforeCell(UnsafeCell::new(Before::NONE));
/// One signal is explained: others that come of it are not. Relaxed: a thread that comes second
/// may be explained as well.
static EXPLAINED: AtomicBool = AtomicBool::new(false);

/// Installs the handlers. Called once.
pub(super) fn set_up() {
    // SAFETY: called once, so nobody else uses the cell.
    unsafe { fatal_signal::install(entry, BEFORE.0.get()) };
}

/// What comes is our own doing, and told already.
pub(super) fn expect() {
    EXPLAINED.store(true, Ordering::Relaxed);
}

/// What has taken the place of our handlers, before they stood in front once more.
static LATER: BeforeCell = BeforeCell(UnsafeCell::new(Before::NONE));

/// Looks whether our handlers still are there: a runtime that the program is linked with, as Rust's
/// is, may install its own behind the first allocation. Then ours stand in front once more, for
/// good. Called on slow paths; looks at few of them.
#[inline]
pub(super) fn insist() {
    /// Calls that look: so many from the first on, and one of so many later.
    const FIRST: u32 = 64;
    const LATER_ON: u32 = 1024;
    /// Relaxed: a count.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.load(Ordering::Relaxed).wrapping_add(1);
    CALLS.store(calls, Ordering::Relaxed);
    if calls < FIRST || calls.is_multiple_of(LATER_ON) {
        insist_slow();
    }
}

#[cold]
#[inline(never)]
fn insist_slow() {
    /// One thread at a time, and once. Acquire and Release, for `LATER`.
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    if IS_DONE.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: nobody else is here before it is put back, nor after it is not.
    if !unsafe { fatal_signal::install_over(entry, entry_once_more, LATER.0.get()) } {
        IS_DONE.store(false, Ordering::Release);
    }
}

extern "C" fn entry_once_more(signal: i32, info: *mut Info, context: *mut c_void) {
    // SAFETY: the kernel has passed these, and waits.
    let delivery = unsafe { Delivery::new(signal, info, context) };
    if !EXPLAINED.swap(true, Ordering::Relaxed) {
        explain(delivery);
    }
    // SAFETY: `insist_slow` has filled it.
    unsafe { delivery.pass_on(LATER.0.get()) };
}

extern "C" fn entry(signal: i32, info: *mut Info, context: *mut c_void) {
    // SAFETY: the kernel has passed these, and waits.
    let delivery = unsafe { Delivery::new(signal, info, context) };
    if !EXPLAINED.swap(true, Ordering::Relaxed) {
        explain(delivery);
    }
    // SAFETY: `set_up` has filled it.
    unsafe { delivery.pass_on(BEFORE.0.get()) };
}

fn explain(delivery: Delivery) {
    let (pc, sp, fp) = delivery.place();
    let local = stack::Local::NEW;
    let mut frames = [0; stack::FRAMES];
    let depth = stack::capture_from(&local, pc, sp, fp, &mut frames);
    let finder = Finder {
        what: fatal_signal::name(delivery.signal).as_bytes(),
        thread: thread::id(),
        frames: &frames[..depth],
        returns: false,
    };
    if matches!(delivery.signal, SIGSEGV | SIGBUS) && delivery.code() > 0 {
        access(delivery, finder);
    }
    scan::examine(b"the scan after a signal that ends the program");
}

/// An access that the processor refused.
fn access(delivery: Delivery, finder: Finder<'_>) {
    let (address, how) = (delivery.address(), how(delivery));
    if let Some((kind, sentence)) = guard::explain(address, how) {
        report::only_tell(&Finding {
            kind,
            sentence: sentence.bytes(),
            address,
            subject: Subject::of(address),
            damage: None,
            finder,
            unknown: b"",
        });
    } else if !through_filling(delivery, finder) {
        wild::tell(delivery, how, finder.thread);
    }
}

fn how(delivery: Delivery) -> How {
    const WRITE: u64 = 1 << 1;
    const FETCH: u64 = 1 << 4;
    match delivery.page_fault() {
        Some(error) if error & WRITE != 0 => How::Write,
        Some(error) if error & FETCH != 0 => How::Execution,
        _ => How::Read,
    }
}

/// Whether a value is the filling, or an address that was counted from it.
fn is_near(value: u64, byte: u8) -> bool {
    const NEAR: u64 = 1 << 16;
    let filling = u64::from_ne_bytes([byte; 8]);
    value.wrapping_sub(filling) < NEAR || filling.wrapping_sub(value) < NEAR
}

/// An access through a register that holds what freed or fresh memory is filled with; says whether
/// it is one.
fn through_filling(delivery: Delivery, finder: Finder<'_>) -> bool {
    let registers = delivery.registers();
    let named = fatal_signal::general(&registers);
    let holds = |byte| named.iter().find(|(_, value)| is_near(*value, byte));
    let mut sentence = Line::part();
    if let Some((name, value)) = holds(FREED) {
        sentence
            .text(b"an access through ")
            .text(name.as_bytes())
            .text(b" = ")
            .address(*value as usize)
            .text(b", which is what freed memory is filled with: the pointer was read from a freed block");
        report::only_tell(&Finding {
            kind: Kind::UseAfterFree,
            sentence: sentence.bytes(),
            address: *value as usize,
            subject: None,
            damage: None,
            finder,
            unknown: b"which block it was read from",
        });
        true
    } else if let Some((name, value)) = holds(FRESH) {
        Line::new()
            .text(b"SIGSEGV: ")
            .text(name.as_bytes())
            .text(b" = ")
            .address(*value as usize)
            .text(b" is what new memory is filled with: the pointer was read from a block never written to")
            .write();
        true
    } else {
        false
    }
}
