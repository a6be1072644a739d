//! The Rust front end: [`Hakmem`], for `#[global_allocator]`.

use crate::heap;
use crate::observe::api::Api;
use crate::observe::caller::with_caller;
use crate::size_class::MIN_ALIGN;
use core::alloc::{GlobalAlloc, Layout};

/// hakmem as the allocator of a Rust program.
///
/// ```
/// use hakmem_alloc::Hakmem;
///
/// #[global_allocator]
/// static HAKMEM: Hakmem = Hakmem;
///
/// fn main() {
///     let numbers: Vec<u32> = (0..1000).collect();
///     assert_eq!(numbers.iter().sum::<u32>(), 499_500);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Hakmem;

// SAFETY: blocks have the size and alignment of their layout (the heap's contract), stay
// theirs until freed, and nothing here unwinds.
unsafe impl GlobalAlloc for Hakmem {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        with_caller(Api::RustAlloc, |caller| {
            let caller = caller.telling_align(layout.align());
            if layout.align() <= MIN_ALIGN {
                heap::allocate(layout.size(), caller)
            } else {
                heap::allocate_aligned(layout.size(), layout.align(), caller)
            }
        })
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        with_caller(Api::RustDealloc, |caller| {
            let caller = caller
                .telling_size(layout.size())
                .telling_align(layout.align());
            // SAFETY: the caller's clause.
            unsafe { heap::deallocate(block, caller) };
        });
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        with_caller(Api::RustAllocZeroed, |caller| {
            let caller = caller.telling_align(layout.align());
            if layout.align() <= MIN_ALIGN {
                return heap::allocate_zeroed(layout.size(), caller);
            }
            heap::allocate_zeroed_aligned(layout.size(), layout.align(), caller)
        })
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        with_caller(Api::RustRealloc, |caller| {
            let caller = caller
                .telling_size(layout.size())
                .telling_align(layout.align());
            // SAFETY: the caller's clause.
            unsafe { heap::resize_known(block, layout.size(), layout.align(), size, caller) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size_class::MID_MAX;

    /// What is asked for is the largest class's, and is none of it with what observers put behind it.
    #[test]
    fn blocks_are_resized_at_the_largest_class_s_end() {
        let around = MID_MAX - 24..=MID_MAX + 1;
        for from in [1, MID_MAX / 2].into_iter().chain(around.clone()) {
            for to in around.clone() {
                let layout = Layout::from_size_align(from, 8).expect("a layout");
                // SAFETY: blocks of this allocator, by their layouts.
                unsafe {
                    let block = Hakmem.alloc(layout);
                    assert!(!block.is_null());
                    block.write_bytes(7, from);
                    let block = Hakmem.realloc(block, layout, to);
                    assert!(!block.is_null());
                    let kept = core::slice::from_raw_parts(block, from.min(to));
                    assert!(kept.iter().all(|byte| *byte == 7), "{from} to {to}");
                    Hakmem.dealloc(block, Layout::from_size_align(to, 8).expect("a layout"));
                }
            }
        }
    }
}
