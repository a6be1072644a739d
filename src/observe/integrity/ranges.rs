//! The memory that the program passes to libc's memory functions: how far it may go.
//!
//! ```text
//!       block            asked for            place
//!  ─────┬─────────────────────┬─────────────────┬─────
//!       │        ▲ ──── left ►│ pattern         │ next block
//! ```
//!
//! A range that begins in a live block ends in it. What begins in a freed block, behind what was
//! asked for or in front of a slab's first block has nothing left. Of everything else, as stacks
//! and statics are, nothing is known, and all is left.
//!
//! A range of few bytes is seen to be in order by the pattern alone, which is less than to look a
//! block up ([`is_clear`]).

use super::guard::{self, Tables};
use super::pattern::{FREED, FRONT, LINK};
use super::policy;
use super::record::State;
pub use super::signals::{Action, set_action};
use super::wrong_range;
use crate::observe;
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::sys::memory::PAGE;
pub use crate::sys::originals::{Function, ORIGINALS, find as find_originals};
use crate::sys::stack;
use crate::walk;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// What is known of, in the place of an end that is not known.
pub const UNLIMITED: usize = usize::MAX;

/// What each call asks for, in one cache line.
#[repr(C, align(64))]
pub struct Bounds {
    /// The address and the bytes of the memory in which blocks are looked for; no bytes as long as
    /// nothing is checked. Relaxed: who reads too early does not check.
    pub window: [AtomicUsize; 2],
    /// As `window`, of the slabs in which all that is not a live block's has the pattern: no bytes
    /// where large blocks are among them, or libc's functions are not known. Relaxed, as above.
    pub slabs: [AtomicUsize; 2],
    /// 0 where nothing is checked and libc's functions are known: then each is a jump to libc's.
    /// Relaxed: who reads too early finds that in another way.
    pub checks: AtomicU8,
    /// Where guarded blocks are found.
    pub guarded: &'static Tables,
}

// What the instructions of the memory functions have as numbers (`capi/src/memory/look.rs`).
const _: () = assert!(
    offset_of!(Bounds, window) == 0
        && offset_of!(Bounds, slabs) == 16
        && offset_of!(Bounds, checks) == 32
        && offset_of!(Bounds, guarded) == 40
        && FEW == 256
        && FRONT == 16
        && LINK == 8
        && FREED == 0xde
);

/// Those of this process.
pub static BOUNDS: Bounds = Bounds {
    window: [const { AtomicUsize::new(0) }; 2],
    slabs: [const { AtomicUsize::new(0) }; 2],
    checks: AtomicU8::new(1),
    guarded: guard::TABLES,
};

/// What only a build with checked memory functions has.
#[doc(hidden)]
#[macro_export]
macro_rules! if_checked {
    ($($item:item)*) => { $($item)* };
}

/// Whether all of libc's functions are known.
fn are_known() -> bool {
    ORIGINALS.iter().all(|it| it.load(Ordering::Relaxed) != 0)
}

/// Nothing will be checked.
pub(super) fn set_off() {
    BOUNDS
        .checks
        .store(u8::from(!are_known()), Ordering::Relaxed);
}

/// Checks from now on, if all is to be checked.
pub(super) fn set_up() {
    if policy::level() != policy::Level::Full {
        set_off();
    } else {
        let (base, span) = match (walk::arena(), guard::bounds()) {
            // Blocks may be anywhere.
            ((_, 0), _) => (0, UNLIMITED),
            (arena, (_, 0)) => arena,
            // From the lower one to the end of the upper one: they are neighbours as a rule.
            (arena, guarded) => {
                let base = arena.0.min(guarded.0);
                let end = (arena.0 + arena.1).max(guarded.0 + guarded.1);
                (base, end - base)
            }
        };
        set(&BOUNDS.window, (base, span));
        if guard::takes_large_ones() && are_known() {
            set(&BOUNDS.slabs, walk::arena());
        }
    }
}

