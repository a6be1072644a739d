//! The stock of freed units: address space that is committed, pages and all, and that
//! nobody uses, waiting for the next large block or SuperSlab.
//!
//! ```text
//!   free ──► stock ──► a mapping or a SuperSlab that fits, its rest stays in stock
//!              ├─────► page by page into a new mapping that fits in no range
//!              └─────► the arena: over the bound, too old, or before the heap grows
//! ```
//!
//! Before the heap takes new units it gives back as many from here, so that the stock adds nothing to
//! the peak. A large block takes the pages along: moving a unit costs two system calls, faulting its
//! 512 pages in again some hundred times as much. While the heap does not grow, the stock is bounded
//! by `HAKMEM_STOCK_MB` or a [`STOCK_SHARE`]th of what is in use, and by [`STOCK_AGE_MS`].
//!
//! 1. Ranges in stock neither overlap nor touch, unless they lie outside of the arena.
//! 2. No system call is made while the lock is held.

use crate::arena::{self, UNIT};
use crate::counters::{self, Counter};
use crate::name::{Name, name};
use crate::size_class::SLOT_BYTES;
use crate::sys::clock;
use crate::sys::lock::Lock;
use crate::tuning;

/// Ranges that can wait.
const ENTRIES: usize = 32;
/// The share of the heap that may wait, where that is more than the bytes that always may.
const STOCK_SHARE: usize = 1;
/// Milliseconds that a range may wait.
const STOCK_AGE_MS: u64 = 1000;

#[derive(Clone, Copy)]
struct Range {
    start: usize,
    units: usize,
    since_ms: u64,
}

impl Range {
    const NONE: Range = Range {
        start: 0,
        units: 0,
        since_ms: 0,
    };

    fn end(&self) -> usize {
        self.start + self.units * UNIT
    }
}

/// The ranges, the longest waiting first.
struct Stock {
    ranges: [Range; ENTRIES],
    len: usize,
    units: usize,
}

static STOCK: Lock<Stock> = Lock::new(Stock {
    ranges: [Range::NONE; ENTRIES],
    len: 0,
    units: 0,
});

impl Stock {
    fn remove(&mut self, index: usize) -> Range {
        let range = self.ranges[index];
        self.ranges.copy_within(index + 1..self.len, index);
        self.len -= 1;
        self.units -= range.units;
        range
    }

    /// The last `units` units of the smallest range that has so many: an address that was
    /// freed is then less soon one that is in use.
    fn take(&mut self, units: usize) -> Option<usize> {
        let (_, index) = self.ranges[..self.len]
            .iter()
            .enumerate()
            .filter(|(_, range)| range.units >= units)
            .map(|(index, range)| (range.units, index))
            .min()?;
        Some(self.take_from(index, units))
    }

    /// Up to `units` units of the smallest range that has so many, or of the largest; of the
    /// arena.
    fn take_piece(&mut self, units: usize) -> Option<(usize, usize)> {
        let (index, _) = self.ranges[..self.len]
            .iter()
            .enumerate()
            .filter(|(_, range)| arena::contains(range.start))
            .min_by_key(|(_, range)| (range.units < units, range.units.abs_diff(units)))?;
        let piece = units.min(self.ranges[index].units);
        Some((self.take_from(index, piece), piece))
    }

    /// The last `units` units of a range.
    fn take_from(&mut self, index: usize, units: usize) -> usize {
        let range = &mut self.ranges[index];
        let start = range.end() - units * UNIT;
        if range.units == units {
            self.remove(index);
        } else {
            range.units -= units;
            self.units -= units;
        }
        start
    }

    /// Adds a range, joined with its neighbours. There is room for it.
    fn put(&mut self, mut new: Range) {
        if arena::contains(new.start) {
            let mut index = 0;
            while index < self.len {
                let range = self.ranges[index];
                let touches = range.end() == new.start || range.start == new.end();
                if touches && arena::contains(range.start) {
                    self.remove(index);
                    new.start = new.start.min(range.start);
                    new.units += range.units;
                } else {
                    index += 1;
                }
            }
        }
        self.ranges[self.len] = new;
        self.len += 1;
        self.units += new.units;
    }

