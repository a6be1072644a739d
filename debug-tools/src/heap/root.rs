//! The root structure: found by its magic, read by its names. See `docs/ROOT-STRUCTURE.md`.

use std::collections::HashMap;

use crate::image::{Image, Memory};

const MAGIC: [u8; 16] = *b"hakmem root \x7f\x01\x8a\xe5";
const ALIGN: usize = 64;
const FORMAT: u32 = 1;
const HEADER_BYTES: u64 = 32;
/// More than any version writes.
const ENTRIES_MAX: u32 = 4096;
const ENTRY_MAX: u32 = 512;

/// The names and numbers.
#[derive(Clone, Debug)]
pub struct Root {
    /// Where it stands.
    pub address: u64,
    numbers: HashMap<String, Vec<u64>>,
    order: Vec<String>,
}

/// Why there is no heap to look at.
#[derive(Debug)]
pub enum NoRoot {
    /// The magic is nowhere in the memory that is known.
    NotFound,
    /// It is of a later format.
    Format(u32),
    /// It is damaged, or cut short.
    Damaged(String),
}

impl Root {
    /// Finds the root structure. Where there are several, as a heap may have copies of anything, the
    /// first one that leads somewhere counts; small segments come first, for it lies in the
    /// library's own data.
    pub fn find(image: &Image) -> Result<Self, NoRoot> {
        let memory = &image.memory;
        let mut segments: Vec<_> = memory
            .segments()
            .iter()
            .filter(|s| s.access.write)
            .collect();
        let in_module = |start: u64| image.module(start).is_some();
        segments.sort_by_key(|s| (!in_module(s.start), s.span(), s.start));
        let mut failure = NoRoot::NotFound;
        let mut found = None;
        for segment in segments {
            memory.scan(segment.start, segment.end, &mut |start, bytes| {
                for at in places(start, bytes) {
                    match Self::read(memory, start + at as u64) {
                        Ok(root) => found = Some(root),
                        Err(error) => failure = error,
                    }
                    if found.is_some() {
                        break;
                    }
                }
                found.is_none()
            });
            if let Some(root) = found {
                return Ok(root);
            }
        }
        Err(failure)
    }

    /// Reads the one at an address.
    pub fn read(memory: &Memory, address: u64) -> Result<Self, NoRoot> {
        let cut = || NoRoot::Damaged("it is not there to its end".into());
        let half = |offset: u64| memory.half(address + offset).ok_or_else(cut);
        let (format, count) = (half(16)?, half(20)?);
        let (entry_bytes, name_bytes) = (half(24)?, half(28)?);
        if format != FORMAT {
            return Err(NoRoot::Format(format));
        }
        let plausible = count <= ENTRIES_MAX
            && entry_bytes <= ENTRY_MAX
            && name_bytes
                .checked_add(8)
                .is_some_and(|least| least <= entry_bytes);
        if !plausible {
            let why = format!(
                "it says {count} entries of {entry_bytes} bytes, {name_bytes} of them names"
            );
            return Err(NoRoot::Damaged(why));
        }
        let (entry, name) = (entry_bytes as usize, name_bytes as usize);
        let bytes = memory
            .bytes(address + HEADER_BYTES, count as usize * entry)
            .ok_or_else(cut)?;
        let (mut numbers, mut order) = (HashMap::new(), vec![]);
        for entry in bytes.chunks_exact(entry) {
            let (text, rest) = entry.split_at(name);
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(name);
            let text = String::from_utf8_lossy(&text[..end]).into_owned();
            let number = u64::from_le_bytes(rest[..8].try_into().unwrap_or_default());
            order.push(text.clone());
            numbers.entry(text).or_insert_with(Vec::new).push(number);
        }
        Ok(Self {
            address,
            numbers,
            order,
        })
    }

    /// The number with this name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.numbers.get(name)?.first().copied()
    }

    /// The numbers with this name, in their order.
    pub fn all(&self, name: &str) -> &[u64] {
        self.numbers.get(name).map_or(&[], Vec::as_slice)
    }

    /// All names, with their first numbers, as the process wrote them.
    pub fn named(&self) -> impl Iterator<Item = (&str, u64)> {
        self.order
            .iter()
            .filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// The version of the library.
    pub fn version(&self) -> String {
        let part = |name: &str| self.get(name).map_or("?".into(), |n| n.to_string());
        format!(
            "{}.{}.{}",
            part("version.major"),
            part("version.minor"),
            part("version.patch")
        )
    }
}

/// Where in the bytes of an address the magic stands on a multiple of its alignment.
fn places(start: u64, bytes: &[u8]) -> impl Iterator<Item = usize> {
    let first = (ALIGN as u64).wrapping_sub(start % ALIGN as u64) as usize % ALIGN;
    let all = (first..bytes.len()).step_by(ALIGN);
    all.filter(|at| bytes[*at..].starts_with(&MAGIC))
}
