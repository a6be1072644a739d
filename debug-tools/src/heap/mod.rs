//! The heap of a process, through its root structure alone: every slab, block and cache.
//!
//! ```text
//! root.rs      the root structure: names and numbers
//! no_heap.rs   what to do where there is none
//! layout.rs    its numbers by field
//! mappings.rs  what is mapped for it, and what of that is in stock
//! slab.rs      a slab's header and bitmaps
//! registry.rs  from the registry to slabs and SuperSlabs
//! records.rs   what checked builds keep of each block
//! patterns.rs  what has to stand around blocks there, and in freed ones
//! guarded.rs   their blocks with pages of their own
//! cache.rs     what threads hold: fronts, lists, buffers
//! place.rs     what an address is
//! accounts.rs  each mapped byte, by what it is for
//! reach/       which blocks the program can still reach
//! references.rs  who points to a block
//! spill.rs     what runs over the end of a block
//! verify/      whether all that is said in two places agrees
//! ```
//!
//! Nothing is trusted: the process may have been stopped anywhere, its structures may be damaged, and
//! the image may be cut short or made up. What cannot be true is noted as a [`Finding`] and left out;
//! what is kept is at most a small multiple of what the image has.

mod accounts;
mod cache;
mod guarded;
mod layout;
mod mappings;
mod no_heap;
mod patterns;
mod place;
mod reach;
mod records;
mod references;
mod registry;
mod root;
mod slab;
mod spill;
pub mod verify;
mod word;

use std::collections::HashMap;

pub use accounts::{Account, Accounts};
pub use cache::{Buffer, Cache, Front, List, ListEnd};
pub use guarded::Guarded;
pub use layout::Layout;
pub use mappings::Mapping;
pub use patterns::{Damage, Guard};
pub use place::{Place, State};
pub use reach::{Leak, LeakKind, Reach, RootKind};
pub use records::{Doing, Moment, Record, Records};
pub use references::{Holder, Reference};
pub use registry::SuperSlab;
pub use root::{NoRoot, Root};
pub use slab::{Bits, Kind, Slab, is_set};
pub use spill::{Pattern, Spill};

use crate::failure::Failure;
use crate::image::{Image, Memory};
use crate::version;

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What was compared: the name of the field, as the root structure has it.
    pub check: &'static str,
    /// The structure or block.
    pub address: u64,
    /// What is wrong, with the evidence.
    pub what: String,
}

/// Where a block is that the program does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The part of a cache.
    pub part: Part,
    /// The cache, by its index.
    pub cache: u32,
    /// The class that it is held as.
    pub class: u8,
}

/// A block that the program holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveBlock {
    /// Its address.
    pub address: u64,
    /// The bytes that were asked for, or that it has where that is not known.
    pub bytes: u64,
    /// The thread that asked for it, or whose slab it is in where that is not known.
    pub thread: Option<u32>,
    /// The number of the stack that a checked build has noted; 0 if there is none.
    pub stack: u32,
}

/// A part of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The front.
    Front,
    /// The list.
    List,
    /// The buffer of other threads' blocks.
    Buffer,
}

/// The heap.
pub struct Heap<'i> {
    /// The process.
    pub image: &'i Image,
    /// Its root structure.
    pub root: Root,
    /// The numbers in it.
    pub layout: Layout,
    /// Slots of the arena that the registry knows of.
    pub limit: u64,
    /// The arena's first address; 0 if there is none.
    pub base: u64,
    /// All slabs, by address.
    pub slabs: Vec<Slab>,
    /// All SuperSlabs, by address.
    pub superslabs: Vec<SuperSlab>,
    /// All caches, the newest first.
    pub caches: Vec<Cache>,
    /// Freed units that wait: address and bytes.
    pub stock: Vec<(u64, u64)>,
    /// Mappings of the allocator's own.
    pub mappings: Vec<Mapping>,
    /// What a checked build keeps of blocks.
    pub records: Option<Records>,
    /// Its guarded blocks, by address.
    pub guarded: Vec<Guarded>,
    /// Memory of an observed build's observers: first address, and the one behind the last.
    pub observers: Vec<(u64, u64)>,
    /// What could not be true.
    pub damage: Vec<Finding>,
    held: HashMap<u64, Held>,
    /// Caches by the addresses of their inboxes.
    inboxes: HashMap<u64, usize>,
}

impl<'i> Heap<'i> {
    /// Finds the heap in an image.
    pub fn open(image: &'i Image) -> Result<Self, Failure> {
        let source = &image.source;
        let root = Root::find(image).map_err(|error| no_heap::of_root(source, error))?;
        version::compare(source, &root.version());
        let layout = Layout::of(&root);
        let layout = layout.map_err(|why| no_heap::of_layout(source, &root.version(), &why))?;
        tracing::info!(
            address = format!("{:#x}", root.address),
            version = root.version(),
            "root structure"
        );
        let mut heap = Self {
            image,
            root,
            layout,
            limit: 0,
            base: 0,
            slabs: vec![],
            superslabs: vec![],
            caches: vec![],
            stock: vec![],
            mappings: vec![],
            records: None,
            guarded: vec![],
            observers: vec![],
            damage: vec![],
            held: HashMap::new(),
            inboxes: HashMap::new(),
        };
        heap.read();
        Ok(heap)
    }

