//! The walk by libgcc's unwinder: slow, and by nothing of ours.
//!
//! It begins here, in the allocator, so its first frames are skipped, up to the one that the
//! caller's call returns to. It is called once at the set-up, where it may allocate; after that it
//! does not, and takes no lock with glibc 2.35 and GCC 12 or newer. Should it allocate all the
//! same, or a signal handler in the middle of it, that stack is the caller alone.

use super::bounds::Bounds;
use super::{Registers, Room, table};
use crate::sys::unwinder;
use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

/// Has the unwinder do now what it does once; says whether the process has one.
pub(super) fn set_up() -> bool {
    if !unwinder::available() {
        return false;
    }
    let mut frames = 0;
    unwinder::each(|frame| {
        frames += 1;
        frame.pc() != 0 && frames < 8
    });
    true
}

/// Writes the return addresses to `room`, `most` of them at most; says how many. `inside` is this
/// thread's.
#[inline(never)]
pub(super) fn walk(
    bounds: &Bounds,
    inside: &Cell<bool>,
    from: Registers,
    room: &mut Room,
    most: usize,
) -> usize {
    room[0].write(from.pc as u64);
    if inside.replace(true) {
        return 1;
    }
    compiler_fence(Ordering::SeqCst);
    let mut count = 0;
    unwinder::each(|frame| {
        if count == 0 && (frame.pc(), frame.sp()) != (from.pc, from.sp) {
            // Below the caller; past it if the unwinder has lost its way.
            return frame.sp() <= from.sp;
        }
        // The unwinder's end.
        if frame.pc() == 0 {
            return false;
        }
        room[count].write(frame.pc() as u64);
        count += 1;
        count < most
    });
    compiler_fence(Ordering::SeqCst);
    inside.set(false);
    if count == 0 {
        return table::walk(bounds, from, room, most, |_, _| {});
    }
    count
}
