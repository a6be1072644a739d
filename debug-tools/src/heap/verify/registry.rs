//! The registry, slabs and SuperSlabs: that each leads to the others.

use super::Checked;
use crate::heap::{Cache, Heap, Kind, Mapping, Slab, SuperSlab};

impl Heap<'_> {
    pub(super) fn verify_registry(&self, checked: &mut Checked) {
        let own: Vec<&Mapping> = self
            .mappings
            .iter()
            .filter(|m| m.kind == Mapping::STRUCTURES)
            .collect();
        for slab in &self.slabs {
            if !own.iter().any(|mapping| mapping.holds(slab.header)) {
                let what = format!(
                    "the header of the slab at {:#x} is in no mapping of structures",
                    slab.start
                );
                checked.found("registry.slabs", slab.header, what);
            }
        }
        for superslab in &self.superslabs {
            if !own.iter().any(|mapping| mapping.holds(superslab.record)) {
                let what = format!(
                    "the record of the SuperSlab at {:#x} is in no mapping of structures",
                    superslab.base
                );
                checked.found("registry.superslabs", superslab.record, what);
            }
        }
        for cache in &self.caches {
            if !own.iter().any(|mapping| mapping.holds(cache.address)) {
                checked.found(
                    "cache.made_before",
                    cache.address,
                    "the cache is in no mapping of structures".into(),
                );
            }
            self.verify_cache(cache, checked);
        }
        self.verify_entries(checked);
        self.verify_slots(checked);
    }

    fn verify_cache(&self, cache: &Cache, checked: &mut Checked) {
        checked.counters += 2;
        if !(1..=3).contains(&cache.state) {
            let what = format!("it is {}, none of 1 to 3", cache.state);
            checked.found("cache.state", cache.address, what);
        }
        // A thread that is about to end may be gone where the core file was written.
        let threads = &self.image.threads;
        let is_there = threads.is_empty() || threads.iter().any(|t| t.tid == cache.thread);
        if cache.state == Cache::RUNS && !is_there {
            let what = format!(
                "thread {} has it, and there is no such thread",
                cache.thread
            );
            checked.found_unless(cache.is_busy, "cache.thread", cache.address, what);
        }
        let Some(inbox) = self.layout.inbox else {
            return;
        };
        let head = self
            .memory()
            .word(cache.address.wrapping_add(inbox))
            .unwrap_or(0);
        if head == 0 {
            return;
        }
        let slab = self.slab_of_header(head);
        if slab.is_none_or(|slab| slab.is_large() || slab.remote_count == 0) {
            let what =
                format!("the inbox begins with {head:#x}, which is no slab with returned blocks");
            checked.found_unless(cache.is_busy, "cache.inbox", cache.address, what);
        }
    }

    /// The entries of each slab's slots.
    fn verify_entries(&self, checked: &mut Checked) {
        let (memory, layout) = (self.memory(), &self.layout);
        let field = |offset: u64| {
            memory
                .word(layout.registry.wrapping_add(offset))
                .unwrap_or(0)
        };
        let (slabs, owners) = (field(layout.slabs), field(layout.owners));
        self.verify_owners(owners, checked);
        for slab in self.slabs.iter().filter(|slab| !slab.outside) {
            let first = (slab.start - self.base) / layout.slot;
            let bin = self.bin_of(slab);
            let is_busy = self.is_busy(slab);
            for slot in first..first + u64::from(slab.slots.max(1)) {
                checked.entries += 2;
                let entry = memory.word(slabs.wrapping_add(8 * slot)).unwrap_or(0);
                if entry != slab.header {
                    let what = format!(
                        "slot {slot} of the slab at {:#x} is entered as {entry:#x}, and its header is {:#x}",
                        slab.start, slab.header
                    );
                    checked.found("registry.slabs", slab.start, what);
                }
                let owner = memory.word(owners.wrapping_add(8 * slot)).unwrap_or(0);
                if let Some(bin) = bin
                    && owner != bin
                {
                    let what = format!(
                        "slot {slot} of the slab at {:#x} is freed to {owner:#x}, and its owner's bin is {bin:#x}",
                        slab.start
                    );
                    checked.found_unless(is_busy, "registry.owners", slab.start, what);
                }
            }
        }
    }

    /// Slots that blocks are freed to somebody from, and that no slab is entered for.
    fn verify_owners(&self, owners: u64, checked: &mut Checked) {
        let end = owners.saturating_add(8 * self.limit);
        self.memory().scan(owners, end, &mut |at, bytes| {
            for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let (owner, slot) = (u64::from_le_bytes(*word), (at - owners) / 8 + index as u64);
                let address = self.base.wrapping_add(slot.wrapping_mul(self.layout.slot));
                if owner != 0 && self.slab_at(address).is_none() {
                    let what = format!("slot {slot} is freed to {owner:#x}, and no slab is there");
                    checked.found_unless(self.is_any_busy(), "registry.slabs", address, what);
                }
            }
            checked.findings.len() < super::MOST
        });
    }

    /// The address of the bin that a slab's blocks are freed to; 0 of LARGE. None if not known.
    fn bin_of(&self, slab: &crate::heap::Slab) -> Option<u64> {
        if slab.is_large() {
            return Some(0);
        }
        let cache = self.owner(slab)?;
        let layout = &self.layout;
        Some(
            cache
                .address
                .wrapping_add(layout.bins + u64::from(slab.class) * layout.bin_bytes),
        )
    }

    /// The slots that slabs take, and those that SuperSlabs say are free; owners.
    fn verify_slots(&self, checked: &mut Checked) {
        for slab in &self.slabs {
            self.verify_owner(slab, checked);
            if slab.kind == Kind::Mapping {
                if slab.superslab != 0 {
                    let what = format!(
                        "the mapping at {:#x} names the SuperSlab {:#x}",
                        slab.start, slab.superslab
                    );
                    checked.found("slab.superslab", slab.header, what);
                }
                continue;
            }
            match self.superslab_at(slab.start) {
                Some(superslab) => self.verify_slots_of(slab, superslab, checked),
                None => {
                    let what = format!("the slab at {:#x} is in no SuperSlab", slab.start);
                    checked.found("registry.superslabs", slab.start, what);
                }
            }
        }
    }

    fn verify_owner(&self, slab: &Slab, checked: &mut Checked) {
        let known = self.layout.inbox.is_some();
        if slab.kind == Kind::Blocks && known && self.cache_of_inbox(slab.owner).is_none() {
            let what = format!(
                "the slab at {:#x} is owned by {:#x}, which is no cache's inbox",
                slab.start, slab.owner
            );
            checked.found("slab.owner", slab.header, what);
        }
        if slab.is_large() && slab.owner != 0 {
            let what = format!(
                "the LARGE block at {:#x} is owned by {:#x}",
                slab.start, slab.owner
            );
            checked.found("slab.owner", slab.header, what);
        }
    }

    /// A slab's slots in the SuperSlab that it is in.
    fn verify_slots_of(&self, slab: &Slab, superslab: &SuperSlab, checked: &mut Checked) {
        let layout = &self.layout;
        if layout.slab_superslab.is_some() && slab.superslab != superslab.record {
            let what = format!(
                "the slab at {:#x} names the SuperSlab {:#x}, and is in {:#x}",
                slab.start, slab.superslab, superslab.record
            );
            checked.found("slab.superslab", slab.header, what);
        }
        let first = (slab.start - superslab.base) / layout.slot;
        for slot in first..first + u64::from(slab.slots) {
            let bit = 1_u32.checked_shl(slot as u32).unwrap_or(0);
            let mut told = |check, noted: &str| {
                let what = format!(
                    "slot {slot} is noted as {noted}, and the slab at {:#x} is there",
                    slab.start
                );
                checked.found(check, superslab.base, what);
            };
            if bit == 0 || superslab.free & bit != 0 {
                told("superslab.free", "free");
            }
            if superslab.clean & bit != 0 {
                told("superslab.clean", "clean");
            }
        }
    }
}
