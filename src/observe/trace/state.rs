//! Whether anything is recorded, and what is lost where it cannot be.

use super::session::{self, Session};
use crate::sys::file::Refusal;
use crate::sys::stderr::Line;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use hakmem_trace_format::Total;

/// What the hooks do. Written by the set-up, and once more when something cannot be had. Relaxed:
/// a thread that notices late records late.
static STATE: Aligned = Aligned(AtomicU8::new(OFF));
pub(super) const OFF: u8 = 0;
/// Record all in rings, with the time of the processor's counter, and stacks along frame pointers
/// or none.
pub(super) const ON: u8 = 1;
/// As the slow paths say.
pub(super) const OTHERWISE: u8 = 2;

/// Apart from what is written often.
#[repr(align(128))]
struct Aligned(AtomicU8);

/// Events not recorded and not counted by a session yet. Relaxed: a sum.
static LOST: AtomicU64 = AtomicU64::new(0);

/// What the hooks do: [`OFF`], [`ON`] or [`OTHERWISE`].
#[inline(always)]
pub(super) fn state() -> u8 {
    STATE.0.load(Ordering::Relaxed)
}

/// Sets what the hooks do.
pub(super) fn switch(to: u8) {
    STATE.0.store(to, Ordering::Relaxed);
}

/// Stops, for want of what the line says.
#[cold]
pub(super) fn complain(what: &[u8], path: &[u8], refusal: Refusal) {
    if STATE.0.swap(OFF, Ordering::Relaxed) != OFF {
        // The end says more than the beginning, and the reason has to fit.
        const SHOWN: usize = 120;
        let cut = path.len().saturating_sub(SHOWN);
        Line::new()
            .text(b"hakmem: trace: ")
            .text(what)
            .text(if cut > 0 { b"..." } else { b"" })
            .text(&path[cut..])
            .text(b": ")
            .text(refusal.text())
            .text(b"; nothing more is recorded")
            .write();
    }
}

/// Says, once, that the segments are as large as they may be.
#[cold]
pub(super) fn say_full() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        Line::new()
            .text(b"hakmem: trace: HAKMEM_TRACE_MAX_MB is reached; ")
            .text(b"from here on the newest records of each thread are kept")
            .write();
    }
}

/// Counts events that are not recorded.
#[cold]
pub(super) fn lose(events: u64) {
    match session::get() {
        Some(session) => session.add(Total::Lost, events),
        None => {
            LOST.fetch_add(events, Ordering::Relaxed);
        }
    }
}

/// Takes what was counted without a session.
pub(super) fn lost() -> u64 {
    LOST.swap(0, Ordering::Relaxed)
}

/// The session, made if there is none; `None` if that cannot be, or somebody else makes it.
pub(super) fn session() -> Option<&'static Session> {
    match session::get_or_make() {
        None => {
            lose(1);
            None
        }
        Some(Ok(session)) => Some(session),
        Some(Err(refusal)) => {
            let directory = match &session::plan().template {
                Some(path) => path.bytes(),
                None => b"memory",
            };
            complain(b"cannot make a session in ", directory, refusal);
            None
        }
    }
}

/// As [`session()`], if anything is recorded.
pub(super) fn session_if_on() -> Option<&'static Session> {
    (state() != OFF).then(session)?
}
