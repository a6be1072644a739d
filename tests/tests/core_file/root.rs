//! The root structure: found by its magic, read by its names. See `docs/ROOT-STRUCTURE.md`.

use crate::memory::{Memory, Word};

const MAGIC: [u8; 16] = *b"hakmem root \x7f\x01\x8a\xe5";
const ALIGN: usize = 64;
const FORMAT: Word = 1;
const HEADER_BYTES: Word = 32;

/// The names and numbers.
pub struct Root {
    entries: Vec<(String, Word)>,
}

impl Root {
    /// Finds the one root in a memory.
    pub fn find(memory: &Memory) -> Self {
        let mut found = memory.pieces().flat_map(|(start, bytes)| {
            let places = (0..bytes.len()).step_by(ALIGN);
            let places = places.filter(|&at| bytes[at..].starts_with(&MAGIC));
            places.map(move |at| start + at as Word)
        });
        let address = found.next().expect("a root structure");
        assert_eq!(found.next(), None, "there is a second one");
        drop(found);
        Self::read(memory, address)
    }

    fn read(memory: &Memory, address: Word) -> Self {
        let [format, count, entry_bytes, name_bytes] =
            [16, 20, 24, 28].map(|offset| memory.half(address + offset));
        assert_eq!(format, FORMAT);
        let entries = (0..count).map(|index| {
            let entry = address + HEADER_BYTES + index * entry_bytes;
            let name = (entry..entry + name_bytes).map(|at| memory.byte(at) as u8);
            let name = name.take_while(|&byte| byte != 0).collect();
            let name = String::from_utf8(name).expect("a name in ASCII");
            (name, memory.word(entry + name_bytes))
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// The number with this name.
    pub fn get(&self, name: &str) -> Word {
        self.all(name)
            .next()
            .unwrap_or_else(|| panic!("the root structure has no {name}"))
    }

    /// The numbers with this name, in their order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Word> {
        let named = self.entries.iter().filter(move |entry| entry.0 == name);
        named.map(|entry| entry.1)
    }
}
