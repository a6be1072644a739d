//! Each mapped byte of the heap, by what it is for.
//!
//! ```text
//! mapped = SuperSlabs + LARGE mappings + freed units in stock + structures
//!        = live + cached + free + metadata
//! ```
//!
//! The two sides are counted from different places: the first from the registry's SuperSlabs, the
//! stock and the kernel's own list of mappings, the second block by block.

use super::{Heap, Kind, Mapping, Part, State};

/// Blocks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Account {
    fn add(&mut self, bytes: u64) {
        self.blocks += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Blocks of a class, or LARGE ones, by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Bytes of a block; 0 of LARGE ones.
    pub block_bytes: u64,
    /// Slabs.
    pub slabs: u64,
    /// With the program.
    pub live: Account,
    /// Freed, and kept from being used again.
    pub quarantined: Account,
    /// In fronts.
    pub front: Account,
    /// On lists.
    pub list: Account,
    /// In buffers of other threads' blocks.
    pub buffer: Account,
    /// On their way home.
    pub returned: Account,
    /// In their slabs.
    pub free: Account,
}

impl Blocks {
    fn add(&mut self, state: State, bytes: u64) {
        let account = match state {
            State::Live => &mut self.live,
            State::Quarantined => &mut self.quarantined,
            State::Returned => &mut self.returned,
            State::Free => &mut self.free,
            State::Cached(held) => match held.part {
                Part::Front => &mut self.front,
                Part::List => &mut self.list,
                Part::Buffer => &mut self.buffer,
            },
        };
        account.add(bytes);
    }

    /// Bytes that threads hold free.
    pub fn cached_bytes(&self) -> u64 {
        self.quarantined.bytes + self.front.bytes + self.list.bytes + self.buffer.bytes
    }

    /// Bytes that are free in slabs, or on their way there.
    pub fn free_bytes(&self) -> u64 {
        self.returned.bytes + self.free.bytes
    }
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// By class; the last entry is LARGE.
    pub classes: Vec<Blocks>,
    /// Before the first and behind the last block of slabs.
    pub tails: u64,
    /// Slots that nobody holds and that read as zero, and others.
    pub clean_slots: u64,
    /// As above.
    pub dirty_slots: u64,
    /// Slots without a slab that somebody holds: threads' reservations.
    pub reserved_slots: u64,
    /// Freed units that wait.
    pub stock: u64,
    /// Structures, as far as they are mapped.
    pub metadata: u64,
    /// SuperSlabs, and LARGE blocks with a mapping of their own.
    pub superslabs: u64,
    /// As above.
    pub mappings: u64,
    /// What the kernel says is committed of the arena; None where that is not known.
    pub committed: Option<u64>,
    /// What the registry and the stock say of it.
    pub registered: u64,
}

impl Accounts {
    /// With the program.
    pub fn live(&self) -> u64 {
        self.classes.iter().map(|class| class.live.bytes).sum()
    }

    /// With threads.
    pub fn cached(&self) -> u64 {
        self.classes.iter().map(Blocks::cached_bytes).sum()
    }

    /// Of these, freed blocks that are kept from being used again.
    pub fn quarantined(&self) -> u64 {
        self.classes
            .iter()
            .map(|class| class.quarantined.bytes)
            .sum()
    }

    /// With nobody.
    pub fn free(&self) -> u64 {
        let blocks: u64 = self.classes.iter().map(Blocks::free_bytes).sum();
        blocks + self.tails + self.clean_slots + self.dirty_slots + self.reserved_slots + self.stock
    }

    /// All that is mapped.
    pub fn mapped(&self) -> u64 {
        self.superslabs + self.mappings + self.stock + self.metadata
    }

    /// Whether the sum of the parts is the whole, and the kernel says the same.
    pub fn balance(&self) -> bool {
        self.live() + self.cached() + self.free() + self.metadata == self.mapped()
            && self
                .committed
                .is_none_or(|committed| committed == self.registered)
    }
}

