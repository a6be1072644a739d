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
//! Slabs wait in a queue, so that of each many blocks are read at once.

use std::collections::VecDeque;

use super::{Heap, Mapping, State};
use crate::image::{Registers, Segment};

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
    /// Its bytes.
    pub bytes: u64,
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

/// Slabs with fewer pending blocks are read block by block.
const FEW: u32 = 8;
/// Bytes of a block that are read at a time.
const PIECE: u64 = 1 << 20;

/// From an address to its block.
struct Index<'h> {
    heap: &'h Heap<'h>,
    /// Of each slab, the number of its first block.
    first: Vec<u64>,
    /// Slab numbers plus one by slot, from `lowest` on; of the arena.
    slots: Vec<u32>,
    lowest: u64,
    range: (u64, u64),
}

impl<'h> Index<'h> {
    fn new(heap: &'h Heap<'h>) -> Self {
        let layout = &heap.layout;
        let mut first = Vec::with_capacity(heap.slabs.len() + 1);
        let mut blocks = 0;
        for slab in &heap.slabs {
            first.push(blocks);
            blocks += u64::from(slab.blocks);
        }
        first.push(blocks);
        let inside = |slab: &&super::Slab| !slab.outside;
        let lowest = heap.slabs.iter().find(inside).map_or(0, |slab| slab.start);
        let last = heap
            .slabs
            .iter()
            .rev()
            .find(inside)
            .map_or(lowest, |slab| slab.start);
        // As many slots as the registry has entries, at most.
        let count = (last - lowest) / layout.slot + 1;
        let mut slots = vec![0; count.min(heap.limit.max(1)) as usize];
        for (number, slab) in heap.slabs.iter().enumerate() {
            if slab.outside {
                continue;
            }
            // Of a mapping the blocks behind the first slot are found by search.
            let from = (slab.start - lowest) / layout.slot;
            for slot in from..from + u64::from(slab.slots.max(1)) {
                if let Some(entry) = slots.get_mut(slot as usize) {
                    *entry = number as u32 + 1;
                }
            }
        }
        let start = heap.slabs.first().map_or(0, |slab| slab.start);
        let end = heap.slabs.last().map_or(0, |slab| slab.end(layout));
        Self {
            heap,
            first,
            slots,
            lowest,
            range: (start, end),
        }
    }

    fn blocks(&self) -> u64 {
        self.first.last().copied().unwrap_or(0)
    }

    /// The slab and the block that an address is in.
    #[inline]
    fn find(&self, address: u64) -> Option<(usize, usize)> {
        if address < self.range.0 || address >= self.range.1 {
            return None;
        }
        let slot = address.wrapping_sub(self.lowest) / self.heap.layout.slot;
        let number = match self.slots.get(slot as usize) {
            Some(number) if *number != 0 => *number as usize - 1,
            _ => self.heap.slab_at(address)?,
        };
        let slab = &self.heap.slabs[number];
        let (index, _) = slab.index_of(address)?;
        Some((number, index))
    }
}

/// A bit for each block.
struct Marks(Vec<u64>);

impl Marks {
    fn new(blocks: u64) -> Self {
        Self(vec![0; blocks.div_ceil(64) as usize])
    }

    fn has(&self, block: u64) -> bool {
        self.0[(block / 64) as usize] & 1 << (block % 64) != 0
    }

    /// Sets it; whether it was not set before.
    fn set(&mut self, block: u64) -> bool {
        let word = &mut self.0[(block / 64) as usize];
        let new = *word & 1 << (block % 64) == 0;
        *word |= 1 << (block % 64);
        new
    }

    /// The first one from `from` on and below `end` that is set; it is not any more.
    fn take(&mut self, from: u64, end: u64) -> Option<u64> {
        let mut at = from;
        while at < end {
            let word = &mut self.0[(at / 64) as usize];
            let rest = *word >> (at % 64);
            if rest == 0 {
                at = (at / 64 + 1) * 64;
                continue;
            }
            at += u64::from(rest.trailing_zeros());
            if at >= end {
                break;
            }
            *word &= !(1 << (at % 64));
            return Some(at);
        }
        None
    }
}

/// A search through blocks.
struct Search<'h> {
    index: &'h Index<'h>,
    /// Blocks that it may go to.
    open: &'h Marks,
    reached: Marks,
    pending: Marks,
    /// Pending blocks of each slab.
    counts: Vec<u32>,
    queue: VecDeque<usize>,
    /// Those that it came to, where they are wanted.
    found: Option<Vec<u64>>,
}

impl<'h> Search<'h> {
    fn new(index: &'h Index<'h>, open: &'h Marks, wants_found: bool) -> Self {
        Self {
            index,
            open,
            reached: Marks::new(index.blocks()),
            pending: Marks::new(index.blocks()),
            counts: vec![0; index.heap.slabs.len()],
            queue: VecDeque::new(),
            found: wants_found.then(Vec::new),
        }
    }

