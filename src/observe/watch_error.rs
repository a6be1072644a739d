//! Why a watch could not be set up or ended.

use core::fmt;

/// Why a watch was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WatchError {
    /// This build does not watch: the feature `watch` is off.
    NotBuilt,
    /// The rule has a word that is not understood.
    #[non_exhaustive]
    Malformed {
        /// Bytes of the rule before the word.
        at: usize,
        /// What is accepted in its place.
        accepted: &'static str,
    },
    /// As many rules are in force as there can be, which is 32.
    TooMany,
    /// There is no memory for the rule.
    NoMemory,
    /// There is no watch of this number, or not any more.
    NoSuchWatch,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WatchError::NotBuilt => f.write_str("this build of hakmem does not watch"),
            WatchError::Malformed { at, accepted } => {
                write!(f, "the word at byte {at} is not understood: {accepted}")
            }
            WatchError::TooMany => f.write_str("32 rules are in force, and more there cannot be"),
            WatchError::NoMemory => f.write_str("no memory for the rule"),
            WatchError::NoSuchWatch => f.write_str("there is no such watch"),
        }
    }
}

impl core::error::Error for WatchError {}