fn set(bounds: &[AtomicUsize; 2], (base, span): (usize, usize)) {
    bounds[0].store(base, Ordering::Relaxed);
    bounds[1].store(span, Ordering::Relaxed);
}

/// A call of a memory function.
#[derive(Clone, Copy)]
pub struct Call {
    pub(super) frame: *const usize,
    pub(super) function: Function,
}

impl Call {
    /// One of `function`, which has made `frame`.
    ///
    /// # Safety
    /// `frame` is as at the head of `caller.rs`, and stays while the call is used.
    #[inline(always)]
    #[must_use]
    pub unsafe fn new(frame: *const usize, function: Function) -> Call {
        Call { frame, function }
    }

    /// As the caller of the function that allocates for it.
    #[must_use]
    pub fn caller(self) -> Caller {
        // SAFETY: as `new` was promised.
        unsafe { Caller::new(self.frame, Api::Malloc) }
    }

    /// How many of `len` bytes it may write; tells if that is not all.
    #[inline(always)]
    #[must_use]
    pub fn writable(self, address: usize, len: usize) -> usize {
        if is_clear(address, len) || len <= left(address) {
            return len;
        }
        wrong_range::written(self, address, len)
    }

    /// How many of `len` bytes it may read; tells if that is not all.
    #[inline(always)]
    #[must_use]
    pub fn readable(self, address: usize, len: usize) -> usize {
        if is_clear(address, len) || len <= left(address) {
            return len;
        }
        wrong_range::read(self, address, len)
    }

    /// It has written `len` bytes: tells if that was too many, and puts the pattern back.
    #[inline(always)]
    pub fn has_written(self, address: usize, len: usize) {
        // The pattern may have been overwritten.
        if len > left(address) {
            wrong_range::has_written(self, address, len);
        }
    }

    /// The kernel has written less than the `len` bytes that it was to write, or none: tells if that is
    /// too many.
    pub fn was_to_write(self, address: usize, len: usize) {
        if len > left(address) {
            wrong_range::refused(self, address, len);
        }
    }

    /// It takes pages away: tells if they are the heap's, and says so.
    #[must_use]
    pub fn takes_from_heap(self, address: usize, len: usize) -> bool {
        let [base, span] = BOUNDS
            .window
            .each_ref()
            .map(|it| it.load(Ordering::Relaxed));
        let is_near = address.wrapping_sub(base) < span && len > 0;
        is_near && wrong_range::taken_away(self, address, len)
    }

    /// It copies between ranges that overlap: says so, once for each caller.
    #[cold]
    pub fn overlapping(self, to: usize, from: usize, len: usize) {
        if policy::level() == policy::Level::Full {
            wrong_range::overlapping(self, to, from, len);
        }
    }

    /// It has read all that is left without finding what it looks for: tells that, and says how
    /// far it may go.
    #[cold]
    #[must_use]
    pub fn past_end(self, address: usize) -> usize {
        wrong_range::not_found(self, address)
    }
}

/// The most bytes that [`is_clear`] looks at.
const FEW: usize = 16 * FRONT;

/// Whether the pattern says of a range of few bytes that all of it is a live block's: then it
/// stands neither where the range begins nor where it ends, nor at any of the bytes in between of
/// which those behind a block would have one.
///
/// ```text
///  live   │ asked for  xxxxxxxx│DE DE … DE, 16 bytes or more │
///  freed  │ link   8 │DE DE DE … DE                          │
/// ```
///
/// What begins in a freed block or behind a live one has it at the first byte, or 8 bytes on where
/// a link may be; what begins in a live block and ends farther on ends in the pattern behind it,
/// or has all of its 16 bytes, and so one that is 15, 31, … bytes on. A program that has the same
/// byte there is looked at more closely.
///
/// Where the pattern stands 8 bytes on, a block may end in between. A link it is not where the
/// pattern does not begin with the second half of its 16 bytes, where it does in the first half (the
/// last byte of a link is never the pattern's: `block.rs`), and where it
/// is not what stands in front of them, as in front of each block.
#[inline(always)]
#[must_use]
pub fn is_clear(address: usize, len: usize) -> bool {
    let [base, span] = BOUNDS.slabs.each_ref().map(|it| it.load(Ordering::Relaxed));
    if len.wrapping_sub(1) >= FEW || address.wrapping_sub(base) >= span {
        return false;
    }
    let last = address + (len - 1);
    if !(is_other(address | LINK) || has_no_link(address)) || !is_other(last) {
        return false;
    }
    let mut at = address + (FRONT - 1);
    while at < last {
        if !is_other(at) {
            return false;
        }
        at += FRONT;
    }
    true
}

