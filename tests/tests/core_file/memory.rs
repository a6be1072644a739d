//! The memory of a process, as its core file has it.

use std::fs;
use std::ops::Range;
use std::path::Path;

use object::{Object, ObjectSegment};

/// A word of the process. No core file of another machine is read here.
pub type Word = u64;

struct Segment {
    start: Word,
    /// Bytes of the address space; those that the file has are the first of them.
    span: Word,
    file: Range<usize>,
}

/// See the head of this file.
pub struct Memory {
    bytes: Vec<u8>,
    segments: Vec<Segment>,
}

impl Memory {
    /// Reads a core file.
    pub fn of(core: &Path) -> Self {
        let bytes = fs::read(core).expect("the core file");
        let elf = object::File::parse(&*bytes).expect("an ELF file");
        let mut segments: Vec<Segment> = elf
            .segments()
            .map(|segment| {
                let (offset, len) = segment.file_range();
                let end = usize::try_from(offset + len).expect("an offset");
                Segment {
                    start: segment.address(),
                    span: segment.size(),
                    file: end - usize::try_from(len).expect("a length")..end,
                }
            })
            .collect();
        segments.sort_by_key(|segment| segment.start);
        assert!(!segments.is_empty(), "no memory in {}", core.display());
        Self { bytes, segments }
    }

    /// What was dumped, piece by piece: the address and the bytes.
    pub fn pieces(&self) -> impl Iterator<Item = (Word, &[u8])> {
        self.segments
            .iter()
            .map(|segment| (segment.start, &self.bytes[segment.file.clone()]))
    }

    /// `N` bytes at an address. Pages of a mapping that were never touched are not in the
    /// file, and were zero.
    pub fn read<const N: usize>(&self, address: Word) -> [u8; N] {
        let after = self.segments.partition_point(|s| s.start <= address);
        let segment = after.checked_sub(1).map(|at| &self.segments[at]);
        let segment = segment
            .filter(|s| address + N as Word <= s.start + s.span)
            .unwrap_or_else(|| panic!("{address:#x} was not mapped"));
        let offset = usize::try_from(address - segment.start).expect("an offset");
        self.bytes[segment.file.clone()]
            .get(offset..offset + N)
            .map_or([0; N], |bytes| bytes.try_into().expect("as many bytes"))
    }

    /// The word at an address.
    pub fn word(&self, address: Word) -> Word {
        Word::from_le_bytes(self.read(address))
    }

    /// The 4-byte number at an address.
    pub fn half(&self, address: Word) -> Word {
        u32::from_le_bytes(self.read(address)).into()
    }

    /// The 2-byte number at an address.
    pub fn quarter(&self, address: Word) -> Word {
        u16::from_le_bytes(self.read(address)).into()
    }

    /// The byte at an address.
    pub fn byte(&self, address: Word) -> Word {
        u8::from_le_bytes(self.read(address)).into()
    }
}
