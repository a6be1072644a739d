//! What learning of memory may change: the numbers by which freed memory is kept.
//!
//! ```text
//!                 purge delay   stock of large blocks     huge pages
//! not learnt      the options'  the options'              an eighth may be in vain
//! more, where     what was given back was wanted again    the heap is dense
//! less, where     free memory is over the threshold       the heap has holes
//! none, where     the heap is over the budget
//! ```
//!
//! Decisions are made on slow paths, a window apart, from counts that are kept anyway. While
//! learning is off, or frozen, all of this is constant.

use crate::config;
use crate::counters::{self, Counter};
use crate::observe::{Event, Observed, Observer};
use crate::size_class::SLOT_BYTES;
use crate::sys::clock;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The longest delay, and the shortest while there is room, in milliseconds.
const DELAY_MOST: u32 = 10_000;
const DELAY_LEAST: u32 = 10;
/// The most bytes of large blocks that are kept whatever the heap's size.
const STOCK_MOST: usize = 1 << 30;
/// The share of the filled slots that may be in huge pages in vain: the usual one, and the two
/// ends. [`NO_HUGE`] is none at all.
const HUGE_SHARE: usize = 8;
const HUGE_SHARE_MOST: usize = 4;
const HUGE_SHARE_LEAST: usize = 64;
const NO_HUGE: usize = usize::MAX;
/// Below this a heap is too small to judge.
const SMALL_BYTES: usize = 4 << 20;

// Relaxed, all of them: each is a number of its own, and one that is late does no harm.

/// In force; `u32::MAX` and `usize::MAX` until something was learnt.
static PURGE_DELAY: AtomicU32 = AtomicU32::new(u32::MAX);
static STOCK: AtomicUsize = AtomicUsize::new(usize::MAX);
static SHARE: AtomicUsize = AtomicUsize::new(HUGE_SHARE);
/// When the next decision is due, milliseconds; 0 before the first one.
static DUE: AtomicU64 = AtomicU64::new(0);
/// When learning began.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// Nothing more is learnt.
static FROZEN: AtomicBool = AtomicBool::new(false);
/// Counts at the last decision, written by whoever has moved [`DUE`] on.
static BEFORE: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Milliseconds that free pages beyond their bound stay.
pub(crate) fn purge_delay_ms() -> u64 {
    match PURGE_DELAY.load(Ordering::Relaxed) {
        u32::MAX => u64::from(config::get().purge_delay_ms),
        learnt => u64::from(learnt),
    }
}

/// Bytes of freed large blocks that are kept whatever the heap's size; with the share of the heap
/// that is kept beside them, or without.
pub(crate) fn stock_bytes() -> (usize, bool) {
    match STOCK.load(Ordering::Relaxed) {
        usize::MAX => {
            let bytes = (config::get().stock_mb as usize) << 20;
            (bytes, bytes != 0)
        }
        learnt => (learnt, learnt != 0),
    }
}

/// Whether `unfilled` slots in huge pages are few beside `filled` ones.
pub(crate) fn allows_huge(filled: usize, unfilled: usize) -> bool {
    let share = SHARE.load(Ordering::Relaxed);
    share != NO_HUGE && unfilled <= filled / share
}

/// Slots that may lie free and dirty for good, of `held` ones in use; as learnt, or `usual`.
pub(crate) fn dirty_bound(held: usize, usual: usize) -> usize {
    if !config::get().mem_learn {
        return usual;
    }
    usual.min(held * config::get().mem_learn_threshold as usize / 100)
}

/// Whether anything is learnt still.
pub(crate) fn is_learning() -> bool {
    !FROZEN.load(Ordering::Relaxed)
}

/// Ends learning; says whether this call did.
pub(crate) fn freeze() -> bool {
    !FROZEN.swap(true, Ordering::Relaxed)
}

/// Whether learning has gone on for as long as it may.
pub(crate) fn is_time_up() -> bool {
    let Some(seconds) = config::get()
        .learn_freeze_sec
        .filter(|&seconds| seconds > 0)
    else {
        return false;
    };
    let now = clock::now_ms();
    let began = BEGAN.load(Ordering::Relaxed);
    if began == 0 {
        BEGAN.store(now, Ordering::Relaxed);
        return false;
    }
    now.saturating_sub(began) >= u64::from(seconds) * 1000
}

/// What was learnt of memory, as values of variables: the purge's delay, the stock in MB, huge
/// pages.
pub(crate) fn learnt() -> (u32, u32, bool) {
    let (stock, _) = stock_bytes();
    let huge = config::get().huge_pages && SHARE.load(Ordering::Relaxed) != NO_HUGE;
    (purge_delay_ms() as u32, (stock >> 20) as u32, huge)
}

