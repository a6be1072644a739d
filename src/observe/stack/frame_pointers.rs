//! The walk along frame pointers.
//!
//! ```text
//!              │ …                  │
//!   fp + 8     │ return address     │ ──► the next of `frames`
//!   fp         │ the caller's rbp   │ ──► the next `fp`, above this one
//!              │ locals             │
//! ```
//!
//! A function that keeps no frame pointer hands on its caller's: its own caller is missing then,
//! and no more. One that uses the register for something else ends the walk, or makes it bring
//! an address that is none; so it takes only frames on the thread's own stack, aligned and above
//! the last, and asks the kernel about each page on any other stack.
//!
//! A signal handler returns to glibc's `__restore_rt`. There the kernel has put the registers of
//! what was interrupted, from which the walk goes on.

use super::bounds::{Bounds, Range};
use super::{Registers, Room, rules};
use crate::sys::memory::PAGE;
use crate::sys::stack;

/// Bytes of a frame that the walk reads.
pub(super) const FRAME: usize = 16;
/// No code is mapped below.
pub(super) const LOWEST_CODE: usize = 1 << 16;
/// The largest step on a stack that is not the thread's own.
const LARGEST_STEP: usize = 1 << 20;
/// The least that the kernel puts on a stack between what it interrupts and a handler.
const SIGNAL_FRAME: usize = 768;

/// Where the kernel has put registers of what was interrupted, from the stack pointer at
/// `__restore_rt`: `struct ucontext`.
const SAVED_FP: usize = 120;
const SAVED_SP: usize = 160;
const SAVED_PC: usize = 168;

/// Writes the return addresses to `room`, `most` of them at most; says how many.
#[inline(always)]
pub(super) fn walk(bounds: &Bounds, from: Registers, room: &mut Room, most: usize) -> usize {
    room[0].write(from.pc as u64);
    let own = bounds.known();
    if !own.contains(from.sp) {
        return walk_slow(bounds, from, room, 1, most);
    }
    let mut count = 1;
    let (mut fp, mut lowest) = (from.fp, from.sp);
    while count < most {
        if !is_frame(own, fp, lowest) {
            break;
        }
        // SAFETY: aligned, and on the thread's own stack, which is mapped up to `own.hi`.
        let (next, pc) = unsafe { (*(fp as *const usize), *(fp as *const usize).add(1)) };
        if !is_code(own, pc) {
            break;
        }
        room[count].write(pc as u64);
        count += 1;
        if next.wrapping_sub(fp) >= SIGNAL_FRAME && rules::is_trampoline(pc) {
            return interrupted(bounds, fp + FRAME, room, count, most);
        }
        lowest = fp + FRAME;
        fp = next;
    }
    count
}

/// Whether a frame may be at `fp`: aligned, not below `lowest`, which is on the stack.
#[inline(always)]
fn is_frame(own: Range, fp: usize, lowest: usize) -> bool {
    fp.wrapping_sub(lowest) <= own.hi.wrapping_sub(FRAME).wrapping_sub(lowest)
        && fp.is_multiple_of(size_of::<usize>())
}

/// Whether a return address may be one, as far as that is known without looking.
#[inline(always)]
fn is_code(own: Range, pc: usize) -> bool {
    pc >= LOWEST_CODE && !(own.lo <= pc && pc < own.behind)
}

/// Goes on from what a signal has interrupted; `sp` is the stack pointer at the trampoline.
#[cold]
#[inline(never)]
fn interrupted(bounds: &Bounds, sp: usize, room: &mut Room, count: usize, most: usize) -> usize {
    let mut count = count;
    let Some(saved) = saved_registers(sp) else {
        return count;
    };
    if count < most {
        room[count].write(saved.pc as u64);
        count += 1;
    }
    walk_slow(bounds, saved, room, count, most)
}

/// The registers that the kernel has put on a stack when it called a signal handler.
pub(super) fn saved_registers(sp: usize) -> Option<Registers> {
    let word = |at: usize| {
        let address = sp + at;
        let readable = address.is_multiple_of(8) && stack::is_readable(address);
        // SAFETY: aligned and readable.
        readable.then(|| unsafe { *(address as *const usize) })
    };
    Some(Registers {
        pc: word(SAVED_PC)?,
        sp: word(SAVED_SP)?,
        fp: word(SAVED_FP)?,
    })
}

/// As [`walk`], on any stack, and with a question to the kernel for each page that is not known
/// to be of the thread's own; `count` addresses are there.
#[cold]
#[inline(never)]
fn walk_slow(
    bounds: &Bounds,
    from: Registers,
    room: &mut Room,
    mut count: usize,
    most: usize,
) -> usize {
    let mut reader = Reader::new(bounds, from.sp);
    let (mut fp, mut lowest) = (from.fp, from.sp);
    while count < most {
        let Some([next, pc]) = reader.frame(bounds, fp, lowest) else {
            break;
        };
        room[count].write(pc as u64);
        count += 1;
        (lowest, fp) = (fp + FRAME, next);
        if rules::is_trampoline(pc) {
            let Some(saved) = saved_registers(lowest).filter(|_| count < most) else {
                break;
            };
            room[count].write(saved.pc as u64);
            count += 1;
            // Back on another stack, or higher on this one.
            reader = Reader::new(bounds, saved.sp);
            (lowest, fp) = (saved.sp, saved.fp);
        }
    }
    count
}

/// Reads a stack, which may not be the thread's own.
pub(super) struct Reader {
    /// The thread's own stack, once the walk is there.
    own: Option<Range>,
    /// The page that was found to be readable last.
    page: usize,
}

impl Reader {
    /// For a walk from `sp`.
    pub(super) fn new(bounds: &Bounds, sp: usize) -> Reader {
        Reader {
            own: bounds.around(sp),
            page: 0,
        }
    }

    /// The word at an address not below `lowest`, if it can be read and may be of this stack.
    pub(super) fn word(&mut self, bounds: &Bounds, address: usize, lowest: usize) -> Option<usize> {
        if !address.is_multiple_of(8) {
            return None;
        }
        if let Some(own) = self.own {
            let known = own.lo <= address || stack::is_readable(address);
            if address < lowest || address > own.hi - 8 || !known {
                return None;
            }
        } else if address < lowest || address - lowest > LARGEST_STEP {
            // Off the other stack: if anywhere, back on the own one.
            self.own = Some(bounds.around(address)?);
        } else if address & !(PAGE - 1) != self.page {
            if !stack::is_readable(address) {
                return None;
            }
            self.page = address & !(PAGE - 1);
        }
        // SAFETY: aligned, and on the own stack or on a page that could be read just now.
        Some(unsafe { *(address as *const usize) })
    }

    /// The two words of a frame, if there may be one.
    pub(super) fn frame(
        &mut self,
        bounds: &Bounds,
        fp: usize,
        lowest: usize,
    ) -> Option<[usize; 2]> {
        let next = self.word(bounds, fp, lowest)?;
        let pc = self.word(bounds, fp.checked_add(8)?, fp)?;
        let is_code = pc >= LOWEST_CODE && self.own.is_none_or(|own| is_code(own, pc));
        is_code.then_some([next, pc])
    }
}
