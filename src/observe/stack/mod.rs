//! The stack of calls that led to an allocation or a free, as return addresses.
//!
//! ```text
//! frames[0]   where the caller's call returns to: exact, in every mode
//! frames[1]   where the caller returns to                                ┐ as the mode finds
//!  …                                                                     ┘ them
//! ```
//!
//! | `HAKMEM_STACKS` | how | right for |
//! |---|---|---|
//! | `fp` | `frame_pointers.rs`: the chain of saved frame pointers | code built with them |
//! | `table` | `table.rs`: the unwind tables, one rule a return address | code with tables: nearly all |
//! | `dwarf` | `exact.rs`: libgcc's unwinder | the same, without rules of our own |
//! | `off` | the caller alone | |
//!
//! 1. A walk reads memory that is known to be mapped alone: of the thread's own stack
//!    (`bounds.rs`), or after the kernel was asked.
//! 2. Each step goes up in its stack, so that a walk ends.
//! 3. A walk allocates nothing and takes no lock, but for what libgcc does in mode `dwarf`.

pub(crate) mod bounds;
mod exact;
mod frame_pointers;
pub(crate) mod near_rules;
mod rule;
mod rules;
mod table;
mod unwind_table;

use super::caller::Caller;
use super::settings;
use crate::sys::stderr::Line;
use bounds::Bounds;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use near_rules::NearRules;

/// The most return addresses that a walk may be asked for.
pub(crate) const FRAMES: usize = 64;
/// How many it brings if nothing else is said.
const USUAL: usize = 16;

/// How stacks are walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Mode {
    Off = 0,
    FramePointers = 1,
    Table = 2,
    Exact = 3,
}

/// A [`Mode`]. Relaxed: set by the process's first thread before it observes anything.
static MODE: AtomicU8 = AtomicU8::new(Mode::FramePointers as u8);
/// How many return addresses a walk brings, 1 to [`FRAMES`]. As above.
static DEPTH: AtomicUsize = AtomicUsize::new(USUAL);

/// What is kept of stacks per thread.
pub(crate) struct Local {
    bounds: Bounds,
    /// The thread is inside of libgcc's unwinder.
    inside: Cell<bool>,
}

/// Room for the return addresses of a stack, which need not be initialised.
pub(crate) type Room = [MaybeUninit<u64>; FRAMES];

/// Where a walk begins: the place that a call returns to, or an interrupted instruction, and the
/// registers there.
#[derive(Clone, Copy)]
struct Registers {
    pc: usize,
    sp: usize,
    fp: usize,
}

impl Local {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(crate) const NEW: Local = Local {
        bounds: Bounds::NEW,
        inside: Cell::new(false),
    };

    /// A thread has the state from now on; called by that thread, in a hook or not.
    pub(crate) fn began(&self) {
        self.bounds.forget();
        self.inside.set(false);
    }
}

impl Local {
    /// Whether an address is known to lie on the thread's own stack.
    pub(crate) fn has(&self, address: usize) -> bool {
        self.bounds.known().contains(address)
    }
}

/// Reads the variables, at the process's set-up; what each observer asks for is done once.
pub(crate) fn set_up() {
    /// Relaxed: one thread sets the process up.
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    let mode = match settings::text("HAKMEM_STACKS") {
        None | Some(b"fp") => Mode::FramePointers,
        Some(b"table") => Mode::Table,
        Some(b"dwarf") if exact::set_up() => Mode::Exact,
        Some(b"dwarf") => {
            Line::new()
                .text(b"hakmem: HAKMEM_STACKS=dwarf: libgcc_s is not loaded; using table")
                .write();
            Mode::Table
        }
        Some(b"off") => Mode::Off,
        Some(other) => {
            Line::new()
                .text(b"hakmem: HAKMEM_STACKS=")
                .text(other)
                .text(b" is not fp, table, dwarf or off; using the default fp")
                .write();
            Mode::FramePointers
        }
    };
    MODE.store(mode as u8, Ordering::Relaxed);
    let depth = settings::count("HAKMEM_STACK_DEPTH") as usize;
    DEPTH.store(depth.clamp(1, FRAMES), Ordering::Relaxed);
}

