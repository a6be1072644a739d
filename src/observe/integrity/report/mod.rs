//! Reports: what was found, where, who had the block, what was written, and what to do next.
//!
//! One thread reports at a time. Nothing here needs the heap to be sound: what is told of blocks
//! comes from their records, and memory that may not be there is not read.

mod advice;
mod dump;
mod finding;
mod json;
mod object;
mod paper;
mod subject;
mod text;

use super::policy::{self, OnError};
use super::signals;
use crate::observe::report::turn::Turn;
use crate::observe::{Event, Observed, Observer};
use crate::sys::process;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};
pub(crate) use finding::{Finder, Finding};
use paper::Paper;
pub(crate) use subject::Subject;

/// The thread that reports.
static TURN: Turn = Turn::new();
/// Findings told. Relaxed: a count.
static FINDINGS: AtomicU32 = AtomicU32::new(0);

struct PaperCell(UnsafeCell<Paper>);

// SAFETY: used by the thread alone whose turn it is.
unsafe impl Sync for PaperCell {}

static PAPER: PaperCell = PaperCell(UnsafeCell::new(Paper::BLANK));

/// Reads where reports go.
pub(super) fn set_up() {
    json::set_up();
}

/// This is a forked child, whose one thread does not report.
pub(super) fn forked() {
    TURN.reset();
    FINDINGS.store(0, Ordering::Relaxed);
}

/// How many findings were told.
pub(super) fn count() -> u32 {
    FINDINGS.load(Ordering::Relaxed)
}

/// Tells a finding, and does what follows it; comes back if the program is to go on.
pub(super) fn tell(finding: &Finding<'_>) {
    only_tell(finding);
    act();
}

/// Does what follows a finding; comes back if the program is to go on.
pub(super) fn act() {
    match policy::on_error() {
        OnError::Abort => {
            signals::expect();
            process::abort()
        }
        OnError::Stop => process::stop(),
        OnError::Continue => {}
    }
}

/// Tells a finding, whatever is to follow.
pub(super) fn only_tell(finding: &Finding<'_>) {
    // A report that is interrupted by another one of its own thread stays the first.
    let Some(_turn) = TURN.take() else {
        return;
    };
    FINDINGS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: it is this thread's turn.
    let paper = unsafe { &mut *PAPER.0.get() };
    paper.clear();
    text::write(paper, finding);
    Observed::notice(Event::Found {
        kind: finding.kind as u8,
        address: finding.address,
        text: paper.text(),
    });
    json::write(finding);
}
