//! The stacks that a thread has been called from lately, and their ids.
//!
//! ```text
//! a place   (as many as there is room for, the last ones in use)
//!           [next, return address] at fp
//!           [next, return address] at next
//!           …
//!           pc, sp, fp, id    the innermost frame
//! ```
//!
//! A walk along frame pointers is a chain of loads, each of which waits for the one before, with
//! tests in between and a hash behind. To see that a stack is one that was walked before is less:
//! where its frames are is known, so that all of them are compared at once.
//!
//! 1. A place is in use while its `pc` is not 0. The frames of one in use lie above `sp` on the
//!    thread's own stack: they can be read whenever the stack pointer is `sp`.
//! 2. A signal handler may come in the middle: it leaves a place alone that is being written, and
//!    who compares looks in the end whether the id is still the same.

use crate::sys::frames::{self, Frames, MOST};
use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

/// Stacks that are remembered.
const PLACES: usize = 128;

/// Where a call came from: the innermost frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Innermost {
    pub(crate) pc: usize,
    pub(crate) sp: usize,
    pub(crate) fp: usize,
}

#[repr(C, align(16))]
struct Place {
    /// [`MOST`] but for the innermost.
    frames: Frames,
    pc: Cell<usize>,
    sp: Cell<usize>,
    fp: Cell<usize>,
    id: Cell<u32>,
    /// What the comparison is told of how many frames there are.
    skip: Cell<u16>,
    is_written: Cell<bool>,
}

/// See the head of this file. All bytes zero: none.
pub(crate) struct KnownStacks([Place; PLACES]);

const _: () = assert!(PLACES.is_power_of_two() && size_of::<Place>() == 32 + MOST * 16);
const _: () = assert!(frames::skip_for(0) <= u16::MAX as usize);

impl KnownStacks {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(crate) const NONE: KnownStacks = KnownStacks(
        [const {
            Place {
                frames: Frames([const { [const { Cell::new(0) }; 2] }; MOST]),
                pc: Cell::new(0),
                sp: Cell::new(0),
                fp: Cell::new(0),
                id: Cell::new(0),
                skip: Cell::new(0),
                is_written: Cell::new(false),
            }
        }; PLACES],
    );

    /// Forgets all: another thread, another stack.
    pub(crate) fn forget(&self) {
        for place in &self.0 {
            place.pc.set(0);
        }
    }

    #[inline(always)]
    fn place(&self, innermost: Innermost) -> &Place {
        // Stack pointers at calls are multiples of 16.
        &self.0[innermost.pc.wrapping_add(innermost.sp >> 4) % PLACES]
    }

    /// The id of this thread's stack, which this is the innermost frame of; `None` if it is not
    /// known.
    ///
    /// # Safety
    /// The frame is that of a call that waits: the stack pointer has not come above its `sp`.
    #[inline(always)]
    pub(crate) unsafe fn id(&self, innermost: Innermost) -> Option<u32> {
        let place = self.place(innermost);
        if place.pc.get() != innermost.pc
            || place.sp.get() != innermost.sp
            || place.fp.get() != innermost.fp
        {
            return None;
        }
        let id = place.id.get();
        compiler_fence(Ordering::SeqCst);
        let skip = usize::from(place.skip.get());
        // SAFETY: the frames lie on the thread's stack, above where it is now (1).
        let differ = unsafe { frames::differ(innermost.fp, &raw const place.frames, skip) };
        compiler_fence(Ordering::SeqCst);
        (!differ && place.id.get() == id).then_some(id)
    }

    /// Remembers a stack and its id: these return addresses, the innermost first, as a walk along
    /// frame pointers has found them.
    ///
    /// # Safety
    /// As of [`KnownStacks::id`]; a place where `is_own` says so lies on the thread's own stack,
    /// and so do all above it on the way of the walk.
    pub(crate) unsafe fn keep(
        &self,
        innermost: Innermost,
        addresses: &[u64],
        id: u32,
        is_own: impl Fn(usize) -> bool,
    ) {
        let place = self.place(innermost);
        let outer = addresses.get(1..).unwrap_or(&[]);
        if outer.len() > MOST || !is_own(innermost.sp) || place.is_written.replace(true) {
            return;
        }
        place.pc.set(0);
        compiler_fence(Ordering::SeqCst);
        let mut fp = innermost.fp;
        let mut kept = 0;
        let unused = MOST - outer.len();
        for (frame, &address) in place.frames.0[unused..].iter().zip(outer) {
            // What is not along frame pointers (through signal handlers) is not kept.
            let is_frame = fp.is_multiple_of(8) && fp >= innermost.sp && is_own(fp);
            if !is_frame || !is_own(fp.wrapping_add(2 * size_of::<usize>() - 1)) {
                break;
            }
            // SAFETY: the caller's clause.
            let is = unsafe { *(fp as *const [usize; 2]) };
            if is[1] as u64 != address {
                break;
            }
            frame[0].set(is[0]);
            frame[1].set(is[1]);
            fp = is[0];
            kept += 1;
        }
        place.sp.set(innermost.sp);
        place.fp.set(innermost.fp);
        place.id.set(id);
        place.skip.set(frames::skip_for(outer.len()) as u16);
        compiler_fence(Ordering::SeqCst);
        if kept == outer.len() {
            place.pc.set(innermost.pc);
        }
        compiler_fence(Ordering::SeqCst);
        place.is_written.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_stack_until_one_frame_is_another() {
        let known = std::boxed::Box::new(KnownStacks::NONE);
        let mut frames = [[0usize, 0x1000], [0, 0x2000], [0, 0x3000], [0, 0]];
        for index in 0..3 {
            frames[index][0] = &raw const frames[index + 1] as usize;
        }
        let fp = frames.as_ptr() as usize;
        let innermost = Innermost {
            pc: 0x500,
            sp: fp,
            fp,
        };
        let end = fp + size_of_val(&frames);
        let is_own = |at| (fp..end).contains(&at);
        // SAFETY: the frames are there.
        unsafe {
            assert_eq!(known.id(innermost), None);
            known.keep(innermost, &[0x500, 0x1000, 0x2000, 0x3000], 7, is_own);
            assert_eq!(known.id(innermost), Some(7));
            assert_eq!(
                known.id(Innermost {
                    pc: 0x500 + PLACES,
                    ..innermost
                }),
                None
            );
            for (index, half) in [(0, 1), (1, 1), (2, 0), (2, 1)] {
                let before = frames[index][half];
                (&raw mut frames[index][half]).write_volatile(before ^ 8);
                assert_eq!(known.id(innermost), None);
                (&raw mut frames[index][half]).write_volatile(before);
                assert_eq!(known.id(innermost), Some(7));
            }
            // A walk that did not go along frame pointers.
            known.keep(innermost, &[0x500, 0x1000, 0x2222], 8, is_own);
            assert_eq!(known.id(innermost), None);
            known.keep(innermost, &[0x500], 9, is_own);
            assert_eq!(known.id(innermost), Some(9));
            // A frame that is not on the stack is not looked at.
            (&raw mut frames[1][0]).write_volatile(8);
            known.keep(innermost, &[0x500, 0x1000, 0x2000, 0x3000], 7, is_own);
            assert_eq!(known.id(innermost), None);
            known.keep(innermost, &[0x500], 9, |_| false);
            assert_eq!(known.id(innermost), None);
            known.keep(innermost, &[0x500], 9, is_own);
            known.forget();
            assert_eq!(known.id(innermost), None);
        }
    }
}
