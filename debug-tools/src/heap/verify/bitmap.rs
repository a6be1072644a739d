//! The bitmaps of slabs, their summaries and their counts.

use super::Checked;
use crate::heap::{Bits, Heap, Part, Slab, is_set};

impl Heap<'_> {
    pub(super) fn verify_bitmaps(&self, checked: &mut Checked) {
        for slab in &self.slabs {
            if slab.is_large() {
                self.verify_large(slab, checked);
                continue;
            }
            let bits = self.bits(slab);
            let words = slab.bitmap_words();
            if bits.free.len() != words || bits.remote.len() != words {
                let what = format!(
                    "the bitmaps of the slab at {:#x} are not in the image",
                    slab.start
                );
                checked.found("slab.free", slab.header, what);
                continue;
            }
            checked.words += 3 * words as u64;
            checked.blocks += u64::from(slab.blocks);
            self.verify_beyond(slab, &bits, checked);
            self.verify_places(slab, &bits, checked);
            self.verify_counts(slab, &bits, checked);
        }
    }

    fn verify_large(&self, slab: &Slab, checked: &mut Checked) {
        checked.blocks += 1;
        checked.counters += 1;
        if self.layout.slab_used.is_some() && slab.used != 1 {
            let what = format!(
                "of the LARGE block at {:#x} {} are out",
                slab.start, slab.used
            );
            checked.found("slab.used", slab.header, what);
        }
        if self.layout.slab_fresh.is_some() && slab.fresh > 1 {
            let what = format!("of the LARGE block at {:#x}: {}", slab.start, slab.fresh);
            checked.found("slab.fresh", slab.header, what);
        }
    }

    /// Bits of blocks that there are not.
    fn verify_beyond(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        let blocks = usize::from(slab.blocks);
        let maps = [
            ("slab.free", &bits.free),
            ("slab.remote", &bits.remote),
            ("slab.listed", &bits.listed),
        ];
        for (name, words) in maps {
            let beyond = (blocks..words.len() * 64).filter(|index| is_set(words, *index));
            for index in beyond {
                let what = format!(
                    "the slab at {:#x} has the bit of block {index}, and {blocks} blocks",
                    slab.start
                );
                checked.found(name, slab.header, what);
            }
        }
    }

    /// Each block is in one place.
    fn verify_places(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        let is_busy = self.is_busy(slab);
        for index in slab.indices() {
            let block = slab.block(index);
            let (free, remote) = (is_set(&bits.free, index), is_set(&bits.remote, index));
            let held = self.held(block);
            let name = format!("block {index} of the slab at {:#x}", slab.start);
            if free && remote {
                let what = format!("{name} is free, and returned by another thread as well");
                checked.found_unless(is_busy, "slab.free", block, what);
            }
            if let Some(held) = held
                && (free || remote)
            {
                let (check, said) = match free {
                    true => ("slab.free", "free"),
                    false => ("slab.remote", "returned by another thread"),
                };
                let cache = self.caches.get(held.cache as usize);
                let whose = cache.map_or(String::new(), |cache| cache.whose());
                let is_busy = is_busy || cache.is_some_and(|cache| cache.is_busy);
                let part = match held.part {
                    Part::Front => "front",
                    Part::List => "list",
                    Part::Buffer => "remote buffer",
                };
                let what = format!("{name} is {said}, and in a {part} of {whose} as well");
                checked.found_unless(is_busy, check, block, what);
            }
            if !bits.listed.is_empty() {
                let listed = is_set(&bits.listed, index);
                let on_list = held.is_some_and(|held| held.part == Part::List)
                    // A block that is in front and list counts as in the front.
                    || held.is_some_and(|held| held.part == Part::Front && self.is_on_list(block));
                if listed != on_list {
                    let what = match listed {
                        true => format!("{name} is noted as on its owner's list, and is not on it"),
                        false => format!("{name} is on its owner's list, and not noted so"),
                    };
                    checked.found_unless(is_busy, "slab.listed", block, what);
                }
            }
        }
    }

    fn is_on_list(&self, block: u64) -> bool {
        let lists = self.caches.iter().flat_map(|cache| &cache.lists);
        lists
            .flat_map(|list| &list.blocks)
            .any(|listed| *listed == block)
    }

    /// What is said of the bitmaps as a whole.
    fn verify_counts(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        let layout = &self.layout;
        if layout.slab_words.is_some() {
            checked.counters += 1;
            if usize::from(slab.words) < slab.bitmap_words() {
                let what = format!(
                    "{} has {} blocks, and room for {} words",
                    place(slab),
                    slab.blocks,
                    slab.words
                );
                checked.found("slab.words", slab.header, what);
            }
        }
        if layout.slab_summary.is_some() {
            checked.counters += 1;
            let is = not_zero(&bits.free);
            if slab.summary != is {
                let what = format!(
                    "{} says {:#x}, and its free words make {is:#x}",
                    place(slab),
                    slab.summary
                );
                checked.found_unless(self.is_busy(slab), "slab.summary", slab.header, what);
            }
        }
        if layout.slab_remote_summary.is_some() {
            self.verify_remote_summary(slab, bits, checked);
        }
        if layout.slab_used.is_some() && layout.slab_remote_count.is_some() {
            self.verify_used(slab, bits, checked);
        }
        if layout.slab_fresh.is_some() {
            self.verify_fresh(slab, bits, checked);
        }
    }

    /// The remote words that may be non-zero, and no others.
    fn verify_remote_summary(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        checked.counters += 1;
        let (place, said) = (place(slab), slab.remote_summary);
        let missing = not_zero(&bits.remote) & !said;
        if missing != 0 {
            let what =
                format!("{place} says {said:#x}, and lacks {missing:#x} of its remote words");
            checked.found_unless(self.is_any_busy(), "slab.remote.summary", slab.header, what);
        }
        let words = slab.bitmap_words();
        if said & !low_bits(words) != 0 {
            let what = format!("{place} says {said:#x}, and has {words} words");
            checked.found("slab.remote.summary", slab.header, what);
        }
    }

    /// How many blocks are out.
    fn verify_used(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        checked.counters += 2;
        let count =
            |words: &[u64]| -> u64 { words.iter().map(|word| u64::from(word.count_ones())).sum() };
        let (free, returned) = (count(&bits.free), count(&bits.remote));
        let out = (slab.indices().len() as u64).saturating_sub(free + returned);
        let said = u64::from(slab.used).checked_sub(u64::from(slab.remote_count));
        if said != Some(out) {
            let what = format!(
                "{} says that {} of {} are out, {} of them announced; its bitmaps have {free} free and {returned} returned, so {out} are out",
                place(slab),
                slab.used,
                slab.blocks,
                slab.remote_count,
            );
            checked.found_unless(self.is_any_busy(), "slab.used", slab.header, what);
        }
    }

    /// Blocks that were never handed out are free.
    fn verify_fresh(&self, slab: &Slab, bits: &Bits, checked: &mut Checked) {
        checked.counters += 1;
        let place = place(slab);
        if slab.fresh > slab.blocks {
            let what = format!(
                "{place} says {}, and has {} blocks",
                slab.fresh, slab.blocks
            );
            checked.found("slab.fresh", slab.header, what);
        }
        let mut fresh = usize::from(slab.fresh.max(slab.first))..usize::from(slab.blocks);
        if let Some(index) = fresh.find(|index| !is_set(&bits.free, *index)) {
            let what = format!("{place} says {}, and block {index} is not free", slab.fresh);
            checked.found_unless(self.is_busy(slab), "slab.fresh", slab.header, what);
        }
    }

    /// Whether any cache was being changed: other threads' frees may be on their way.
    pub(super) fn is_any_busy(&self) -> bool {
        self.caches.iter().any(|cache| cache.is_busy)
    }
}

fn place(slab: &Slab) -> String {
    format!("the slab at {:#x}", slab.start)
}

/// A bit for each word that is not zero.
fn not_zero(words: &[u64]) -> u64 {
    let set = words.iter().enumerate().filter(|(_, word)| **word != 0);
    set.fold(0, |bits, (index, _)| bits | 1 << (index % 64))
}

fn low_bits(count: usize) -> u64 {
    if count >= 64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}