/// How stacks are walked in this process.
#[inline(always)]
pub(crate) fn mode() -> Mode {
    match MODE.load(Ordering::Relaxed) {
        0 => Mode::Off,
        1 => Mode::FramePointers,
        2 => Mode::Table,
        _ => Mode::Exact,
    }
}

/// How many return addresses a walk brings at most.
#[inline(always)]
pub(crate) fn depth() -> usize {
    // The bound is known to hold; so knows the compiler.
    DEPTH.load(Ordering::Relaxed).min(FRAMES)
}

/// The return addresses that led to `caller`, innermost first; says how many there are, at
/// least one.
#[inline(always)]
pub(crate) fn capture(local: &Local, caller: Caller, frames: &mut [u64; FRAMES]) -> usize {
    capture_into(local, caller, as_room(frames)).len()
}

/// As [`capture`], into memory that need not be initialised.
#[inline(always)]
pub(crate) fn capture_into<'a>(local: &Local, caller: Caller, room: &'a mut Room) -> &'a [u64] {
    let registers = Registers {
        pc: caller.pc(),
        sp: caller.sp(),
        fp: caller.fp(),
    };
    let count = match mode() {
        Mode::Off => only_pc(&registers, room),
        Mode::FramePointers => frame_pointers::walk(&local.bounds, registers, room, depth()),
        Mode::Table => table::walk(&local.bounds, registers, room, depth(), |_, _| {}),
        Mode::Exact => exact::walk(&local.bounds, &local.inside, registers, room, depth()),
    };
    // SAFETY: the walks initialise as many as they say.
    unsafe { room[..count].assume_init_ref() }
}

/// As [`capture_into`], by unwind tables whatever the mode, and `most` addresses at most, with the
/// rules that the thread has needed lately; `each` is told where on the stack each return address
/// but the first stands, as far as they are found in the words below it, and whether the frame
/// pointer has said so.
#[inline]
pub(crate) fn capture_by_tables<'a>(
    local: &Local,
    near: &NearRules,
    caller: Caller,
    room: &'a mut Room,
    most: usize,
    each: impl FnMut(usize, bool),
) -> &'a [u64] {
    let registers = Registers {
        pc: caller.pc(),
        sp: caller.sp(),
        fp: caller.fp(),
    };
    let most = most.min(depth());
    let count = table::walk_near(&local.bounds, near, registers, room, most, each);
    // SAFETY: the walk initialises as many as it says.
    unsafe { room[..count].assume_init_ref() }
}

/// As [`capture`], from the registers of a context that a signal has interrupted: `frames[0]` is
/// the instruction.
pub(crate) fn capture_from(
    local: &Local,
    pc: usize,
    sp: usize,
    fp: usize,
    frames: &mut [u64; FRAMES],
) -> usize {
    let registers = Registers { pc, sp, fp };
    let room = as_room(frames);
    match mode() {
        Mode::Off => only_pc(&registers, room),
        // Rare, and worth an exact answer, whatever the others are walked by.
        _ => {
            room[0].write(pc as u64);
            table::walk_slow(
                &local.bounds,
                registers,
                false,
                room,
                1,
                depth(),
                &mut |_, _| {},
            )
        }
    }
}

#[inline(always)]
fn as_room(frames: &mut [u64; FRAMES]) -> &mut Room {
    // SAFETY: the same layout; who has the room writes initialised integers alone.
    unsafe { &mut *frames.as_mut_ptr().cast::<Room>() }
}

#[inline(always)]
fn only_pc(registers: &Registers, room: &mut Room) -> usize {
    room[0].write(registers.pc as u64);
    1
}

#[cfg(test)]
mod tests;
