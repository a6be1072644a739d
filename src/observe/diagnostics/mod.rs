//! Diagnostics: what the debug variables print.
//!
//! ```text
//! variable ──► Area, a bit of ON ──► a hook that is on ──► Log        a line for each event
//!                                                     ├──► Profile    counts of the fronts
//!                                                     ├──► ListChecks the lists, walked
//!                                                     ├──► RefillCheck  counts that must fit
//!                                                     └──► Timing     histograms
//! ```
//!
//! Lines go to standard error, those of events and refills also to a file
//! (`trace_lines.rs`), each with one write. A hook whose area is off tests [`ON`] and returns.
//!
//! 1. What is written here causes no event: nothing of the heap is called but the views of a
//!    cache, which look up without notice.
//! 2. What is counted of a thread is written by that thread alone, and read by whoever shows
//!    its cache. A signal handler that allocates in between may cost a count.

mod histogram;
mod list_checks;
mod log;
mod profile;
mod refill_check;
mod state;
mod timing;

use super::{
    Block, Event, Observer, Occasion, Path, Release, Request, Sees, Wish, settings, trace_lines,
};
use crate::sys::stderr::{self, Line};
use crate::sys::thread;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use list_checks::ListChecks;
use profile::Profile;
use refill_check::RefillCheck;
use timing::{Span, Timing};

/// What can be switched on by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
enum Area {
    Free = 1 << 0,
    Lookup = 1 << 1,
    Lru = 1 << 2,
    Mask = 1 << 3,
    Refills = 1 << 4,
    Prewarm = 1 << 5,
    Registry = 1 << 6,
    Profile = 1 << 7,
    Lists = 1 << 8,
    State = 1 << 9,
    Timing = 1 << 10,
    Learning = 1 << 11,
}

/// Each area's variable.
const VARIABLES: [(Area, &str); 12] = [
    (Area::Free, "HAKMEM_SS_FREE_DEBUG"),
    (Area::Lookup, "HAKMEM_SUPER_LOOKUP_DEBUG"),
    (Area::Lru, "HAKMEM_SS_LRU_DEBUG"),
    (Area::Mask, "HAKMEM_TINY_FREELIST_MASK"),
    (Area::Refills, "HAKMEM_TINY_P0_LOG"),
    (Area::Prewarm, "HAKMEM_SS_PREWARM_DEBUG"),
    (Area::Registry, "HAKMEM_SUPER_REG_DEBUG"),
    (Area::Profile, "HAKMEM_TINY_PROFILE"),
    (Area::Lists, "HAKMEM_TINY_SLL_DIAG"),
    (Area::State, "HAKMEM_TINY_ALLOC_DEBUG"),
    (Area::Timing, "HAKMEM_TIMING"),
    (Area::Learning, "HAKMEM_LEARN_DEBUG"),
];

/// The areas that need to see each call.
const OF_CALLS: u32 = Area::Profile as u32 | Area::Timing as u32;

/// Which areas are on. Written once by the set-up; Relaxed, for what is read before is seen
/// as off.
static ON: AtomicU32 = AtomicU32::new(0);

#[inline(always)]
fn on() -> u32 {
    ON.load(Ordering::Relaxed)
}

impl Area {
    #[inline(always)]
    fn is_in(self, on: u32) -> bool {
        on & self as u32 != 0
    }

    /// As its lines have it in brackets; where there is one, the word of the master switch.
    const fn name(self) -> &'static str {
        match self {
            Area::Free => "free",
            Area::Lookup => "lookup",
            Area::Lru => "lru",
            Area::Mask => "mask",
            Area::Refills => "p0",
            Area::Prewarm => "prewarm",
            Area::Registry => "reg",
            Area::Profile => "profile",
            Area::Lists => "sll",
            Area::State => "state",
            Area::Timing => "timing",
            Area::Learning => "learn",
        }
    }

    /// The beginning of a line.
    fn line(self) -> Line {
        Line::new()
            .text(b"hakmem: [")
            .text(self.name().as_bytes())
            .text(b"] ")
    }

    /// The beginning of a line about what this thread does.
    fn line_of_thread(self) -> Line {
        let thread = u64::from(thread::id());
        self.line().text(b"thread ").number(thread).text(b": ")
    }

    /// The beginning of a line about something that must not be.
    fn error(self) -> Line {
        Line::new()
            .text(b"hakmem: ERROR [")
            .text(self.name().as_bytes())
            .text(b"] thread ")
            .number(u64::from(thread::id()))
            .text(b": ")
    }
}