    /// The longest waiting range, if its time is up or the stock is full; as much of it as the
    /// stock is over its bound, if it is.
    fn overdue(&mut self) -> Option<Range> {
        let oldest = *self.ranges[..self.len].first()?;
        let in_use = counters::large_bytes() + counters::slots_held() * SLOT_BYTES;
        let (least, is_shared) = tuning::stock_bytes();
        let share = if is_shared { in_use / STOCK_SHARE } else { 0 };
        let bound = least.max(share) / UNIT;
        let is_old = clock::now_ms().saturating_sub(oldest.since_ms) >= STOCK_AGE_MS;
        let units = match self.units.saturating_sub(bound) {
            _ if is_old || self.len == ENTRIES => oldest.units,
            0 => return None,
            over => over.min(oldest.units),
        };
        let start = self.take_from(0, units);
        Some(Range {
            start,
            units,
            ..oldest
        })
    }
}

/// `units` units in a row, committed, with whatever is in them.
pub(crate) fn take(units: usize) -> Option<usize> {
    let start = STOCK.lock().take(units)?;
    counters::add(Counter::UnitsReused, units as u64);
    Some(start)
}

/// Puts units in stock that nobody uses any more; their pages stay, for a while.
///
/// # Safety
/// The caller owns the units, which are committed, and nobody uses them any more.
pub(crate) unsafe fn put(start: usize, units: usize) {
    let new = Range {
        start,
        units,
        since_ms: clock::now_ms(),
    };
    loop {
        let mut stock = STOCK.lock();
        let Some(range) = stock.overdue() else {
            stock.put(new);
            break;
        };
        drop(stock);
        // SAFETY: it waited in the stock, so nobody uses it.
        unsafe { arena::release(range.start, range.units) };
    }
    loop {
        let range = STOCK.lock().overdue();
        let Some(range) = range else { break };
        // SAFETY: it waited in the stock, so nobody uses it.
        unsafe { arena::release(range.start, range.units) };
    }
}

/// Moves pages from stock to the first of the `units` units at `start`, which are committed
/// and untouched, and gives back the places that they leave. Returns how many units have
/// got theirs.
///
/// # Errors
/// As [`arena::relocate`], of the units at `start`.
pub(crate) fn fill(start: usize, units: usize) -> Result<usize, Option<usize>> {
    let mut filled = 0;
    while filled < units {
        let Some((from, piece)) = STOCK.lock().take_piece(units - filled) else {
            break;
        };
        // SAFETY: the piece waited in the stock; the caller's units are untouched from here on.
        let moved = unsafe { arena::relocate(from, piece, start + filled * UNIT) };
        filled += moved.map_err(|lost| lost.map(|unit| filled + unit))?;
        if moved != Ok(piece) {
            break;
        }
    }
    counters::add(Counter::UnitsMoved, filled as u64);
    Ok(filled)
}

/// Gives back at least `units` units, the longest waiting ranges first, or all there are.
/// Says whether there was something.
pub(crate) fn give_back(units: usize) -> bool {
    let mut given_back = 0;
    while given_back < units {
        let range = {
            let mut stock = STOCK.lock();
            if stock.len == 0 {
                break;
            }
            stock.remove(0)
        };
        given_back += range.units;
        // SAFETY: it waited in the stock, so nobody uses it.
        unsafe { arena::release(range.start, range.units) };
    }
    given_back > 0
}

/// Calls `each` with the start and the bytes of every range that waits.
pub(crate) fn for_each(mut each: impl FnMut(usize, usize)) {
    let (ranges, len) = {
        let stock = STOCK.lock();
        (stock.ranges, stock.len)
    };
    for range in &ranges[..len] {
        each(range.start, range.units * UNIT);
    }
}

/// How many of the units from `start` on there are before one that waits; `None` if none does, or if
/// somebody is changing the stock.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn apart_from(start: usize, units: usize) -> Option<usize> {
    let stock = STOCK.try_lock()?;
    let end = start + units * UNIT;
    let ranges = stock.ranges[..stock.len].iter();
    let overlaps = |range: &&Range| range.start < end && start < range.end();
    let first = ranges.filter(overlaps).map(|range| range.start).min()?;
    Some(first.saturating_sub(start) / UNIT)
}

/// The address of the stock, and where a reader of a core file finds what in it.
pub(crate) fn address() -> usize {
    STOCK.address() as usize
}

pub(crate) const OFFSETS: [(Name, usize); 5] = [
    (name("stock.ranges"), core::mem::offset_of!(Stock, ranges)),
    (name("stock.len"), core::mem::offset_of!(Stock, len)),
    (name("range.bytes"), size_of::<Range>()),
    (name("range.start"), core::mem::offset_of!(Range, start)),
    (name("range.units"), core::mem::offset_of!(Range, units)),
];

/// Locks and unlocks around a fork.
pub(crate) fn hold() {
    STOCK.hold();
}

/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { STOCK.let_go() };
}
