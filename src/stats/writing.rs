//! Statistics as a table, as JSON and as XML.

use super::areas::Areas;
use super::text::Text;
use super::{ClassStatistics, Statistics, TIERS, TierStatistics};

impl Statistics {
    fn totals(&self) -> [(&'static str, u64); 5] {
        [
            ("mapped", self.mapped as u64),
            ("resident", self.resident as u64),
            ("dirty", self.dirty as u64),
            ("superslabs_cached", self.superslabs_cached as u64),
            ("metadata", self.metadata as u64),
        ]
    }

    /// Writes them as JSON: an object with the totals and `tiers`, `pool` and `classes`. The
    /// names are those of the fields.
    pub fn write_json(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut out = Text(sink);
        out.text("{\"version\":\"")
            .text(env!("CARGO_PKG_VERSION"))
            .text("\"");
        for (name, value) in self.totals() {
            out.text(",\"").text(name).text("\":").number(value, 0);
        }
        out.text(",\"tiers\":{");
        for (index, (name, tier)) in TIERS.iter().zip(&self.tiers).enumerate() {
            out.text(if index == 0 { "\"" } else { ",\"" });
            out.text(name).text("\":");
            json_object(&mut out, tier.by_name().into_iter());
        }
        out.text("},\"pool\":");
        json_object(&mut out, self.pool.by_name());
        out.text(",\"classes\":[");
        for (index, class) in self.classes.iter().enumerate() {
            if index > 0 {
                out.text(",");
            }
            json_object(&mut out, class.by_name().into_iter());
        }
        out.text("]}");
    }

    /// Writes them as XML, in the manner of glibc's `malloc_info`.
    pub fn write_xml(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut out = Text(sink);
        out.text("<malloc version=\"1\" allocator=\"hakmem\">\n<sizes>\n");
        for class in self.classes.iter().filter(|class| class.slabs > 0) {
            out.text("<size to=\"").number(class.block_bytes as u64, 0);
            out.text("\" live=\"").number(class.live as u64, 0);
            out.text("\" count=\"")
                .number((class.free + class.cached) as u64, 0);
            out.text("\"/>\n");
        }
        out.text("</sizes>\n");
        for (name, value) in self.totals() {
            out.text("<").text(name).text(" size=\"").number(value, 0);
            out.text("\"/>\n");
        }
        out.text("</malloc>\n");
    }

    /// Writes them as a table for people, with a heading.
    pub fn write_table(&self, sink: &mut dyn FnMut(&[u8])) {
        self.write_areas(Areas::ALL, sink);
    }

    /// Writes parts of the table, with a heading.
    pub(crate) fn write_areas(&self, areas: Areas, sink: &mut dyn FnMut(&[u8])) {
        let mut out = Text(sink);
        out.text("hakmem ")
            .text(env!("CARGO_PKG_VERSION"))
            .text(" statistics\n");
        if areas.has(Areas::TOTALS) {
            named(&mut out, self.totals().into_iter());
        }
        if areas.has(Areas::TIERS) {
            out.text("tier         live blocks     live bytes   cached bytes     free bytes\n");
            for (name, tier) in TIERS.iter().zip(&self.tiers) {
                out.text("  ").left(name, 7);
                for (_, value) in tier.by_name() {
                    out.number(value, 15);
                }
                out.text("\n");
            }
        }
        let is_learnt = |name: &str| name.starts_with("learn_");
        let counts = || self.pool.by_name().filter(|(_, value)| *value > 0);
        if areas.has(Areas::POOL) {
            out.text("shared pool, caches and LARGE\n");
            named(&mut out, counts().filter(|(name, _)| !is_learnt(name)));
        }
        if areas.has(Areas::LEARN) && self.pool.learn_windows > 0 {
            out.text("learning\n");
            named(&mut out, counts().filter(|(name, _)| is_learnt(name)));
        }
        if areas.has(Areas::CLASSES) {
            self.write_classes(&mut out);
        }
    }

    fn write_classes(&self, out: &mut Text<'_>) {
        let Some(first) = self.classes.first() else {
            return;
        };
        for (name, _) in first.by_name() {
            out.right(short(name), 11);
        }
        out.text("\n");
        for class in self.classes.iter().filter(|class| class.is_used()) {
            for (_, value) in class.by_name() {
                out.number(value, 11);
            }
            out.text("\n");
        }
    }
}

impl ClassStatistics {
    fn by_name(&self) -> [(&'static str, u64); 15] {
        [
            ("block_bytes", self.block_bytes as u64),
            ("slabs", self.slabs as u64),
            ("blocks", self.blocks as u64),
            ("live", self.live as u64),
            ("cached", self.cached as u64),
            ("free", self.free as u64),
            ("misses", self.misses),
            ("refills", self.refills),
            ("refilled", self.refilled),
            ("list_hits", self.list_hits),
            ("drains", self.drains),
            ("drained", self.drained),
            ("remote_freed", self.remote_freed),
            ("remote_published", self.remote_published),
            ("collected", self.collected),
        ]
    }

    fn is_used(&self) -> bool {
        self.slabs > 0 || self.misses > 0
    }
}

impl TierStatistics {
    fn by_name(&self) -> [(&'static str, u64); 4] {
        [
            ("live", self.live as u64),
            ("live_bytes", self.live_bytes as u64),
            ("cached_bytes", self.cached_bytes as u64),
            ("free_bytes", self.free_bytes as u64),
        ]
    }
}

fn named(out: &mut Text<'_>, values: impl Iterator<Item = (&'static str, u64)>) {
    for (name, value) in values {
        out.text("  ").left(name, 24).number(value, 14).text("\n");
    }
}

/// A heading of at most ten letters.
fn short(name: &'static str) -> &'static str {
    match name {
        "block_bytes" => "block",
        "remote_freed" => "remote",
        "remote_published" => "published",
        name => name,
    }
}

fn json_object(out: &mut Text<'_>, fields: impl Iterator<Item = (&'static str, u64)>) {
    for (index, (name, value)) in fields.enumerate() {
        out.text(if index == 0 { "{\"" } else { ",\"" });
        out.text(name).text("\":").number(value, 0);
    }
    out.text("}");
}
