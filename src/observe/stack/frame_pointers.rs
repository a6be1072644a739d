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

use super::bounds::{Bounds, LOWEST_CODE, Range};
use super::{Registers, Room, rules};
use crate::sys::memory::PAGE;
use crate::sys::stack;

/// Bytes of a frame that the walk reads.
pub(super) const FRAME: usize = 16;
/// The largest step on a stack that is not the thread's own.
const LARGEST_STEP: usize = 1 << 20;
/// Less than the kernel puts on a stack between what it interrupts and a handler.
const SIGNAL_FRAME: usize = 1024;

/// Where the kernel has put registers of what was interrupted, from the stack pointer at
/// `__restore_rt`: `struct ucontext`.
const SAVED_FP: usize = 120;
const SAVED_SP: usize = 160;
const SAVED_PC: usize = 168;

/// Writes the return addresses to `room`, `most` of them at most; says how many.
///
/// One frame takes two loads, and one branch: how many frames of less than [`SIGNAL_FRAME`] there
/// is room for up to the end of the stack is known before, and what is not one of those leaves
/// the loop.
#[inline(always)]
pub(super) fn walk(bounds: &Bounds, from: Registers, room: &mut Room, most: usize) -> usize {
    let most = most.min(room.len());
    room[0].write(from.pc as u64);
    let own = bounds.known();
    if !own.contains(from.sp) {
        return walk_slow(bounds, from, room, 1, most);
    }
    if !is_frame(own, from.fp, from.sp) {
        return 1;
    }
    let mut fp = from.fp;
    let near = most.min(1 + (own.hi - FRAME - fp) / SIGNAL_FRAME);
    let mut count = 1;
    while count < near {
        // SAFETY: aligned, and on the thread's own stack.
        let (next, pc) = unsafe { (*(fp as *const usize), *(fp as *const usize).add(1)) };
        // SAFETY: below `most`, which is at most the length.
        unsafe { room.get_unchecked_mut(count) }.write(pc as u64);
        // A step that is not a multiple of 8 becomes a large one, as one downwards is.
        let step = next.wrapping_sub(fp).wrapping_sub(FRAME).rotate_right(3);
        if (step >= (SIGNAL_FRAME - FRAME) >> 3) | !own.is_code(pc) {
            break;
        }
        count += 1;
        fp = next;
    }
    if count < most {
        return follow(bounds, fp, room, count, most);
    }
    count
}

/// Whether a frame may be at `fp`: aligned, not below `lowest`, and on the stack.
#[inline(always)]
fn is_frame(own: Range, fp: usize, lowest: usize) -> bool {
    fp >= lowest && fp <= own.hi - FRAME && fp.is_multiple_of(8)
}

/// Goes on with the frame at `fp`, one by one; it is one, and `count` addresses are there.
#[inline(never)]
fn follow(bounds: &Bounds, mut fp: usize, room: &mut Room, mut count: usize, most: usize) -> usize {
    let own = bounds.known();
    while count < most {
        // SAFETY: aligned, and on the thread's own stack.
        let (next, pc) = unsafe { (*(fp as *const usize), *(fp as *const usize).add(1)) };
        if !own.is_code(pc) {
            break;
        }
        room[count].write(pc as u64);
        count += 1;
        if next.wrapping_sub(fp) >= SIGNAL_FRAME && rules::is_trampoline(pc) {
            return interrupted(bounds, fp + FRAME, room, count, most);
        }
        if !is_frame(own, next, fp + FRAME) {
            break;
        }
        fp = next;
    }
    count
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
        let is_code = self.own.map_or(pc >= LOWEST_CODE, |own| own.is_code(pc));
        is_code.then_some([next, pc])
    }
}
