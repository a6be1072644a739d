//! The root structure's numbers by field, so that a walk over a heap looks up no names.

use super::root::Root;

macro_rules! layout {
    ($($field:ident = $name:literal,)* ; $($optional:ident = $optional_name:literal,)*) => {
        /// Addresses, offsets and sizes; see `docs/ROOT-STRUCTURE.md` for what each is. Those that
        /// older versions do not have are optional.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "the fields are the names of the page")]
        pub struct Layout {
            $(pub $field: u64,)*
            $(pub $optional: Option<u64>,)*
            pub class_bytes: Vec<u64>,
        }

        impl Layout {
            /// The names that a reader cannot do without.
            const REQUIRED: &[&str] = &[$($name),*];

            /// The numbers of a root structure; fails with what is missing or cannot be.
            pub fn of(root: &Root) -> Result<Self, String> {
                let missing: Vec<&str> = Self::REQUIRED
                    .iter()
                    .copied()
                    .filter(|name| root.get(name).is_none())
                    .collect();
                if !missing.is_empty() {
                    return Err(format!("it does not say {}", missing.join(", ")));
                }
                let layout = Self {
                    $($field: root.get($name).unwrap_or(0),)*
                    $($optional: root.get($optional_name),)*
                    class_bytes: root.all("class.bytes").to_vec(),
                };
                layout.check().map(|()| layout)
            }

            /// Offsets within a slab's header.
            fn slab_offsets(&self) -> Vec<u64> {
                let all = [$((concat!($name), Some(self.$field)),)* $((concat!($optional_name), self.$optional),)*];
                all.iter()
                    .filter(|(name, _)| name.starts_with("slab.") && *name != "slab.first_block")
                    .filter_map(|(_, offset)| *offset)
                    .collect()
            }
        }
    };
}

layout! {
    page = "page.bytes",
    slot = "slot.bytes",
    superslab = "superslab.bytes",
    classes = "classes",
    link = "list.link",
    key = "link.key",
    registry = "registry",
    base = "registry.base",
    limit = "registry.limit",
    owners = "registry.owners",
    slabs = "registry.slabs",
    superslabs = "registry.superslabs",
    outer = "registry.outer",
    outer_count = "registry.outer.count",
    outer_span = "registry.outer.span",
    slab_start = "slab.start",
    slab_kind = "slab.kind",
    slab_class = "slab.class",
    slab_blocks = "slab.blocks",
    slab_slots = "slab.slots",
    slab_pages = "slab.pages",
    slab_free = "slab.free",
    slab_remote = "slab.remote",
    slab_owner = "slab.owner",
    superslab_base = "superslab.base",
    superslab_free = "superslab.free",
    superslab_clean = "superslab.clean",
    caches = "caches",
    made_before = "cache.made_before",
    cache_state = "cache.state",
    cache_busy = "cache.busy",
    cache_thread = "cache.thread",
    bins = "cache.bins",
    bin_bytes = "bin.bytes",
    bin_top = "bin.top",
    shelves = "cache.shelves",
    shelf_bytes = "shelf.bytes",
    shelf_bottom = "shelf.bottom",
    list_head = "shelf.list.head",
    list_len = "shelf.list.len",
    remote_entries = "cache.remote.entries",
    remote_count = "remote.entries",
    remote_bytes = "remote_entry.bytes",
    remote_slab = "remote_entry.slab",
    remote_words = "remote_entry.words",
    mappings = "mappings",
    mappings_count = "mappings.count",
    mappings_capacity = "mappings.capacity",
    mapping_bytes = "mapping.bytes",
    mapping_address = "mapping.address",
    mapping_len = "mapping.len",
    mapping_kind = "mapping.kind",
    ;
    inbox = "cache.inbox",
    slab_first = "slab.first_block",
    slab_colour = "slab.colour",
    slab_superslab = "slab.superslab",
    slab_words = "slab.words",
    slab_used = "slab.used",
    slab_fresh = "slab.fresh",
    slab_carved = "slab.carved",
    slab_summary = "slab.summary",
    slab_partial = "slab.partial",
    slab_before = "slab.before",
    slab_after = "slab.after",
    slab_remote_summary = "slab.remote.summary",
    slab_remote_count = "slab.remote.count",
    bin_end = "bin.end",
    shelf_capacity = "shelf.capacity",
    shelf_current = "shelf.current",
    shelf_partial = "shelf.partial",
    list_capacity = "shelf.list.capacity",
    entry_count = "remote_entry.count",
    stock = "stock",
    stock_ranges = "stock.ranges",
    stock_len = "stock.len",
    range_bytes = "range.bytes",
    range_start = "range.start",
    range_units = "range.units",
    session = "trace.session",
}

/// The most bytes that a structure of the allocator's may have.
const STRUCTURE_MAX: u64 = 1 << 20;
const CLASSES_MAX: u64 = 256;

impl Layout {
    /// Whether the numbers can be true; those that are not would lead a reader astray.
    fn check(&self) -> Result<(), String> {
        let power = |name: &str, number: u64, most: u64| match number {
            n if n.is_power_of_two() && n <= most => Ok(()),
            n => Err(format!("{name} is {n}")),
        };
        power("page.bytes", self.page, 1 << 20)?;
        power("slot.bytes", self.slot, 1 << 30)?;
        power("superslab.bytes", self.superslab, 1 << 36)?;
        if self.slot < self.page || self.superslab < self.slot || self.superslab / self.slot > 64 {
            return Err(format!(
                "pages, slots and SuperSlabs have {}, {} and {} bytes",
                self.page, self.slot, self.superslab
            ));
        }
        if self.classes > CLASSES_MAX || self.class_bytes.len() as u64 != self.classes {
            return Err(format!(
                "{} classes, of which {} have a size",
                self.classes,
                self.class_bytes.len()
            ));
        }
        let sized = |bytes: &u64| (8..=self.superslab).contains(bytes) && bytes.is_multiple_of(8);
        if let Some(bytes) = self.class_bytes.iter().find(|bytes| !sized(bytes)) {
            return Err(format!("a class has blocks of {bytes} bytes"));
        }
        let within = [
            self.bins,
            self.bin_bytes,
            self.bin_top,
            self.shelves,
            self.shelf_bytes,
            self.shelf_bottom,
            self.list_head,
            self.list_len,
            self.remote_entries,
            self.remote_count,
            self.remote_bytes,
            self.remote_slab,
            self.remote_words,
            self.base,
            self.limit,
            self.owners,
            self.slabs,
            self.superslabs,
            self.outer,
            self.mapping_bytes,
            self.mapping_address,
            self.mapping_len,
            self.mapping_kind,
            self.made_before,
            self.cache_state,
            self.cache_busy,
            self.cache_thread,
            self.link,
            self.superslab_base,
            self.superslab_free,
            self.superslab_clean,
            self.outer_count,
            self.mappings_capacity,
            self.header_bytes(),
        ];
        match within.iter().find(|number| **number > STRUCTURE_MAX) {
            Some(number) => Err(format!("an offset or size in it is {number}")),
            None => Ok(()),
        }
    }

    /// Bytes of a slab's header that are read.
    pub fn header_bytes(&self) -> u64 {
        self.slab_offsets()
            .into_iter()
            .max()
            .unwrap_or(0)
            .saturating_add(8)
    }

    /// Bytes of a block of a class.
    pub fn bytes_of(&self, class: u8) -> Option<u64> {
        self.class_bytes.get(usize::from(class)).copied()
    }
}
