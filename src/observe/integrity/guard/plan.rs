//! Which blocks are guarded: what `HAKMEM_GUARD` says, and large ones where all is checked.
//!
//! ```text
//! HAKMEM_GUARD=1/1000,size=16-512,site=parse_line,left
//! ```
//!
//! Conditions all have to be met. The first question of each request is its size: one load.

use super::slot::Side;
use crate::observe::api::Api;
use crate::observe::integrity::policy::{Level, complain};
use crate::observe::integrity::thread::Local;
use crate::observe::report::Line;
use crate::observe::report::turn::Turn;
use crate::observe::site::Site;
use crate::observe::{Request, modules, settings, stack};
use crate::options::guard_text::{self, GuardText};
use crate::size_class::MID_MAX;
use crate::sys::{process, thread};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

const NAME: &str = "HAKMEM_GUARD";
/// Between a function of a Rust program and the allocator are those of the standard library.
const RUST_DEPTH: usize = 8;

/// What the variable asks for.
struct Plan {
    /// One of so many blocks that meet the conditions.
    one_in: u32,
    /// Bytes asked for, from and to.
    sizes: (usize, usize),
    site: Option<Site>,
    /// The kernel's number of a thread; 0 for all.
    thread: u32,
    side: guard_text::Side,
}

struct PlanCell(UnsafeCell<Option<Plan>>);

// SAFETY: written at the set-up, before `FROM` lets anybody ask; read after.
unsafe impl Sync for PlanCell {}

static PLAN: PlanCell = PlanCell(UnsafeCell::new(None));

/// No smaller request gets a guarded block. Relaxed: written at the set-up; who reads too early
/// guards nothing.
static FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Requests from this size on are guarded whatever the plan says. As above.
static LARGE_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
/// The state of the generator of random numbers. Relaxed: nothing hangs on the order.
static RANDOM: AtomicU64 = AtomicU64::new(0);
/// The modules among which the site was looked for last.
static SEEN: AtomicU32 = AtomicU32::new(0);
static TURN: Turn = Turn::new();

fn plan() -> Option<&'static Plan> {
    // SAFETY: written at the set-up alone.
    unsafe { (*PLAN.0.get()).as_ref() }
}

/// Reads the variable; says whether any block is to be guarded, which [`start`] puts in force.
/// `large` says whether large ones are, if nothing else is said.
pub(super) fn read(large: bool) -> bool {
    let mut large = large;
    let text = settings::text(NAME);
    match text.map(GuardText::parse) {
        Some(Some(GuardText { one_in: 0, .. })) => large = false,
        Some(Some(guard)) => {
            // SAFETY: nobody reads it before `start`.
            unsafe { *PLAN.0.get() = Some(Plan::new(&guard)) };
        }
        Some(None) => complain(
            NAME,
            text.unwrap_or_default(),
            GuardText::ACCEPTED.as_bytes(),
        ),
        None => {}
    }
    if large {
        // What is large with what is put behind it.
        LARGE_FROM.store(MID_MAX - Level::Full.tail() + 1, Ordering::Relaxed);
    }
    if settings::arena_base() == 0 {
        RANDOM.store(process::random() as u64, Ordering::Relaxed);
    }
    plan().is_some() || large
}

/// From here on blocks are guarded. The modules are known.
pub(super) fn start() {
    look_for_site();
    let from = plan().map_or(usize::MAX, |plan| plan.sizes.0);
    FROM.store(
        from.min(LARGE_FROM.load(Ordering::Relaxed)),
        Ordering::Relaxed,
    );
}

/// Whether a request of so many bytes may get a guarded block.
#[inline(always)]
pub(super) fn may_want(size: usize) -> bool {
    size >= FROM.load(Ordering::Relaxed)
}

/// Whether any request may.
pub(super) fn is_on() -> bool {
    FROM.load(Ordering::Relaxed) != usize::MAX
}