    /// Looks at words.
    fn look(&mut self, bytes: &[u8]) {
        for word in bytes.as_chunks::<8>().0 {
            self.visit(u64::from_le_bytes(*word));
        }
    }

    #[inline]
    fn visit(&mut self, address: u64) {
        let Some((slab, block)) = self.index.find(address) else {
            return;
        };
        self.reach(slab, block);
    }

    fn reach(&mut self, slab: usize, block: usize) {
        let id = self.index.first[slab] + block as u64;
        if !self.open.has(id) || !self.reached.set(id) {
            return;
        }
        if let Some(found) = &mut self.found {
            found.push(self.index.heap.slabs[slab].block(block));
        }
        self.pending.set(id);
        if self.counts[slab] == 0 {
            self.queue.push_back(slab);
        }
        self.counts[slab] += 1;
    }

    /// Goes on until nothing is left.
    fn run(&mut self) {
        let mut buffer = vec![];
        while let Some(number) = self.queue.pop_front() {
            let slab = &self.index.heap.slabs[number];
            let few = self.counts[number] < FEW || slab.is_large();
            self.counts[number] = 0;
            if few {
                self.read_each(number);
                continue;
            }
            let bytes = slab.bytes * u64::from(slab.blocks);
            buffer.resize(bytes as usize, 0);
            if !self.index.heap.memory().fill(slab.start, &mut buffer) {
                self.read_each(number);
                continue;
            }
            self.each_pending(number, |search, block| {
                let at = block * slab.bytes as usize;
                search.look(&buffer[at..at + slab.bytes as usize]);
            });
        }
    }

    /// Calls `each` for the pending blocks of a slab, which are not any more. One that becomes pending
    /// meanwhile comes now if it is further on, and else when the slab's turn comes again.
    fn each_pending(&mut self, slab: usize, mut each: impl FnMut(&mut Self, usize)) {
        let (first, end) = (self.index.first[slab], self.index.first[slab + 1]);
        let mut at = first;
        while let Some(block) = self.pending.take(at, end) {
            each(self, (block - first) as usize);
            at = block + 1;
        }
    }

    fn read_each(&mut self, number: usize) {
        let slab = &self.index.heap.slabs[number];
        let mut buffer = vec![0; slab.bytes.min(PIECE) as usize];
        self.each_pending(number, |search, block| {
            search.read(slab.block(block), slab.bytes, &mut buffer);
        });
    }

    fn read(&mut self, address: u64, bytes: u64, buffer: &mut [u8]) {
        let memory = self.index.heap.memory();
        if bytes > PIECE {
            // What is not in the file reads as zero, which points nowhere.
            memory.scan(address, address.saturating_add(bytes), &mut |_, piece| {
                self.look(piece);
                true
            });
            return;
        }
        if memory.fill(address, buffer) {
            self.look(buffer);
        }
    }
}

