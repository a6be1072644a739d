//! Which blocks the program can still reach: from registers, stacks and data, through blocks.
//!
//! Any word that is an address in a block counts as a pointer to it, wherever in the block it
//! points: a number that happens to look like one hides a leak, and never makes one.
//!
//! ```text
//! roots ─► pending bits of a slab ─► its blocks are read, their words looked up ─┐
//!             ▲──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Slabs wait in a queue, so that of each many blocks are read at once. A guarded block, with pages
//! of its own, waits as a slab of one block would; one that was freed is nothing.

mod index;
mod marks;
mod roots;
mod search;

use self::index::Index;
use self::marks::Marks;
use self::search::Search;
use super::{Doing, Heap, Record, State};

/// Where a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootKind {
    /// A register of the thread.
    Register(u32),
    /// The stack of the thread.
    Stack(u32),
    /// Data of programs and libraries, and other memory that can be written.
    Data,
}

/// How a block was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakKind {
    /// No block that is lost points to it, or it stands for a ring of such.
    Definite,
    /// A block that is lost leads to it.
    Indirect,
}

/// A block that nothing leads to.
#[derive(Clone, Copy, Debug)]
pub struct Leak {
    /// Its address.
    pub address: u64,
    /// The bytes that were asked for, or that it has where that is not known.
    pub bytes: u64,
    /// The number of the stack that a checked build has noted; 0 if there is none.
    pub stack: u32,
    /// How it was lost.
    pub kind: LeakKind,
    /// The definite leak that leads to it; itself of those.
    pub head: u64,
}

/// What can be reached, and what cannot.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Blocks that the program holds.
    pub live: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Of these, those that can be reached.
    pub reachable: u64,
    /// Their bytes.
    pub reachable_bytes: u64,
    /// The others, by address.
    pub leaks: Vec<Leak>,
    /// Bytes of roots that were looked at.
    pub root_bytes: u64,
}

/// A block that was lost: its number, which of the number's blocks it is, and its id.
type Lost = (usize, usize, u64);

impl Heap<'_> {
    /// Searches the whole heap.
    pub fn reach(&self) -> Reach {
        let index = Index::new(self);
        let mut reach = Reach::default();
        let live = self.live(&index, &mut reach);
        let mut search = Search::new(&index, &live);
        self.for_each_root(&mut |_, _, bytes| {
            reach.root_bytes += bytes.len() as u64;
            search.look(bytes);
        });
        search.run();
        let lost = live.without(&search.reached);
        reach.leaks = self.leaks(&index, &lost);
        let bytes: u64 = reach.leaks.iter().map(|leak| leak.bytes).sum();
        reach.reachable = reach.live - reach.leaks.len() as u64;
        reach.reachable_bytes = reach.live_bytes.saturating_sub(bytes);
        reach
    }

    /// The blocks that the program holds, which are counted.
    fn live(&self, index: &Index<'_>, reach: &mut Reach) -> Marks {
        let mut live = Marks::new(index.blocks());
        let mut add = |number, block, bytes| {
            live.set(index.id(number, block));
            reach.live += 1;
            reach.live_bytes += bytes;
        };
        self.for_each_block(|slab, block, state, record| {
            if state == State::Live {
                add(slab, block, asked(record, self.slabs[slab].bytes));
            }
        });
        // Pages of one block are no other's; what was made up would be read again and again.
        let mut taken = 0;
        for (guarded, block) in self.guarded.iter().enumerate() {
            if block.is_live() && block.open.0 >= taken {
                let number = index.of_guarded(guarded);
                add(number, 0, index.extent(number, 0).1);
                taken = block.open.1;
            }
        }
        live
    }

    /// Parts what is lost into what was lost by itself and what was lost with it.
    fn leaks(&self, index: &Index<'_>, lost: &Marks) -> Vec<Leak> {
        let mut all: Vec<Lost> = vec![];
        for number in index.numbers() {
            let ids = index.ids(number);
            let blocks = ids.clone().filter(|id| lost.has(*id));
            all.extend(blocks.map(|id| (number, (id - ids.start) as usize, id)));
        }
        let pointed = self.pointed_to(&all, index);
        let mut search = Search::new(index, lost);
        let mut leaks = vec![];
        // First those that nothing points to; what is left then are rings.
        for rings in [false, true] {
            for &(number, block, id) in &all {
                if rings || !pointed.has(id) {
                    lead_on(&mut search, index, (number, block), &mut leaks);
                }
            }
        }
        leaks.sort_by_key(|leak| leak.address);
        self.note(&mut leaks);
        leaks
    }

    /// The blocks that others among these point to.
    fn pointed_to(&self, lost: &[Lost], index: &Index<'_>) -> Marks {
        let mut pointed = Marks::new(index.blocks());
        for (number, block, id) in lost {
            let (start, bytes) = index.extent(*number, *block);
            self.words_of(start, bytes, &mut |word| {
                if let Some((number, block)) = index.find(word) {
                    let other = index.id(number, block);
                    if other != *id {
                        pointed.set(other);
                    }
                }
            });
        }
        pointed
    }

    /// Adds to leaks, which are in the order of their addresses, what a checked build keeps of them.
    fn note(&self, leaks: &mut [Leak]) {
        let mut last = None;
        for leak in leaks {
            let Some(number) = self.slab_at(leak.address) else {
                let guarded = self.guarded_at(leak.address);
                leak.stack = guarded.map_or(0, |at| self.guarded[at].record.allocated.stack);
                continue;
            };
            let slab = &self.slabs[number];
            if last.as_ref().is_none_or(|(of, _)| *of != number) {
                last = Some((number, self.bits(slab).records));
            }
            let index = slab.index_of(leak.address).map_or(0, |(index, _)| index);
            let record = last.as_ref().and_then(|(_, records)| records.get(index));
            leak.bytes = asked(record, slab.bytes);
            leak.stack = record
                .filter(|record| record.doing == Doing::Live)
                .map_or(0, |record| record.allocated.stack);
        }
    }

    fn words_of(&self, address: u64, bytes: u64, each: &mut dyn FnMut(u64)) {
        let end = address.saturating_add(bytes);
        self.memory()
            .scan(address.next_multiple_of(8), end, &mut |_, piece| {
                for word in piece.as_chunks::<8>().0 {
                    each(u64::from_le_bytes(*word));
                }
                true
            });
    }
}

/// Adds a block and all that it leads to, of what no other one has led to before.
fn lead_on(
    search: &mut Search<'_>,
    index: &Index<'_>,
    (number, block): (usize, usize),
    leaks: &mut Vec<Leak>,
) {
    let (head, _) = index.extent(number, block);
    search.reach(number, block);
    search.run();
    let found = std::mem::take(&mut search.found);
    leaks.extend(found.into_iter().map(|(number, block)| {
        let (address, bytes) = index.extent(number, block);
        Leak {
            address,
            bytes,
            stack: 0,
            kind: match address == head {
                true => LeakKind::Definite,
                false => LeakKind::Indirect,
            },
            head,
        }
    }));
}

/// The bytes of a live block that the program asked for; all where that is not known.
fn asked(record: Option<&Record>, bytes: u64) -> u64 {
    let known = record.filter(|record| record.doing == Doing::Live);
    known.map_or(bytes, |record| record.size.min(bytes))
}
