//! What the header of a slab of blocks says twice, compared: class and sizes, bitmaps and their
//! summary, the count of blocks that are out.
//!
//! 1. A slab that nobody is changing has no contradiction. Of one that somebody is changing, any may
//!    be seen.

use super::{Kind, Slab};
use crate::observe::{Block, Record};
use crate::size_class::{CLASSES, SizeClass};
use crate::sync::Ordering;

/// A field that is not what others make of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Contradiction {
    /// The field, as the root structure names it.
    pub(crate) field: &'static str,
    pub(crate) is: u64,
    pub(crate) expected: u64,
    /// What it was compared with.
    pub(crate) by: &'static str,
}

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// No other thread frees blocks or resizes them: the count of blocks that are out is exact, and
    /// the record of a LARGE block says what it has.
    pub(crate) is_alone: bool,
    pub(crate) records: Records,
}

/// What records say.
#[derive(Clone, Copy)]
pub(crate) struct Records {
    /// Whether what is kept of a block says that it is not free; the last argument is whether its
    /// place has been shown to observers.
    pub(crate) is_out: fn(&Block<'static, Record>, bool) -> bool,
    /// The bytes of a block that the program has.
    pub(crate) live_bytes: fn(&Block<'static, Record>) -> Option<usize>,
}

impl Slab {
    /// The first field that others contradict.
    #[cold]
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn contradiction(&'static self, look: Look) -> Option<Contradiction> {
        if self.kind() != Kind::Blocks {
            return None;
        }
        self.of_shape()
            .or_else(|| self.of_bitmaps(look))
            .or_else(|| self.of_records(look))
    }

    /// The slots that its class asks for; `None` if there is no such class.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn class_slots(&self) -> Option<usize> {
        let class = usize::from(self.constant.class.get());
        (class < CLASSES).then(|| SizeClass::from_index(class).slots())
    }

    fn of_shape(&self) -> Option<Contradiction> {
        const CLASS: &str = "its class";
        let class = usize::from(self.constant.class.get());
        if class >= CLASSES {
            return differs("slab.class", class, CLASSES - 1, "the highest class");
        }
        let class = SizeClass::from_index(class);
        // More than are needed may come from the stock.
        let words = usize::from(self.constant.words.get()).min(class.blocks().div_ceil(64));
        differs("slab.blocks", self.blocks(), class.blocks(), CLASS)
            .or_else(|| differs("slab.slots", self.slots(), class.slots(), CLASS))
            .or_else(|| {
                let colour = self.first_block() - self.start();
                let by = "its class, and where it is";
                differs("slab.colour", colour, class.colour(self.start()), by)
            })
            .or_else(|| {
                let needed = class.blocks().div_ceil(64);
                differs("slab.words", words, needed, CLASS)
            })
    }

    fn of_bitmaps(&self, look: Look) -> Option<Contradiction> {
        const FREE: &str = "its bitmap of free blocks";
        let blocks = self.blocks();
        let (mut summary, mut free) = (0, 0);
        for word in 0..blocks.div_ceil(64) {
            let bits = self.free_word(word).get();
            let first = if word == 0 { Slab::FIRST } else { 0 };
            let valid = u64::MAX >> (64 - (blocks - word * 64).min(64)) & u64::MAX << first;
            let held =
                self.listed_word(word).get() | self.remote_word(word).load(Ordering::Relaxed);
            let wrong = differs64("slab.free", bits, bits & valid, "the blocks that there are");
            let wrong = wrong.or_else(|| {
                let by = "the bitmaps of blocks that are listed, or on their way home";
                differs64("slab.free", bits, bits & !held, by)
            });
            if wrong.is_some() {
                return wrong;
            }
            summary |= u64::from(bits != 0) << word;
            free += bits.count_ones() as usize;
        }
        differs64("slab.summary", self.summary.get(), summary, FREE).or_else(|| {
            let out = (blocks - Slab::FIRST).saturating_sub(free);
            // Too high for as long as others announce what came home, never too low.
            let announced = self.remote.rcount.load(Ordering::Relaxed) as usize;
            let most = if look.is_alone {
                out + announced
            } else {
                blocks
            };
            let used = self.used();
            if (out..=most).contains(&used) {
                return None;
            }
            differs("slab.used", used, out, FREE)
        })
    }

    fn of_records(&'static self, look: Look) -> Option<Contradiction> {
        (Slab::FIRST..self.blocks()).find_map(|index| {
            let bits = self.free_word(index / 64).get();
            let bit = 1 << (index % 64);
            let is_out = |block| (look.records.is_out)(&block, self.is_carved(index));
            let is_both = bits & bit != 0 && self.seen(index).is_some_and(is_out);
            let by = "the record of a block that is not free";
            is_both.then(|| differs64("slab.free", bits, bits & !bit, by))?
        })
    }
}

/// A contradiction, if the two are not the same.
pub(crate) fn differs(
    field: &'static str,
    is: usize,
    expected: usize,
    by: &'static str,
) -> Option<Contradiction> {
    differs64(field, is as u64, expected as u64, by)
}

fn differs64(
    field: &'static str,
    is: u64,
    expected: u64,
    by: &'static str,
) -> Option<Contradiction> {
    (is != expected).then_some(Contradiction {
        field,
        is,
        expected,
        by,
    })
}
