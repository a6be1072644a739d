//! Whether all that the heap's structures say in two places agrees.
//!
//! ```text
//! registry.rs  entries, slabs and SuperSlabs lead to one another
//! bitmap.rs    a slab's bitmaps, its summary and its counts
//! lists.rs     fronts, lists and buffers, and the blocks on them
//! mappings.rs  the allocator's own mappings, and the sums
//! fills.rs     memory that was never handed out reads as zero
//! records.rs   what checked builds keep of blocks, and the pattern around and in them
//! busy.rs      caches that are marked as being changed have a thread that may change them
//! ```

mod bitmap;
mod busy;
mod fills;
mod lists;
mod mappings;
mod records;
mod registry;

pub use records::evidence;

use super::{Finding, Heap};

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Slabs.
    pub slabs: u64,
    /// SuperSlabs.
    pub superslabs: u64,
    /// Thread caches.
    pub caches: u64,
    /// Entries of the registry's arrays.
    pub entries: u64,
    /// Blocks, by their bits.
    pub blocks: u64,
    /// Words of bitmaps.
    pub words: u64,
    /// Counts and summaries.
    pub counters: u64,
    /// Entries of fronts.
    pub fronts: u64,
    /// Links of lists.
    pub links: u64,
    /// Blocks in buffers.
    pub buffered: u64,
    /// Bytes that have to be zero.
    pub fills: u64,
    /// Records of blocks that a checked build keeps.
    pub records: u64,
    /// Places in front of and behind live blocks that have the pattern.
    pub canaries: u64,
    /// Freed blocks that have it.
    pub filled: u64,
    /// Blocks in quarantine that have it.
    pub quarantined: u64,
    /// Guarded blocks.
    pub guarded: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What differs where a thread was in the middle of a change.
    pub doubtful: Vec<Finding>,
}

/// The most findings that are kept.
const MOST: usize = 10_000;

impl Checked {
    fn found(&mut self, check: &'static str, address: u64, what: String) {
        if self.findings.len() < MOST {
            self.findings.push(Finding {
                check,
                address,
                what,
            });
        }
    }

    /// Something that is no finding if a change was under way.
    fn found_unless(&mut self, busy: bool, check: &'static str, address: u64, what: String) {
        if !busy {
            self.found(check, address, what);
        } else if self.doubtful.len() < MOST {
            self.doubtful.push(Finding {
                check,
                address,
                what,
            });
        }
    }
}

impl Heap<'_> {
    /// Checks everything.
    pub fn verify(&self) -> Checked {
        let mut checked = Checked {
            slabs: self.slabs.len() as u64,
            superslabs: self.superslabs.len() as u64,
            caches: self.caches.len() as u64,
            findings: self.damage.clone(),
            ..Checked::default()
        };
        self.verify_mappings(&mut checked);
        self.verify_registry(&mut checked);
        self.verify_bitmaps(&mut checked);
        self.verify_lists(&mut checked);
        self.verify_fills(&mut checked);
        self.verify_records(&mut checked);
        self.verify_busy(&mut checked);
        checked
    }

    /// Whether the cache that owns a slab was being changed.
    fn is_busy(&self, slab: &super::Slab) -> bool {
        self.owner(slab).is_some_and(|cache| cache.is_busy)
    }
}