impl Heap<'_> {
    /// Searches the whole heap.
    pub fn reach(&self) -> Reach {
        let index = Index::new(self);
        let mut live = Marks::new(index.blocks());
        let mut reach = Reach::default();
        self.for_each_block(|slab, block, state, _| {
            if state == State::Live {
                live.set(index.first[slab] + block as u64);
                reach.live += 1;
                reach.live_bytes += self.slabs[slab].bytes;
            }
        });
        let mut search = Search::new(&index, &live, false);
        self.for_each_root(&mut |_, _, bytes| {
            reach.root_bytes += bytes.len() as u64;
            search.look(bytes);
        });
        search.run();
        let reached = search.reached;
        self.sort_lost(&index, &live, &reached, &mut reach);
        reach
    }

    /// Parts what is lost into what was lost by itself and what was lost with it.
    fn sort_lost(&self, index: &Index<'_>, live: &Marks, reached: &Marks, reach: &mut Reach) {
        let words = live
            .0
            .iter()
            .zip(&reached.0)
            .map(|(live, reached)| live & !reached);
        let lost = Marks(words.collect());
        let mut all = vec![];
        for (number, slab) in self.slabs.iter().enumerate() {
            for block in slab.indices() {
                let id = index.first[number] + block as u64;
                if lost.has(id) {
                    all.push((number, block, id));
                } else if reached.has(id) {
                    reach.reachable += 1;
                    reach.reachable_bytes += slab.bytes;
                }
            }
        }
        let mut pointed = Marks::new(index.blocks());
        for (number, block, id) in &all {
            let slab = &self.slabs[*number];
            self.words_of(slab.block(*block), slab.bytes, &mut |word| {
                if let Some((slab, block)) = index.find(word) {
                    let other = index.first[slab] + block as u64;
                    if other != *id {
                        pointed.set(other);
                    }
                }
            });
        }
        let mut search = Search::new(index, &lost, true);
        // First those that nothing points to; what is left then are rings.
        for rings in [false, true] {
            for (number, block, id) in &all {
                if (!rings && pointed.has(*id)) || search.reached.has(*id) {
                    continue;
                }
                search.reach(*number, *block);
                search.run();
                let head = self.slabs[*number].block(*block);
                let found = search
                    .found
                    .as_mut()
                    .map(std::mem::take)
                    .unwrap_or_default();
                reach.leaks.extend(found.into_iter().map(|address| {
                    Leak {
                        address,
                        bytes: self
                            .slab_at(address)
                            .map_or(0, |slab| self.slabs[slab].bytes),
                        kind: if address == head {
                            LeakKind::Definite
                        } else {
                            LeakKind::Indirect
                        },
                        head,
                    }
                }));
            }
        }
        reach.leaks.sort_by_key(|leak| leak.address);
    }

    fn words_of(&self, address: u64, bytes: u64, each: &mut dyn FnMut(u64)) {
        let end = address.saturating_add(bytes);
        self.memory().scan(address, end, &mut |_, piece| {
            for word in piece.as_chunks::<8>().0 {
                each(u64::from_le_bytes(*word));
            }
            true
        });
    }

    /// Calls `each` for what the program can begin with: the kind, the address (0 of registers) and
    /// the bytes.
    pub fn for_each_root(&self, each: &mut dyn FnMut(RootKind, u64, &[u8])) {
        for thread in &self.image.threads {
            if let Some(registers) = &thread.registers {
                let values: Vec<u8> = general(registers).flat_map(u64::to_le_bytes).collect();
                each(RootKind::Register(thread.tid), 0, &values);
            }
        }
        for segment in self.image.memory.segments() {
            if !segment.access.write || !segment.access.read || self.is_recording(segment) {
                continue;
            }
            let (kind, from) = self.root_kind(segment);
            for (start, end) in self.outside(from, segment.end) {
                self.memory().scan(start, end, &mut |at, bytes| {
                    each(kind, at, bytes);
                    true
                });
            }
        }
    }

    /// What a segment is, and from where on it counts: of a stack, from its pointer on.
    fn root_kind(&self, segment: &Segment) -> (RootKind, u64) {
        /// Bytes below the pointer that a function without calls may use.
        const RED_ZONE: u64 = 128;
        let pointers = self.image.threads.iter().filter_map(|thread| {
            let pointer = thread
                .stack_pointer()
                .filter(|pointer| segment.holds(*pointer))?;
            Some((pointer, thread.tid))
        });
        match pointers.min() {
            Some((pointer, thread)) => {
                let from = pointer.saturating_sub(RED_ZONE).max(segment.start);
                (RootKind::Stack(thread), from & !7)
            }
            None => (RootKind::Data, segment.start),
        }
    }

    /// The parts of a range that are neither blocks nor structures of the allocator's.
    fn outside(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let own = self
            .mappings
            .iter()
            .map(|m| (m.address, m.address.saturating_add(m.len)));
        let superslabs = self.superslabs.iter().filter(|s| s.outside);
        let superslabs = superslabs.map(|s| (s.base, s.base.saturating_add(self.layout.superslab)));
        let large = self.slabs.iter().filter(|slab| slab.outside);
        let large = large.map(|slab| (slab.start, slab.end(&self.layout)));
        let overlaps = |range: &(u64, u64)| range.0 < end && range.1 > start;
        let mut taken: Vec<(u64, u64)> = own
            .chain(superslabs)
            .chain(large)
            .filter(overlaps)
            .collect();
        taken.sort_unstable();
        let (mut parts, mut at) = (vec![], start);
        for (from, to) in taken {
            if from > at {
                parts.push((at, from.min(end)));
            }
            at = at.max(to);
        }
        if at < end {
            parts.push((at, end));
        }
        parts
    }

    /// Whether a segment is a file of a trace, which is full of addresses.
    fn is_recording(&self, segment: &Segment) -> bool {
        let Some(file) = self.image.file(segment.start) else {
            return false;
        };
        let Some((directory, _)) = file.path.rsplit_once('/') else {
            return false;
        };
        let is_session = |path: &str| path.strip_prefix(directory) == Some("/session");
        self.image.files.iter().any(|file| is_session(&file.path))
    }

    /// Whether an address is in memory of the allocator's own.
    pub fn is_own(&self, address: u64) -> bool {
        let own = |mapping: &Mapping| mapping.kind != Mapping::ARENA && mapping.holds(address);
        self.mappings.iter().any(own)
    }
}

/// Registers that may hold a pointer.
fn general(registers: &Registers) -> impl Iterator<Item = u64> + '_ {
    const OTHERS: [&str; 9] = [
        "orig_rax", "cs", "eflags", "ss", "ds", "es", "fs", "gs", "rip",
    ];
    registers
        .named()
        .filter(|(name, _)| !OTHERS.contains(name))
        .map(|(_, value)| value)
}
