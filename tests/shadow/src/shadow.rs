//! The model: which blocks there are, and what must hold of them.
//!
//! 1. No two blocks overlap, and each is aligned.
//! 2. A block keeps its contents until it is written again; a resize keeps what fits.
//! 3. Zeroed memory is zero.
//! 4. Only a request for more than there is comes back null, and changes nothing.
//! 5. The heap's own walk finds each of these blocks once, live and large enough.
//! 6. With no block left the heap counts none.

use crate::block::Block;
use crate::operation::{Operation, Request, SLOTS, THREADS};
use crate::worker::Worker;
use hakmem_alloc::{BlockState, Hakmem};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::ptr::NonNull;

/// Bytes that a case may hold: a request beyond frees everything first.
const LIVE_MAX: usize = 64 << 20;

/// A request of this size cannot be served on any machine.
const ABSURD: usize = 1 << 46;

/// A heap with blocks in it.
#[derive(Debug)]
pub struct Shadow {
    slots: [Option<Block>; SLOTS as usize],
    /// End of each live block, by its start.
    ends: BTreeMap<usize, usize>,
    live: usize,
    workers: [Worker; THREADS as usize - 1],
    seed: u8,
}

impl Default for Shadow {
    fn default() -> Self {
        Self {
            slots: [const { None }; SLOTS as usize],
            ends: BTreeMap::new(),
            live: 0,
            workers: std::array::from_fn(|_| Worker::start()),
            seed: 0,
        }
    }
}

impl Shadow {
    /// Does one step, and checks what it did.
    pub fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Allocate {
                by,
                slot,
                request,
                zeroed,
            } => self.allocate(by, slot, request, zeroed),
            Operation::Free { by, slot } => self.free(by, slot),
            Operation::Resize { by, slot, size } => self.resize(by, slot, size.0),
            Operation::Rewrite { slot } => self.rewrite(slot),
            Operation::FreeMany { by, from, count } => {
                range(from, count).for_each(|slot| self.free(by, slot));
            }
            Operation::AllocateMany {
                by,
                from,
                count,
                request,
            } => range(from, count).for_each(|slot| self.allocate(by, slot, request, false)),
            Operation::EndThread { thread } => self.end_thread(thread),
            Operation::Collect => drop(hakmem_alloc::collect()),
            Operation::Walk => self.walk(),
        }
    }

    /// Frees all blocks, and checks that the heap agrees.
    pub fn finish(mut self) {
        self.free_all();
        drop(self.workers);
        let statistics = hakmem_alloc::statistics();
        for (tier, counts) in hakmem_alloc::TIERS.iter().zip(statistics.tiers) {
            assert_eq!(counts.live, 0, "{tier} has blocks left: {counts:?}");
        }
    }

    fn allocate(&mut self, by: u8, slot: u8, request: Request, zeroed: bool) {
        self.free(by, slot);
        let Some(layout) = request.layout() else {
            return;
        };
        self.make_room(layout.size());
        let start = self.on(by, move || allocate(layout, zeroed));
        let Some(start) = served(start, layout.size()) else {
            return;
        };
        // SAFETY: hakmem's promise, which is what is tested here.
        let block = unsafe { Block::new(start.0, layout) };
        if zeroed {
            block.check_zero();
        }
        self.put(slot, block);
        self.rewrite(slot);
    }

    fn free(&mut self, by: u8, slot: u8) {
        let Some(block) = self.take(slot) else {
            return;
        };
        block.check();
        self.on(by, move || free(block));
    }

    fn resize(&mut self, by: u8, slot: u8, size: usize) {
        let fits = |block: &Block| Layout::from_size_align(size, block.layout().align()).is_ok();
        if !self.slots[slot as usize].as_ref().is_some_and(fits) {
            return;
        }
        if self.live + size > LIVE_MAX && size < ABSURD {
            return self.free(by, slot);
        }
        let block = self.take(slot).expect("looked at above");
        block.check();
        let (start, layout) = (Address(block.start()), block.layout());
        let resized = self.on(by, move || resize(start, layout, size));
        let block = match served(resized, size) {
            // SAFETY: hakmem's promise again; the old address is forgotten.
            Some(start) => unsafe { block.resized(start.0, size) },
            None => {
                block.check();
                block
            }
        };
        self.put(slot, block);
        self.rewrite(slot);
    }

    fn rewrite(&mut self, slot: u8) {
        self.seed = self.seed.wrapping_add(101);
        if let Some(block) = &mut self.slots[slot as usize] {
            block.write(self.seed);
        }
    }

    fn end_thread(&mut self, thread: u8) {
        if let Some(worker) = (thread as usize)
            .checked_sub(1)
            .and_then(|index| self.workers.get_mut(index))
        {
            worker.restart();
        }
    }

    fn walk(&self) {
        let mut found = BTreeMap::new();
        let ended = hakmem_alloc::walk(|block| {
            if block.state == BlockState::Live {
                let twice = found.insert(block.address.addr(), block.bytes);
                assert_eq!(twice, None, "{:p} was found twice", block.address);
            }
            ControlFlow::<()>::Continue(())
        });
        assert!(ended.is_continue());
        for (start, end) in &self.ends {
            let bytes = found.get(start);
            assert!(
                bytes.is_some_and(|&bytes| bytes >= end - start),
                "the walk finds {bytes:?} bytes live at {start:#x}, of {}",
                end - start
            );
        }
        assert_eq!(found.len(), self.ends.len(), "blocks that nobody holds");
    }

    fn make_room(&mut self, size: usize) {
        if self.live + size > LIVE_MAX && size < ABSURD {
            self.free_all();
        }
    }

    fn free_all(&mut self) {
        for slot in 0..SLOTS {
            self.free(slot % THREADS, slot);
        }
        assert!(self.ends.is_empty());
    }

    fn put(&mut self, slot: u8, block: Block) {
        let range = block.range();
        let before = self.ends.range(..range.end).next_back();
        assert!(
            before.is_none_or(|(_, &end)| end <= range.start),
            "{range:x?} overlaps {before:x?} (start, end)"
        );
        self.ends.insert(range.start, range.end);
        self.live += range.len();
        self.slots[slot as usize] = Some(block);
    }

    fn take(&mut self, slot: u8) -> Option<Block> {
        let block = self.slots[slot as usize].take()?;
        self.ends.remove(&block.range().start);
        self.live -= block.range().len();
        Some(block)
    }

    /// Runs `job` on a thread: this one, or a worker.
    fn on<R: Send + 'static>(&self, by: u8, job: impl FnOnce() -> R + Send + 'static) -> R {
        match (by as usize).checked_sub(1) {
            None => job(),
            Some(worker) => self.workers[worker].run(job),
        }
    }
}

