//! A slab as its header says it is, and its bitmaps.

use super::layout::Layout;
use super::records::Record;
use crate::image::Memory;

/// What a slab's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blocks of a size class.
    Blocks,
    /// One LARGE block in slots of a SuperSlab.
    Run,
    /// One LARGE block in a mapping.
    Mapping,
}

/// A slab.
#[derive(Clone, Copy, Debug)]
pub struct Slab {
    /// The address of its header.
    pub header: u64,
    /// The address of its first slot, or of its LARGE block.
    pub start: u64,
    /// Bytes in front of its first block.
    pub colour: u16,
    /// What it is.
    pub kind: Kind,
    /// Its class, of blocks.
    pub class: u8,
    /// Its blocks.
    pub blocks: u16,
    /// The first block that is handed out: builds with guards between blocks leave one out.
    pub first: u16,
    /// Bytes of a block.
    pub bytes: u64,
    /// Slots of a SuperSlab that it takes; 0 of a mapping.
    pub slots: u8,
    /// The addresses of its bitmaps.
    pub free: u64,
    /// As above.
    pub remote: u64,
    /// The address of its owner's inbox.
    pub owner: u64,
    /// Words that each of its bitmaps has room for.
    pub words: u8,
    /// Blocks that are out.
    pub used: u16,
    /// Blocks from this index on were never handed out.
    pub fresh: u16,
    /// Blocks from this index on were not written to by a checked build.
    pub carved: u16,
    /// Bits of words that are not zero.
    pub summary: u64,
    /// As above, of the remote words.
    pub remote_summary: u64,
    /// Returns that were announced and not counted.
    pub remote_count: u32,
    /// Its SuperSlab.
    pub superslab: u64,
    /// Whether it is on its owner's list of slabs with free blocks.
    pub partial: bool,
    /// The next one on that list.
    pub after: u64,
    /// Whether it is outside of the arena.
    pub outside: bool,
}

/// A header that says what cannot be: which field, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implausible {
    /// The name of the field, as in the root structure.
    pub field: &'static str,
    /// What it says.
    pub why: String,
}

fn implausible(field: &'static str, why: String) -> Implausible {
    Implausible { field, why }
}

/// The bits of a slab's blocks.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    /// Free in the slab.
    pub free: Vec<u64>,
    /// On the owner's list; empty where the layout does not say where they are.
    pub listed: Vec<u64>,
    /// Returned by other threads.
    pub remote: Vec<u64>,
    /// What a checked build keeps of each; empty where there is nothing.
    pub records: Vec<Record>,
}

/// Whether a bit is set; those that are not there are not.
pub fn is_set(words: &[u64], index: usize) -> bool {
    words
        .get(index / 64)
        .is_some_and(|word| word & 1 << (index % 64) != 0)
}

impl Slab {
    /// Reads the header at `header`. None if it is not there, or says that it is closed.
    pub fn read(
        memory: &Memory,
        layout: &Layout,
        header: u64,
    ) -> Option<Result<Self, Implausible>> {
        let bytes = memory.bytes(header, layout.header_bytes() as usize)?;
        let word = |offset: u64| {
            let at = offset as usize;
            let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
            u64::from_le_bytes(word.unwrap_or_default())
        };
        let optional = |offset: Option<u64>| offset.map_or(0, word);
        let kind = match word(layout.slab_kind) as u8 {
            0 => return None,
            1 => Kind::Blocks,
            2 => Kind::Run,
            3 => Kind::Mapping,
            other => return Some(Err(implausible("slab.kind", format!("{other}")))),
        };
        let mut slab = Self {
            header,
            start: word(layout.slab_start),
            colour: match kind {
                Kind::Blocks => optional(layout.slab_colour) as u16,
                _ => 0,
            },
            kind,
            class: word(layout.slab_class) as u8,
            blocks: word(layout.slab_blocks) as u16,
            first: match kind {
                Kind::Blocks => layout.slab_first.unwrap_or(0).min(1) as u16,
                _ => 0,
            },
            bytes: 0,
            slots: word(layout.slab_slots) as u8,
            free: word(layout.slab_free),
            remote: word(layout.slab_remote),
            owner: word(layout.slab_owner),
            words: optional(layout.slab_words) as u8,
            used: optional(layout.slab_used) as u16,
            fresh: optional(layout.slab_fresh) as u16,
            carved: optional(layout.slab_carved) as u16,
            summary: optional(layout.slab_summary),
            remote_summary: optional(layout.slab_remote_summary),
            remote_count: optional(layout.slab_remote_count) as u32,
            superslab: optional(layout.slab_superslab),
            partial: optional(layout.slab_partial) as u8 != 0,
            after: optional(layout.slab_after),
            outside: false,
        };
        Some(
            slab.measure(layout, word(layout.slab_pages) as u32)
                .map(|()| slab),
        )
    }

