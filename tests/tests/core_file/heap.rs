//! Every block of the heap, through the root structure alone.

use std::collections::HashMap;

use crate::memory::{Memory, Word};
use crate::root::Root;

const WORD: Word = 8;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// With the program.
    Live,
    /// In its slab.
    Free,
    /// In the front of a thread's cache.
    Front,
    /// On the list of a thread's cache.
    List,
    /// Freed by a thread that holds it back.
    HeldBack,
    /// Sent home by that thread, and not taken in yet.
    SentHome,
}

/// A block.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub address: Word,
    pub bytes: Word,
    pub state: State,
}

/// A mapping of the allocator's.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    pub address: Word,
    pub len: Word,
    pub kind: Word,
}

impl Mapping {
    pub const ARENA: Word = 1;
    pub const METADATA: Word = 2;

    pub fn holds(&self, address: Word) -> bool {
        (self.address..self.address + self.len).contains(&address)
    }
}

/// What a slab's memory is.
mod kind {
    use crate::memory::Word;

    pub const CLOSED: Word = 0;
    pub const BLOCKS: Word = 1;
}

/// Blocks that a cache holds in one of its parts.
type Part<'a> = fn(&Heap<'a>, Word) -> Vec<(Word, State)>;

/// The heap in a core file.
pub struct Heap<'a> {
    memory: &'a Memory,
    root: &'a Root,
    class_bytes: Vec<Word>,
}

impl<'a> Heap<'a> {
    pub fn new(memory: &'a Memory, root: &'a Root) -> Self {
        let class_bytes: Vec<Word> = root.all("class.bytes").collect();
        assert_eq!(class_bytes.len() as Word, root.get("classes"));
        Self {
            memory,
            root,
            class_bytes,
        }
    }

    /// Every block, slab by slab.
    pub fn blocks(&self) -> Vec<Block> {
        let held = self.held();
        let slabs = self.slabs();
        slabs
            .iter()
            .flat_map(|&slab| self.blocks_of(slab, &held))
            .collect()
    }

    fn field(&self, of: Word, name: &str) -> Word {
        of + self.root.get(name)
    }

    /// The addresses of the headers of all slabs.
    pub fn slabs(&self) -> Vec<Word> {
        let memory = self.memory;
        let registry = self.root.get("registry");
        let base = memory.word(self.field(registry, "registry.base"));
        let limit = memory.word(self.field(registry, "registry.limit"));
        let entries = memory.word(self.field(registry, "registry.slabs"));
        let mut slabs = self.entered(entries, base, limit);
        let span = self.root.get("registry.outer.span");
        for index in 0..self.root.get("registry.outer.count") {
            let table = self.field(registry, "registry.outer") + index * WORD;
            let table = memory.word(table);
            if table != 0 {
                let slots = span / self.root.get("slot.bytes");
                slabs.extend(self.entered(table, index * span, slots));
            }
        }
        slabs
    }

    /// The slabs in `count` entries, the first of which is for the slot at `base`. A slab
    /// is entered for each of its slots; the first one counts.
    fn entered(&self, entries: Word, base: Word, count: Word) -> Vec<Word> {
        let slot_bytes = self.root.get("slot.bytes");
        (0..count)
            .filter_map(|slot| {
                let slab = self.memory.word(entries + slot * WORD);
                let is_first = slab != 0
                    && self.memory.word(self.field(slab, "slab.start")) == base + slot * slot_bytes;
                is_first.then_some(slab)
            })
            .collect()
    }

    /// The addresses of all thread caches.
    pub fn caches(&self) -> Vec<Word> {
        let mut caches = Vec::new();
        let mut cache = self.memory.word(self.root.get("caches"));
        while cache != 0 {
            caches.push(cache);
            cache = self.memory.word(self.field(cache, "cache.made_before"));
        }
        caches
    }