/// The slots of a range, which ends with the last slot.
fn range(from: u8, count: u8) -> impl Iterator<Item = u8> {
    from..from.saturating_add(count).min(SLOTS)
}

/// The start of a block on its way between threads.
struct Address(NonNull<u8>);

// SAFETY: an address alone; the blocks go from thread to thread with it.
unsafe impl Send for Address {}

/// Only what no machine has may be refused.
fn served(start: Option<Address>, size: usize) -> Option<Address> {
    assert!(start.is_none() || size < ABSURD, "{size} bytes were served");
    assert!(
        start.is_some() || size >= ABSURD,
        "{size} bytes were refused"
    );
    start
}

fn allocate(layout: Layout, zeroed: bool) -> Option<Address> {
    // SAFETY: no layout of the model is of size 0.
    let start = unsafe {
        match zeroed {
            true => Hakmem.alloc_zeroed(layout),
            false => Hakmem.alloc(layout),
        }
    };
    NonNull::new(start).map(Address)
}

fn free(block: Block) {
    // SAFETY: a live block of that layout, of which the model has let go.
    unsafe { Hakmem.dealloc(block.start().as_ptr(), block.layout()) };
}

fn resize(start: Address, layout: Layout, size: usize) -> Option<Address> {
    // SAFETY: a live block of that layout; the size is not 0 and makes a layout.
    let start = unsafe { Hakmem.realloc(start.0.as_ptr(), layout, size) };
    NonNull::new(start).map(Address)
}
