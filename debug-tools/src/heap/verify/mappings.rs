//! The allocator's own mappings, and the sums: that what the structures say is what the kernel says.

use super::Checked;
use crate::heap::{Heap, Mapping};

impl Heap<'_> {
    pub(super) fn verify_mappings(&self, checked: &mut Checked) {
        let (memory, layout) = (self.memory(), &self.layout);
        checked.counters += 1;
        let made = memory.word(layout.mappings_count);
        if made.is_none_or(|made| made < self.mappings.len() as u64 || made > 1 << 32) {
            let what = format!(
                "{made:?} mappings were made, and {} are noted",
                self.mappings.len()
            );
            checked.found("mappings.count", layout.mappings_count, what);
        }
        for mapping in &self.mappings {
            checked.entries += 1;
            let Mapping { address, len, kind } = *mapping;
            if !(Mapping::ARENA..=Mapping::OUTER_TABLE).contains(&kind) {
                checked.found(
                    "mapping.kind",
                    address,
                    format!("it is {kind}, none of 1 to 4"),
                );
            }
            let end = address.saturating_add(len);
            let inside: u64 = memory
                .segments()
                .iter()
                .map(|s| s.end.min(end).saturating_sub(s.start.max(address)))
                .sum();
            if inside != len {
                let what = format!("it has {len} bytes, of which {inside} are mapped");
                checked.found("mapping.len", address, what);
            }
            if kind == Mapping::ARENA && address != self.base {
                let what = format!(
                    "the arena is noted there, and the registry begins at {:#x}",
                    self.base
                );
                checked.found("registry.base", address, what);
            }
        }
        self.verify_arrays(checked);
        self.verify_sums(checked);
    }

    /// The registry's arrays are in mappings that are for them.
    fn verify_arrays(&self, checked: &mut Checked) {
        let (memory, layout) = (self.memory(), &self.layout);
        if self.base == 0 {
            return;
        }
        let arrays = [
            ("registry.owners", layout.owners),
            ("registry.slabs", layout.slabs),
            ("registry.superslabs", layout.superslabs),
        ];
        for (name, offset) in arrays {
            checked.entries += 1;
            let array = memory
                .word(layout.registry.wrapping_add(offset))
                .unwrap_or(0);
            let maps = self.mappings.iter().filter(|m| m.kind == Mapping::PAGE_MAP);
            if maps.clone().all(|mapping| mapping.address != array) {
                let what = format!("the array is at {array:#x}, where no mapping for one begins");
                checked.found(name, layout.registry, what);
            }
        }
    }

    fn verify_sums(&self, checked: &mut Checked) {
        checked.counters += 1;
        let accounts = self.accounts();
        if !accounts.balance() {
            let parts = accounts.live() + accounts.cached() + accounts.free() + accounts.metadata;
            let what = format!(
                "live, cached, free and metadata are {parts} bytes of {} mapped; of the arena the registry has {} \
                 and the kernel {:?}",
                accounts.mapped(),
                accounts.registered,
                accounts.committed
            );
            let busy = self.caches.iter().any(|cache| cache.is_busy);
            checked.found_unless(busy, "accounts", self.base, what);
        }
    }
}
