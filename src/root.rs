//! The root structure: where a debugger or a reader of a core file begins.
//!
//! A table of names and numbers, which it finds by its magic. Some numbers are addresses of
//! structures, others offsets and sizes within them, so that a reader can enumerate every
//! block without knowing the version that wrote it. The format is in
//! `docs/ROOT-STRUCTURE.md`; it costs nothing at run time.

use crate::block;
use crate::config;
use crate::metadata::{self, Mapping};
use crate::name::{self, Name};
use crate::observe::{Observed, Observer};
use crate::options::PRODUCTION;
use crate::registry::Registry;
use crate::size_class::{CLASSES, SLOT_BYTES, SizeClass};
use crate::slab::Slab;
use crate::superslab::{SUPERSLAB_BYTES, SuperSlab};
use crate::sys::memory::PAGE;
use crate::thread_cache::ThreadCache;
use crate::unit_stock;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

/// Version of the table's own format; names may come and go without a new one.
const FORMAT: u32 = 1;
const ENTRIES: usize = 95 + Observed::NAMES + CLASSES + PRODUCTION.len();
const MAGIC: [u8; 16] = *b"hakmem root \x7f\x01\x8a\xe5";
const INVERTED_MAGIC: [u8; 16] = {
    let mut inverted = MAGIC;
    let mut at = 0;
    while at < inverted.len() {
        inverted[at] = !inverted[at];
        at += 1;
    }
    inverted
};

/// A name, padded with zero bytes, and its number.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    name: Name,
    value: u64,
}

#[repr(C, align(64))]
struct Root {
    /// Written last, out of [`INVERTED_MAGIC`], so that no other copy is in memory.
    magic: UnsafeCell<[u8; 16]>,
    format: AtomicU32,
    /// Entries in use.
    count: AtomicU32,
    /// Bytes of an entry, and of a name in it.
    entry_bytes: AtomicU32,
    name_bytes: AtomicU32,
    entries: UnsafeCell<[Entry; ENTRIES]>,
}

// SAFETY: written by `fill` and `add_options`, once each and before a second thread can be
// here, and read by others than this program alone.
unsafe impl Sync for Root {}

#[used]
static ROOT: Root = Root {
    magic: UnsafeCell::new([0; 16]),
    format: AtomicU32::new(0),
    count: AtomicU32::new(0),
    entry_bytes: AtomicU32::new(0),
    name_bytes: AtomicU32::new(0),
    entries: UnsafeCell::new(
        [Entry {
            name: [0; name::BYTES],
            value: 0,
        }; ENTRIES],
    ),
};

/// The address of the root structure.
pub(crate) fn address() -> *const u8 {
    (&raw const ROOT).cast()
}

/// Adds an entry. Called by one thread at a time.
fn put(letters: &str, value: usize) {
    let mut name = [0; name::BYTES];
    if let Some(place) = name.get_mut(..letters.len()) {
        place.copy_from_slice(letters.as_bytes());
        put_named(name, value);
    }
}

/// As [`put`], each.
fn put_all(entries: &[(Name, usize)]) {
    for &(name, value) in entries {
        put_named(name, value);
    }
}

/// As [`put`].
fn put_named(name: Name, value: usize) {
    let count = ROOT.count.load(Ordering::Relaxed) as usize;
    // SAFETY: see `Root`: one thread at a time.
    let entries = unsafe { &mut *ROOT.entries.get() };
    if let Some(place) = entries.get_mut(count) {
        *place = Entry {
            name,
            value: value as u64,
        };
        ROOT.count.store(count as u32 + 1, Ordering::Relaxed);
    }
}

const fn number(digits: &str) -> usize {
    let mut value = 0;
    let mut at = 0;
    while at < digits.len() {
        value = value * 10 + (digits.as_bytes()[at] - b'0') as usize;
        at += 1;
    }
    value
}

/// Adds the options by their variables' names, once the environment has been read. Limits
/// that do not exist are left out.
pub(crate) fn add_options() {
    for (name, value) in config::get().by_name() {
        if let Some(value) = value {
            put(name, value as usize);
        }
    }
}

/// Fills the root structure. Called once, with the set-up's lock held.
pub(crate) fn fill() {
    put("version.major", number(env!("CARGO_PKG_VERSION_MAJOR")));
    put("version.minor", number(env!("CARGO_PKG_VERSION_MINOR")));
    put("version.patch", number(env!("CARGO_PKG_VERSION_PATCH")));
    put("registry", &raw const crate::registry::REGISTRY as usize);
    put_all(&Registry::OFFSETS);
    put("registry.outer.count", Registry::OUTER.0);
    put("registry.outer.span", Registry::OUTER.1);
    put("page.bytes", PAGE);
    put("slot.bytes", SLOT_BYTES);
    put("superslab.bytes", SUPERSLAB_BYTES);
    put_all(&SuperSlab::OFFSETS);
    put_all(&Slab::OFFSETS);
    put("slab.first_block", Slab::FIRST);
    put("caches", ThreadCache::all_address());
    put_all(&ThreadCache::OFFSETS);
    put("cache.thread", ThreadCache::THREAD_OFFSET);
    put("cache.inbox", ThreadCache::INBOX_OFFSET);
    put("stock", unit_stock::address());
    put_all(&unit_stock::OFFSETS);
    put("list.link", 0);
    put("mappings", &raw const metadata::MAPPED as usize);
    put("mappings.count", &raw const metadata::MAPPED_COUNT as usize);
    put("mappings.capacity", metadata::MAPPED.len());
    put_all(&Mapping::OFFSETS);
    put("link.key", block::key());
    for offset in Slab::RECORDS {
        put("slab.records", offset);
    }
    for offset in Slab::CARVED {
        put("slab.carved", offset);
    }
    Observed::describe(put, 0);
    put("classes", CLASSES);
    for class in SizeClass::all() {
        put("class.bytes", class.bytes());
    }
    ROOT.format.store(FORMAT, Ordering::Relaxed);
    ROOT.entry_bytes
        .store(size_of::<Entry>() as u32, Ordering::Relaxed);
    ROOT.name_bytes.store(name::BYTES as u32, Ordering::Relaxed);
    // SAFETY: `fill` runs once, alone.
    let magic = unsafe { &mut *ROOT.magic.get() };
    for (place, byte) in magic.iter_mut().zip(INVERTED_MAGIC) {
        *place = !core::hint::black_box(byte);
    }
}