/// A count that one thread writes and others may read.
struct Count(AtomicU64);

impl Count {
    const fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    /// Adds; for the writing thread alone, so that no read-modify-write is needed.
    fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Back to zero; says what it was.
    fn take(&self) -> u64 {
        let value = self.get();
        self.0.store(0, Ordering::Relaxed);
        value
    }
}

/// What diagnostics keep of a thread.
pub(crate) struct Local {
    profile: Profile,
    lists: ListChecks,
}

/// See the head of this file.
pub(crate) struct Diagnostics;

impl Observer for Diagnostics {
    type Local = Local;
    const NEW: Local = Local {
        profile: Profile::new(),
        lists: ListChecks::new(),
    };
    type Record = ();
    type Span = Option<Span>;

    fn set_up() -> Sees {
        let mut on = 0;
        for (area, variable) in VARIABLES {
            if settings::is_on(variable) {
                on |= area as u32;
            }
        }
        if on != 0 {
            // Programs close it before what is written at exit.
            stderr::keep();
            trace_lines::set_up();
        }
        if Area::Timing.is_in(on) {
            Timing::begin();
        }
        ON.store(on, Ordering::Relaxed);
        Sees::all_if(on & OF_CALLS != 0)
    }

    #[inline(always)]
    fn wants(wish: Wish) -> bool {
        match wish {
            Wish::Counts => Area::Refills.is_in(on()),
            Wish::Places | Wish::Fillings => false,
        }
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, ()>, _: &Request) {
        if Area::Profile.is_in(on()) {
            requested(local, block.class);
        }
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, ()>, _: &Release) -> Option<NonNull<u8>> {
        if Area::Profile.is_in(on()) {
            freed(local, block.class);
        }
        Some(block.address)
    }

    fn put_off(local: &Local, block: &Block<'_, ()>, release: &Release) {
        Self::freeing(local, block, release);
    }

    #[inline(always)]
    fn event(local: &Local, event: Event<'_>) {
        let on = on();
        // What is asked for by a call is not asked for by a variable.
        if on != 0 || matches!(event, Event::Shown { .. }) {
            happened(local, event, on);
        }
    }

    #[inline(always)]
    fn notice(event: Event<'_>) {
        let on = on();
        if on != 0 {
            noticed(event, on);
        }
    }

    #[inline(always)]
    fn times() -> bool {
        Area::Timing.is_in(on())
    }

    #[inline(always)]
    fn span(path: Path) -> Option<Span> {
        if Self::times() {
            return Some(Span::begin(path));
        }
        None
    }
}

#[cold]
#[inline(never)]
fn requested(local: &Local, class: usize) {
    local.profile.requested(class);
}

#[cold]
#[inline(never)]
fn freed(local: &Local, class: usize) {
    local.profile.freed(class);
}

#[cold]
#[inline(never)]
fn noticed(event: Event<'_>, on: u32) {
    let Event::AllShown { occasion } = event else {
        return log::write(&event, on);
    };
    if Area::Profile.is_in(on) {
        profile::show_total(occasion);
    }
    if Area::Timing.is_in(on) {
        timing::show(occasion);
    }
}

#[cold]
#[inline(never)]
fn happened(local: &Local, event: Event<'_>, on: u32) {
    if Area::Profile.is_in(on) {
        local.profile.note(&event);
    }
    match event {
        Event::Listed { class, cache } if Area::Lists.is_in(on) => {
            local.lists.check(cache, class);
        }
        Event::Taken { .. } if Area::Refills.is_in(on) => {
            if let Some(check) = RefillCheck::of(&event) {
                check.write();
            }
        }
        Event::Shown { cache, occasion } => {
            if occasion == Occasion::Demand || Area::State.is_in(on) {
                state::show(cache, occasion);
            }
            if Area::Profile.is_in(on) {
                local.profile.show(cache, occasion);
            }
            if Area::Lists.is_in(on) {
                local.lists.show(cache, occasion);
            }
        }
        _ => log::write(&event, on),
    }
}
