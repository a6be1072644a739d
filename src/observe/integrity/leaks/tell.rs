//! What is told of leaks: a finding for each place that they were allocated at, and a line with
//! the sums.

use super::super::kind::Kind;
use super::super::report::{self, Finder, Finding, Subject};
use super::blocks::{Block, Blocks, Mark};
use super::room::{Plain, Room};
use super::suppressions;
use crate::observe::report::{Line, name_of};

/// Places that are told of.
const MOST: usize = 20;

/// Blocks that were allocated at one place; without stacks those of one size.
#[derive(Clone, Copy)]
struct Group {
    /// Nothing points to these.
    bytes: usize,
    blocks: usize,
    /// Only those point to these.
    held_bytes: usize,
    held_blocks: usize,
    /// One of them, by number.
    sample: u32,
}

// SAFETY: numbers.
unsafe impl Plain for Group {}

impl Group {
    fn all_bytes(&self) -> usize {
        self.bytes + self.held_bytes
    }

    fn add(&mut self, other: &Group) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
        self.held_bytes += other.held_bytes;
        self.held_blocks += other.held_blocks;
    }

    const NONE: Group = Group {
        bytes: 0,
        blocks: 0,
        held_bytes: 0,
        held_blocks: 0,
        sample: 0,
    };
}

/// What was found.
pub(super) struct Sums {
    /// Blocks that nothing points to, but for those of which nothing is to be said.
    pub(super) blocks: usize,
    /// Findings told.
    pub(super) told: u32,
}

fn key(block: &Block) -> (u32, u8, usize) {
    (
        block.stack,
        block.api,
        if block.stack == 0 { block.size } else { 0 },
    )
}

/// Tells what there is to tell of `blocks`, which are grouped; `None` without memory.
pub(super) fn tell(blocks: &mut Blocks, when: &'static [u8]) -> Option<Sums> {
    let blocks = blocks.all();
    let (mut groups, count) = group(blocks)?;
    groups[..count].sort_unstable_by_key(|group| core::cmp::Reverse(group.all_bytes()));
    let mut total = Group::NONE;
    let mut suppressed = Group::NONE;
    let mut places = 0;
    for group in &groups[..count] {
        let sample = &blocks[group.sample as usize];
        if suppressions::has(sample.stack) {
            suppressed.add(group);
            continue;
        }
        total.add(group);
        places += 1;
        if places <= MOST {
            tell_group(group, sample, when);
        }
    }
    summarize(&total, places, &suppressed, blocks);
    Some(Sums {
        blocks: total.blocks,
        told: places.min(MOST) as u32,
    })
}

/// The blocks that nothing leads to, by where they were allocated.
fn group(blocks: &[Block]) -> Option<(Room<Group>, usize)> {
    let is_first = |block: &Block| block.mark == Mark::First;
    let count = blocks.iter().filter(|block| is_first(block)).count();
    let mut order = Room::<u32>::new(count)?;
    let firsts = (0u32..).zip(blocks).filter(|(_, block)| is_first(block));
    for (place, (number, _)) in order.iter_mut().zip(firsts) {
        *place = number;
    }
    let of = |number: u32| &blocks[number as usize];
    order[..count].sort_unstable_by_key(|&number| (key(of(number)), number));
    let mut groups = Room::<Group>::new(count)?;
    let mut len = 0;
    for (at, &number) in order[..count].iter().enumerate() {
        let block = of(number);
        if at == 0 || key(of(order[at - 1])) != key(block) {
            groups[len].sample = number;
            len += 1;
        }
        groups[len - 1].add(&Group {
            bytes: block.size,
            blocks: 1,
            held_bytes: block.held_bytes,
            held_blocks: block.held_blocks as usize,
            sample: 0,
        });
    }
    Some((groups, len))
}

fn amount(line: &mut Line, bytes: usize, blocks: usize) {
    line.number(bytes)
        .text(if bytes == 1 {
            b" byte in "
        } else {
            b" bytes in "
        })
        .number(blocks)
        .text(if blocks == 1 { b" block" } else { b" blocks" });
}

fn points(line: &mut Line, group: &Group) {
    amount(line, group.bytes, group.blocks);
    line.text(b" that nothing points to");
    if group.held_blocks > 0 {
        line.text(b", and ");
        amount(line, group.held_bytes, group.held_blocks);
        line.text(b" that only ")
            .text(if group.blocks == 1 {
                b"it points"
            } else {
                b"they point"
            })
            .text(b" to");
    }
}

fn tell_group(group: &Group, sample: &Block, when: &'static [u8]) {
    let mut sentence = Line::part();
    points(&mut sentence, group);
    sentence.text(b", allocated by ").text(name_of(sample.api));
    report::only_tell(&Finding {
        kind: Kind::Leak,
        sentence: sentence.bytes(),
        address: sample.start,
        subject: Subject::of(sample.start),
        damage: None,
        finder: Finder::uncalled(when),
        unknown: b"",
    });
}

/// The line behind all; nothing if there is nothing to say.
fn summarize(total: &Group, places: usize, suppressed: &Group, blocks: &[Block]) {
    let mut inside = (0, 0);
    for block in blocks.iter().filter(|block| block.mark == Mark::Inside) {
        inside = (inside.0 + block.size, inside.1 + 1);
    }
    if places == 0 && suppressed.blocks == 0 && inside.1 == 0 {
        return;
    }
    let mut line = Line::new();
    line.text(b"leaks: ");
    if places == 0 {
        line.text(b"none");
    } else {
        points(&mut line, total);
        line.text(b", from ")
            .number(places)
            .text(if places == 1 { b" place" } else { b" places" });
        if places > MOST {
            line.text(b", the largest ")
                .number(MOST)
                .text(b" of them above");
        }
    }
    if inside.1 > 0 {
        line.text(b"; possibly ");
        amount(&mut line, inside.0, inside.1);
        line.text(b" that pointers into them alone lead to");
    }
    if suppressed.blocks > 0 {
        line.text(b"; suppressed: ");
        amount(
            &mut line,
            suppressed.all_bytes(),
            suppressed.blocks + suppressed.held_blocks,
        );
    }
    line.write();
}
