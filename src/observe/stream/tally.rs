//! How often each thing happened to a thread's cache: what the metrics come from, so that they
//! are right also when a stream is full. And how often a hook could do nothing.

use super::record::CLASS_INDICES;
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

/// What is counted. Some have a count for each class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Figure {
    /// Bytes of the blocks handed out, and bytes asked for.
    AllocatedBytes,
    RequestedBytes,
    /// Bytes of the blocks freed.
    FreedBytes,
    /// Blocks resized without a copy.
    Resizes,
    RemoteFrees,
    /// Blocks that came back from other threads.
    Collected,
    SlabsOpened,
    SlabsClosed,
    /// Events that found the stream full.
    Full,
    /// Hooks of a thread that drains.
    Own,
}

/// See [`Figure`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum ClassFigure {
    Allocations,
    Frees,
    Refills,
    Drains,
}

const FIGURES: usize = Figure::Own as usize + 1;
const CLASS_FIGURES: usize = ClassFigure::Drains as usize + 1;
const COUNTS: usize = FIGURES + CLASS_FIGURES * CLASS_INDICES;

const fn place(figure: ClassFigure, class: usize) -> usize {
    FIGURES + figure as usize * CLASS_INDICES + class
}

/// Counts of one cache, all zero at first.
pub(crate) struct Tally {
    /// Written by the cache's owner inside of a hook, read by who drains. Relaxed: each is a
    /// sum of its own.
    counts: [AtomicU64; COUNTS],
    /// What they were when they were last taken; of who drains.
    taken: [Cell<u64>; COUNTS],
}

impl Tally {
    /// Adds to a count. The caller is the one who writes.
    #[inline(always)]
    pub(crate) fn add(&self, figure: Figure, n: usize) {
        Self::add_to(&self.counts[figure as usize], n);
    }

    /// As [`Tally::add`].
    #[inline(always)]
    pub(crate) fn add_of_class(&self, figure: ClassFigure, class: usize, n: usize) {
        Self::add_to(&self.counts[place(figure, class)], n);
    }

    #[inline(always)]
    fn add_to(count: &AtomicU64, n: usize) {
        let sum = count.load(Ordering::Relaxed).wrapping_add(n as u64);
        count.store(sum, Ordering::Relaxed);
    }

    /// Moves what was counted since the last time into `sums`. The caller is who drains.
    pub(crate) fn take(&self, sums: &mut Sums) {
        let both = self.counts.iter().zip(&self.taken);
        for ((count, taken), sum) in both.zip(&mut sums.0) {
            let now = count.load(Ordering::Relaxed);
            *sum += now.wrapping_sub(taken.replace(now));
        }
    }
}

/// What was counted, of all caches.
pub(crate) struct Sums([u64; COUNTS]);

impl Sums {
    pub(crate) const fn new() -> Sums {
        Sums([0; COUNTS])
    }

    pub(crate) fn get(&self, figure: Figure) -> u64 {
        self.0[figure as usize]
    }

    pub(crate) fn of_class(&self, figure: ClassFigure, class: usize) -> u64 {
        self.0[place(figure, class)]
    }

    /// Of all classes.
    pub(crate) fn total(&self, figure: ClassFigure) -> u64 {
        self.0[place(figure, 0)..place(figure, CLASS_INDICES)]
            .iter()
            .sum()
    }
}

/// Why a hook could neither count nor tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Loss {
    /// It interrupted another one.
    Interrupted,
    /// The thread has no cache: it ends, or is in the middle of a change.
    NoCache,
    /// There is no channel: there was no memory for one, or the thread began when the pump did.
    NoChannel,
}

pub(crate) const LOSSES: usize = Loss::NoChannel as usize + 1;

/// Relaxed: each is a sum of its own.
static LOST: [AtomicU64; LOSSES] = [const { AtomicU64::new(0) }; LOSSES];

/// Counts a loss.
#[cold]
pub(super) fn lose(loss: Loss) {
    LOST[loss as usize].fetch_add(1, Ordering::Relaxed);
}

/// How often each [`Loss`] has occurred since the last time.
pub(super) fn take_losses() -> [u64; LOSSES] {
    let mut losses = [0; LOSSES];
    for (loss, lost) in losses.iter_mut().zip(&LOST) {
        *loss = lost.swap(0, Ordering::Relaxed);
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally {
            counts: [const { AtomicU64::new(0) }; COUNTS],
            taken: [const { Cell::new(0) }; COUNTS],
        }
    }

    #[test]
    fn what_was_taken_is_not_taken_again() {
        let tally = tally();
        let mut sums = Sums::new();
        tally.add(Figure::FreedBytes, 48);
        tally.add_of_class(ClassFigure::Frees, 2, 3);
        tally.add_of_class(ClassFigure::Frees, CLASS_INDICES - 1, 1);
        tally.take(&mut sums);
        tally.add(Figure::FreedBytes, 2);
        tally.take(&mut sums);
        assert_eq!(sums.get(Figure::FreedBytes), 50);
        assert_eq!(sums.of_class(ClassFigure::Frees, 2), 3);
        assert_eq!(sums.total(ClassFigure::Frees), 4);
        assert_eq!(sums.total(ClassFigure::Drains), 0);
        let mut nothing = Sums::new();
        tally.take(&mut nothing);
        assert!(nothing.0.iter().all(|sum| *sum == 0));
    }

    #[test]
    fn every_figure_has_a_place_of_its_own() {
        let tally = tally();
        let figures = [
            ClassFigure::Allocations,
            ClassFigure::Frees,
            ClassFigure::Refills,
            ClassFigure::Drains,
        ];
        for figure in figures {
            for class in 0..CLASS_INDICES {
                tally.add_of_class(figure, class, 1);
            }
        }
        tally.add(Figure::Own, 1);
        let mut sums = Sums::new();
        tally.take(&mut sums);
        assert_eq!(sums.get(Figure::Own), 1);
        for figure in figures {
            assert_eq!(sums.total(figure), CLASS_INDICES as u64, "{figure:?}");
        }
    }
}
