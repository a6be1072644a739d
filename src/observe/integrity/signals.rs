//! Signals that end the program: what the heap has to say about them, before they take their way.
//!
//! The handlers stand in front of what was there, and of what the program installs later, and pass
//! every signal on. Where the program has a handler, which may live on, what has to do with blocks
//! alone is told. An access to the pages of
//! guarded blocks is told with the block; of another one the registers may say more, for memory that
//! was freed, or never written to, is filled with bytes that are no address, and else `wild.rs` says
//! what is near. Then all blocks are looked at, for a program that dies has often damaged some
//! before.
//!
//! All of that happens on a large stack of its own: the program's handlers may have a small one.

use super::guard::{self, How};
use super::kind::Kind;
use super::pattern::{FREED, FRESH};
use super::report::{self, Finder, Finding, Subject};
use super::{foreign_free, missing_count, scan, wild};
use crate::observe::own_memory;
use crate::observe::report::Line;
use crate::observe::stack;
pub use crate::sys::action::Action;
use crate::sys::fatal_signal::{self, Before, Delivery, Info, SIGBUS, SIGSEGV};
use crate::sys::{large_stack, program_signal, stack as own_stack, thread};
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
    if let Some((start, bytes)) = large_stack::make() {
        // What handlers of ours have left there is nothing that the program holds.
        own_memory::note(start, bytes);
    }
    // SAFETY: called once, so nobody else uses the cell.
    unsafe { fatal_signal::install(entry, BEFORE.0.get()) };
    program_signal::begin(entry);
}

/// As libc's `sigaction`: the handlers stay in front.
///
/// # Safety
/// As libc's.
pub unsafe fn set_action(signal: i32, new: *const Action, old: *mut Action) -> i32 {
    // SAFETY: the caller's clause.
    unsafe { program_signal::change(signal, new, old) }
}

/// This is a forked child.
pub(super) fn forked() {
    program_signal::forked();
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
        with_room(delivery, explain);
    }
    // SAFETY: `insist_slow` has filled it.
    unsafe { delivery.pass_on(LATER.0.get()) };
}

extern "C" fn entry(signal: i32, info: *mut Info, context: *mut c_void) {
    // SAFETY: the kernel has passed these, and waits.
    let delivery = unsafe { Delivery::new(signal, info, context) };
    if let Some(handler) = program_signal::handler(delivery) {
        with_room(delivery, explain_to_handler);
        // SAFETY: it is the program's handler for this signal.
        return unsafe { delivery.call(handler) };
    }
    if !EXPLAINED.swap(true, Ordering::Relaxed) {
        with_room(delivery, explain);
    }
    // SAFETY: `set_up` has filled it.
    unsafe { delivery.pass_on(BEFORE.0.get()) };
}

/// What travels to the large stack.
type Errand = (Delivery, fn(Delivery));

/// Does it on the large stack; not at all in the middle of another one of this thread.
fn with_room(delivery: Delivery, explain: fn(Delivery)) {
    let mut errand: Errand = (delivery, explain);
    large_stack::run_if_made(run, (&raw mut errand).cast());
}

extern "C" fn run(errand: *mut c_void) {
    // SAFETY: `with_room` passes its own, and waits.
    let (delivery, explain) = unsafe { &*errand.cast::<Errand>() };
    explain(*delivery);
}

/// The program has a handler for it, and may do such accesses on purpose: tells what is a bug in any
/// case, and looks at all blocks once.
fn explain_to_handler(delivery: Delivery) {
    /// Accesses that are told. A program that goes on may go on with it.
    const MOST: u32 = 8;
    /// Relaxed: a count.
    static TOLD: AtomicU32 = AtomicU32::new(0);
    if delivery.code() <= 0 {
        return;
    }
    let mut frames = [0; stack::FRAMES];
    let finder = finder(delivery, &mut frames);
    let is_of_blocks = guard::explain(delivery.address(), how(delivery)).is_some();
    if is_of_blocks && TOLD.fetch_add(1, Ordering::Relaxed) < MOST {
        guarded(delivery, finder);
    } else if delivery.page_fault().is_none() && !EXPLAINED.load(Ordering::Relaxed) {
        through_filling(delivery, finder);
    }
    if !EXPLAINED.swap(true, Ordering::Relaxed) {
        scan::examine(b"the scan after a signal that the program handles");
    }
}

/// Who has found it.
fn finder(delivery: Delivery, frames: &mut [u64; stack::FRAMES]) -> Finder<'_> {
    let (pc, sp, fp) = delivery.place();
    let local = stack::Local::NEW;
    let depth = stack::capture_from(&local, pc, sp, fp, frames);
    Finder {
        what: fatal_signal::name(delivery.signal).as_bytes(),
        thread: thread::id(),
        frames: &frames[..depth],
        returns: false,
    }
}

fn explain(delivery: Delivery) {
    let mut frames = [0; stack::FRAMES];
    let finder = finder(delivery, &mut frames);
    if matches!(delivery.signal, SIGSEGV | SIGBUS)
        && delivery.code() > 0
        && !guarded(delivery, finder)
        && !missing_count::tell(delivery, at_hand(delivery), finder)
        && !through_filling(delivery, finder)
        && !of_freed_at_hand(delivery, finder)
        && !wild::beside(delivery, how(delivery), finder)
    {
        wild::tell(delivery, how(delivery), finder.thread);
    }
    foreign_free::tell(delivery, finder);
    scan::examine(b"the scan after a signal that ends the program");
}

/// An access to the pages of guarded blocks that the processor refused; says whether it is one.
fn guarded(delivery: Delivery, finder: Finder<'_>) -> bool {
    let address = delivery.address();
    let Some((kind, sentence)) = guard::explain(address, how(delivery)) else {
        return false;
    };
    report::only_tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address,
        subject: Subject::of(address),
        damage: None,
        finder,
        unknown: b"",
    });
    true
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

/// What a function has at hand: its registers, and the words of its stack that are near.
fn at_hand(delivery: Delivery) -> impl Iterator<Item = usize> {
    /// Words of the stack that are looked at.
    const WORDS: usize = 24;
    let (_, sp, _) = delivery.place();
    let named = fatal_signal::general(&delivery.registers());
    let on_stack = (0..WORDS)
        .map(move |word| sp + word * size_of::<usize>())
        .take_while(|&at| own_stack::is_readable(at))
        // SAFETY: it can be read, and is the thread's own stack.
        .map(|at| unsafe { (at as *const usize).read_volatile() });
    named
        .into_iter()
        .map(|(_, value)| value as usize)
        .chain(on_stack)
}

/// An access through an address that is none, by a function that has the address of a freed block at
/// hand: what it has read there was the filling, and it has computed with it. Says whether it is one.
fn of_freed_at_hand(delivery: Delivery, finder: Finder<'_>) -> bool {
    if delivery.page_fault().is_some() || delivery.address() != 0 {
        return false;
    }
    let freed = |word: usize| Subject::of(word).filter(Subject::is_freed);
    let Some(block) = at_hand(delivery).find_map(freed) else {
        return false;
    };
    let mut sentence = Line::part();
    sentence
        .text(b"an access through an address that is none, by a function that has at hand a freed block of ")
        .bytes_at(block.size, block.address)
        .text(b": what is read there is the filling");
    report::only_tell(&Finding {
        kind: Kind::UseAfterFree,
        sentence: sentence.bytes(),
        address: block.address,
        subject: Some(block),
        damage: None,
        finder,
        unknown:
            b"whether it was read from this block: its address is in a register or on the stack",
    });
    true
}
