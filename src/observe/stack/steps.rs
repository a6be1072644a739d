//! The steps that walks by unwind tables have taken lately on a thread's stack: from one frame to the
//! one that called it.
//!
//! ```text
//! a place   pc, sp            a frame
//!           fp                where the step depends on it: code with frame pointers
//!           pc, sp            of its caller: in the word below that sp stands that pc
//!           slot              in the word at the slot stands the caller's fp, if it was saved
//! ```
//!
//! Code without frame pointers has all kinds of values in that register, another one at nearly each
//! call: what it is does not matter there.
//!
//! One stack after the other has most of its outer frames in common. A step that was taken before
//! from the same frame, and whose words are what they were, would be the same by the rules, which
//! lie in a table that is larger than the processor's nearest caches.
//!
//! 1. A place is in use while its `pc` is not 0. Its words lie above its `sp` on the thread's own
//!    stack: they can be read while a walk has come to that `sp`.
//! 2. A signal handler that comes in the middle of a walk finds the steps taken, and walks without.

use super::Registers;
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

/// Steps that are remembered.
const PLACES: usize = 512;

/// See the head of this file. All bytes zero: none.
pub(crate) struct Steps {
    is_taken: Cell<bool>,
    /// That of the modules, from whose rules they come.
    generation: Cell<u64>,
    /// Where the last walk went, modulo as many: the next one is likely to go there as well.
    last: [Cell<u16>; LAST],
    places: [Step; PLACES],
}

/// Places that are fetched ahead.
const LAST: usize = 8;

/// One of them; a cache line.
#[repr(C, align(64))]
pub(super) struct Step {
    pc: Cell<usize>,
    sp: Cell<usize>,
    /// Counts where [`Step::depends_on_fp`].
    fp: Cell<usize>,
    caller_pc: Cell<usize>,
    caller_sp: Cell<usize>,
    /// 0 where the frame pointer is kept.
    slot: Cell<usize>,
    depends_on_fp: Cell<bool>,
}

const _: () = assert!(PLACES.is_power_of_two() && size_of::<Step>() == 64);

impl Steps {
    /// Forgets all: another thread, another stack.
    pub(crate) fn forget(&self) {
        for step in &self.places {
            step.pc.set(0);
        }
        self.is_taken.set(false);
    }

    /// Takes them for a walk by rules of `generation`; false if somebody has them.
    #[inline(always)]
    pub(super) fn take(&self, generation: u64) -> bool {
        if self.is_taken.replace(true) {
            return false;
        }
        compiler_fence(Ordering::SeqCst);
        if self.generation.replace(generation) != generation {
            self.forget();
            self.is_taken.set(true);
        }
        for index in &self.last {
            let place = &self.places[usize::from(index.get()) % PLACES];
            // SAFETY: a hint.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::from_ref(place).cast()) };
        }
        true
    }

    #[inline(always)]
    pub(super) fn give_back(&self) {
        compiler_fence(Ordering::SeqCst);
        self.is_taken.set(false);
    }

    /// The place of the step from a frame, the one of this number on a walk.
    #[inline(always)]
    pub(super) fn place(&self, from: Registers, number: usize) -> &Step {
        let hash = from.pc ^ from.pc >> 9 ^ from.sp >> 4;
        let index = hash % PLACES;
        self.last[number % LAST].set(index as u16);
        &self.places[index]
    }
}

impl Step {
    /// Where it leads to from a frame, and whether that depends on the frame pointer; `None` if it
    /// is another one's, or the return address has changed.
    ///
    /// # Safety
    /// The stack pointer has not come above the frame's.
    #[inline(always)]
    pub(super) unsafe fn from(&self, from: Registers) -> Option<(Registers, bool)> {
        let depends_on_fp = self.depends_on_fp.get();
        if self.pc.get() != from.pc
            || self.sp.get() != from.sp
            || depends_on_fp && self.fp.get() != from.fp
        {
            return None;
        }
        let (pc, sp, slot) = (self.caller_pc.get(), self.caller_sp.get(), self.slot.get());
        // SAFETY: above the frame's stack pointer, on the thread's own stack (1), here and below.
        if unsafe { *((sp - size_of::<usize>()) as *const usize) } != pc {
            return None;
        }
        let fp = match slot {
            0 => from.fp,
            // SAFETY: as above.
            slot => unsafe { *(slot as *const usize) },
        };
        Some((Registers { pc, sp, fp }, depends_on_fp))
    }

    /// Remembers a step.
    #[inline(always)]
    pub(super) fn keep(&self, from: Registers, to: Registers, slot: usize, depends_on_fp: bool) {
        self.pc.set(from.pc);
        self.sp.set(from.sp);
        self.fp.set(from.fp);
        self.caller_pc.set(to.pc);
        self.caller_sp.set(to.sp);
        self.slot.set(slot);
        self.depends_on_fp.set(depends_on_fp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_step_is_known_until_its_return_address_is_another() {
        // SAFETY: all bytes zero are no steps.
        let steps: Box<Steps> = unsafe { Box::new(core::mem::zeroed()) };
        let mut stack = [7usize, 0x99, 0x6000, 8];
        let bottom = stack.as_ptr() as usize;
        let (pc, sp, fp) = (0x5000, bottom, 0x11);
        let from = Registers { pc, sp, fp };
        let to = Registers {
            pc: 0x6000,
            sp: bottom + 24,
            fp: 0x99,
        };
        assert!(steps.take(1) && !steps.take(1));
        // SAFETY: the words are those of the array, here and below.
        let next = |from| unsafe { steps.place(from, 1).from(from) }.map(|(to, _)| (to.pc, to.fp));
        assert_eq!(next(from), None);
        steps.place(from, 1).keep(from, to, bottom + 8, true);
        assert_eq!(next(from), Some((0x6000, 0x99)));
        let other = Registers { fp: 0x12, ..from };
        assert_eq!(next(other), None);
        // The frame pointer that was saved may be another one.
        let (saved, back) = (&raw mut stack[1], &raw mut stack[2]);
        // SAFETY: words of the array, here and below.
        unsafe { saved.write_volatile(0x98) };
        assert_eq!(next(from), Some((0x6000, 0x98)));
        steps.place(from, 1).keep(from, to, 0, false);
        assert_eq!(next(other), Some((0x6000, 0x12)));
        // SAFETY: as above.
        unsafe { back.write_volatile(0x6008) };
        assert_eq!(next(from), None);
        // SAFETY: as above.
        unsafe { back.write_volatile(0x6000) };
        assert_eq!(next(from), Some((0x6000, 0x11)));
        steps.give_back();
        assert!(steps.take(2));
        assert_eq!(next(from), None);
    }
}