    /// What threads hold of blocks that are not the program's. A block that two hold is on
    /// its way from one to the other: the first part in the order of precedence counts.
    fn held(&self) -> HashMap<Word, State> {
        let mut held = HashMap::new();
        let caches = self.caches();
        let parts: [Part<'a>; 3] = [Self::fronts, Self::lists, Self::held_back];
        for part in parts {
            for &cache in &caches {
                for (block, state) in part(self, cache) {
                    held.entry(block).or_insert(state);
                }
            }
        }
        held
    }

    fn shelf(&self, cache: Word, class: Word) -> Word {
        self.field(cache, "cache.shelves") + class * self.root.get("shelf.bytes")
    }

    fn classes(&self) -> std::ops::Range<Word> {
        0..self.class_bytes.len() as Word
    }

    fn fronts(&self, cache: Word) -> Vec<(Word, State)> {
        let mut blocks = Vec::new();
        for class in self.classes() {
            let bin = self.field(cache, "cache.bins") + class * self.root.get("bin.bytes");
            let top = self.memory.word(self.field(bin, "bin.top"));
            let shelf = self.shelf(cache, class);
            let bottom = self.memory.word(self.field(shelf, "shelf.bottom"));
            for entry in (bottom..top).step_by(WORD as usize) {
                blocks.push((self.memory.word(entry), State::Front));
            }
        }
        blocks
    }

    fn lists(&self, cache: Word) -> Vec<(Word, State)> {
        let mut blocks = Vec::new();
        for class in self.classes() {
            let shelf = self.shelf(cache, class);
            let mut block = self.memory.word(self.field(shelf, "shelf.list.head"));
            for _ in 0..self.memory.half(self.field(shelf, "shelf.list.len")) {
                blocks.push((block, State::List));
                let link = self.memory.word(self.field(block, "list.link"));
                block = link ^ self.root.get("link.key");
            }
        }
        blocks
    }

    fn held_back(&self, cache: Word) -> Vec<(Word, State)> {
        let mut blocks = Vec::new();
        for index in 0..self.root.get("remote.entries") {
            let entry = self.field(cache, "cache.remote.entries")
                + index * self.root.get("remote_entry.bytes");
            let slab = self.memory.word(self.field(entry, "remote_entry.slab"));
            if slab == 0 {
                continue;
            }
            let start = self.first_block(slab);
            let class = self.memory.byte(self.field(slab, "slab.class")) as usize;
            let words = self.field(entry, "remote_entry.words");
            let bit = |block: Word| self.memory.word(words + block / 64 * WORD) & 1 << (block % 64);
            let count = self.memory.quarter(self.field(slab, "slab.blocks"));
            let held = (0..count).filter(|&block| bit(block) != 0);
            let address = |block| start + block * self.class_bytes[class];
            blocks.extend(held.map(|block| (address(block), State::HeldBack)));
        }
        blocks
    }

    fn first_block(&self, slab: Word) -> Word {
        let start = self.memory.word(self.field(slab, "slab.start"));
        start + self.memory.quarter(self.field(slab, "slab.colour"))
    }

    fn blocks_of(&self, slab: Word, held: &HashMap<Word, State>) -> Vec<Block> {
        let memory = self.memory;
        let start = self.first_block(slab);
        let free = memory.word(self.field(slab, "slab.free"));
        let remote = memory.word(self.field(slab, "slab.remote"));
        let bit = |words: Word, index: Word| {
            memory.word(words + index / 64 * WORD) & 1 << (index % 64) != 0
        };
        let (count, bytes) = match memory.byte(self.field(slab, "slab.kind")) {
            kind::CLOSED => return Vec::new(),
            kind::BLOCKS => {
                let class = memory.byte(self.field(slab, "slab.class")) as usize;
                let count = memory.quarter(self.field(slab, "slab.blocks"));
                (count, self.class_bytes[class])
            }
            _large => {
                let pages = memory.half(self.field(slab, "slab.pages"));
                (1, pages * self.root.get("page.bytes"))
            }
        };
        let block = |index| {
            let address = start + index * bytes;
            let state = match held.get(&address) {
                Some(state) => *state,
                None if bit(remote, index) => State::SentHome,
                None if bit(free, index) => State::Free,
                None => State::Live,
            };
            Block {
                address,
                bytes,
                state,
            }
        };
        (0..count).map(block).collect()
    }

    /// The mappings that the allocator keeps.
    pub fn mappings(&self) -> Vec<Mapping> {
        let first = self.root.get("mappings");
        let made = self.memory.word(self.root.get("mappings.count"));
        let noted = made.min(self.root.get("mappings.capacity"));
        let mapping = |index| {
            let mapping = first + index * self.root.get("mapping.bytes");
            let word = |name| self.memory.word(self.field(mapping, name));
            Mapping {
                address: word("mapping.address"),
                len: word("mapping.len"),
                kind: word("mapping.kind"),
            }
        };
        (0..noted).map(mapping).collect()
    }
}
