//! From the registry to all slabs and SuperSlabs.

use super::slab::Slab;
use super::{Finding, Heap};

/// A SuperSlab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuperSlab {
    /// The address of its record.
    pub record: u64,
    /// The address of its memory.
    pub base: u64,
    /// A bit for each slot that nobody holds.
    pub free: u32,
    /// A bit for each slot that reads as zero.
    pub clean: u32,
    /// Whether it is outside of the arena.
    pub outside: bool,
}

/// Entries of an array that are looked at: those of 4 TiB of slots.
const ENTRIES_MAX: u64 = 1 << 26;
/// The most tables outside of the arena.
const TABLES_MAX: u64 = 1 << 17;

/// An array of the registry: entries from `address` on, the first for the memory at `base`.
struct Array {
    address: u64,
    count: u64,
    base: u64,
    step: u64,
    outside: bool,
}

impl Heap<'_> {
    pub(super) fn read_registry(&mut self) {
        let (memory, layout) = (self.memory(), self.layout.clone());
        let field = |offset: u64| {
            memory
                .word(layout.registry.wrapping_add(offset))
                .unwrap_or(0)
        };
        self.base = field(layout.base);
        self.limit = field(layout.limit);
        if self.limit > ENTRIES_MAX || !self.base.is_multiple_of(layout.slot) {
            let what = format!("{} slots from {:#x} on", self.limit, self.base);
            self.damaged("registry.limit", layout.registry, what);
            self.limit = self.limit.min(ENTRIES_MAX);
        }
        let per_superslab = layout.superslab / layout.slot;
        let mut arrays = vec![(
            Array {
                address: field(layout.slabs),
                count: self.limit,
                base: self.base,
                step: layout.slot,
                outside: false,
            },
            Array {
                address: field(layout.superslabs),
                count: self.limit / per_superslab,
                base: self.base,
                step: layout.superslab,
                outside: false,
            },
        )];
        self.outer_arrays(&mut arrays);
        for (slabs, superslabs) in &arrays {
            self.read_slabs(slabs);
            self.read_superslabs(superslabs);
        }
        self.slabs.sort_by_key(|slab| slab.start);
        self.superslabs.sort_by_key(|superslab| superslab.base);
        self.drop_overlapping();
    }

    fn outer_arrays(&self, arrays: &mut Vec<(Array, Array)>) {
        let (memory, layout) = (self.memory(), &self.layout);
        let span = layout.outer_span;
        if span < layout.superslab || !span.is_multiple_of(layout.superslab) {
            return;
        }
        let table = layout.registry.wrapping_add(layout.outer);
        for index in 0..layout.outer_count.min(TABLES_MAX) {
            let entry = memory.word(table.wrapping_add(8 * index)).unwrap_or(0);
            let Some(base) = index.checked_mul(span) else {
                break;
            };
            let slots = (span / layout.slot).min(ENTRIES_MAX);
            if entry == 0 {
                continue;
            }
            arrays.push((
                Array {
                    address: entry,
                    count: slots,
                    base,
                    step: layout.slot,
                    outside: true,
                },
                Array {
                    address: entry.wrapping_add(8 * slots),
                    count: span / layout.superslab,
                    base,
                    step: layout.superslab,
                    outside: true,
                },
            ));
        }
    }

    /// The entries of an array that are not zero: the address that they are for, and the entry.
    fn entries(&self, array: &Array, mut each: impl FnMut(u64, u64)) {
        let end = array
            .address
            .saturating_add(8 * array.count.min(ENTRIES_MAX));
        self.memory().scan(array.address, end, &mut |at, bytes| {
            for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let entry = u64::from_le_bytes(*word);
                if entry != 0 {
                    let number = (at - array.address) / 8 + index as u64;
                    each(array.base.wrapping_add(number * array.step), entry);
                }
            }
            true
        });
    }

    fn read_slabs(&mut self, array: &Array) {
        let (memory, layout) = (self.memory(), self.layout.clone());
        let (mut slabs, mut damage) = (vec![], vec![]);
        let mut last = 0;
        self.entries(array, |address, header| {
            if header == last {
                return;
            }
            match Slab::read(memory, &layout, header) {
                Some(Ok(slab)) => {
                    if slab.start == address {
                        last = header;
                        slabs.push(Slab {
                            outside: array.outside,
                            ..slab
                        });
                    } else if address < slab.start || address >= slab.end(&layout) {
                        damage.push(Finding {
                            check: "registry.slabs",
                            address,
                            what: format!(
                                "the entry is the header {header:#x}, whose slab is at {:#x}",
                                slab.start
                            ),
                        });
                    }
                }
                Some(Err(wrong)) => {
                    last = header;
                    damage.push(Finding {
                        check: wrong.field,
                        address: header,
                        what: format!(
                            "{} says {} (entered for {address:#x})",
                            wrong.field, wrong.why
                        ),
                    });
                }
                None => damage.push(Finding {
                    check: "registry.slabs",
                    address,
                    what: format!("the entry is {header:#x}, where no open slab is"),
                }),
            }
        });
        self.slabs.append(&mut slabs);
        self.damage.append(&mut damage);
    }

    fn read_superslabs(&mut self, array: &Array) {
        let (memory, layout) = (self.memory(), self.layout.clone());
        let (mut superslabs, mut damage) = (vec![], vec![]);
        self.entries(array, |address, record| {
            let at = |offset: u64| record.wrapping_add(offset);
            let base = memory.word(at(layout.superslab_base));
            if base != Some(address) {
                let said = base.map_or("cannot be read".into(), |base| {
                    format!("says base {base:#x}")
                });
                damage.push(Finding {
                    check: "superslab.base",
                    address,
                    what: format!("the entry is the record {record:#x}, which {said}"),
                });
                return;
            }
            superslabs.push(SuperSlab {
                record,
                base: address,
                free: memory.half(at(layout.superslab_free)).unwrap_or(0),
                clean: memory.half(at(layout.superslab_clean)).unwrap_or(0),
                outside: array.outside,
            });
        });
        self.superslabs.append(&mut superslabs);
        self.damage.append(&mut damage);
    }

    /// Leaves out slabs that reach into the next one.
    fn drop_overlapping(&mut self) {
        let layout = self.layout.clone();
        let mut kept: Vec<Slab> = Vec::with_capacity(self.slabs.len());
        for slab in std::mem::take(&mut self.slabs) {
            match kept.last() {
                Some(last) if last.end(&layout) > slab.start => {
                    let what = format!(
                        "the slab at {:#x} (header {:#x}) reaches into the one at {:#x}",
                        last.start, last.header, slab.start
                    );
                    self.damaged("slab.slots", slab.header, what);
                }
                _ => kept.push(slab),
            }
        }
        self.slabs = kept;
    }
}
