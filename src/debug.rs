//! What a program may say to the builds that observe it.
//!
//! Every build has these functions. In one without the feature `trace` they do nothing.

use crate::observe::api::Api;
use crate::observe::caller::{Caller, with_caller};
use crate::observe::{Observed, Observer};

/// Marks this point in the trace, with a text, an address and a number of the program's choice:
/// `hakmem history` shows it among what happened to the address.
///
/// ```
/// let buffer = vec![0u8; 100];
/// hakmem_alloc::debug::mark("filled", buffer.as_ptr(), 100);
/// ```
#[inline]
pub fn mark(text: &str, address: *const u8, value: u64) {
    with_caller(Api::Unknown, |caller| {
        mark_from(text.as_bytes(), address as usize, value, caller);
    });
}

/// As [`mark`], of a text that need not be UTF-8, by the caller.
#[inline]
pub(crate) fn mark_from(text: &[u8], address: usize, value: u64, caller: Caller) {
    Observed::marked(text, address, value, caller);
}
