//! What a program may ask of a build that observes. Other builds have the same functions, and
//! answer that they do not.

use crate::observe::api::Api;
use crate::observe::caller::{Caller, with_caller};
use crate::observe::{Observed, Observer, Occasion};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::front::Quiet;

pub use crate::observe::watch_error::WatchError;

/// A rule that is in force, until [`unwatch`] ends it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WatchId(u32);

impl WatchId {
    /// Its number, which is how reports call it.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The watch of a number.
    #[must_use]
    pub fn from_number(number: u32) -> WatchId {
        WatchId(number)
    }
}

/// Watches what `rule` says from now on, in the language of `HAKMEM_WATCH`
/// (`docs/OBSERVABILITY.md` in the repository); one rule.
///
/// # Errors
/// [`WatchError::NotBuilt`] without the feature `watch`; the others as they say.
///
/// ```
/// use hakmem_alloc::debug::{self, WatchError};
///
/// match debug::watch("size=100-200 on=free do=stack,arm") {
///     Ok(watch) => debug::unwatch(watch).expect("it is there"),
///     Err(error) => assert_eq!(error, WatchError::NotBuilt),
/// }
/// ```
pub fn watch(rule: &str) -> Result<WatchId, WatchError> {
    Observed::watch(rule.as_bytes()).map(WatchId)
}

/// Ends a watch: what it has armed is disarmed.
///
/// # Errors
/// [`WatchError::NoSuchWatch`] if it has ended already.
pub fn unwatch(watch: WatchId) -> Result<(), WatchError> {
    Observed::unwatch(watch.0)
}

/// Writes to standard error what the threads hold for their next allocations, and of the
/// diagnostics that are on what they have found so far. For builds with the feature
/// `diagnostics`; other threads should be quiet.
pub fn dump() {
    if Observed::ACTIVE {
        let _quiet = Quiet::begin();
        ThreadCache::show_all(Occasion::Demand);
    }
}

/// Looks at all blocks, tells of those that are damaged, and says how many are. What follows is
/// as `HAKMEM_ON_ERROR` says: with `abort`, which is the default, it does not come back from
/// damage. 0 in builds without the feature `integrity`.
///
/// ```
/// assert_eq!(hakmem_alloc::debug::verify(), 0);
/// ```
pub fn verify() -> usize {
    let _quiet = Observed::ACTIVE.then(Quiet::begin);
    Observed::verify()
}

/// Looks for blocks that the program cannot reach any more, tells of them by where they were
/// allocated, and says how many nothing points to. The other threads are stopped meanwhile. 0 in
/// builds without the feature `integrity`.
///
/// ```
/// assert_eq!(hakmem_alloc::debug::leaks(), 0);
/// ```
pub fn leaks() -> usize {
    let _quiet = Observed::ACTIVE.then(Quiet::begin);
    Observed::leaks()
}

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
