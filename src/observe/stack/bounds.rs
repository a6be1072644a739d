//! Where the thread's own stack lies.
//!
//! ```text
//!        lo                    sp                              hi
//! ┌──────┬─────────────────────┬───────────────────────────────┬──────────────────────┐
//! │ ?    │ known to be mapped, page by page, up to the end     │ glibc's block for the │
//! │      │                                                     │ thread, or the kernel's│
//! └──────┴─────────────────────────────────────────────────────┴──────────────────────┘
//! ```
//!
//! The end is the block that glibc puts behind each stack that it starts a thread on, or what the
//! kernel puts behind the first one. That a frame lies on this stack, and not on one of the
//! program's own (coroutines, signal stacks), is known when all pages from there to the end can be
//! read: between stacks there are pages that cannot. So `lo` goes down as the thread is seen
//! deeper, and nothing has to be asked of `/proc` or of pthread, which allocates.
//!
//! 1. From `lo` to `hi` is mapped as long as the thread runs.
//! 2. The cells are this thread's alone. A signal handler may change them in the middle of a
//!    walk, and may come in the middle of a change: then they say that nothing is known.

use crate::sys::memory::PAGE;
use crate::sys::stack;
use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

/// How far below what is known a frame may lie to be looked for: 16 MiB.
const FAR: usize = 4096 * PAGE;
/// No code is mapped below, for the kernel keeps null pointers from meaning anything.
pub(super) const LOWEST_CODE: usize = 1 << 16;
/// Nor here and above: user space ends.
const CODE_END: usize = 1 << 47;

/// See the head of this file.
pub(super) struct Bounds {
    lo: Cell<usize>,
    hi: Cell<usize>,
    code_end: Cell<usize>,
    /// A range that is known not to be of this stack, so that it is not looked for again.
    not_lo: Cell<usize>,
    not_hi: Cell<usize>,
}

/// A stack, as far as a walk needs it.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) lo: usize,
    pub(super) hi: usize,
    /// Code is mapped below this, as far as a walk is concerned.
    code_end: usize,
}

impl Range {
    #[inline(always)]
    pub(super) fn contains(self, address: usize) -> bool {
        self.lo <= address && address < self.hi
    }

    /// Whether a return address may be one, as far as that is known without looking.
    #[inline(always)]
    pub(super) fn is_code(self, pc: usize) -> bool {
        pc.wrapping_sub(LOWEST_CODE) < self.code_end.wrapping_sub(LOWEST_CODE)
    }
}

impl Bounds {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(super) const NEW: Bounds = Bounds {
        lo: Cell::new(0),
        hi: Cell::new(0),
        code_end: Cell::new(0),
        not_lo: Cell::new(0),
        not_hi: Cell::new(0),
    };

    /// Another thread, another stack.
    pub(super) fn forget(&self) {
        for cell in [&self.hi, &self.lo, &self.not_hi, &self.not_lo] {
            cell.set(0);
            compiler_fence(Ordering::SeqCst);
        }
    }

    /// What is known of the thread's stack; may be empty.
    #[inline(always)]
    pub(super) fn known(&self) -> Range {
        let hi = self.hi.get();
        compiler_fence(Ordering::SeqCst);
        Range {
            lo: self.lo.get(),
            hi,
            code_end: self.code_end.get(),
        }
    }

    /// The thread's stack, if `address` lies on it.
    #[inline(always)]
    pub(super) fn around(&self, address: usize) -> Option<Range> {
        let known = self.known();
        if known.contains(address) {
            return Some(known);
        }
        self.around_slow(address)
    }

    #[cold]
    #[inline(never)]
    fn around_slow(&self, address: usize) -> Option<Range> {
        if self.not_lo.get() <= address && address < self.not_hi.get() {
            return None;
        }
        let [block, first_stack] = stack::possible_ends().map(|end| end & !7);
        let above = [block, first_stack]
            .into_iter()
            .filter(|&end| end > address);
        let hi = above.min()?;
        // What is known counts if it is of the same stack.
        let known = self.known();
        let up_to = if known.hi == hi { known.lo } else { hi };
        let lo = address & !(PAGE - 1);
        if up_to.wrapping_sub(lo) > FAR {
            return None;
        }
        if let Some(page) = (lo..up_to)
            .step_by(PAGE)
            .find(|&page| !stack::is_readable(page))
        {
            self.set_not(lo, page);
            return None;
        }
        // Above the first stack there is no code but the kernel's, which calls nobody.
        let code_end = if hi == first_stack { lo } else { CODE_END };
        let own = Range { lo, hi, code_end };
        self.set(own);
        Some(own)
    }

    /// Empty while it changes, for signal handlers.
    fn set_not(&self, lo: usize, hi: usize) {
        for (cell, value) in [(&self.not_hi, 0), (&self.not_lo, lo), (&self.not_hi, hi)] {
            cell.set(value);
            compiler_fence(Ordering::SeqCst);
        }
    }

    /// Empty while it changes, for signal handlers.
    fn set(&self, own: Range) {
        if self.hi.get() != own.hi {
            self.hi.set(0);
            compiler_fence(Ordering::SeqCst);
            self.code_end.set(own.code_end);
            self.lo.set(own.lo);
            compiler_fence(Ordering::SeqCst);
            self.hi.set(own.hi);
        }
        self.code_end.set(own.code_end);
        self.lo.set(own.lo);
    }
}
