//! Frees of other threads' blocks that a thread holds back, to send them home together.

use crate::fault::{self, Call, Fault};
use crate::registry::REGISTRY;
use crate::slab::Slab;
use core::cell::Cell;

/// Most frees that can be held back.
const CAPACITY: usize = 1024;
/// Most bytes of blocks that are held back.
const MOST_BYTES: usize = 128 << 10;

/// See the head of this file.
#[repr(C)]
pub(crate) struct RemoteBuffer {
    len: Cell<u32>,
    bytes: Cell<usize>,
    blocks: [Cell<*mut u8>; CAPACITY],
}

impl RemoteBuffer {
    /// Byte offsets of the length and of the blocks, for readers of a core file.
    pub(crate) const OFFSETS: (usize, usize) = (
        core::mem::offset_of!(RemoteBuffer, len),
        core::mem::offset_of!(RemoteBuffer, blocks),
    );

    /// Blocks held back.
    pub(crate) fn blocks(&self) -> &[Cell<*mut u8>] {
        &self.blocks[..(self.len.get() as usize).min(CAPACITY)]
    }

    /// Holds back a block of `bytes` bytes; says whether it is time to flush.
    pub(crate) fn push(&self, block: *mut u8, bytes: usize, threshold: usize) -> bool {
        let len = self.len.get() as usize;
        self.blocks[len.min(CAPACITY - 1)].set(block);
        self.len.set(len as u32 + 1);
        self.bytes.set(self.bytes.get() + bytes);
        len + 1 >= threshold.min(CAPACITY) || self.bytes.get() >= MOST_BYTES
    }

    /// Sends all home: to each slab its blocks, a word of its bitmap at a time. `sent` is
    /// told of each slab.
    pub(crate) fn flush(&self, mut sent: impl FnMut(&Slab)) {
        let blocks = self.blocks();
        if blocks.is_empty() {
            return;
        }
        // In order of address, a slab's blocks are neighbours, and so are a word's.
        sort(blocks);
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let address = first.get() as usize;
            let Some(slab) = REGISTRY.slab_of(address) else {
                fault::abort(Call::Free, first.get(), Fault::Foreign)
            };
            let end = slab.start() + slab.span();
            let count = rest
                .iter()
                .take_while(|block| (block.get() as usize) < end)
                .count();
            let (of_slab, others) = rest.split_at(count);
            // Afterwards the slab may be closed already.
            sent(slab);
            publish(slab, of_slab);
            rest = others;
        }
        self.len.set(0);
        self.bytes.set(0);
    }
}

/// Sends blocks of one slab, in order of address, home.
pub(super) fn publish(slab: &Slab, blocks: &[Cell<*mut u8>]) {
    let mut rest = blocks;
    let words = core::iter::from_fn(|| {
        let mut word = None;
        let mut bits = 0;
        while let Some(block) = rest.first() {
            let index = match slab.index_of(block.get() as usize) {
                Ok(index) => index,
                Err(fault) => fault::abort(Call::Free, block.get(), fault),
            };
            if *word.get_or_insert(index / 64) != index / 64 {
                break;
            }
            if bits & 1 << (index % 64) != 0 {
                fault::abort(Call::Free, block.get(), Fault::DoubleFree);
            }
            bits |= 1 << (index % 64);
            rest = &rest[1..];
        }
        word.map(|word| (word, bits))
    });
    if let Err((index, fault)) = slab.publish(words, blocks.len() as u32) {
        fault::abort(Call::Free, slab.block(index), fault);
    }
}

/// Sorts by address.
fn sort(blocks: &[Cell<*mut u8>]) {
    // SAFETY: `Cell` has the layout of what it holds, and the owner alone uses the buffer.
    let addresses = unsafe {
        core::slice::from_raw_parts_mut(blocks.as_ptr().cast_mut().cast::<usize>(), blocks.len())
    };
    addresses.sort_unstable();
}
