//! What the variables say: how much is checked, and what follows a finding.

use crate::observe::settings;
use crate::sys::stderr::Line;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// How much is checked. Ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Level {
    /// Nothing.
    Off = 0,
    /// State, function, size and alignment, and what stands around a block, at each free.
    Light = 1,
    /// The same, and freed blocks are filled, kept, and looked at again; with stacks.
    Full = 2,
}

impl Level {
    /// Bytes of the pattern behind each block, at least. As many are looked at in front of one, for
    /// they are those of the block below.
    pub(super) const fn tail(self) -> usize {
        match self {
            Level::Off => 0,
            Level::Light => 8,
            Level::Full => 16,
        }
    }
}

/// What follows a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum OnError {
    /// The process ends with SIGABRT.
    Abort = 0,
    /// The program goes on, without what was wrong.
    Continue = 1,
    /// The process stops (SIGSTOP); then it goes on.
    Stop = 2,
}

/// Written once, by the set-up; Relaxed, for who reads too early checks nothing.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Off as u8);
static ON_ERROR: AtomicU8 = AtomicU8::new(OnError::Abort as u8);
/// [`Level::tail`] of the level in force. Before that is known the most: a block that is handed out
/// then has enough. Relaxed: who reads too early has more.
static TAIL: AtomicUsize = AtomicUsize::new(Level::Full.tail());
/// Bytes of a thread's quarantine.
static QUARANTINE: AtomicUsize = AtomicUsize::new(0);

#[inline(always)]
pub(super) fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        0 => Level::Off,
        1 => Level::Light,
        _ => Level::Full,
    }
}

/// Whether it is [`Level::Off`], and whether it is [`Level::Light`]: for hooks, which ask one after
/// the other.
#[inline(always)]
pub(super) fn is_off() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Off as u8
}

#[inline(always)]
pub(super) fn is_light() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Light as u8
}

/// The address of the byte that says how much is checked.
pub(super) fn level_address() -> usize {
    &raw const LEVEL as usize
}

/// Bytes of the pattern behind each block, at least.
#[inline(always)]
pub(super) fn tail() -> usize {
    TAIL.load(Ordering::Relaxed)
}

/// The address of the word that says so.
pub(super) fn tail_address() -> usize {
    &raw const TAIL as usize
}

pub(super) fn on_error() -> OnError {
    match ON_ERROR.load(Ordering::Relaxed) {
        0 => OnError::Abort,
        1 => OnError::Continue,
        _ => OnError::Stop,
    }
}

/// Bytes of freed blocks that a thread may keep.
#[inline(always)]
pub(super) fn quarantine() -> usize {
    QUARANTINE.load(Ordering::Relaxed)
}

/// Reads the variables; says how much is to be checked, which [`set`] puts in force.
pub(super) fn read() -> Level {
    const CHECKS: &str = "HAKMEM_INTEGRITY_CHECKS";
    const ACTION: &str = "HAKMEM_ON_ERROR";
    let level = match settings::text(CHECKS) {
        None | Some(b"1" | b"full") => Level::Full,
        Some(b"light") => Level::Light,
        Some(b"0") => Level::Off,
        Some(other) => {
            complain(CHECKS, other, b"0, 1, light or full; using the default 1");
            Level::Full
        }
    };
    let action = match settings::text(ACTION) {
        None | Some(b"abort") => OnError::Abort,
        Some(b"continue") => OnError::Continue,
        Some(b"stop") => OnError::Stop,
        Some(other) => {
            complain(
                ACTION,
                other,
                b"abort, continue or stop; using the default abort",
            );
            OnError::Abort
        }
    };
    ON_ERROR.store(action as u8, Ordering::Relaxed);
    let kib = settings::count("HAKMEM_QUARANTINE_KB") as usize;
    QUARANTINE.store(kib << 10, Ordering::Relaxed);
    level
}

/// From here on so much is checked.
pub(super) fn set(level: Level) {
    TAIL.store(level.tail(), Ordering::Relaxed);
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Says that a variable's value is none.
pub(super) fn complain(name: &str, value: &[u8], accepted: &[u8]) {
    const SHOWN: usize = 40;
    let mut line = Line::new()
        .text(b"hakmem: ")
        .text(name.as_bytes())
        .text(b"=");
    for &byte in value.iter().take(SHOWN) {
        line = line.text(&[if (b' '..=b'~').contains(&byte) {
            byte
        } else {
            b'?'
        }]);
    }
    line.text(b" is not ").text(accepted).write();
}
