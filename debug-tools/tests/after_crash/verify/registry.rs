//! The registry, SuperSlabs, mappings and the stock.

use hakmem_debug_tools::heap::Slab;

use super::{Flips, OWN};

impl Flips<'_> {
    pub(super) fn registry(&mut self, slab: &Slab) {
        let layout = self.layout().clone();
        let field = |offset: u64| layout.registry + offset;
        let slot = (slab.start - self.heap.base) / layout.slot;
        let entry = |array: u64| self.word(field(array)) + 8 * slot;
        let (slabs, owners) = (entry(layout.slabs), entry(layout.owners));
        let unit =
            self.word(field(layout.superslabs)) + 8 * (slot / (layout.superslab / layout.slot));
        self.flip("entry of a slab", slabs, 8, 1 << 7, &["registry.slabs"]);
        self.add(
            "entry of a slab, gone",
            slabs,
            8,
            0,
            &["registry.slabs", "superslab.free", "accounts"],
        );
        self.flip("entry of an owner", owners, 8, 1 << 4, &["registry.owners"]);
        self.flip("entry of a SuperSlab", unit, 8, 1 << 7, &["superslab.base"]);
        self.flip("registry.base", field(layout.base), 8, 1 << 30, OWN);
        self.add("registry.limit", field(layout.limit), 8, 0, &["accounts"]);
        self.flip("registry.owners", field(layout.owners), 8, 1 << 12, OWN);
        self.flip("registry.slabs", field(layout.slabs), 8, 1 << 12, OWN);
        self.flip(
            "registry.superslabs",
            field(layout.superslabs),
            8,
            1 << 12,
            OWN,
        );
        let superslab = *self.heap.superslab_at(slab.start).unwrap();
        let bit = 1 << ((slab.start - superslab.base) / layout.slot);
        let at = |offset: u64| superslab.record + offset;
        self.flip("superslab.base", at(layout.superslab_base), 8, 1 << 21, OWN);
        self.flip("superslab.free", at(layout.superslab_free), 4, bit, OWN);
        self.flip("superslab.clean", at(layout.superslab_clean), 4, bit, OWN);
        let mapping = |offset: u64| layout.mappings + offset;
        self.flip(
            "mapping.address",
            mapping(layout.mapping_address),
            8,
            1 << 46,
            &["mapping.len", "registry.owners", "registry.slabs"],
        );
        self.flip("mapping.len", mapping(layout.mapping_len), 8, 1 << 45, OWN);
        self.add("mapping.kind", mapping(layout.mapping_kind), 8, 9, OWN);
        self.add(
            "mappings.count",
            layout.mappings_count,
            8,
            1,
            &[
                "registry.base",
                "accounts",
                "registry.slabs",
                "registry.owners",
            ],
        );
        let stock = layout.stock.unwrap() + layout.stock_len.unwrap();
        let value = self.word(stock) + 7;
        self.add("stock.len", stock, 8, value, &["accounts", "stock.ranges"]);
    }
}
