//! Who points to a block: registers, stacks, data, and other blocks.

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

impl Heap<'_> {
    /// The words that are addresses from `start` to `end`; whether there are more than are kept.
    pub fn references(&self, start: u64, end: u64) -> (Vec<Reference>, bool) {
        let mut found = vec![];
        for thread in &self.image.threads {
            let registers = thread
                .registers
                .iter()
                .flat_map(|registers| registers.named());
            found.extend(
                registers
                    .filter(|(_, value)| (start..end).contains(value))
                    .map(|(name, value)| Reference {
                        holder: Holder::Register {
                            thread: thread.tid,
                            name,
                        },
                        at: 0,
                        value,
                    }),
            );
        }
        let words = |at: u64, bytes: &[u8], each: &mut dyn FnMut(u64, u64)| {
            for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let value = u64::from_le_bytes(*word);
                if (start..end).contains(&value) {
                    each(at + 8 * index as u64, value);
                }
            }
        };
        self.for_each_root(&mut |kind, at, bytes| {
            let holder = match kind {
                // They were looked at above, with their names.
                RootKind::Register(_) => return,
                RootKind::Stack(thread) => Holder::Stack { thread },
                RootKind::Data => Holder::Data,
            };
            words(at, bytes, &mut |at, value| {
                if found.len() <= MOST {
                    found.push(Reference {
                        holder: holder.clone(),
                        at,
                        value,
                    });
                }
            });
        });
        for (number, slab) in self.slabs.iter().enumerate() {
            let mut bits = None;
            self.memory()
                .scan(slab.start, slab.end(&self.layout), &mut |at, bytes| {
                    words(at, bytes, &mut |at, value| {
                        let Some((index, offset)) = slab.index_of(at) else {
                            return;
                        };
                        let bits = bits.get_or_insert_with(|| self.bits(slab));
                        let state = self.state(slab, index, bits);
                        if found.len() <= MOST {
                            let holder = Holder::Block {
                                slab: number,
                                index,
                                offset,
                                state,
                            };
                            found.push(Reference { holder, at, value });
                        }
                    });
                    found.len() <= MOST
                });
        }
        let live = self.guarded.iter().enumerate();
        for (guarded, block) in live.filter(|(_, block)| block.is_live()) {
            let end = block
                .start
                .saturating_add(block.record.size)
                .min(block.open.1);
            let from = block.start.next_multiple_of(8);
            self.memory().scan(from, end, &mut |at, bytes| {
                words(at, bytes, &mut |at, value| {
                    let offset = at - block.start;
                    let holder = Holder::Guarded { guarded, offset };
                    found.push(Reference { holder, at, value });
                });
                found.len() <= MOST
            });
        }
        let more = found.len() > MOST;
        found.truncate(MOST);
        (found, more)
    }
}