/// As [`is_clear`], of a byte of a slab that is followed by the pattern 8 bytes on: it is neither
/// of the pattern nor of a link.
#[inline(always)]
fn has_no_link(address: usize) -> bool {
    let start = address & !(FRONT - 1);
    is_other(address)
        && (is_other(start + LINK)
            || !is_other(start + LINK - 1)
            || !start.is_multiple_of(PAGE) && is_other(start - 1))
}

/// Whether 8 bytes or more can be read from an address on, a multiple of 8: the kernel is asked of each
/// page.
#[must_use]
pub fn is_there(address: usize, len: usize) -> bool {
    if !stack::is_readable(address) {
        return false;
    }
    let next_page = (address + 1).next_multiple_of(PAGE);
    let mut starts = (next_page..address.saturating_add(len)).step_by(PAGE);
    starts.all(stack::is_readable)
}

/// Whether an address lies among guarded blocks.
#[must_use]
pub fn is_guarded(address: usize) -> bool {
    guard::owns(address)
}

/// Whether an address in a slab has another byte than the pattern.
#[inline(always)]
fn is_other(address: usize) -> bool {
    // SAFETY: in the arena, and the caller is about to use it or another byte of the 16 that it
    // is one of.
    (unsafe { (address as *const u8).read_volatile() }) != FREED
}

/// The 16 bytes from an address on, if they can be read and it is in a live block of which the
/// first one is: of those that follow nothing is known.
#[inline(always)]
#[must_use]
pub fn beginning(address: usize) -> Option<*const [u8; FRONT]> {
    let is_near = address % PAGE <= PAGE - FRONT;
    (is_near && is_clear(address, 1)).then_some(address as *const [u8; FRONT])
}

/// Bytes from an address to the end of what it may be used for, as at the head of this file.
#[inline(always)]
#[must_use]
pub fn left(address: usize) -> usize {
    let [base, span] = BOUNDS
        .window
        .each_ref()
        .map(|word| word.load(Ordering::Relaxed));
    if address.wrapping_sub(base) >= span {
        return UNLIMITED;
    }
    if guard::owns(address) {
        return guard::left(address).unwrap_or(UNLIMITED);
    }
    if let Some((start, record)) = walk::record_at(address)
        && let Some(size) = observe::checked(record).asked().live_size()
    {
        return size.saturating_sub(address.wrapping_sub(start));
    }
    left_slow(address)
}

/// As [`left`], of a block that is not live.
#[cold]
#[inline(never)]
fn left_slow(address: usize) -> usize {
    let Some(found) = walk::find(address) else {
        return left_in_front(address);
    };
    let Some(record) = found.block.record.map(observe::checked) else {
        return UNLIMITED;
    };
    let asked = record.asked();
    let offset = address - found.block.address.as_ptr() as usize;
    match asked.state() {
        State::Live => asked.size().saturating_sub(offset),
        State::New => UNLIMITED,
        _ => 0,
    }
}

/// As [`left`], of an address that is in no block.
fn left_in_front(address: usize) -> usize {
    let first = walk::first_above(address);
    let record = first.and_then(|found| found.block.record.map(observe::checked));
    match record.map(|record| record.asked().state()) {
        Some(State::Live) => 0,
        _ => UNLIMITED,
    }
}
