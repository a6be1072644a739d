//! The stacks that a thread has been called from lately, and their ids.
//!
//! ```text
//! a place   pc, sp, fp, id    the innermost frame
//!           [next, return address] at fp
//!           [next, return address] at next
//!           …
//! ```
//!
//! A walk along frame pointers is a chain of loads, each of which waits for the one before, with
//! tests in between and a hash behind. To see that a stack is one that was walked before is less:
//! where its frames are is known, so that all of them are compared at once.
//!
//! 1. A place is in use while its `id` is neither 0 nor [`WRITING`]. The frames of one in use lie
//!    above `sp` on the thread's own stack: they can be read whenever the stack pointer is `sp`.
//! 2. A signal handler may come in the middle: it leaves a place alone that is being written, and
//!    who compares looks in the end whether the id is still the same.

use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_setzero_si128,
    _mm_xor_si128,
};
use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

/// Stacks that are remembered.
const PLACES: usize = 128;
/// The most frames of one, but for the innermost.
const MOST: usize = 15;
/// The id of a place that is being written.
const WRITING: u32 = u32::MAX;

/// Where a call came from: the innermost frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Innermost {
    pub(super) pc: usize,
    pub(super) sp: usize,
    pub(super) fp: usize,
}

/// What stands at a frame pointer.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Frame {
    next: usize,
    pc: usize,
}

#[repr(C, align(16))]
struct Place {
    innermost: Cell<Innermost>,
    id: Cell<u32>,
    count: Cell<u32>,
    frames: [Cell<Frame>; MOST],
}

/// See the head of this file. All bytes zero: none.
pub(super) struct KnownStacks([Place; PLACES]);

const _: () = assert!(PLACES.is_power_of_two());

impl KnownStacks {
    pub(super) const NONE: KnownStacks = KnownStacks(
        [const {
            Place {
                innermost: Cell::new(Innermost {
                    pc: 0,
                    sp: 0,
                    fp: 0,
                }),
                id: Cell::new(0),
                count: Cell::new(0),
                frames: [const { Cell::new(Frame { next: 0, pc: 0 }) }; MOST],
            }
        }; PLACES],
    );

    /// Forgets all: another thread, another stack.
    pub(super) fn forget(&self) {
        for place in &self.0 {
            place.id.set(0);
        }
    }

    #[inline(always)]
    fn place(&self, innermost: Innermost) -> &Place {
        // Stack pointers at calls are multiples of 16.
        &self.0[innermost.pc.wrapping_add(innermost.sp >> 4) % PLACES]
    }

    /// The id of this thread's stack, which this is the innermost frame of; 0 if it is not known.
    ///
    /// # Safety
    /// The frame is that of a call that waits: the stack pointer has not come above its `sp`.
    #[inline(always)]
    pub(super) unsafe fn id(&self, innermost: Innermost) -> u32 {
        let place = self.place(innermost);
        let id = place.id.get();
        if place.innermost.get() != innermost {
            return 0;
        }
        let mut fp = innermost.fp;
        // SAFETY: SSE2 is part of x86-64.
        let mut differs = unsafe { _mm_setzero_si128() };
        for frame in &place.frames[..place.count.get() as usize % (MOST + 1)] {
            // SAFETY: the frame lies on the thread's stack, above where it is now (1).
            let is = unsafe { _mm_loadu_si128(fp as *const __m128i) };
            // SAFETY: 16 bytes that are there.
            let was = unsafe { _mm_loadu_si128(frame.as_ptr().cast::<__m128i>()) };
            fp = frame.get().next;
            // SAFETY: SSE2 is part of x86-64.
            differs = unsafe { _mm_or_si128(differs, _mm_xor_si128(is, was)) };
        }
        // SAFETY: as above.
        let same = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(differs, _mm_setzero_si128())) };
        compiler_fence(Ordering::SeqCst);
        if same != 0xffff || place.id.get() != id || id == WRITING {
            return 0;
        }
        id
    }

    /// Remembers a stack and its id: these return addresses, the innermost first, as a walk along
    /// frame pointers has found them.
    ///
    /// # Safety
    /// As of [`KnownStacks::id`]; a place where `is_own` says so lies on the thread's own stack,
    /// and so do all above it on the way of the walk.
    pub(super) unsafe fn keep(
        &self,
        innermost: Innermost,
        addresses: &[u64],
        id: u32,
        is_own: impl Fn(usize) -> bool,
    ) {
        let place = self.place(innermost);
        let outer = addresses.get(1..).unwrap_or(&[]);
        if !is_own(innermost.sp) {
            return;
        }
        if outer.len() > MOST || place.id.replace(WRITING) == WRITING {
            return;
        }
        compiler_fence(Ordering::SeqCst);
        let mut fp = innermost.fp;
        let mut kept = 0;
        for (frame, &address) in place.frames.iter().zip(outer) {
            // What is not along frame pointers (through signal handlers) is not kept.
            let is_frame = fp.is_multiple_of(8) && fp >= innermost.sp && is_own(fp);
            if !is_frame || !is_own(fp.wrapping_add(size_of::<Frame>() - 1)) {
                break;
            }
            // SAFETY: the caller's clause.
            let is = unsafe { *(fp as *const [usize; 2]) };
            if is[1] as u64 != address {
                break;
            }
            frame.set(Frame {
                next: is[0],
                pc: is[1],
            });
            fp = is[0];
            kept += 1;
        }
        place.innermost.set(innermost);
        place.count.set(kept as u32);
        compiler_fence(Ordering::SeqCst);
        place.id.set(if kept == outer.len() { id } else { 0 });
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
            assert_eq!(known.id(innermost), 0);
            known.keep(innermost, &[0x500, 0x1000, 0x2000, 0x3000], 7, is_own);
            assert_eq!(known.id(innermost), 7);
            assert_eq!(
                known.id(Innermost {
                    pc: 0x500 + PLACES,
                    ..innermost
                }),
                0
            );
            for (index, half) in [(0, 1), (1, 1), (2, 0), (2, 1)] {
                let before = frames[index][half];
                (&raw mut frames[index][half]).write_volatile(before ^ 8);
                assert_eq!(known.id(innermost), 0);
                (&raw mut frames[index][half]).write_volatile(before);
                assert_eq!(known.id(innermost), 7);
            }
            // A walk that did not go along frame pointers.
            known.keep(innermost, &[0x500, 0x1000, 0x2222], 8, is_own);
            assert_eq!(known.id(innermost), 0);
            known.keep(innermost, &[0x500], 9, is_own);
            assert_eq!(known.id(innermost), 9);
            // A frame that is not on the stack is not looked at.
            (&raw mut frames[1][0]).write_volatile(8);
            known.keep(innermost, &[0x500, 0x1000, 0x2000, 0x3000], 7, is_own);
            assert_eq!(known.id(innermost), 0);
            known.keep(innermost, &[0x500], 9, |_| false);
            assert_eq!(known.id(innermost), 0);
            known.keep(innermost, &[0x500], 9, is_own);
            known.forget();
            assert_eq!(known.id(innermost), 0);
        }
    }
}