    /// Finds the size of its blocks, and whether they fit.
    fn measure(&mut self, layout: &Layout, pages: u32) -> Result<(), Implausible> {
        if self.start == 0 || !self.start.is_multiple_of(layout.slot) {
            return Err(implausible("slab.start", format!("{:#x}", self.start)));
        }
        let span = u64::from(self.slots) * layout.slot;
        if span > layout.superslab || (span == 0) != (self.kind == Kind::Mapping) {
            return Err(implausible("slab.slots", format!("{}", self.slots)));
        }
        if self.kind != Kind::Blocks {
            self.bytes = u64::from(pages) * layout.page;
            let fits = self.kind == Kind::Mapping || self.bytes <= span;
            if pages == 0 || !fits || self.start.checked_add(self.bytes).is_none() {
                return Err(implausible("slab.pages", format!("{pages}")));
            }
            if self.blocks != 1 {
                let why = format!("{} of a LARGE block", self.blocks);
                self.blocks = 1;
                return Err(implausible("slab.blocks", why));
            }
            return Ok(());
        }
        let Some(bytes) = layout.bytes_of(self.class) else {
            return Err(implausible(
                "slab.class",
                format!("{} of {}", self.class, layout.classes),
            ));
        };
        self.bytes = bytes;
        let fitting = span / bytes;
        if self.blocks == 0 || u64::from(self.blocks) != fitting {
            let why = format!("{}, and {fitting} of {bytes} bytes fit", self.blocks);
            return Err(implausible("slab.blocks", why));
        }
        let spare = span % bytes;
        if u64::from(self.colour) > spare {
            let why = format!("{}, and {spare} bytes are no blocks'", self.colour);
            return Err(implausible("slab.colour", why));
        }
        Ok(())
    }

    /// The address behind its last slot or page.
    pub fn end(&self, layout: &Layout) -> u64 {
        let span = match self.kind {
            Kind::Mapping => self.bytes,
            _ => u64::from(self.slots) * layout.slot,
        };
        self.start.saturating_add(span)
    }

    /// Whether its block is LARGE.
    pub fn is_large(&self) -> bool {
        self.kind != Kind::Blocks
    }

    /// The index of the block that an address is in, and where in it; None before the first and behind the last one.
    pub fn index_of(&self, address: u64) -> Option<(usize, u64)> {
        let offset = address.checked_sub(self.block(0))?;
        let index = offset / self.bytes;
        let is_there = (u64::from(self.first)..u64::from(self.blocks)).contains(&index);
        is_there.then_some((index as usize, offset % self.bytes))
    }

    /// The indices of its blocks.
    pub fn indices(&self) -> std::ops::Range<usize> {
        usize::from(self.first)..usize::from(self.blocks)
    }

    /// The address of a block.
    pub fn block(&self, index: usize) -> u64 {
        let first = self.start.wrapping_add(u64::from(self.colour));
        first.wrapping_add(index as u64 * self.bytes)
    }

    /// The words of a bitmap that its blocks take.
    pub fn bitmap_words(&self) -> usize {
        usize::from(self.blocks).div_ceil(64)
    }

    /// Its bitmaps; what cannot be read has no bits.
    pub fn bits(&self, memory: &Memory, layout: &Layout) -> Bits {
        let count = self.bitmap_words();
        let words = |address: u64| memory.words(address, count).unwrap_or_default();
        if self.is_large() {
            return Bits {
                remote: words(self.remote).iter().map(|word| word & 1).collect(),
                ..Bits::default()
            };
        }
        let listed = layout.slab_words.map(|_| {
            let behind = self.free.wrapping_add(8 * u64::from(self.words));
            words(behind)
        });
        Bits {
            free: words(self.free),
            listed: listed.unwrap_or_default(),
            remote: words(self.remote),
            records: vec![],
        }
    }
}
