//! The functions that a mapped file offers, by the hash of their names (`DT_GNU_HASH`).

use super::loader::Object;
use core::ffi::CStr;
use core::mem::transmute;

/// A name, and its [`hash`].
pub(super) type Name = (&'static [u8], u32);

/// What the table has of a name.
pub(super) const fn hash(name: &[u8]) -> u32 {
    let (mut hash, mut at) = (5381u32, 0);
    while at < name.len() {
        hash = hash.wrapping_mul(33).wrapping_add(name[at] as u32);
        at += 1;
    }
    hash
}

/// An entry of a file's dynamic section.
#[repr(C)]
struct Dynamic {
    tag: u64,
    value: usize,
}

/// The symbols that a file offers, by the hash of their names.
pub(super) struct Symbols {
    bias: usize,
    names: usize,
    symbols: *const libc::Elf64_Sym,
    /// Null where no symbol has a version.
    versions: *const u16,
    /// Counts of buckets and of symbols that are not hashed.
    buckets: usize,
    unhashed: usize,
    /// Words of the filter in front of the buckets, and by how many bits its second number is less.
    filter: [usize; 2],
    first_bucket: *const u32,
    first_chain: *const u32,
}

impl Symbols {
    pub(super) fn of(object: &Object) -> Option<Symbols> {
        const DT_STRTAB: u64 = 5;
        const DT_SYMTAB: u64 = 6;
        const DT_GNU_HASH: u64 = 0x6fff_fef5;
        const DT_VERSYM: u64 = 0x6fff_fff0;
        let bias = object.bias;
        let mut at = object.segment(libc::PT_DYNAMIC)? as *const Dynamic;
        let mut values = [0usize; 4];
        loop {
            // SAFETY: the dynamic section ends with a zero tag.
            let entry = unsafe { &*at };
            let index = match entry.tag {
                0 => break,
                DT_STRTAB => 0,
                DT_SYMTAB => 1,
                DT_GNU_HASH => 2,
                DT_VERSYM => 3,
                _ => values.len(),
            };
            if let Some(value) = values.get_mut(index) {
                // glibc adds the bias to them when it maps a file whose section it can write to.
                let is_offset = entry.value < bias;
                *value = entry.value + if is_offset { bias } else { 0 };
            }
            at = at.wrapping_add(1);
        }
        let [names, symbols, hash, versions] = values;
        if [names, symbols, hash].contains(&0) {
            return None;
        }
        let head = hash as *const u32;
        // SAFETY: a table of that format, whose head are four numbers.
        let [buckets, unhashed, filter, shift] = unsafe { *head.cast::<[u32; 4]>() };
        let first_bucket = head.wrapping_add(4 + 2 * filter as usize);
        Some(Symbols {
            bias,
            names,
            symbols: symbols as *const libc::Elf64_Sym,
            versions: versions as *const u16,
            buckets: buckets as usize,
            unhashed: unhashed as usize,
            filter: [filter as usize, shift as usize],
            first_bucket,
            first_chain: first_bucket.wrapping_add(buckets as usize),
        })
    }

    /// As [`find`](Symbols::find), if the file's filter says that it may be there at all.
    pub(super) fn find_as_next(&self, name: Name) -> Option<usize> {
        self.may_have(name.1).then(|| self.find(name, false))?
    }

    /// What the filter of the table says: two bits are set of each hash.
    fn may_have(&self, hash: u32) -> bool {
        let [words, shift] = self.filter;
        if words == 0 {
            return true;
        }
        let first = self.first_bucket.wrapping_sub(2 * words).cast::<u64>();
        // SAFETY: the table has so many words in front of its buckets.
        let word = unsafe { first.add(hash as usize / 64 % words).read_unaligned() };
        let second = hash.checked_shr(shift as u32).unwrap_or(0);
        word >> (hash % 64) & word >> (second % 64) & 1 != 0
    }

    /// Where a function begins; `is_libc` has versions of its functions, of which others have none.
    pub(super) fn find(&self, (name, hash): Name, is_libc: bool) -> Option<usize> {
        let bucket = (hash as usize).checked_rem(self.buckets)?;
        // SAFETY: the table has so many buckets.
        let mut index = unsafe { *self.first_bucket.add(bucket) } as usize;
        if index < self.unhashed {
            return None;
        }
        loop {
            // SAFETY: a bucket's chain has a word for each symbol, up to one with its lowest bit.
            let link = unsafe { *self.first_chain.add(index - self.unhashed) };
            if link | 1 == hash | 1
                && let Some(address) = self.named(index, name, is_libc)
            {
                return Some(address);
            }
            if link & 1 != 0 {
                return None;
            }
            index += 1;
        }
    }

    /// The symbol's address, if it is the function of this name that programs are linked with now.
    fn named(&self, index: usize, name: &[u8], is_libc: bool) -> Option<usize> {
        const HIDDEN: u16 = 0x8000;
        const WITHOUT: u16 = 1;
        const FUNCTION: u8 = 2;
        const CHOSEN: u8 = 10;
        // SAFETY: a symbol of the table.
        let symbol = unsafe { &*self.symbols.add(index) };
        let version = if self.versions.is_null() {
            0
        } else {
            // SAFETY: there is one of each symbol.
            unsafe { *self.versions.add(index) }
        };
        // SAFETY: names end with a zero byte.
        let its = unsafe { CStr::from_ptr((self.names + symbol.st_name as usize) as *const _) };
        let is_other = version & HIDDEN != 0 || !is_libc && version > WITHOUT;
        if its.to_bytes() != name || is_other || symbol.st_shndx == 0 {
            return None;
        }
        let address = self.bias.wrapping_add(symbol.st_value as usize);
        match symbol.st_info & 15 {
            FUNCTION => Some(address),
            CHOSEN if is_libc => {
                // SAFETY: such a symbol's code says where the function is, and takes nothing on
                // x86-64.
                Some(unsafe { transmute::<usize, extern "C" fn() -> usize>(address)() })
            }
            _ => None,
        }
    }
}
