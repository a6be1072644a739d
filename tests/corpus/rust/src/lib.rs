//! What the Rust programs of the corpus share: the allocator, and the choice between the bug and
//! its repair. `program` has the bug, `program fixed` has not.

use std::hint::black_box;
use std::sync::OnceLock;

#[cfg(feature = "hakmem")]
#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

/// Whether the program is to do what it should not.
pub fn wrong() -> bool {
    static WRONG: OnceLock<bool> = OnceLock::new();
    *WRONG.get_or_init(|| std::env::args().nth(1).as_deref() != Some("fixed"))
}

/// `wrong`, or `right` in the good twin.
pub fn defect<T>(wrong: T, right: T) -> T {
    if self::wrong() { wrong } else { right }
}

/// The pointer; the optimiser has to believe that its memory is read and written here.
#[inline(never)]
pub fn seen<T: ?Sized>(pointer: *mut T) -> *mut T {
    black_box(pointer)
}

/// Overwrites what functions that have returned left on the stack.
#[inline(never)]
pub fn scrub() {
    black_box(&mut [0_u8; 16384]);
}
