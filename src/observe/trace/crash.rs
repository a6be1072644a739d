//! The file `crash`: what ended the process, written by a handler of the signal that does.
//!
//! The handlers are installed at the set-up, and leave everything as it would be without them:
//! when the report is written, the action that was there before is put back and the signal is
//! delivered again, to the program's handler or to the end, with the status and the core file that
//! are its own. A program that installs handlers later replaces these.
//!
//! Handlers run on a stack of their own, so that a thread is heard that has used up its own. Each
//! thread that has a cache, and no such stack, gets one.
//!
//! 1. Nothing here allocates or locks. What is read of the faulty thread's memory is looked at
//!    before.

use super::clock;
use super::session::{self, Session};
use super::text::Text;
use crate::observe::stack;
use crate::sys::fatal_signal::{self, Before, Delivery, Info, SIGSEGV};
use crate::sys::memory::PAGE;
use crate::sys::thread;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt::Write;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use hakmem_trace_format::{Api, CrashCause, CrashReport, End, Kind, Record, Total};

struct BeforeCell(UnsafeCell<Before>);

// SAFETY: written at the set-up, before the handlers can run; read by them.
unsafe impl Sync for BeforeCell {}

static BEFORE: BeforeCell = BeforeCell(UnsafeCell::new(Before::NONE));
/// The handlers are ours. Relaxed: set by the set-up.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// This process has reported a fault that the allocator found, and SIGABRT is what follows. Relaxed:
/// it follows in the same thread.
static ABORTING: AtomicBool = AtomicBool::new(false);

/// How often a thread looks whether another one's report is complete.
const PATIENCE: u32 = 400;

/// Installs the handlers. Called once.
pub(super) fn set_up() {
    // SAFETY: called once, so nobody else uses the cell.
    unsafe { fatal_signal::install(entry, BEFORE.0.get()) };
    INSTALLED.store(true, Ordering::Relaxed);
}

/// Whether there are handlers, which need a stack.
pub(super) fn is_set_up() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

extern "C" fn entry(signal: i32, info: *mut Info, context: *mut c_void) {
    // SAFETY: the kernel has passed these, and waits.
    let delivery = unsafe { Delivery::new(signal, info, context) };
    if let Some(session) = session::get() {
        report(session, delivery);
    }
    // SAFETY: `set_up` has filled it.
    unsafe { delivery.pass_on(BEFORE.0.get()) };
}

fn report(session: &Session, delivery: Delivery) {
    let Some(file) = session.crash.get() else {
        return;
    };
    let now = clock::now();
    let (pc, sp, fp) = delivery.place();
    let cause = CrashCause {
        signal: delivery.signal,
        code: delivery.code(),
        fault_address: delivery.address() as u64,
        time: now,
        pid: session.pid(),
        tid: thread::id(),
    };
    // SAFETY: the session's file, made and mapped.
    let report = match unsafe { CrashReport::begin(file, &cause) } {
        Some(report) => report,
        // SAFETY: as above.
        None if ABORTING.swap(false, Ordering::Relaxed) => unsafe { CrashReport::resume(file) },
        None => return wait_for(file),
    };
    report.set_registers(&delivery.registers());
    report.push(headline(&cause, pc, sp).bytes());
    let record = Record::new(Kind::Fault, Api::Unknown, now, cause.fault_address)
        .with_value(cause.signal as u64)
        .with_caller(pc as u64)
        .with_thread(cause.tid);
    session.rare.put(record);
    session.add(Total::Faults, 1);
    let local = stack::Local::NEW;
    let mut frames = [0; stack::FRAMES];
    let count = stack::capture_from(&local, pc, sp, fp, &mut frames);
    report.set_frames(&frames[..count]);
    drop(report);
    if let Some(page) = session.page() {
        clock::add_point(page);
        // SAFETY: `set_up` has filled it.
        if unsafe { delivery.is_final(BEFORE.0.get()) } {
            page.set_end(End::Signalled, delivery.signal, now);
        }
    }
}

/// The line that the program's end is told in.
fn headline(cause: &CrashCause, pc: usize, sp: usize) -> Text {
    let mut text = Text::new();
    let _ = write!(
        text,
        "hakmem: {} (code {}) in thread {} at {pc:#x}",
        fatal_signal::name(cause.signal),
        cause.code,
        cause.tid,
    );
    if cause.fault_address != 0 || cause.code > 0 {
        let _ = write!(text, ", address {:#x}", cause.fault_address);
        let below = sp.wrapping_sub(cause.fault_address as usize);
        let is_near = below < 16 * PAGE || below.wrapping_neg() < PAGE;
        if cause.signal == SIGSEGV && is_near {
            let _ = write!(text, ": the stack is used up");
        }
    }
    let _ = writeln!(text);
    text
}

/// Waits, but not for ever, until another thread's report is complete: what follows ends the
/// process.
fn wait_for(file: NonNull<u8>) {
    for _ in 0..PATIENCE {
        // SAFETY: the session's file, made and mapped.
        if let (_, true) = unsafe { CrashReport::state(file) } {
            return;
        }
        fatal_signal::wait();
    }
}

/// Leaves what was found wrong and said; the process is likely to end for it.
pub(super) fn leave(session: &Session, code: i32, address: usize, text: &[u8]) {
    let Some(file) = session.crash.get() else {
        return;
    };
    let cause = CrashCause {
        signal: 0,
        code,
        fault_address: address as u64,
        time: clock::now(),
        pid: session.pid(),
        tid: thread::id(),
    };
    // SAFETY: the session's file, made and mapped.
    let report = match unsafe { CrashReport::begin(file, &cause) } {
        Some(report) => report,
        // SAFETY: as above; what was found first stays, and this is added.
        None => unsafe { CrashReport::resume(file) },
    };
    report.push(text);
    if !text.ends_with(b"\n") {
        report.push(b"\n");
    }
    drop(report);
    ABORTING.store(true, Ordering::Relaxed);
    let record = Record::new(Kind::Fault, Api::Unknown, cause.time, address as u64)
        .with_value(code as u64)
        .with_thread(cause.tid);
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    session.rare.put_with_text(record, line);
    session.add(Total::Faults, 1);
}
