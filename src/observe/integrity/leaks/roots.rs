//! Where the program can begin to look for a block: all that it may write to and that is not the
//! heap, its registers, and what lies in blocks of which nothing is known.
//!
//! What is left out, in the order of addresses:
//! - the allocator's memory and the observers', and the scan's own;
//! - stacks below their threads' stack pointers, and those of threads that have ended, which glibc
//!   keeps for the next ones.

use super::blocks;
use super::mappings::{self, Mapping};
use super::marks::Marks;
use super::room::Room;
use super::threads::Threads;
use super::unused_stack::{self, Unused};
use super::words::Words;
use crate::metadata::{MAPPED, MappingKind};
use crate::observe::{modules, own_memory};
use crate::walk;
use core::ops::ControlFlow;
use hakmem_trace_format::FileName;

/// Ranges that can be left out; those beyond are looked at, and may hide a leak.
const MOST: usize = 16 << 10;

/// Ranges that are left out.
struct LeftOut {
    ranges: Room<(usize, usize)>,
    count: usize,
}

/// Marks all that the program can reach from outside of the heap; false if the system does not
/// say what there is.
pub(super) fn mark(marks: &mut Marks, words: &mut Words, threads: &Threads) -> bool {
    let Some(ranges) = Room::new(MOST) else {
        return false;
    };
    let mut left_out = LeftOut { ranges, count: 0 };
    left_out.add(left_out.ranges.range());
    left_out.add_ours();
    for range in words.ranges() {
        left_out.add(range);
    }
    for range in marks.ranges() {
        left_out.add(range);
    }
    left_out.add(threads.range());
    let found = unused_stack::find(words, threads, |unused| match unused {
        Unused::Range(start, end) => left_out.add((start, end)),
        Unused::ButFor(word) => marks.root(word),
    });
    left_out.sort();
    let found = found
        && mappings::each(|mapping| {
            if mapping.is_writable() && !is_of_trace(mapping) {
                let shared = mapping.is_shared();
                left_out.rest((mapping.start, mapping.end), |range| {
                    words.each(range, shared, |_, word| marks.root(word));
                });
            }
        });
    for register in threads.all().iter().flat_map(|thread| thread.registers) {
        marks.root(register);
    }
    blocks::each_unknown(&mut |start, end| {
        words.each((start, end), false, |_, word| marks.root(word));
    });
    found
}

/// Whether a mapping is a file of the flight recorder's.
fn is_of_trace(mapping: &Mapping<'_>) -> bool {
    let file = mapping.name.rsplit(|&byte| byte == b'/').next();
    let name = file.and_then(|name| core::str::from_utf8(name).ok());
    mapping.is_shared() && name.and_then(FileName::parse).is_some()
}

impl LeftOut {
    fn add(&mut self, range: (usize, usize)) {
        if let Some(place) = self.ranges.get_mut(self.count) {
            *place = range;
            self.count += 1;
        }
    }

    /// Heap, metadata, and what observers remember.
    fn add_ours(&mut self) {
        let mut arena = (0, 0);
        for mapping in &MAPPED {
            use MappingKind::{Arena, Metadata, OuterTable, PageMap};
            for kind in [Arena, Metadata, PageMap, OuterTable] {
                if let Some((start, len)) = mapping.of(kind) {
                    self.add((start, start + len));
                    if matches!(kind, Arena) {
                        arena = (start, start + len);
                    }
                }
            }
        }
        self.add_slabs_outside(arena);
        own_memory::each(|start, end| self.add((start, end)));
        // In a library of its own, all variables are ours; in the program's file some are not.
        let here = modules::of(mark as *const () as usize);
        if let Some(module) = here.filter(|module| is_library(module.path)) {
            self.add((module.start, module.end));
        }
    }

    /// Slabs for which there was no place in the arena.
    fn add_slabs_outside(&mut self, arena: (usize, usize)) {
        let mut last = 0;
        let _ = walk::for_each_place(|place| {
            let is_inside = (arena.0..arena.1).contains(&place.slab);
            if !is_inside && place.slab != last {
                last = place.slab;
                let start = place.block.address.as_ptr() as usize;
                let end = start + (place.blocks - place.index) * place.block.bytes;
                self.add((last, end));
            }
            ControlFlow::<()>::Continue(())
        });
    }

    fn sort(&mut self) {
        self.ranges[..self.count].sort_unstable();
    }

    /// Calls `each` with what is left of a range.
    fn rest(&self, (start, end): (usize, usize), mut each: impl FnMut((usize, usize))) {
        let mut at = start;
        for &(from, to) in &self.ranges[..self.count] {
            if from >= end {
                break;
            }
            if to <= at {
                continue;
            }
            if from > at {
                each((at, from));
            }
            at = to;
        }
        if at < end {
            each((at, end));
        }
    }
}

fn is_library(path: &[u8]) -> bool {
    let file = path.rsplit(|&byte| byte == b'/').next();
    file.is_some_and(|name| name.starts_with(b"libhakmem"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn what_is_left_of_a_range() {
        let mut left_out = LeftOut {
            ranges: Room::new(8).expect("memory"),
            count: 0,
        };
        for range in [(40, 50), (10, 20), (15, 30), (45, 47), (90, 200)] {
            left_out.add(range);
        }
        left_out.sort();
        let rest = |range| {
            let mut ranges = Vec::new();
            left_out.rest(range, |range| ranges.push(range));
            ranges
        };
        assert_eq!(rest((0, 100)), [(0, 10), (30, 40), (50, 90)]);
        assert_eq!(rest((12, 45)), [(30, 40)]);
        assert_eq!(rest((41, 50)), []);
        assert_eq!(rest((300, 400)), [(300, 400)]);
    }
}