/// Whether each large request is to get one.
pub(super) fn takes_large_ones() -> bool {
    LARGE_FROM.load(Ordering::Relaxed) != usize::MAX
}

/// Where a request's block is to lie in its pages, if it is to be guarded.
pub(super) fn side(local: &Local, request: &Request) -> Option<Side> {
    if let Some(plan) = plan()
        && plan.selects(local, request)
    {
        return Some(match plan.side {
            guard_text::Side::Left => Side::Left,
            guard_text::Side::Right => Side::Right,
            guard_text::Side::Exact => Side::Exact,
            guard_text::Side::Random if random() & 1 == 0 => Side::Left,
            guard_text::Side::Random => Side::Right,
        });
    }
    // What runs below the start of a large block is found at no other place.
    (request.size >= LARGE_FROM.load(Ordering::Relaxed)).then_some(Side::Left)
}

impl Plan {
    fn new(text: &GuardText<'_>) -> Plan {
        Plan {
            one_in: text.one_in,
            sizes: text.sizes,
            site: text.site.map(Site::new),
            thread: text.thread,
            side: text.side,
        }
    }

    #[inline]
    fn selects(&self, local: &Local, request: &Request) -> bool {
        let (least, most) = self.sizes;
        (least..=most).contains(&request.size)
            && (self.thread == 0 || self.thread == thread::id())
            && self.site.as_ref().is_none_or(|site| is_at(site, request))
            && (self.one_in <= 1 || is_drawn(&local.until_guarded, self.one_in))
    }
}

/// Whether the next block is the one of so many, on average.
#[inline]
fn is_drawn(until: &core::cell::Cell<u32>, one_in: u32) -> bool {
    let left = until.get();
    if left > 1 {
        until.set(left - 1);
        return false;
    }
    // From 1 to one less than twice as many.
    let range = u64::from(one_in) * 2 - 1;
    until.set((random() % range) as u32 + 1);
    left == 1
}

/// A number that is hard to foresee.
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = RANDOM.fetch_add(STEP, Ordering::Relaxed);
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Whether a request is made at the site: by the caller, and behind a face of Rust's by one of the
/// innermost calls.
fn is_at(site: &Site, request: &Request) -> bool {
    let caller = request.caller;
    if !site.is_known() {
        see(caller.pc());
    }
    if caller.api() >= Api::Malloc as u8 {
        return site.is(caller.pc());
    }
    let (mut frames, local) = ([0; stack::FRAMES], stack::Local::NEW);
    let depth = stack::capture(&local, caller, &mut frames);
    site.is_in(&frames[..depth.min(RUST_DEPTH)])
}

/// Looks for the site again, if `pc` lies in a file that is new.
#[cold]
fn see(pc: usize) {
    if modules::of(pc).or_else(|| modules::meet(pc)).is_some()
        && SEEN.load(Ordering::Relaxed) != modules::generation()
        && let Some(_turn) = TURN.take()
    {
        look_for_site();
    }
}

fn look_for_site() {
    SEEN.store(modules::generation(), Ordering::Relaxed);
    if let Some(site) = plan().and_then(|plan| plan.site.as_ref()) {
        site.resolve();
    }
}

/// Says that the site was found in no file.
pub(super) fn at_exit() {
    let site = plan().and_then(|plan| plan.site.as_ref());
    if site.is_some_and(|site| !site.is_known()) {
        Line::new()
            .text(NAME.as_bytes())
            .text(b": its site is in none of the files that this program has mapped")
            .write();
    }
}

/// In a fork's child, whose one thread does not have the turn.
pub(super) fn forked() {
    TURN.reset();
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn one_in_so_many_is_drawn() {
        for one_in in [2, 10, 100] {
            let until = Cell::new(0);
            let drawn = (0..100_000).filter(|_| is_drawn(&until, one_in)).count();
            let expected = 100_000 / one_in as usize;
            assert!(
                (expected * 8 / 10..=expected * 12 / 10).contains(&drawn),
                "1/{one_in}: {drawn}"
            );
        }
    }
}
