//! A search through blocks: from those that something leads to, to those that they lead to.

use std::collections::VecDeque;

use super::index::Index;
use super::marks::Marks;

/// Slabs with fewer pending blocks are read block by block.
const FEW: u32 = 8;
/// Bytes of a block that are read at a time.
const PIECE: u64 = 1 << 20;

pub(super) struct Search<'h> {
    index: &'h Index<'h>,
    /// Blocks that it may go to.
    open: &'h Marks,
    pub(super) reached: Marks,
    pending: Marks,
    /// Pending blocks of each number.
    counts: Vec<u32>,
    queue: VecDeque<usize>,
    /// Those that it came to.
    pub(super) found: Vec<(usize, usize)>,
}

impl<'h> Search<'h> {
    pub(super) fn new(index: &'h Index<'h>, open: &'h Marks) -> Self {
        Self {
            index,
            open,
            reached: Marks::new(index.blocks()),
            pending: Marks::new(index.blocks()),
            counts: vec![0; index.numbers().len()],
            queue: VecDeque::new(),
            found: vec![],
        }
    }

    /// Looks at words.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        for word in bytes.as_chunks::<8>().0 {
            self.visit(u64::from_le_bytes(*word));
        }
    }

    #[inline]
    fn visit(&mut self, address: u64) {
        if let Some((number, block)) = self.index.find(address) {
            self.reach(number, block);
        }
    }

    pub(super) fn reach(&mut self, number: usize, block: usize) {
        let id = self.index.id(number, block);
        if !self.open.has(id) || !self.reached.set(id) {
            return;
        }
        self.found.push((number, block));
        self.pending.set(id);
        if self.counts[number] == 0 {
            self.queue.push_back(number);
        }
        self.counts[number] += 1;
    }

    /// Goes on until nothing is left.
    pub(super) fn run(&mut self) {
        let mut buffer = vec![];
        while let Some(number) = self.queue.pop_front() {
            let count = std::mem::take(&mut self.counts[number]);
            let slab = self.index.slab(number);
            let Some(slab) = slab.filter(|slab| count >= FEW && !slab.is_large()) else {
                self.read_each(number);
                continue;
            };
            let bytes = slab.bytes * u64::from(slab.blocks);
            buffer.resize(bytes as usize, 0);
            if !self.index.heap.memory().fill(slab.block(0), &mut buffer) {
                self.read_each(number);
                continue;
            }
            self.each_pending(number, |search, block| {
                let at = block * slab.bytes as usize;
                search.look(&buffer[at..at + slab.bytes as usize]);
            });
        }
    }

    /// Calls `each` for the pending blocks of a number, which are not any more. One that becomes pending
    /// meanwhile comes now if it is further on, and else when the number's turn comes again.
    fn each_pending(&mut self, number: usize, mut each: impl FnMut(&mut Self, usize)) {
        let ids = self.index.ids(number);
        let mut at = ids.start;
        while let Some(id) = self.pending.take(at, ids.end) {
            each(self, (id - ids.start) as usize);
            at = id + 1;
        }
    }

    fn read_each(&mut self, number: usize) {
        let mut buffer = vec![];
        self.each_pending(number, |search, block| {
            let (start, bytes) = search.index.extent(number, block);
            buffer.resize(bytes.min(PIECE) as usize, 0);
            search.read(start, bytes, &mut buffer);
        });
    }

    fn read(&mut self, address: u64, bytes: u64, buffer: &mut [u8]) {
        let memory = self.index.heap.memory();
        // A guarded block may begin beside a word's boundary.
        let skipped = address.wrapping_neg() % 8;
        if bytes > PIECE {
            // What is not in the file reads as zero, which points nowhere.
            let (from, end) = (address + skipped, address.saturating_add(bytes));
            memory.scan(from, end, &mut |_, piece| {
                self.look(piece);
                true
            });
        } else if memory.fill(address, buffer) {
            self.look(buffer.get(skipped as usize..).unwrap_or_default());
        }
    }
}