/// Decides anew if it is time. Called on slow paths, without locks.
#[inline(always)]
pub(crate) fn tick() {
    if config::get().mem_learn {
        tick_slow();
    }
}

#[cold]
#[inline(never)]
fn tick_slow() {
    let now = clock::now_ms();
    let due = DUE.load(Ordering::Relaxed);
    if now < due || !is_learning() {
        return;
    }
    let next = now + u64::from(config::get().mem_learn_window);
    let moved = DUE.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
    if moved.is_ok() {
        decide();
    }
}

/// What has happened since the last decision.
struct Window {
    /// Bytes of slots that were given back, and of clean ones that were taken.
    purged: usize,
    refilled: usize,
    /// Units of large blocks that came from the stock, and new ones.
    reused: usize,
    mapped: usize,
}

impl Window {
    fn take() -> Self {
        let now = [
            counters::get(Counter::PurgedBytes),
            counters::get(Counter::CleanSlotsTaken) * SLOT_BYTES as u64,
            counters::get(Counter::UnitsReused) + counters::get(Counter::UnitsMoved),
            counters::get(Counter::LargeMapped),
        ];
        let mut since = [0; 4];
        for ((since, before), now) in since.iter_mut().zip(&BEFORE).zip(now) {
            *since = now.saturating_sub(before.swap(now, Ordering::Relaxed)) as usize;
        }
        let [purged, refilled, reused, mapped] = since;
        Window {
            purged,
            refilled,
            reused,
            mapped,
        }
    }
}

fn decide() {
    let options = config::get();
    let window = Window::take();
    counters::add(Counter::LearnWindows, 1);
    let held = counters::slots_held() * SLOT_BYTES;
    let dirty = counters::slots_dirty() * SLOT_BYTES;
    let used = held + counters::large_bytes();
    let budget = options.learn_budget_mb.filter(|&mb| mb > 0);
    let is_over = budget.is_some_and(|mb| used + dirty > (mb as usize) << 20);
    if is_over {
        set_delay(0);
        set_stock(0);
        set_share(NO_HUGE);
        return;
    }
    if held >= SMALL_BYTES {
        let is_much = dirty * 100 > held * options.mem_learn_threshold as usize;
        let delay = (purge_delay_ms() as u32).max(DELAY_LEAST);
        // What was given back came in again at the cost of its faults.
        let is_regretted = window.purged > SLOT_BYTES && window.refilled * 2 >= window.purged;
        if is_regretted {
            set_delay((delay * 2).min(DELAY_MOST));
        } else if is_much {
            set_delay((delay / 2).max(DELAY_LEAST));
        }
        decide_huge(options.mem_learn_threshold as usize);
    }
    let (stock, _) = stock_bytes();
    if window.mapped > 8 && window.reused * 2 < window.mapped {
        set_stock((stock.max(8 << 20) * 2).min(STOCK_MOST));
    } else if window.mapped == 0 && window.reused == 0 && stock > 8 << 20 {
        set_stock(stock / 2);
    }
}

/// Dense SuperSlabs are worth a huge page, and such with holes are not.
fn decide_huge(threshold: usize) {
    let (filled, unfilled) = (counters::slots_filled(), counters::slots_unfilled());
    let share = SHARE.load(Ordering::Relaxed);
    if unfilled * 100 > filled * threshold {
        set_share(share.min(HUGE_SHARE_LEAST / 2) * 2);
    } else if unfilled * 200 < filled * threshold {
        set_share((share.min(HUGE_SHARE_LEAST) / 2).max(HUGE_SHARE_MOST));
    }
}

fn set_delay(delay: u32) {
    let before = purge_delay_ms() as usize;
    if before != delay as usize {
        PURGE_DELAY.store(delay, Ordering::Relaxed);
        tell("purge delay, ms", before, delay as usize);
    }
}

fn set_stock(bytes: usize) {
    let (before, _) = stock_bytes();
    if before != bytes {
        STOCK.store(bytes, Ordering::Relaxed);
        tell("stock, MB", before >> 20, bytes >> 20);
    }
}

fn set_share(share: usize) {
    let before = SHARE.swap(share, Ordering::Relaxed);
    if before != share {
        let shown = |share| if share == NO_HUGE { 0 } else { share };
        tell("huge pages, share in vain", shown(before), shown(share));
    }
}

fn tell(what: &'static str, from: usize, to: usize) {
    counters::add(Counter::LearnMemory, 1);
    Observed::notice(Event::Learnt {
        what,
        class: None,
        from,
        to,
    });
}
