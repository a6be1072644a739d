//! What was found, as it is told.

use super::super::kind::Kind;
use super::subject::Subject;
use crate::sys::thread;

/// See the head of this file.
pub(crate) struct Finding<'a> {
    pub(crate) kind: Kind,
    /// What is behind the kind on the first line.
    pub(crate) sentence: &'a [u8],
    /// What it is about: the address that was passed, or the first one that was written to.
    pub(crate) address: usize,
    /// The block that it is about.
    pub(crate) subject: Option<Subject>,
    /// The first and the last byte that somebody wrote to who had no business there.
    pub(crate) damage: Option<(usize, usize)>,
    pub(crate) finder: Finder<'a>,
    /// Between which events it happened, as far as is known.
    pub(crate) unknown: &'a [u8],
}

/// Who found it, and in the middle of what.
#[derive(Clone, Copy)]
pub(crate) struct Finder<'a> {
    /// `free`, `the scan at exit`, …
    pub(crate) what: &'a [u8],
    /// The kernel's number of the thread.
    pub(crate) thread: u32,
    /// Where the program called from, the innermost first; empty if it did not call.
    pub(crate) frames: &'a [u64],
    /// `frames[0]` is where a call returns to, and not an instruction.
    pub(crate) returns: bool,
}

impl<'a> Finder<'a> {
    /// What this thread is at, without a call of the program's for it.
    pub(crate) fn uncalled(what: &'a [u8]) -> Self {
        Finder {
            what,
            thread: thread::id(),
            frames: &[],
            returns: true,
        }
    }
}
