//! Where the program can begin: registers, stacks, and all that it may write to and is neither a
//! block nor the allocator's own.

use super::RootKind;
use crate::heap::{Heap, Mapping};
use crate::image::{Registers, Segment};

impl Heap<'_> {
    /// Calls `each` for what the program can begin with: the kind, the address (0 of registers) and
    /// the bytes.
    pub fn for_each_root(&self, each: &mut dyn FnMut(RootKind, u64, &[u8])) {
        for thread in &self.image.threads {
            if let Some(registers) = &thread.registers {
                let values: Vec<u8> = general(registers).flat_map(u64::to_le_bytes).collect();
                each(RootKind::Register(thread.tid), 0, &values);
            }
        }
        let taken = self.taken();
        for segment in self.image.memory.segments() {
            if !segment.access.write || !segment.access.read || self.is_recording(segment) {
                continue;
            }
            let (kind, from) = self.root_kind(segment);
            for (start, end) in outside(&taken, from, segment.end) {
                self.memory().scan(start, end, &mut |at, bytes| {
                    each(kind, at, bytes);
                    true
                });
            }
        }
    }

    /// What a segment is, and from where on it counts: of a stack, from its pointer on.
    fn root_kind(&self, segment: &Segment) -> (RootKind, u64) {
        /// Bytes below the pointer that a function without calls may use.
        const RED_ZONE: u64 = 128;
        let pointers = self.image.threads.iter().filter_map(|thread| {
            let pointer = thread
                .stack_pointer()
                .filter(|pointer| segment.holds(*pointer))?;
            Some((pointer, thread.tid))
        });
        match pointers.min() {
            Some((pointer, thread)) => {
                let from = pointer.saturating_sub(RED_ZONE).max(segment.start);
                (RootKind::Stack(thread), from & !7)
            }
            None => (RootKind::Data, segment.start),
        }
    }

    /// Memory that holds blocks, or is the allocator's or the observers' own: by address, apart.
    fn taken(&self) -> Vec<(u64, u64)> {
        let own = self
            .mappings
            .iter()
            .map(|m| (m.address, m.address.saturating_add(m.len)));
        let superslabs = self.superslabs.iter().filter(|s| s.outside);
        let superslabs = superslabs.map(|s| (s.base, s.base.saturating_add(self.layout.superslab)));
        let large = self.slabs.iter().filter(|slab| slab.outside);
        let large = large.map(|slab| (slab.start, slab.end(&self.layout)));
        let guarded = self.guarded.iter().map(|block| block.run);
        let mut taken: Vec<(u64, u64)> = own
            .chain(superslabs)
            .chain(large)
            .chain(guarded)
            .chain(self.observers.iter().copied())
            .chain(self.variables())
            .collect();
        taken.sort_unstable();
        taken.dedup_by(|next, last| {
            let touches = next.0 <= last.1;
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
        taken
    }

    /// The library's variables, where it is a library of its own; a program's file has others beside.
    fn variables(&self) -> Option<(u64, u64)> {
        let module = self.image.module(self.root.address)?;
        let name = module.path.file_name()?.to_str()?;
        name.starts_with("libhakmem")
            .then_some((module.range.start, module.range.end))
    }

    /// Whether a segment is a file of a trace, which is full of addresses.
    fn is_recording(&self, segment: &Segment) -> bool {
        let Some(file) = self.image.file(segment.start) else {
            return false;
        };
        let Some((directory, _)) = file.path.rsplit_once('/') else {
            return false;
        };
        let is_session = |path: &str| path.strip_prefix(directory) == Some("/session");
        self.image.files.iter().any(|file| is_session(&file.path))
    }

    /// Whether an address is in memory of the allocator's own.
    pub fn is_own(&self, address: u64) -> bool {
        let own = |mapping: &Mapping| mapping.kind != Mapping::ARENA && mapping.holds(address);
        self.mappings.iter().any(own)
    }
}

/// The parts of a range that nothing of these, which are apart and by address, takes.
fn outside(taken: &[(u64, u64)], start: u64, end: u64) -> Vec<(u64, u64)> {
    let first = taken.partition_point(|range| range.1 <= start);
    let (mut parts, mut at) = (vec![], start);
    for (from, to) in taken[first..].iter().take_while(|range| range.0 < end) {
        if *from > at {
            parts.push((at, *from));
        }
        at = at.max(*to);
    }
    if at < end {
        parts.push((at, end));
    }
    parts
}

/// Registers that may hold a pointer.
fn general(registers: &Registers) -> impl Iterator<Item = u64> + '_ {
    const OTHERS: [&str; 9] = [
        "orig_rax", "cs", "eflags", "ss", "ds", "es", "fs", "gs", "rip",
    ];
    registers
        .named()
        .filter(|(name, _)| !OTHERS.contains(name))
        .map(|(_, value)| value)
}
