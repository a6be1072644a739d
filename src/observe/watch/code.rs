//! Which file of code an address belongs to, as the kernel's list of mappings says.
//!
//! 1. Entries are added and never changed. A file that is mapped where another one was is added
//!    behind it, and is found first.

use super::elf::Elf;
use super::turn::Turn;
use crate::metadata;
use crate::sys::file::File;
use crate::sys::memory::PAGE;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

const MODULES: usize = 512;
const PATH: usize = 256;

/// A file of code, and where it is mapped.
pub(super) struct Module {
    /// Its executable part.
    start: usize,
    end: usize,
    /// What an address in the file's own counting is less than one of the process.
    bias: usize,
    /// Ends with a zero byte.
    path: [u8; PATH],
}

/// Written by who has [`TURN`]; released with the count, which is read Acquire.
static TABLE: AtomicPtr<Module> = AtomicPtr::new(ptr::null_mut());
static COUNT: AtomicUsize = AtomicUsize::new(0);
static TURN: Turn = Turn::new();

impl Module {
    /// Its path, with the zero byte.
    fn c_path(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.path).ok()
    }

    /// The last component of its path.
    pub(super) fn name(&self) -> &[u8] {
        let path = self.c_path().map_or(&b""[..], CStr::to_bytes);
        path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
    }

    /// Whether `name` is its path or the last component of it.
    pub(super) fn is_called(&self, name: &[u8]) -> bool {
        self.name() == name || self.c_path().is_some_and(|path| path.to_bytes() == name)
    }

    /// An address of the process in the file's own counting.
    pub(super) fn offset(&self, address: usize) -> usize {
        address.wrapping_sub(self.bias)
    }

    /// An address in the file's own counting as one of the process.
    pub(super) fn address(&self, offset: usize) -> usize {
        offset.wrapping_add(self.bias)
    }

    /// Its file.
    pub(super) fn elf(&self) -> Option<Elf> {
        Elf::open(self.c_path()?)
    }

    fn has(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// The modules that are known, the one added last first.
pub(super) fn known() -> impl Iterator<Item = &'static Module> {
    let count = COUNT.load(Ordering::Acquire);
    let table = TABLE.load(Ordering::Relaxed);
    // SAFETY: the table has `count` entries that do not change, and is never unmapped.
    (0..count).rev().map(move |at| unsafe { &*table.add(at) })
}

/// Pages in which no file was found: code that was made at run time. Relaxed: at worst the
/// kernel is asked again.
static NOWHERE: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];

/// The module that an address of code lies in; the kernel is asked where none is known.
pub(super) fn module_of(address: usize) -> Option<&'static Module> {
    let find = || known().find(|module| module.has(address));
    let found = find();
    let page = address / PAGE;
    let nowhere = &NOWHERE[page % NOWHERE.len()];
    if found.is_some() || nowhere.load(Ordering::Relaxed) == page {
        return found;
    }
    refresh();
    let found = find();
    if found.is_none() {
        nowhere.store(page, Ordering::Relaxed);
    }
    found
}

/// Adds the modules that are mapped now and not yet known.
pub(super) fn refresh() {
    let Some(_turn) = TURN.take() else {
        return;
    };
    if TABLE.load(Ordering::Relaxed).is_null() {
        let Some(memory) = metadata::allocate(MODULES * size_of::<Module>()) else {
            return;
        };
        TABLE.store(memory.as_ptr().cast(), Ordering::Relaxed);
    }
    let mut first = Module {
        start: 0,
        end: 0,
        bias: 0,
        path: [0; PATH],
    };
    for_each_mapping(|start, end, executable, offset, path| {
        if offset == 0 {
            first.start = start;
            first.path = [0; PATH];
            if let Some(place) = first.path.get_mut(..path.len())
                && path.len() < PATH
            {
                place.copy_from_slice(path);
            }
        }
        let same_file = first.c_path().is_some_and(|first| first.to_bytes() == path);
        if executable && !path.is_empty() && same_file {
            add(&first, start, end);
        }
    });
}

/// Called by who has the turn. `file` has the path, and where its first byte is mapped.
fn add(file: &Module, start: usize, end: usize) {
    let same = |module: &&Module| module.start == start && module.path == file.path;
    let count = COUNT.load(Ordering::Relaxed);
    if count == MODULES || known().any(|module| same(&module)) {
        return;
    }
    let first = file.elf().map(|elf| elf.first_address());
    let module = Module {
        start,
        end,
        bias: match first {
            Some(None) => 0,
            Some(Some(first)) => file.start.wrapping_sub(first),
            None => file.start,
        },
        path: file.path,
    };
    // SAFETY: the entry lies in the table and is not read until it is counted.
    unsafe { TABLE.load(Ordering::Relaxed).add(count).write(module) };
    COUNT.store(count + 1, Ordering::Release);
}

/// Calls `each` with start, end, whether it is code, the offset in the file, and the path of
/// every mapping.
fn for_each_mapping(mut each: impl FnMut(usize, usize, bool, usize, &[u8])) {
    let Some(file) = File::open(c"/proc/self/maps") else {
        return;
    };
    let mut buffer = [0u8; 1024];
    let mut filled = 0;
    loop {
        let read = file.read(&mut buffer[filled..]);
        filled += read;
        let mut begin = 0;
        while let Some(len) = buffer[begin..filled].iter().position(|&byte| byte == b'\n') {
            mapping(&buffer[begin..begin + len], &mut each);
            begin += len + 1;
        }
        if read == 0 {
            return;
        }
        if begin == 0 && filled == buffer.len() {
            // A line that is longer than any path of use: its rest is no line.
            filled = 0;
        } else {
            buffer.copy_within(begin..filled, 0);
            filled -= begin;
        }
    }
}

/// `start-end perms offset device inode path`.
fn mapping(line: &[u8], each: &mut impl FnMut(usize, usize, bool, usize, &[u8])) {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut next = || fields.next().unwrap_or(&[]);
    let (range, access, offset) = (next(), next(), next());
    let (_device, _inode, path) = (next(), next(), next());
    let mut ends = range.split(|&byte| byte == b'-').map(hexadecimal);
    if let (Some(Some(start)), Some(Some(end)), Some(offset)) =
        (ends.next(), ends.next(), hexadecimal(offset))
    {
        each(start, end, access.get(2) == Some(&b'x'), offset, path.trim_ascii_start());
    }
}

fn hexadecimal(text: &[u8]) -> Option<usize> {
    text.iter().try_fold(0usize, |number, &byte| {
        let digit = char::from(byte).to_digit(16)? as usize;
        Some(number << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    #[cfg_attr(miri, ignore = "reads files of the system")]
    fn this_function_is_in_this_program() {
        let here = this_function_is_in_this_program as fn() as usize;
        let module = module_of(here).expect("a module");
        let program = std::env::current_exe().expect("a path");
        assert!(module.is_called(program.to_str().expect("a path").as_bytes()));
        let elf = module.elf().expect("its file");
        let function = elf.function_at(module.offset(here)).expect("a function");
        let name = String::from_utf8_lossy(function.name);
        assert!(name.contains("this_function_is_in_this_program"), "{name}");
        assert_eq!(module.address(module.offset(here)), here);
        assert!(module_of(16).is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads files of the system")]
    fn libc_is_found_by_its_last_name() {
        refresh();
        assert!(known().any(|module| module.is_called(b"libc.so.6")));
    }
}
