//! A running process: the environment that it started with, the build of hakmem that it has, and
//! the options in force in it.
//!
//! The options stand in the root structure (`docs/ROOT-STRUCTURE.md`), which is found by its magic
//! in the process's writable memory. That takes the right to trace the process; without it, what
//! its environment comes to is all there is to say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use hakmem_alloc::options::{Builds, DEBUG};

use crate::failure::Failure;
use crate::image::refusal;

/// See the head of this file.
pub struct Running {
    number: u32,
    /// Mappings that may hold hakmem's variables, and the files that they belong to.
    mappings: Vec<Mapping>,
}

struct Mapping {
    start: u64,
    end: u64,
    writable: bool,
    file: Option<PathBuf>,
}

/// The largest mapping that is searched.
const SEARCHED: u64 = 64 << 20;
const MAGIC: [u8; 16] = *b"hakmem root \x7f\x01\x8a\xe5";
/// Bytes before the entries, of an entry, and of the name in it.
const HEAD: usize = 32;
const FORMAT: u32 = 1;

impl Running {
    /// The process of that number.
    pub fn find(number: u32) -> Result<Self, Failure> {
        let maps = fs::read_to_string(format!("/proc/{number}/maps"))
            .map_err(|error| refusal::of(number, &error))?;
        let mappings = maps.lines().filter_map(Mapping::parse).collect();
        Ok(Self { number, mappings })
    }

    /// The strings of the environment that it started with, as hakmem has read it.
    pub fn environment(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let path = PathBuf::from(format!("/proc/{}/environ", self.number));
        let content = fs::read(&path).map_err(|error| refusal::of(self.number, &error))?;
        let entries = content.split(|&byte| byte == 0);
        Ok(entries
            .filter(|entry| !entry.is_empty())
            .map(<[u8]>::to_vec)
            .collect())
    }

    /// The file in the process that hakmem is in, if it is there under its own name.
    pub fn library(&self) -> Option<&PathBuf> {
        self.mappings.iter().find_map(|mapping| {
            let file = mapping.file.as_ref()?;
            let name = file.file_name()?.to_str()?;
            name.starts_with("libhakmem").then_some(file)
        })
    }

    /// Which build that is, by the names of variables in it.
    pub fn build(&self) -> Option<Builds> {
        let inside = format!("/proc/{}/root", self.number);
        let path = self.library()?;
        let in_its_root = PathBuf::from(inside).join(path.strip_prefix("/").ok()?);
        let content = fs::read(in_its_root).or_else(|_| fs::read(path)).ok()?;
        let has_debug = DEBUG
            .iter()
            .any(|row| contains(&content, row.name.as_bytes()));
        Some(match has_debug {
            true => Builds::Observed,
            false => Builds::Every,
        })
    }

    /// The options in force, by their variables' names; limits that do not exist are not there.
    /// `None` where they cannot be read, or no hakmem is there.
    pub fn options(&self) -> Option<BTreeMap<String, u64>> {
        let memory = File::open(format!("/proc/{}/mem", self.number)).ok()?;
        let writable = self.mappings.iter().filter(|mapping| mapping.writable);
        let small = writable.filter(|mapping| mapping.end - mapping.start <= SEARCHED);
        small.into_iter().find_map(|mapping| {
            let mut bytes = vec![0; (mapping.end - mapping.start) as usize];
            let read = memory.read_at(&mut bytes, mapping.start).ok()?;
            bytes.truncate(read);
            options_in(&bytes)
        })
    }
}

impl Mapping {
    /// A line of `/proc/N/maps`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let writable = words.next()?.starts_with("rw");
        let file = words.nth(3).map(str::trim_start);
        Some(Self {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            writable,
            file: file.filter(|name| name.starts_with('/')).map(PathBuf::from),
        })
    }
}

fn contains(content: &[u8], word: &[u8]) -> bool {
    content.windows(word.len()).any(|window| window == word)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The options of the root structure in a piece of memory.
fn options_in(bytes: &[u8]) -> Option<BTreeMap<String, u64>> {
    let at = (0..bytes.len())
        .step_by(64)
        .find(|&at| bytes[at..].starts_with(&MAGIC))?;
    let root = &bytes[at..];
    let [format, count, entry_bytes, name_bytes] =
        [16, 20, 24, 28].map(|offset| number(root, offset).unwrap_or(0) as usize);
    if format != FORMAT as usize || entry_bytes < name_bytes + 8 {
        return None;
    }
    let entries = root.get(HEAD..)?.chunks_exact(entry_bytes).take(count);
    let options = entries.filter_map(|entry| {
        let (name, value) = entry.split_at(name_bytes);
        let name = name.split(|&byte| byte == 0).next()?;
        let name = std::str::from_utf8(name).ok()?;
        let value = u64::from_le_bytes(value.get(..8)?.try_into().ok()?);
        name.starts_with("HAKMEM_")
            .then(|| (name.to_owned(), value))
    });
    Some(options.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_by_the_magic() {
        let mut memory = vec![0u8; 256];
        memory.extend(MAGIC);
        for word in [1u32, 2, 48, 40] {
            memory.extend(word.to_le_bytes());
        }
        for (name, value) in [("page.bytes", 4096u64), ("HAKMEM_TINY_TLS_CAP", 99)] {
            let mut padded = [0u8; 40];
            padded[..name.len()].copy_from_slice(name.as_bytes());
            memory.extend(padded);
            memory.extend(value.to_le_bytes());
        }
        let options = options_in(&memory).unwrap();
        assert_eq!(
            options,
            BTreeMap::from([("HAKMEM_TINY_TLS_CAP".into(), 99)])
        );
        // Whatever else stands there does no harm.
        for cut in 256..memory.len() {
            let _ = options_in(&memory[..cut]);
        }
        memory[256 + 24..256 + 32].fill(0xff);
        assert_eq!(options_in(&memory), None);
        assert_eq!(options_in(&[]), None);
    }
}
