//! Who points to a block: registers, stacks, data, and other blocks.

use std::ops::Range;

use super::{Heap, RootKind, State};

/// A word that points to what was asked for.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Who has it.
    pub holder: Holder,
    /// Where the word stands; 0 in a register.
    pub at: u64,
    /// The word.
    pub value: u64,
}

/// Who has a word.
#[derive(Clone, Debug)]
pub enum Holder {
    /// A register of the thread.
    Register {
        /// The thread.
        thread: u32,
        /// Its name.
        name: &'static str,
    },
    /// The stack of the thread.
    Stack {
        /// The thread.
        thread: u32,
    },
    /// Data of a program or library, or other memory.
    Data,
    /// A block.
    Block {
        /// Its slab, by its index.
        slab: usize,
        /// Its index.
        index: usize,
        /// Where in it.
        offset: u64,
        /// What it is doing.
        state: State,
    },
    /// A guarded block.
    Guarded {
        /// Its index.
        guarded: usize,
        /// Where in it.
        offset: u64,
    },
}

/// The most references that are kept.
const MOST: usize = 100_000;

/// References to what lies in a range, as they are found.
struct Search {
    range: Range<u64>,
    found: Vec<Reference>,
}

impl Search {
    /// Looks at a word; whether there is room for more.
    fn look(&mut self, at: u64, value: u64, holder: impl FnOnce() -> Option<Holder>) -> bool {
        if self.range.contains(&value)
            && self.found.len() <= MOST
            && let Some(holder) = holder()
        {
            self.found.push(Reference { holder, at, value });
        }
        self.found.len() <= MOST
    }

    /// Looks at the words of memory, of each of which `holder` says whose it is.
    fn look_at(
        &mut self,
        start: u64,
        bytes: &[u8],
        mut holder: impl FnMut(u64) -> Option<Holder>,
    ) -> bool {
        let words = bytes.as_chunks::<8>().0.iter().enumerate();
        words
            .map(|(index, word)| (start + 8 * index as u64, u64::from_le_bytes(*word)))
            .all(|(at, value)| self.look(at, value, || holder(at)))
    }
}

impl Heap<'_> {
    /// The words that are addresses from `start` to `end`; whether there are more than are kept.
    pub fn references(&self, start: u64, end: u64) -> (Vec<Reference>, bool) {
        let mut search = Search {
            range: start..end,
            found: vec![],
        };
        self.look_at_registers(&mut search);
        self.for_each_root(&mut |kind, at, bytes| {
            let holder = match kind {
                // They were looked at above, with their names.
                RootKind::Register(_) => return,
                RootKind::Stack(thread) => Holder::Stack { thread },
                RootKind::Data => Holder::Data,
            };
            search.look_at(at, bytes, |_| Some(holder.clone()));
        });
        self.look_at_slabs(&mut search);
        self.look_at_guarded(&mut search);
        let mut found = search.found;
        let more = found.len() > MOST;
        found.truncate(MOST);
        (found, more)
    }

    fn look_at_registers(&self, search: &mut Search) {
        for thread in &self.image.threads {
            let registers = thread.registers.iter();
            for (name, value) in registers.flat_map(|registers| registers.named()) {
                let thread = thread.tid;
                search.look(0, value, || Some(Holder::Register { thread, name }));
            }
        }
    }

    fn look_at_slabs(&self, search: &mut Search) {
        for (number, slab) in self.slabs.iter().enumerate() {
            let mut bits = None;
            let mut holder = |at| {
                let (index, offset) = slab.index_of(at)?;
                let bits = bits.get_or_insert_with(|| self.bits(slab));
                Some(Holder::Block {
                    slab: number,
                    index,
                    offset,
                    state: self.state(slab, index, bits),
                })
            };
            let (start, end) = (slab.start, slab.end(&self.layout));
            self.memory().scan(start, end, &mut |at, bytes| {
                search.look_at(at, bytes, &mut holder)
            });
        }
    }

    fn look_at_guarded(&self, search: &mut Search) {
        let live = self.guarded.iter().enumerate();
        for (guarded, block) in live.filter(|(_, block)| block.is_live()) {
            let end = block.start.saturating_add(block.record.size);
            let from = block.start.next_multiple_of(8);
            let holder = |at| {
                let offset = at - block.start;
                Some(Holder::Guarded { guarded, offset })
            };
            self.memory()
                .scan(from, end.min(block.open.1), &mut |at, bytes| {
                    search.look_at(at, bytes, holder)
                });
        }
    }
}
