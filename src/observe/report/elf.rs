//! The symbols of a file of code, as far as reports need them: ELF, 64 bits, little-endian.
//!
//! 1. Whatever the file holds, nothing outside of it is read.

use crate::sys::contents::Contents;
use core::ffi::CStr;

const MAGIC: &[u8] = b"\x7fELF\x02\x01";
const SECTION_SYMBOLS: u32 = 2;
const SECTION_DYNAMIC_SYMBOLS: u32 = 11;
const SYMBOL_BYTES: usize = 24;
const SYMBOL_FUNCTION: u8 = 2;
const SYMBOL_CHOSEN_FUNCTION: u8 = 10;

/// A file of code in memory.
pub(crate) struct Elf(Contents);

/// A function: its addresses as the file counts them.
#[derive(Clone, Copy)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) start: usize,
    pub(crate) bytes: usize,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    array(bytes, at).map(|bytes| u64::from_le_bytes(bytes) as usize)
}

/// A section that is a table of symbols, and the section with their names.
struct Symbols<'a> {
    table: &'a [u8],
    names: &'a [u8],
}

impl Elf {
    /// The file at `path`, if it is one of code that can be read.
    pub(crate) fn open(path: &CStr) -> Option<Elf> {
        let contents = Contents::of(path)?;
        contents.bytes().starts_with(MAGIC).then_some(Elf(contents))
    }

    fn section(&self, index: usize) -> Option<(u32, &[u8], usize)> {
        let file = self.0.bytes();
        let (table, bytes) = (long(file, 40)?, usize::from(half(file, 58)?));
        let count = usize::from(half(file, 60)?);
        if index >= count || table == 0 {
            return None;
        }
        let header = file.get(table.checked_add(index * bytes)?..)?;
        let (start, len) = (long(header, 24)?, long(header, 32)?);
        let contents = file.get(start..start.checked_add(len)?).unwrap_or(&[]);
        Some((word(header, 4)?, contents, word(header, 40)? as usize))
    }

    /// The fuller of the two tables that a file may have.
    fn symbols(&self) -> Option<Symbols<'_>> {
        [SECTION_SYMBOLS, SECTION_DYNAMIC_SYMBOLS]
            .into_iter()
            .find_map(|wanted| {
                let (table, names) = (0..)
                    .map_while(|index| self.section(index))
                    .find(|(kind, ..)| *kind == wanted)
                    .map(|(_, table, names)| (table, names))?;
                let (_, names, _) = self.section(names)?;
                Some(Symbols { table, names })
            })
    }

    /// Calls `each` with every function that the file has a name for.
    pub(crate) fn for_each_function<'a>(&'a self, mut each: impl FnMut(Function<'a>)) {
        let Some(symbols) = self.symbols() else {
            return;
        };
        for symbol in symbols.table.chunks_exact(SYMBOL_BYTES) {
            let fields = (
                word(symbol, 0),
                symbol.get(4),
                long(symbol, 8),
                long(symbol, 16),
            );
            let (Some(name), Some(info), Some(start), Some(bytes)) = fields else {
                return;
            };
            let is_function = matches!(info & 15, SYMBOL_FUNCTION | SYMBOL_CHOSEN_FUNCTION);
            let name = symbols.names.get(name as usize..).unwrap_or(&[]);
            let name = name.split(|&byte| byte == 0).next().unwrap_or(&[]);
            if is_function && start != 0 && !name.is_empty() {
                each(Function { name, start, bytes });
            }
        }
    }

    /// The function that an address, in the file's own counting, lies in.
    pub(crate) fn function_at(&self, address: usize) -> Option<Function<'_>> {
        let mut best: Option<Function<'_>> = None;
        self.for_each_function(|function| {
            let inside = address.wrapping_sub(function.start) < function.bytes.max(1);
            if inside && best.is_none_or(|best| function.start > best.start) {
                best = Some(function);
            }
        });
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::vec::Vec;

    fn this_program() -> CString {
        CString::new("/proc/self/exe").expect("a path")
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn functions_of_this_program() {
        let elf = Elf::open(&this_program()).expect("the test's own file");
        let mut count = 0;
        let mut sample = None;
        elf.for_each_function(|function| {
            count += 1;
            if function.bytes > 16 {
                sample.get_or_insert((function.name.to_vec(), function.start));
            }
        });
        assert!(count > 100);
        let (name, start) = sample.expect("a function");
        let found = elf.function_at(start + 1).expect("the same");
        assert_eq!(found.start, start, "{name:?}");
    }

    /// A file cut anywhere, or with any byte changed, is read without a panic.
    #[test]
    #[cfg_attr(miri, ignore = "maps files")]
    fn damaged_files() {
        let whole = std::fs::read("/proc/self/exe").expect("the test's own file");
        let directory = std::env::temp_dir();
        let path = directory.join(std::format!("hakmem-elf-{}", std::process::id()));
        let text = CString::new(path.to_str().expect("a path")).expect("a path");
        let mut damaged: Vec<Vec<u8>> = [0, 5, 6, 17, 63, 64, 200, whole.len() / 2]
            .map(|len| whole[..len].to_vec())
            .into();
        for at in (16..64).chain([whole.len() / 2]) {
            let mut changed = whole[..whole.len().min(1 << 16)].to_vec();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 0xff;
            }
            damaged.push(changed);
        }
        for bytes in damaged {
            std::fs::write(&path, &bytes).expect("a file");
            if let Some(elf) = Elf::open(&text) {
                let _ = elf.function_at(0x1000);
            }
        }
        let _ = std::fs::remove_file(&path);
    }
}
