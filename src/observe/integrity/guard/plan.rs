//! Which blocks are guarded: what `HAKMEM_GUARD` says, and large ones where all is checked.
//!
//! ```text
//! HAKMEM_GUARD=1/1000,size=16-512,site=parse_line,left
//! ```
//!
//! Conditions all have to be met. The first question of each request is its size: one load.

use super::slot::Side;
use crate::observe::api::Api;
use crate::observe::integrity::policy::complain;
use crate::observe::integrity::thread::Local;
use crate::observe::report::Line;
use crate::observe::report::turn::Turn;
use crate::observe::site::Site;
use crate::observe::{Observed, Observer, Request, modules, numerals, settings, stack};
use crate::size_class::MID_MAX;
use crate::sys::{process, thread};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

const NAME: &str = "HAKMEM_GUARD";
const ACCEPTED: &[u8] = b"all, none, 1/N, size=A-B, site=FUNCTION, site=MODULE+0xOFFSET, \
    site=0xADDRESS, thread=T, right, left, random, with commas between; no block is guarded for it";
/// Between a function of a Rust program and the allocator are those of the standard library.
const RUST_DEPTH: usize = 8;

/// Where blocks lie in their pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    Always(Side),
    AtRandom,
}

/// What the variable asks for.
struct Plan {
    /// One of so many blocks that meet the conditions.
    one_in: u32,
    /// Bytes asked for, from and to.
    sizes: (usize, usize),
    site: Option<Site>,
    /// The kernel's number of a thread; 0 for all.
    thread: u32,
    lie: Lie,
}

/// What a text asks for.
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap to box in, and one of it"
)]
enum Wish {
    Nothing,
    Blocks(Plan),
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
    let wish = settings::text(NAME).map(|text| (text, parse(text)));
    match wish {
        Some((_, Some(Wish::Blocks(plan)))) => {
            // SAFETY: nobody reads it before `start`.
            unsafe { *PLAN.0.get() = Some(plan) };
        }
        Some((_, Some(Wish::Nothing))) => large = false,
        Some((text, None)) => complain(NAME, text, ACCEPTED),
        None => {}
    }
    if large {
        // What is large with what is put behind it.
        LARGE_FROM.store(MID_MAX - Observed::TAIL + 1, Ordering::Relaxed);
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
        return Some(match plan.lie {
            Lie::Always(side) => side,
            Lie::AtRandom if random() & 1 == 0 => Side::Left,
            Lie::AtRandom => Side::Right,
        });
    }
    // What runs below the start of a large block is found at no other place.
    (request.size >= LARGE_FROM.load(Ordering::Relaxed)).then_some(Side::Left)
}

impl Plan {
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

/// What a text asks for; `None` if it is not understood.
fn parse(text: &[u8]) -> Option<Wish> {
    if text == b"none" || text == b"0" {
        return Some(Wish::Nothing);
    }
    let mut plan = Plan {
        one_in: 1,
        sizes: (0, usize::MAX),
        site: None,
        thread: 0,
        lie: Lie::Always(Side::Right),
    };
    // What was said, a bit each: nothing is said twice.
    let mut said = 0u8;
    for word in text.split(|&byte| byte == b',') {
        let bit = term(&mut plan, word)?;
        if said & bit != 0 {
            return None;
        }
        said |= bit;
    }
    Some(Wish::Blocks(plan))
}

/// Takes a word into the plan; the bit of what it is about.
fn term(plan: &mut Plan, word: &[u8]) -> Option<u8> {
    let (key, value) = match numerals::split(word, b'=') {
        Some((key, value)) => (key, Some(value)),
        None => (word, None),
    };
    match (key, value) {
        (b"all", None) => return Some(1),
        (b"right", None) => plan.lie = Lie::Always(Side::Right),
        (b"left", None) => plan.lie = Lie::Always(Side::Left),
        (b"random", None) => plan.lie = Lie::AtRandom,
        (b"size", Some(value)) => {
            plan.sizes = numerals::range(value)?;
            return Some(2);
        }
        (b"site", Some(value)) => {
            plan.site = Some(Site::parse(value)?);
            return Some(4);
        }
        (b"thread", Some(value)) => {
            plan.thread = u32::try_from(numerals::positive(value)?).ok()?;
            return Some(8);
        }
        (_, None) => {
            let of = key.strip_prefix(b"1/")?;
            plan.one_in = u32::try_from(numerals::positive(of)?).ok()?;
            return Some(1);
        }
        _ => return None,
    }
    Some(16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    fn understood(text: &str) -> Option<Plan> {
        match parse(text.as_bytes())? {
            Wish::Blocks(plan) => Some(plan),
            Wish::Nothing => None,
        }
    }

    #[test]
    fn each_word_is_understood() {
        let plan = understood("1/1000,size=16-512,thread=7,site=0x1234,left").expect("a plan");
        assert_eq!((plan.one_in, plan.sizes, plan.thread), (1000, (16, 512), 7));
        assert!(plan.site.is_some() && plan.lie == Lie::Always(Side::Left));
        let all = understood("all").expect("a plan");
        assert_eq!((all.one_in, all.sizes), (1, (0, usize::MAX)));
        assert_eq!(all.lie, Lie::Always(Side::Right));
        assert_eq!(understood("random").expect("a plan").lie, Lie::AtRandom);
        assert!(matches!(parse(b"none"), Some(Wish::Nothing)));
        for wrong in [
            "",
            "al",
            "all,",
            "1/0",
            "1/x",
            "2/3",
            "size=9-3",
            "size",
            "thread=0",
            "site=",
            "site=a+b",
            "left,right",
            "all,1/3",
            "all=1",
            "none,all",
        ] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

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
