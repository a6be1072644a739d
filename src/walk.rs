//! A walk over every block of the heap, and what state each is in.

use crate::registry::REGISTRY;
use crate::size_class::MAX_BLOCKS;
use crate::slab::{Kind, Slab};
use crate::thread_cache::ThreadCache;
use core::ops::ControlFlow;
use core::ptr;

/// What a block is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[non_exhaustive]
pub enum BlockState {
    /// The program holds it.
    Live = 1,
    /// It is free in its slab.
    Free = 2,
    /// It is free, and a thread holds it: in its front or on its list.
    Cached = 3,
    /// It was freed by a thread that does not own its slab, and is on its way home.
    Returning = 4,
}

/// A block, as [`walk`] finds it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Block {
    /// Its first byte.
    pub address: *const u8,
    /// Bytes that it has.
    pub bytes: usize,
    /// What it is doing.
    pub state: BlockState,
}

/// Calls `each` for every block there is, slab by slab, until it breaks off. `each` must not
/// allocate or free through this allocator. Other threads should be quiet: what they do meanwhile shows as it
/// happens to be read.
pub fn walk<B>(mut each: impl FnMut(&Block) -> ControlFlow<B>) -> ControlFlow<B> {
    REGISTRY.slabs().try_for_each(|slab| match slab.kind() {
        Kind::Blocks => walk_slab(slab, &mut each),
        Kind::Run | Kind::Mapping => each(&large(slab)),
        Kind::Closed => ControlFlow::Continue(()),
    })
}

/// Why there is no block at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoBlock {
    /// The registry has no slab there.
    Unregistered,
    /// It is not the start of a block.
    Interior,
}

/// What the block at `address` is doing, as exact as [`walk`] is.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn state_of(address: usize) -> Result<BlockState, NoBlock> {
    let slab = REGISTRY.slab_of(address).ok_or(NoBlock::Unregistered)?;
    let mut found = Err(NoBlock::Interior);
    let mut look = |block: &Block| {
        if block.address as usize == address {
            found = Ok(block.state);
        }
        ControlFlow::<()>::Continue(())
    };
    let _ = match slab.kind() {
        Kind::Blocks => walk_slab(slab, &mut look),
        Kind::Run | Kind::Mapping => look(&large(slab)),
        Kind::Closed => return Err(NoBlock::Unregistered),
    };
    found
}

fn large(slab: &Slab) -> Block {
    Block {
        address: slab.start() as *const u8,
        bytes: slab.block_bytes(),
        // Its bit says that an interrupted thread has freed it.
        state: if slab.bits_of(0).1 {
            BlockState::Returning
        } else {
            BlockState::Live
        },
    }
}

fn walk_slab<B>(slab: &Slab, each: &mut dyn FnMut(&Block) -> ControlFlow<B>) -> ControlFlow<B> {
    let mut cached = [0u64; MAX_BLOCKS / 64];
    let mut returning = [0u64; MAX_BLOCKS / 64];
    let mark = |set: &mut [u64], block: *mut u8| {
        let address = block as usize;
        let inside = (slab.start()..slab.start() + slab.span()).contains(&address);
        if inside && let Ok(index) = slab.index_of(address) {
            set[index / 64] |= 1 << (index % 64);
        }
    };
    for cache in ThreadCache::all() {
        for entry in cache.front_entries(slab.class()) {
            mark(&mut cached, entry.get());
        }
        cache
            .list(slab.class())
            .for_each(|block| mark(&mut cached, block));
        for (of, word, bits) in cache.held_back() {
            if ptr::eq(of, slab) {
                returning[word] |= bits;
            }
        }
    }
    for index in 0..slab.blocks() {
        let is_in = |set: &[u64]| set[index / 64] & 1 << (index % 64) != 0;
        let (free, remote) = slab.bits_of(index);
        let state = if is_in(&cached) {
            BlockState::Cached
        } else if is_in(&returning) || remote {
            BlockState::Returning
        } else if free {
            BlockState::Free
        } else {
            BlockState::Live
        };
        each(&Block {
            address: slab.block(index),
            bytes: slab.class().bytes(),
            state,
        })?;
    }
    ControlFlow::Continue(())
}
