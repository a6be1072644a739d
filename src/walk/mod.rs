//! A walk over every block of the heap, and what state each is in.

mod contradictions;
mod large;

use crate::arena;
use crate::observe::kept::Kept;
use crate::observe::{self, Record};
use crate::registry::REGISTRY;
use crate::size_class::MAX_BLOCKS;
#[allow(unused_imports, reason = "observers ask for it")]
pub(crate) use crate::slab::contradiction::Contradiction;
use crate::slab::{Kind, Slab};
use crate::superslab::SUPERSLAB_BYTES;
use crate::thread_cache::ThreadCache;
#[allow(unused_imports, reason = "observers ask for it")]
pub(crate) use contradictions::{Whose, for_each_contradiction};
use core::ops::ControlFlow;
use core::ptr::{self, NonNull};

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

/// Calls `each` for every block there is, slab by slab, until it breaks off. `each` must not allocate
/// or free through this allocator. Other threads should be quiet: what they do meanwhile shows as it
/// happens to be read.
pub fn walk<B>(mut each: impl FnMut(&Block) -> ControlFlow<B>) -> ControlFlow<B> {
    REGISTRY.slabs().try_for_each(|slab| match slab.kind() {
        Kind::Blocks => walk_slab(slab, &mut each),
        Kind::Run | Kind::Mapping => each(&large_block(slab)),
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
        Kind::Run | Kind::Mapping => look(&large_block(slab)),
        Kind::Closed => return Err(NoBlock::Unregistered),
    };
    found
}

/// A block's place, as observers see it.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) struct Found {
    pub(crate) block: observe::Block<'static, Record>,
    /// Where its slab begins, and which of its blocks it is.
    pub(crate) slab: usize,
    pub(crate) index: usize,
    /// Blocks of the slab.
    pub(crate) blocks: usize,
    /// Its place has been shown to observers, as each block's in a slab before it is handed out, but
    /// for those that were out before anybody wanted to know.
    pub(crate) is_carved: bool,
    /// It is free in its slab.
    pub(crate) is_free: bool,
}

/// Whether no other thread allocates or frees.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn is_alone() -> bool {
    ThreadCache::is_alone()
}

/// Where the arena begins, and its bytes; none if there is none.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn arena() -> (usize, usize) {
    arena::bounds()
}

/// The block that covers an address, whatever it is doing.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn find(address: usize) -> Option<Found> {
    let slab = REGISTRY.find(address).or_else(|| mapping_around(address))?;
    match slab.kind() {
        Kind::Closed => None,
        Kind::Blocks => {
            let index = slab
                .class()
                .block_index(address.checked_sub(slab.first_block())?);
            found(slab, index)
        }
        Kind::Run | Kind::Mapping => found(slab, 0),
    }
}

/// Whether the place that covers an address, which is in a slab of blocks, has been shown to observers;
/// the slab may keep it back.
#[cold]
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn is_carved(address: usize) -> bool {
    REGISTRY.find(address).is_some_and(|slab| {
        slab.kind() == Kind::Blocks
            && slab.is_carved(
                slab.class()
                    .block_index(address.wrapping_sub(slab.first_block())),
            )
    })
}

/// What is kept of the block that covers an address, and where it begins; as [`find`], with
/// nothing else looked at.
#[inline(always)]
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn record_at(address: usize) -> Option<(usize, Kept<'static, Record>)> {
    let slab = match REGISTRY.find(address) {
        Some(slab) if slab.kind() == Kind::Blocks => slab,
        large => return large_record_at(address, large),
    };
    let (start, class) = (slab.first_block(), slab.class());
    let index = class.block_index(address.wrapping_sub(start));
    if index.wrapping_sub(Slab::FIRST) >= slab.blocks() - Slab::FIRST {
        return None;
    }
    Some((start + index * class.bytes(), slab.record(index)?))
}

#[inline(never)]
fn large_record_at(
    address: usize,
    slab: Option<&'static Slab>,
) -> Option<(usize, Kept<'static, Record>)> {
    let slab = match slab {
        Some(slab) if slab.kind() != Kind::Closed => slab,
        Some(_) => return None,
        None => mapping_around(address)?,
    };
    Some((slab.start(), slab.record(0)?))
}

/// The large mapping around an address for which the registry has nothing: it has the first slot
/// of one alone. Looks no farther than [`FAR`], and in the arena alone.
fn mapping_around(address: usize) -> Option<&'static Slab> {
    if !REGISTRY.is_in_arena(address) {
        return None;
    }
    let first = address & !(SUPERSLAB_BYTES - 1);
    let mut unit = first;
    while first - unit <= FAR {
        if let Some(slab) = REGISTRY.find(unit) {
            let is_inside = slab.kind() == Kind::Mapping
                && address.wrapping_sub(slab.start()) < slab.block_bytes();
            return is_inside.then_some(slab);
        }
        unit = unit.checked_sub(SUPERSLAB_BYTES)?;
    }
    None
}

/// The first block of a slab, of an address in what is kept back in front of it.
#[cold]
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn first_above(address: usize) -> Option<Found> {
    let slab = REGISTRY.find(address)?;
    let is_below = slab.kind() == Kind::Blocks
        && address < slab.first_block() + Slab::FIRST * slab.block_bytes();
    is_below.then(|| found(slab, Slab::FIRST))?
}

/// How far from the start of a block its bytes are found.
const FAR: usize = 256 << 20;

/// The block so many places on in the slab.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn neighbour(of: &Found, step: isize) -> Option<Found> {
    let slab = REGISTRY.find(of.slab)?;
    let index = of.index.checked_add_signed(step)?;
    (slab.kind() == Kind::Blocks).then(|| found(slab, index))?
}

/// Calls `each` for every block of every slab, until it breaks off.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn for_each_place<B>(mut each: impl FnMut(&Found) -> ControlFlow<B>) -> ControlFlow<B> {
    REGISTRY.slabs().try_for_each(|slab| {
        let count = match slab.kind() {
            Kind::Closed => 0,
            _ => slab.blocks(),
        };
        (0..count).try_for_each(|index| match found(slab, index) {
            Some(place) => each(&place),
            None => ControlFlow::Continue(()),
        })
    })
}

fn found(slab: &'static Slab, index: usize) -> Option<Found> {
    let is_large = slab.kind() != Kind::Blocks;
    let first = if is_large { 0 } else { Slab::FIRST };
    if !(first..slab.blocks()).contains(&index) {
        return None;
    }
    let (address, class) = if is_large {
        (slab.start() as *mut u8, observe::LARGE)
    } else {
        (slab.block(index), slab.class().index())
    };
    Some(Found {
        block: observe::Block {
            address: NonNull::new(address)?,
            bytes: slab.block_bytes(),
            class,
            record: slab.record(index),
        },
        slab: slab.start(),
        index,
        blocks: slab.blocks(),
        is_carved: slab.is_carved(index),
        is_free: slab.bits_of(index).0,
    })
}

fn large_block(slab: &Slab) -> Block {
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
    for index in Slab::FIRST..slab.blocks() {
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
