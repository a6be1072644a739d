//! The stacks that a thread has been called from lately, known by where their return addresses
//! stand.
//!
//! ```text
//! a place   pc, sp, id
//!           fp, where the walk depends on it: in code with frame pointers
//!           how far above sp a return address stands, and which one   × up to 15
//! ```
//!
//! To walk a stack by unwind tables is to look up a rule for each of its frames. To see that it is
//! one that was walked before is to compare the words that it was told by: with the same
//! instruction and stack pointer, and the same frame pointer if it was asked for, the walk would
//! read the same ones. Code without frame pointers has another value in that register at nearly
//! each call.
//!
//! 1. A place is in use while its `pc` is not 0. Its words lie above `sp` on the thread's own stack:
//!    they can be read whenever the stack pointer is `sp`.
//! 2. A signal handler may come in the middle: it leaves a place alone that is being written, and
//!    who compares looks in the end whether the id is still the same.

use crate::observe::caller::Caller;
use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

/// Stacks that are remembered.
const PLACES: usize = 256;
/// The most return addresses of one, but for the first.
pub(super) const MOST: usize = 15;

/// Two cache lines, as long as no more than 8 words are compared.
#[repr(C, align(64))]
struct Place {
    pc: Cell<usize>,
    sp: Cell<usize>,
    fp: Cell<usize>,
    id: Cell<u32>,
    /// Groups of [`GROUP`] words; the last one is filled up with its first word.
    groups: Cell<u8>,
    /// [`IS_WRITTEN`], [`DEPENDS_ON_FP`].
    flags: Cell<u8>,
    /// Some bits of the hash of the stack that was looked for last and not found.
    wanted: Cell<u16>,
    /// In words.
    distances: [[Cell<u16>; GROUP]; GROUPS],
    addresses: [[Cell<u64>; GROUP]; GROUPS],
}

/// Somebody is about to change the place.
const IS_WRITTEN: u8 = 1;
/// [`Place::fp`] counts.
const DEPENDS_ON_FP: u8 = 2;

/// Words that are compared at a time.
const GROUP: usize = 4;
const GROUPS: usize = MOST.div_ceil(GROUP);

/// See the head of this file. All bytes zero: none.
pub(super) struct PlacedStacks([Place; PLACES]);

const _: () = assert!(PLACES.is_power_of_two() && core::mem::offset_of!(Place, addresses) == 64);

impl Place {
    #[inline(always)]
    fn set_word(&self, index: usize, distance: u16, address: u64) {
        let (group, place) = (index / GROUP, index % GROUP);
        self.distances[group][place].set(distance);
        self.addresses[group][place].set(address);
    }
}

impl PlacedStacks {
    /// Forgets all: another thread, another stack.
    pub(super) fn forget(&self) {
        for place in &self.0 {
            place.pc.set(0);
        }
    }

    #[inline(always)]
    fn place(&self, caller: Caller) -> &Place {
        // Stack pointers at calls are multiples of 16.
        let hash = caller.pc() ^ caller.pc() >> 8 ^ caller.sp() >> 4;
        &self.0[hash % PLACES]
    }

    /// The id of the stack of a call that waits for us; `None` if it is not known.
    #[inline(always)]
    pub(super) fn id(&self, caller: Caller) -> Option<u32> {
        let place = self.place(caller);
        let sp = caller.sp();
        if place.pc.get() != caller.pc() || place.sp.get() != sp {
            return None;
        }
        if place.flags.get() & DEPENDS_ON_FP != 0 && place.fp.get() != caller.fp() {
            return None;
        }
        let id = place.id.get();
        compiler_fence(Ordering::SeqCst);
        let count = usize::from(place.groups.get()).min(GROUPS);
        let mut differs = 0;
        for (distances, addresses) in place.distances[..count].iter().zip(&place.addresses) {
            for (distance, address) in distances.iter().zip(addresses) {
                let word = sp + usize::from(distance.get()) * size_of::<u64>();
                // SAFETY: above the stack pointer of a call that waits, on the thread's own
                // stack (1).
                differs |= unsafe { *(word as *const u64) } ^ address.get();
            }
        }
        compiler_fence(Ordering::SeqCst);
        (differs == 0 && place.id.get() == id).then_some(id)
    }

