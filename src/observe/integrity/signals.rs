//! Signals that end the program: what the heap has to say about them, before they take their way.
//!
//! The handlers stand in front of what was there, and pass every signal on. They look at all blocks,
//! for a program that dies has often damaged some before; and at the registers, for memory that was
//! freed, or never written to, is filled with bytes that are no address.

use super::kind::Kind;
use super::pattern::{FREED, FRESH};
use super::report::{self, Finder, Finding};
use super::scan;
use crate::observe::report::Line;
use crate::observe::stack;
use crate::sys::fatal_signal::{self, Before, Delivery, Info, SIGSEGV};
use crate::sys::thread;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

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
    if delivery.signal == SIGSEGV {
        through_filling(delivery, finder);
    }
    scan::examine(b"the scan after a signal that ends the program");
}

/// Whether a value is the filling, or an address that was counted from it.
fn is_near(value: u64, byte: u8) -> bool {
    const NEAR: u64 = 1 << 16;
    let filling = u64::from_ne_bytes([byte; 8]);
    value.wrapping_sub(filling) < NEAR || filling.wrapping_sub(value) < NEAR
}

/// An access through a register that holds what freed or fresh memory is filled with.
fn through_filling(delivery: Delivery, finder: Finder<'_>) {
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
    } else if let Some((name, value)) = holds(FRESH) {
        Line::new()
            .text(b"SIGSEGV: ")
            .text(name.as_bytes())
            .text(b" = ")
            .address(*value as usize)
            .text(b" is what new memory is filled with: the pointer was read from a block never written to")
            .write();
    }
}