impl Heap<'_> {
    /// Counts it.
    pub fn accounts(&self) -> Accounts {
        let layout = &self.layout;
        let mut accounts = Accounts {
            classes: layout
                .class_bytes
                .iter()
                .map(|bytes| Blocks {
                    block_bytes: *bytes,
                    ..Blocks::default()
                })
                .chain([Blocks::default()])
                .collect(),
            superslabs: self.superslabs.len() as u64 * layout.superslab,
            stock: self.stock.iter().map(|(_, bytes)| bytes).sum(),
            ..Accounts::default()
        };
        let large = layout.class_bytes.len();
        for slab in &self.slabs {
            let bits = self.bits(slab);
            let class = if slab.is_large() {
                large
            } else {
                usize::from(slab.class)
            };
            let class = &mut accounts.classes[class];
            class.slabs += 1;
            for index in slab.indices() {
                class.add(self.state(slab, index, &bits), slab.bytes);
            }
            let used = slab.bytes * slab.indices().len() as u64;
            accounts.tails += (slab.end(layout) - slab.start).saturating_sub(used);
            if slab.kind == Kind::Mapping {
                // Committed to the end of its last unit.
                let whole = slab.bytes.next_multiple_of(layout.superslab);
                accounts.mappings += if slab.outside { slab.bytes } else { whole };
                accounts.tails += if slab.outside { 0 } else { whole - slab.bytes };
            }
        }
        self.count_slots(&mut accounts);
        accounts.metadata = self.metadata();
        self.count_arena(&mut accounts);
        accounts
    }

    fn count_slots(&self, accounts: &mut Accounts) {
        let (layout, slots) = (&self.layout, self.layout.superslab / self.layout.slot);
        for superslab in &self.superslabs {
            for slot in 0..slots {
                let bit = 1_u32.checked_shl(slot as u32).unwrap_or(0);
                if self.slab_at(superslab.base + slot * layout.slot).is_some() {
                    continue;
                }
                let account = match (superslab.free & bit != 0, superslab.clean & bit != 0) {
                    (false, _) => &mut accounts.reserved_slots,
                    (true, true) => &mut accounts.clean_slots,
                    (true, false) => &mut accounts.dirty_slots,
                };
                *account += layout.slot;
            }
        }
    }

    /// Bytes of structures that are mapped: of the registry's arrays the part that can be read.
    fn metadata(&self) -> u64 {
        let own = self
            .mappings
            .iter()
            .filter(|mapping| mapping.kind != Mapping::ARENA);
        own.map(|mapping| self.readable(mapping.address, mapping.len))
            .sum()
    }

    /// Bytes of a range that the process can read.
    fn readable(&self, address: u64, len: u64) -> u64 {
        let end = address.saturating_add(len);
        let inside =
            |s: &crate::image::Segment| s.end.min(end).saturating_sub(s.start.max(address));
        let segments = self.memory().segments().iter().filter(|s| s.access.read);
        segments.map(inside).sum()
    }

    fn count_arena(&self, accounts: &mut Accounts) {
        let Some(arena) = self.mappings.iter().find(|m| m.kind == Mapping::ARENA) else {
            return;
        };
        let layout = &self.layout;
        let stock = self.stock.iter().filter(|(start, _)| arena.holds(*start));
        let superslabs = self.superslabs.iter().filter(|s| !s.outside).count() as u64;
        let large = self
            .slabs
            .iter()
            .filter(|s| s.kind == Kind::Mapping && !s.outside);
        accounts.registered = superslabs * layout.superslab
            + stock.map(|(_, bytes)| bytes).sum::<u64>()
            + large
                .map(|slab| slab.bytes.next_multiple_of(layout.superslab))
                .sum::<u64>();
        accounts.committed = Some(self.readable(arena.address, arena.len));
    }
}
