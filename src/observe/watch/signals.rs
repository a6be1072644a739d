//! What happens when armed memory is written to: the signal handlers.
//!
//! The processor reports a write behind the instruction that did it. So the address that is
//! named is that of the last byte before, which lies in the instruction, and names its line;
//! but a repeated one (`rep stos`) is stopped in the middle, and is the one itself.
//!
//! 1. What the allocator itself writes is not reported.

use super::guard::Guard;
use super::guards;
use super::hit::{self, Hit};
use crate::observe::report::place::Place;
use crate::sys::large_stack;
use crate::sys::signal::{self, Outcome, Stopped};
use crate::sys::thread;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The last write that was tried again, and by which thread: it is not tried for ever. Relaxed: a
/// thread meets its own, and one that meets another's tries once more.
static RETRIED: AtomicUsize = AtomicUsize::new(0);
static RETRIED_BY: AtomicU32 = AtomicU32::new(0);

/// Sees to it that the signals come here; false if the system refuses.
pub(super) fn listen() -> bool {
    signal::TRAP.ensure(on_trap)
}

/// As [`listen`], for pages as well.
pub(super) fn listen_to_pages() -> bool {
    signal::TRAP.ensure(on_trap) && signal::FAULT.ensure(on_fault)
}

/// In a fork's child.
pub(super) fn forked() {
    large_stack::forked();
    hit::forked();
}

fn on_trap(stopped: &Stopped) -> Outcome {
    if let Some(data) = stopped.breakpoint() {
        return match guards::of_data(data) {
            None => Outcome::Others,
            Some(None) => Outcome::Ours,
            Some(Some((guard, word))) => {
                on_hit(stopped, guard, word);
                Outcome::Ours
            }
        };
    }
    let mut outcome = Outcome::Others;
    // One instruction may write to the pages of two blocks.
    while stopped.is_step()
        && let Some(guard) = guards::of_step(thread::id())
    {
        on_step(stopped, guard);
        outcome = Outcome::Ours;
    }
    outcome
}

fn on_hit(stopped: &Stopped, guard: &'static Guard, word: usize) {
    let serial = guard.serial();
    let pc = writer(stopped.pc());
    let ours = is_ours(pc, stopped.sp());
    // An instruction may write to several words at once, and the kernel sends one signal.
    // The one that it is sent for may have been given up since.
    for at in 0..guard.words().max(word + 1) {
        let Some((address, old, new)) = guard.look(at) else {
            continue;
        };
        if !ours && (at == word || old != new) {
            hit::report(&Hit {
                guard,
                serial,
                address,
                old,
                new: Some(new),
                pc,
                stopped: Some(stopped),
            });
        }
    }
}

/// An address in the instruction before `pc`, or `pc` if the instruction there is repeated and
/// not at its end.
fn writer(pc: usize) -> usize {
    const REPEAT: [u8; 2] = [0xf2, 0xf3];
    // Code that runs can be read, but for its last bytes perhaps, so one at a time.
    // SAFETY: the instruction at `pc` is the next one to run.
    let byte = |at: usize| unsafe { ((pc + at) as *const u8).read_volatile() };
    if !REPEAT.contains(&byte(0)) {
        return pc - 1;
    }
    let operation = match byte(1) {
        // A prefix for operands of 64 bits, or of 16.
        0x40..=0x4f | 0x66 => byte(2),
        other => other,
    };
    // movs and stos.
    if matches!(operation, 0xa4 | 0xa5 | 0xaa | 0xab) {
        pc
    } else {
        pc - 1
    }
}

/// Whether the allocator wrote: its own code, or a function of libc that it called and that has
/// no frame (`memset`, `memcpy`).
fn is_ours(pc: usize, sp: usize) -> bool {
    let ours = |pc: usize| Place::of(pc).is_some_and(|place| place.is_ours());
    if ours(pc) {
        return true;
    }
    let in_libc = Place::of(pc).is_some_and(|place| place.file().starts_with(b"libc.so"));
    // SAFETY: the thread's stack pointer is aligned, and what it points to is in use.
    in_libc && ours(unsafe { (sp as *const usize).read_unaligned() }.wrapping_sub(1))
}

fn on_fault(stopped: &Stopped) -> Outcome {
    let Some(address) = stopped.refused_write() else {
        return Outcome::Others;
    };
    let this = thread::id();
    let Some(guard) = guards::of_page(address) else {
        return if guards::was_page(address) && is_first_try(address, this) {
            Outcome::Ours
        } else {
            Outcome::Others
        };
    };
    // If another thread steps in the same pages, they are open meanwhile, and this write is
    // tried again until it goes through or it is this thread's turn to step.
    let Some(serial) = guards::begin_step(guard, this) else {
        return Outcome::Ours;
    };
    guard.look_at(address & !7);
    guard.pc.store(stopped.pc(), Ordering::Relaxed);
    if !stopped.step(true) {
        // The thread has blocked the signal behind the step: the value is not known then.
        let (address, old) = guard.look(0).map_or((0, 0), |(at, old, _)| (at, old));
        hit::report(&Hit {
            guard,
            serial,
            address,
            old,
            new: None,
            pc: stopped.pc(),
            stopped: Some(stopped),
        });
        guards::disarm_this(guard, serial);
        guards::end_step(guard, serial);
    }
    Outcome::Ours
}

fn is_first_try(address: usize, thread: u32) -> bool {
    let before = RETRIED.swap(address, Ordering::Relaxed);
    let by = RETRIED_BY.swap(thread, Ordering::Relaxed);
    (before, by) != (address, thread)
}

fn on_step(stopped: &Stopped, guard: &'static Guard) {
    let serial = guard.serial();
    stopped.step(false);
    if let Some((address, old, new)) = guard.look(0) {
        hit::report(&Hit {
            guard,
            serial,
            address,
            old,
            new: Some(new),
            pc: guard.pc.load(Ordering::Relaxed),
            stopped: Some(stopped),
        });
    }
    guards::end_step(guard, serial);
}
