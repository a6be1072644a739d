//! What threads hold of free blocks.

use std::collections::HashSet;

use super::{Heap, Held, Part};

/// The most entries of one front that are read.
const FRONT_MAX: u64 = 1 << 16;
/// The most caches.
const CACHES_MAX: usize = 1 << 20;

/// A thread's cache.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Its address.
    pub address: u64,
    /// 1 a thread has it, 2 parked, 3 frozen.
    pub state: u32,
    /// Whether it was being changed.
    pub is_busy: bool,
    /// The thread that has it, or had it last.
    pub thread: u32,
    /// Blocks in fronts, by class; those without any are left out.
    pub fronts: Vec<Front>,
    /// Lists, by class; empty ones are left out.
    pub lists: Vec<List>,
    /// Other threads' blocks.
    pub buffers: Vec<Buffer>,
}

impl Cache {
    /// The state of one that a thread has, which runs.
    pub const RUNS: u32 = 1;
    /// The state of one that waits for a thread.
    pub const PARKED: u32 = 2;

    /// Who has it.
    pub fn whose(&self) -> String {
        let thread = self.thread;
        match self.state {
            1 => format!("thread {thread}"),
            2 => format!("parked, last of thread {thread}"),
            3 => format!("frozen by a fork, last of thread {thread}"),
            other => format!("state {other}, thread {thread}"),
        }
    }
}

/// The front of a class.
#[derive(Clone, Debug)]
pub struct Front {
    /// The class.
    pub class: u8,
    /// Where its first entry stands.
    pub bottom: u64,
    /// The entries, the oldest first.
    pub blocks: Vec<u64>,
    /// Whether its ends fit: they are clipped where not.
    pub is_clipped: bool,
}

/// The list of a class.
#[derive(Clone, Debug)]
pub struct List {
    /// The class.
    pub class: u8,
    /// How long it says that it is.
    pub length: u32,
    /// Its blocks, the newest first, as far as the links lead.
    pub blocks: Vec<u64>,
    /// How it ends.
    pub end: ListEnd,
}

/// How a list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEnd {
    /// With a null behind as many blocks as it says.
    Whole,
    /// As many blocks as it says, and the last one's link is not null.
    NotNull(u64),
    /// A null before.
    Early,
    /// The link (or the head) is this, which is no block.
    NoBlock(u64),
    /// It comes back to this block.
    Loop(u64),
    /// The link in the last block is not in the image.
    Unknown,
}

/// Other threads' blocks of a slab, that wait to be sent home.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The address of the entry.
    pub entry: u64,
    /// The slab's header.
    pub slab: u64,
    /// The slab, by its index, if there is one.
    pub index: Option<usize>,
    /// The blocks.
    pub blocks: Vec<u64>,
    /// How many it says there are, if it does.
    pub count: Option<u32>,
    /// Bits of the bitmap beyond the slab's blocks.
    pub beyond: u32,
}