    fn read(&mut self) {
        self.read_mappings();
        self.read_registry();
        self.read_stock();
        self.read_caches();
        self.observers = self.observers();
        let (memory, page) = (self.memory(), self.layout.page);
        self.records = Records::of(&self.root, memory);
        let records = self.records.as_ref();
        let guarded = records.and_then(|records| guarded::read(&self.root, memory, records, page));
        self.guarded = guarded.unwrap_or_default();
        tracing::info!(
            slabs = self.slabs.len(),
            superslabs = self.superslabs.len(),
            caches = self.caches.len(),
            damage = self.damage.len(),
            "heap"
        );
    }

    /// The process's memory.
    pub fn memory(&self) -> &'i Memory {
        &self.image.memory
    }

    fn damaged(&mut self, check: &'static str, address: u64, what: String) {
        self.damage.push(Finding {
            check,
            address,
            what,
        });
    }

    /// What observers have mapped for themselves.
    fn observers(&self) -> Vec<(u64, u64)> {
        /// More than any version notes.
        const MOST: u64 = 1 << 16;
        let read = || {
            let get = |name: &str| self.root.get(name);
            let (ranges, capacity) = (get("observers.memory")?, get("observers.memory.capacity")?);
            let count = self.memory().word(get("observers.memory.count")?)?;
            let count = count.min(capacity).min(MOST) as usize;
            self.memory().words(ranges, 2 * count)
        };
        let words = read().unwrap_or_default();
        let ranges = words.as_chunks::<2>().0.iter();
        ranges
            .filter(|[start, _]| *start != 0)
            .map(|[start, bytes]| (*start, start.saturating_add(*bytes)))
            .collect()
    }

    /// Where a block is that some cache holds.
    pub fn held(&self, block: u64) -> Option<Held> {
        self.held.get(&block).copied()
    }

    /// The slab that an address is in, by its index.
    pub fn slab_at(&self, address: u64) -> Option<usize> {
        let after = self.slabs.partition_point(|slab| slab.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.slabs[index].end(&self.layout)).then_some(index)
    }

    /// The SuperSlab that an address is in.
    pub fn superslab_at(&self, address: u64) -> Option<&SuperSlab> {
        let after = self.superslabs.partition_point(|s| s.base <= address);
        let superslab = &self.superslabs[after.checked_sub(1)?];
        (address - superslab.base < self.layout.superslab).then_some(superslab)
    }

    /// The cache whose inbox is at an address, by its index.
    pub fn cache_of_inbox(&self, inbox: u64) -> Option<usize> {
        self.inboxes.get(&inbox).copied()
    }

    /// What a block is doing.
    pub fn state(&self, slab: &Slab, index: usize, bits: &Bits) -> State {
        match self.held(slab.block(index)) {
            Some(held) => State::Cached(held),
            None if is_set(&bits.remote, index) => State::Returned,
            None if is_set(&bits.free, index) => State::Free,
            None => match bits.records.get(index) {
                Some(record) if record.doing == Doing::Quarantined => State::Quarantined,
                _ => State::Live,
            },
        }
    }

    /// The bitmaps of a slab, and the records of its blocks.
    pub fn bits(&self, slab: &Slab) -> Bits {
        let mut bits = slab.bits(self.memory(), &self.layout);
        if let Some(records) = &self.records {
            bits.records = match &records.words {
                Some(words) if !slab.is_large() => words.of_slab(self.memory(), slab, &bits),
                _ => records.of_slab(self.memory(), slab.header, usize::from(slab.blocks)),
            };
        }
        bits
    }

    /// The return addresses of a stack that a checked build has noted, the innermost first.
    pub fn noted_stack(&self, number: u32) -> Vec<u64> {
        let records = self.records.as_ref();
        records.map_or(vec![], |records| records.stack(self.memory(), number))
    }

    /// Calls `each` for every block in a slab: the slab, its index, its state, and what a checked build
    /// keeps of it.
    pub fn for_each_block(&self, mut each: impl FnMut(usize, usize, State, Option<&Record>)) {
        for (number, slab) in self.slabs.iter().enumerate() {
            let bits = self.bits(slab);
            for index in slab.indices() {
                let state = self.state(slab, index, &bits);
                each(number, index, state, bits.records.get(index));
            }
        }
    }

    /// Calls `each` for every block that the program holds.
    pub fn for_each_live(&self, mut each: impl FnMut(&LiveBlock)) {
        self.for_each_block(|slab, index, state, record| {
            if state != State::Live {
                return;
            }
            let slab = &self.slabs[slab];
            let known = record.filter(|record| record.doing == Doing::Live);
            let owner = || self.owner(slab).map(|cache| cache.thread);
            each(&LiveBlock {
                address: slab.block(index),
                bytes: known.map_or(slab.bytes, |record| record.size.min(slab.bytes)),
                thread: known
                    .map(|record| record.allocated.thread)
                    .filter(|thread| *thread != 0)
                    .or_else(owner),
                stack: known.map_or(0, |record| record.allocated.stack),
            });
        });
        for block in self.guarded.iter().filter(|block| block.is_live()) {
            each(&LiveBlock {
                address: block.start,
                bytes: block.record.size,
                thread: Some(block.record.allocated.thread),
                stack: block.record.allocated.stack,
            });
        }
    }

    /// Whether a checked build has noted who asked for each block.
    pub fn has_stacks(&self) -> bool {
        let full = self.records.as_ref().filter(|records| records.level > 1);
        full.is_some_and(Records::has_stacks)
    }

    /// Who owns a slab, in words.
    pub fn owner(&self, slab: &Slab) -> Option<&Cache> {
        self.cache_of_inbox(slab.owner)
            .map(|index| &self.caches[index])
    }
}
