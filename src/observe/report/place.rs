//! A place in code, as one can look it up: the file's name and the offset in it, and the
//! function where the file has a name for it.

use super::elf::Elf;
use crate::observe::modules::{self, Module};
use core::ffi::CStr;
use core::ptr;

const PATH: usize = 1024;
const NAME: usize = 160;

/// An address in a file of code that is mapped.
pub(crate) struct Place {
    module: &'static Module,
    /// In the file's own counting, as `addr2line` and `objdump` take it.
    pub(crate) offset: usize,
}

/// A function's name, cut if it is long, and how far in it an address lies.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    name: [u8; NAME],
    len: usize,
    pub(crate) offset: usize,
}

impl Named {
    pub(crate) fn name(&self) -> &[u8] {
        &self.name[..self.len]
    }
}

impl Place {
    /// Where an address lies; `None` if it is in no file.
    pub(crate) fn of(address: usize) -> Option<Place> {
        let module = modules::meet(address)?;
        Some(Place {
            module,
            offset: address.wrapping_sub(module.base),
        })
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &'static [u8] {
        self.module.path
    }

    /// The last component of the file's path.
    pub(crate) fn file(&self) -> &'static [u8] {
        last_component(self.module.path)
    }

    /// The function. Reads the file, if nobody has asked for the address before.
    pub(crate) fn function(&self) -> Option<Named> {
        let key = (ptr::from_ref(self.module) as usize, self.offset);
        names::find(key).unwrap_or_else(|| {
            let found = self.look_up();
            names::keep(key, found);
            found
        })
    }

    fn look_up(&self) -> Option<Named> {
        let elf = open(self.module)?;
        let function = elf.function_at(self.offset)?;
        let mut named = Named {
            name: [0; NAME],
            len: function.name.len().min(NAME),
            offset: self.offset - function.start,
        };
        named.name[..named.len].copy_from_slice(&function.name[..named.len]);
        Some(named)
    }

    /// Whether the allocator's own code may be meant: the file has it, and has nothing else, or
    /// a name says so.
    pub(crate) fn is_ours(&self) -> bool {
        let here = modules::of(Place::of as fn(usize) -> Option<Place> as usize);
        if !here.is_some_and(|here| ptr::eq(here, self.module)) {
            return false;
        }
        if self.file().starts_with(b"libhakmem") {
            return true;
        }
        const CRATE: &[u8] = b"hakmem_alloc";
        self.function()
            .is_some_and(|function| function.name().windows(CRATE.len()).any(|w| w == CRATE))
    }
}

/// The names that were looked up last, by module and offset: files are slow to read.
mod names {
    use super::super::turn::Turn;
    use super::Named;
    use crate::metadata;
    use core::cell::UnsafeCell;
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, Ordering};

    const ENTRIES: usize = 512;
    pub(crate) type Key = (usize, usize);
    type Entry = UnsafeCell<(Key, Option<Named>)>;

    static TURN: Turn = Turn::new();
    /// Zeroed memory, set once by who has the turn; nothing is read without it. A key of zeroes
    /// is nobody's.
    static TABLE: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());

    fn entry(key: Key) -> Option<&'static Entry> {
        if TABLE.load(Ordering::Relaxed).is_null() {
            let memory = metadata::allocate(ENTRIES * size_of::<Entry>())?;
            let table = memory.as_ptr().cast::<Entry>();
            for at in 0..ENTRIES {
                // SAFETY: memory for so many, that nobody knows of yet.
                unsafe { table.add(at).write(UnsafeCell::new(((0, 0), None))) };
            }
            TABLE.store(table, Ordering::Relaxed);
        }
        let hash = (key.0 ^ key.1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        // SAFETY: the table has so many entries, and is never unmapped.
        Some(unsafe { &*TABLE.load(Ordering::Relaxed).add(hash % ENTRIES) })
    }

    /// Sees to it that there is a table.
    pub(crate) fn prepare() {
        if let Some(_turn) = TURN.take() {
            entry((0, 0));
        }
    }

    /// What was found for a key, if that is known.
    pub(crate) fn find(key: Key) -> Option<Option<Named>> {
        let _turn = TURN.take()?;
        // SAFETY: it is this thread's turn.
        let (of, name) = unsafe { *entry(key)?.get() };
        (of == key).then_some(name)
    }

    pub(crate) fn keep(key: Key, name: Option<Named>) {
        if let Some(_turn) = TURN.take()
            && let Some(entry) = entry(key)
        {
            // SAFETY: it is this thread's turn.
            unsafe { *entry.get() = (key, name) };
        }
    }

    /// The one thread of a fork's child.
    pub(crate) fn forked() {
        TURN.reset();
    }
}

/// Makes what names are kept in; who tells of them later takes no lock.
pub(crate) fn prepare() {
    names::prepare();
}

/// In a fork's child.
pub(crate) fn forked() {
    names::forked();
}

/// What stands behind the last slash.
fn last_component(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Whether `name` is a module's path or the last component of it.
pub(crate) fn is_called(module: &Module, name: &[u8]) -> bool {
    module.path == name || last_component(module.path) == name
}

/// A module's file.
pub(crate) fn open(module: &Module) -> Option<Elf> {
    open_path(module.path)
}

/// The file at a path, which has no zero byte behind it.
pub(crate) fn open_path(path: &[u8]) -> Option<Elf> {
    let mut ended = [0; PATH];
    ended.get_mut(..path.len())?.copy_from_slice(path);
    Elf::open(CStr::from_bytes_until_nul(&ended).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    #[cfg_attr(miri, ignore = "asks the loader")]
    fn this_function_is_in_this_program() {
        modules::refresh();
        let here = this_function_is_in_this_program as fn() as usize;
        let place = Place::of(here).expect("a place");
        let program = std::env::current_exe().expect("a path");
        let path = program.to_str().expect("a path").as_bytes();
        assert!(is_called(place.module, path));
        assert_eq!(place.file(), last_component(path));
        let function = place.function().expect("a function");
        let name = String::from_utf8_lossy(function.name());
        assert!(name.contains("this_function_is_in_this_program"), "{name}");
        assert_eq!(function.offset, 0);
        assert!(Place::of(16).is_none());
    }
}
