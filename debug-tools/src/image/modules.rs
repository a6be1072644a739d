//! The programs and libraries among the files that a process has mapped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hakmem_trace_format::reader::Module;

use super::{MappedFile, Memory};

/// Where in an ELF header the program headers are said to be, and how many.
const PHOFF: usize = 32;
const PHNUM: usize = 56;
const PHDR: usize = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// Program headers of a module, and bytes of its notes, that are looked at.
const HEADERS_MAX: usize = 64;
const NOTES_MAX: u64 = 4096;

/// The modules, by address. A file is mapped in parts; those that follow each other and begin with
/// the file's start are one module.
pub fn of(memory: &Memory, files: &[MappedFile]) -> Vec<Module> {
    let mut first_of: BTreeMap<u64, (&MappedFile, u64)> = BTreeMap::new();
    for file in files {
        let last = first_of.iter_mut().next_back();
        match last {
            Some((_, (first, end)))
                if first.path == file.path && file.start >= *end && file.offset > 0 =>
            {
                *end = file.end;
            }
            _ if file.offset == 0 => {
                first_of.insert(file.start, (file, file.end));
            }
            _ => {}
        }
    }
    let parts = first_of.into_values().enumerate();
    parts
        .filter_map(|(index, (first, end))| module(memory, index, first, end))
        .collect()
}

fn module(memory: &Memory, index: usize, first: &MappedFile, end: u64) -> Option<Module> {
    let mut header = [0; 64];
    let is_elf = memory.fill(first.start, &mut header) && header.starts_with(b"\x7fELF");
    if !is_elf {
        // A core may be without the file's first page; the name tells code from other files.
        let is_code = first.path.contains(".so") || memory.segment(first.start)?.access.execute;
        return is_code.then(|| made(index, first, first.start, end, vec![]));
    }
    let half = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap_or_default());
    let headers = first.start.wrapping_add(u64::from(half(PHOFF)));
    let count = (half(PHNUM) as u16 as usize).min(HEADERS_MAX);
    let headers = memory.bytes(headers, count * PHDR)?;
    let (mut base, mut top, mut build_id) = (None, 0, vec![]);
    for header in headers.as_chunks::<PHDR>().0 {
        let word =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or_default());
        let kind = u32::from_le_bytes(header[..4].try_into().unwrap_or_default());
        let (address, bytes) = (word(16), word(40));
        if kind == PT_LOAD && base.is_none() {
            base = Some(first.start.wrapping_sub(address & !0xfff));
        }
        if kind == PT_LOAD {
            top = address.wrapping_add(bytes).max(top);
        }
        if kind == PT_NOTE && build_id.is_empty() {
            let notes = base.unwrap_or(first.start).wrapping_add(address);
            build_id = memory
                .bytes(notes, bytes.min(NOTES_MAX) as usize)
                .and_then(|notes| build_id_in(&notes))
                .unwrap_or_default();
        }
    }
    let base = base?;
    // What follows the file's last page of data without being in it.
    let end = base
        .wrapping_add(top)
        .checked_next_multiple_of(4096)
        .unwrap_or(end)
        .max(end);
    let end = if end - first.start > 1 << 34 {
        first.end
    } else {
        end
    };
    Some(made(index, first, base, end, build_id))
}

fn made(index: usize, first: &MappedFile, base: u64, end: u64, build_id: Vec<u8>) -> Module {
    Module {
        index,
        path: PathBuf::from(first.path.trim_end_matches(" (deleted)")),
        path_is_cut: false,
        build_id,
        base,
        range: first.start..end,
        loaded: 0,
        unloaded: None,
    }
}

fn build_id_in(notes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = notes;
    loop {
        let half = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
        let (name, content, kind) = (half(0)? as usize, half(4)? as usize, half(8)?);
        let start = 12_usize.checked_add(name.checked_add(3)? & !3)?;
        let bytes = rest.get(start..start.checked_add(content)?)?;
        if kind == NT_GNU_BUILD_ID && rest.get(12..12 + name)? == b"GNU\0" {
            return Some(bytes.to_vec());
        }
        rest = rest.get(start + (content.checked_add(3)? & !3)..)?;
    }
}