    /// Whether a stack of this hash that is not known is to be kept: the place was asked for it last
    /// as well. What comes once, as in deep recursion, is not worth it.
    #[inline]
    pub(super) fn wants(&self, caller: Caller, hash: u64) -> bool {
        let what = hash as u16;
        self.place(caller).wanted.replace(what) == what
    }

    /// Remembers a stack and its id: these return addresses, of which those behind the first stand
    /// in the words below `ends`, on the thread's own stack; and whether the caller's frame pointer
    /// was asked for them.
    ///
    /// # Safety
    /// The words can be read whenever the thread's stack pointer is the caller's.
    pub(super) unsafe fn keep(
        &self,
        caller: Caller,
        addresses: &[u64],
        ends: &[usize],
        depends_on_fp: bool,
        id: u32,
    ) {
        let place = self.place(caller);
        let outer = addresses.get(1..).unwrap_or(&[]);
        let is_written = place.flags.get() & IS_WRITTEN != 0;
        if outer.len() > MOST || outer.len() != ends.len() || is_written {
            return;
        }
        let depends = if depends_on_fp { DEPENDS_ON_FP } else { 0 };
        place.flags.set(depends | IS_WRITTEN);
        place.pc.set(0);
        compiler_fence(Ordering::SeqCst);
        let mut kept = 0;
        for (end, address) in ends.iter().zip(outer) {
            let word = end.wrapping_sub(size_of::<u64>());
            let distance = word.wrapping_sub(caller.sp()) / size_of::<u64>();
            let is_near = word >= caller.sp() && word.is_multiple_of(size_of::<u64>());
            let Some(distance) = u16::try_from(distance).ok().filter(|_| is_near) else {
                break;
            };
            // SAFETY: the caller's clause. What a signal handler returns to stands elsewhere.
            if unsafe { *(word as *const u64) } != *address {
                break;
            }
            place.set_word(kept, distance, *address);
            kept += 1;
        }
        for index in kept..kept.next_multiple_of(GROUP) {
            let group = index / GROUP;
            let (distance, address) = (&place.distances[group][0], &place.addresses[group][0]);
            place.set_word(index, distance.get(), address.get());
        }
        place.sp.set(caller.sp());
        place.fp.set(caller.fp());
        place.id.set(id);
        place.groups.set(kept.div_ceil(GROUP) as u8);
        compiler_fence(Ordering::SeqCst);
        if kept == outer.len() {
            place.pc.set(caller.pc());
        }
        compiler_fence(Ordering::SeqCst);
        place.flags.set(depends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::api::Api;
    use std::boxed::Box;

    #[test]
    fn knows_a_stack_until_a_return_address_is_another() {
        // SAFETY: all bytes zero are no stacks.
        let known: Box<PlacedStacks> = unsafe { Box::new(core::mem::zeroed()) };
        // The frame of a function of ours: the caller's rbp, the return address; above it what
        // the caller's stack pointer points to.
        let mut stack = [0x11usize, 0x5000, 7, 8, 0x6000, 9, 0x7000, 10];
        let frame = stack.as_ptr();
        // SAFETY: as above, and it stays.
        let caller = unsafe { Caller::new(frame, Api::Malloc) };
        let sp = caller.sp();
        assert_eq!((caller.pc(), sp), (0x5000, frame as usize + 16));
        let addresses = [0x5000, 0x6000, 0x7000];
        let ends = [sp + 24, sp + 40];
        // SAFETY: the words are those of the array.
        unsafe {
            assert_eq!(known.id(caller), None);
            known.keep(caller, &addresses, &ends, false, 7);
            assert_eq!(known.id(caller), Some(7));
            (&raw mut stack[0]).write_volatile(0x12);
            assert_eq!(known.id(caller), Some(7));
            known.keep(caller, &addresses, &ends, true, 7);
            assert_eq!(known.id(caller), Some(7));
            for word in [0, 1, 4, 6] {
                let at = &raw mut stack[word];
                let before = at.read_volatile();
                at.write_volatile(before ^ 8);
                assert_eq!(known.id(caller), None, "word {word}");
                at.write_volatile(before);
                assert_eq!(known.id(caller), Some(7));
            }
            // Return addresses that do not stand where they are said to.
            known.keep(caller, &addresses, &[sp + 16, sp + 40], false, 8);
            assert_eq!(known.id(caller), None);
            known.keep(caller, &[0x5000], &[], false, 9);
            assert_eq!(known.id(caller), Some(9));
            known.forget();
            assert_eq!(known.id(caller), None);
        }
    }
}