impl Heap<'_> {
    pub(super) fn read_caches(&mut self) {
        let (memory, layout) = (self.memory(), self.layout.clone());
        let mut seen = HashSet::new();
        let mut address = memory.word(layout.caches).unwrap_or(0);
        while address != 0 {
            if !seen.insert(address) || seen.len() > CACHES_MAX {
                self.damaged(
                    "cache.made_before",
                    address,
                    "the list of caches comes back to it".into(),
                );
                break;
            }
            let at = |offset: u64| address.wrapping_add(offset);
            let Some(before) = memory.word(at(layout.made_before)) else {
                self.damaged(
                    "cache.made_before",
                    address,
                    "the list of caches leads to it, and it is not in the image".into(),
                );
                break;
            };
            let cache = self.read_cache(address);
            if let Some(offset) = self.layout.inbox {
                self.inboxes.insert(at(offset), self.caches.len());
            }
            self.caches.push(cache);
            address = before;
        }
        for part in [Part::Front, Part::List, Part::Buffer] {
            for (number, cache) in self.caches.iter().enumerate() {
                let mut hold = |class: u8, blocks: &[u64]| {
                    for block in blocks {
                        let held = Held {
                            part,
                            cache: number as u32,
                            class,
                        };
                        self.held.entry(*block).or_insert(held);
                    }
                };
                match part {
                    Part::Front => cache.fronts.iter().for_each(|f| hold(f.class, &f.blocks)),
                    Part::List => cache.lists.iter().for_each(|l| hold(l.class, &l.blocks)),
                    Part::Buffer => cache.buffers.iter().for_each(|b| {
                        let class = b.index.map_or(0, |index| self.slabs[index].class);
                        hold(class, &b.blocks);
                    }),
                }
            }
        }
    }

    fn read_cache(&self, address: u64) -> Cache {
        let (memory, layout) = (self.memory(), &self.layout);
        let half = |offset: u64| memory.half(address.wrapping_add(offset)).unwrap_or(0);
        let mut cache = Cache {
            address,
            state: half(layout.cache_state),
            is_busy: half(layout.cache_busy) != 0,
            thread: half(layout.cache_thread),
            ..Cache::default()
        };
        for class in 0..layout.classes as u8 {
            let bin = address.wrapping_add(layout.bins + u64::from(class) * layout.bin_bytes);
            let shelf =
                address.wrapping_add(layout.shelves + u64::from(class) * layout.shelf_bytes);
            cache.fronts.extend(self.read_front(class, bin, shelf));
            cache.lists.extend(self.read_list(class, shelf));
        }
        let entries = address.wrapping_add(layout.remote_entries);
        for index in 0..layout.remote_count {
            let entry = entries.wrapping_add(index * layout.remote_bytes);
            cache.buffers.extend(self.read_buffer(entry));
        }
        cache
    }

    fn read_front(&self, class: u8, bin: u64, shelf: u64) -> Option<Front> {
        let (memory, layout) = (self.memory(), &self.layout);
        let top = memory.word(bin.wrapping_add(layout.bin_top))?;
        let bottom = memory.word(shelf.wrapping_add(layout.shelf_bottom))?;
        let used = top.wrapping_sub(bottom);
        let room = match layout.shelf_capacity {
            Some(offset) => u64::from(memory.half(shelf.wrapping_add(offset))?),
            None => FRONT_MAX,
        };
        let entries = if top >= bottom { used / 8 } else { 0 };
        let is_clipped = top < bottom || !used.is_multiple_of(8) || entries > room;
        let entries = entries.min(room).min(FRONT_MAX);
        if entries == 0 && !is_clipped {
            return None;
        }
        let blocks = memory.words(bottom, entries as usize);
        Some(Front {
            class,
            bottom,
            is_clipped: is_clipped || blocks.is_none(),
            blocks: blocks.unwrap_or_default(),
        })
    }

    fn read_list(&self, class: u8, shelf: u64) -> Option<List> {
        let (memory, layout) = (self.memory(), &self.layout);
        let length = memory.half(shelf.wrapping_add(layout.list_len))?;
        let mut next = memory.word(shelf.wrapping_add(layout.list_head))?;
        if length == 0 && next == 0 {
            return None;
        }
        let (mut blocks, mut seen) = (vec![], HashSet::new());
        let end = loop {
            if blocks.len() as u64 == u64::from(length) {
                break if next == 0 {
                    ListEnd::Whole
                } else {
                    ListEnd::NotNull(next)
                };
            }
            if next == 0 {
                break ListEnd::Early;
            }
            let slab = self.slab_at(next).map(|index| &self.slabs[index]);
            let is_block = slab.is_some_and(|slab| {
                !slab.is_large() && matches!(slab.index_of(next), Some((_, 0)))
            });
            if !is_block {
                break ListEnd::NoBlock(next);
            }
            if !seen.insert(next) {
                break ListEnd::Loop(next);
            }
            blocks.push(next);
            match memory.word(next.wrapping_add(layout.link)) {
                Some(link) => next = link ^ layout.key,
                None => break ListEnd::Unknown,
            }
        };
        Some(List {
            class,
            length,
            blocks,
            end,
        })
    }

    fn read_buffer(&self, entry: u64) -> Option<Buffer> {
        let (memory, layout) = (self.memory(), &self.layout);
        let slab = memory.word(entry.wrapping_add(layout.remote_slab))?;
        if slab == 0 {
            return None;
        }
        let count = layout
            .entry_count
            .and_then(|offset| memory.half(entry.wrapping_add(offset)));
        let mut buffer = Buffer {
            entry,
            slab,
            index: None,
            blocks: vec![],
            count,
            beyond: 0,
        };
        // By its start, for the header alone may be anything.
        let start = memory.word(slab.wrapping_add(layout.slab_start))?;
        let index = self
            .slab_at(start)
            .filter(|index| self.slabs[*index].header == slab);
        let Some(index) = index else {
            return Some(buffer);
        };
        buffer.index = Some(index);
        let slab = &self.slabs[index];
        let words = memory.words(entry.wrapping_add(layout.remote_words), slab.bitmap_words())?;
        for (number, word) in words.iter().enumerate() {
            for bit in 0..64 {
                let block = number * 64 + bit;
                if word & 1 << bit != 0 && block < usize::from(slab.blocks) {
                    buffer.blocks.push(slab.block(block));
                } else if word & 1 << bit != 0 {
                    buffer.beyond += 1;
                }
            }
        }
        Some(buffer)
    }
}
