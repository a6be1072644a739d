//! The parser of the environment, the validator and what is in force, on any bytes: no panic, no
//! allocation, and the three agree.
//!
//! A case is an environment: its strings, with a zero byte between.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hakmem_alloc::options::{self, Builds, Finding, Kind, Resolved, Severity, Source};
use libfuzzer_sys::fuzz_target;

thread_local! {
    /// Whether an allocation is a mistake now.
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

struct Watched;

// SAFETY: hands on to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if FORBIDDEN.get() {
            FORBIDDEN.set(false);
            panic!("an allocation");
        }
        // SAFETY: the caller's clauses.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's clauses.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// Inside the range of its variable, or without a number.
fn is_sound(resolved: &Resolved) -> bool {
    match (
        resolved.number,
        resolved.variable.range,
        resolved.variable.kind,
    ) {
        (None, ..) => {
            resolved.variable.default.is_none() || !matches!(resolved.source, Source::Default)
        }
        (Some(number), Some(range), _) => range.contains(number),
        (Some(number), None, Kind::List(words)) => number < 2 << words.len(),
        (Some(_), None, _) => false,
    }
}

fuzz_target!(|data: &[u8]| {
    let entries = || data.split(|&byte| byte == 0);
    FORBIDDEN.set(true);
    let mut sound = true;
    for build in [Builds::Every, Builds::Observed] {
        let (mut ours, mut told) = (0usize, 0usize);
        for entry in entries() {
            ours += usize::from(entry.starts_with(b"HAKMEM_") && entry.contains(&b'='));
        }
        let mut refused = 0usize;
        options::check(entries(), build, &mut |finding| {
            told += usize::from(!matches!(finding, Finding::Contradiction(_)));
            let is_of_value = matches!(
                finding,
                Finding::Malformed { .. } | Finding::Misread { .. } | Finding::OutOfRange { .. }
            );
            refused += usize::from(is_of_value);
            sound &= !matches!(finding, Finding::Fine { .. }) || finding.severity() == Severity::Ok;
        });
        // Each string of ours is told of, unless others than the allocator read it.
        sound &= ours == 0 || told > 0 || data.windows(7).any(|w| w == b"HAKMEM_");
        let mut refused_too = false;
        for resolved in options::resolve(entries(), build) {
            sound &= is_sound(&resolved);
            refused_too |= matches!(resolved.source, Source::Refused);
        }
        // What is refused of a variable is found by both.
        sound &= build == Builds::Every || (refused > 0) == refused_too;
    }
    FORBIDDEN.set(false);
    assert!(sound);
});
