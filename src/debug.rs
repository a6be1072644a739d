//! What a program can ask observers for. In a build without them these functions do nothing.

use crate::observe::{Observed, Observer, Occasion};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::front::Quiet;

/// Writes to standard error what the threads hold for their next allocations, and of the
/// diagnostics that are on what they have found so far. For builds with the feature
/// `diagnostics`; other threads should be quiet.
pub fn dump() {
    if Observed::ACTIVE {
        let _quiet = Quiet::begin();
        ThreadCache::show_all(Occasion::Demand);
    }
}
