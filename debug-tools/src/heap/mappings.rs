//! What is mapped for the heap, by what it is for, and the units in stock.

use super::Heap;

/// A mapping of the allocator's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub address: u64,
    /// Its bytes.
    pub len: u64,
    /// What it is for, by number.
    pub kind: u64,
}

impl Mapping {
    /// The reservation that user memory comes from.
    pub const ARENA: u64 = 1;
    /// Structures.
    pub const STRUCTURES: u64 = 2;
    /// An array of the registry.
    pub const PAGE_MAP: u64 = 3;
    /// A table of the registry.
    pub const OUTER_TABLE: u64 = 4;

    /// Whether an address is in it.
    pub fn holds(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|offset| offset < self.len)
    }

    /// What it is for.
    pub fn purpose(&self) -> &'static str {
        match self.kind {
            Self::ARENA => "arena",
            Self::STRUCTURES => "structures",
            Self::PAGE_MAP => "registry array",
            Self::OUTER_TABLE => "registry table",
            _ => "unknown",
        }
    }
}

impl Heap<'_> {
    pub(super) fn read_mappings(&mut self) {
        let (memory, layout) = (self.memory(), &self.layout);
        let made = memory.word(layout.mappings_count).unwrap_or(0);
        let mut damage = vec![];
        for index in 0..made.min(layout.mappings_capacity) {
            let at = layout.mappings.wrapping_add(index * layout.mapping_bytes);
            let word = |offset: u64| memory.word(at.wrapping_add(offset));
            let fields = (
                word(layout.mapping_address),
                word(layout.mapping_len),
                word(layout.mapping_kind),
            );
            let (Some(address), Some(len), Some(kind)) = fields else {
                continue;
            };
            if address == 0 || len == 0 || address.checked_add(len).is_none() {
                damage.push((at, format!("{len} bytes at {address:#x}, kind {kind}")));
                continue;
            }
            self.mappings.push(Mapping { address, len, kind });
        }
        for (at, what) in damage {
            self.damaged("mapping", at, what);
        }
    }

    pub(super) fn read_stock(&mut self) {
        let (memory, layout) = (self.memory(), self.layout.clone());
        let fields = (layout.stock, layout.stock_ranges, layout.stock_len);
        let (Some(stock), Some(ranges), Some(len)) = fields else {
            return;
        };
        let shape = (layout.range_bytes, layout.range_start, layout.range_units);
        let (Some(bytes), Some(start), Some(units)) = shape else {
            return;
        };
        let len = memory.word(stock.wrapping_add(len)).unwrap_or(0);
        for index in 0..len.min(1024) {
            let at = stock
                .wrapping_add(ranges)
                .wrapping_add(index.wrapping_mul(bytes));
            let (address, units) = (
                memory.word(at.wrapping_add(start)),
                memory.word(at.wrapping_add(units)),
            );
            let (Some(address), Some(units)) = (address, units) else {
                continue;
            };
            match units.checked_mul(layout.superslab) {
                Some(bytes) if bytes > 0 && address.checked_add(bytes).is_some() => {
                    self.stock.push((address, bytes));
                }
                _ => self.damaged("stock.ranges", at, format!("{units} units at {address:#x}")),
            }
        }
        self.stock.sort_unstable();
    }
}
