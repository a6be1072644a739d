//! libc's own definitions of the functions that this library defines as well.
//!
//! The names bind to ours, so libc's are looked up in its own table of symbols: without the
//! loader, which may allocate and takes a lock. Where libc has a version for each processor
//! (`STT_GNU_IFUNC`), it is asked which one fits, as the loader does.
//!
//! 1. An entry is zero until it is known, and in a program that has no table of symbols for good.

use super::loader::{self, Object};
use core::ffi::CStr;
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

macro_rules! functions {
    ($($name:ident)*) => {
        /// The functions, as C names them.
        #[allow(non_camel_case_types, missing_docs, reason = "as C has them")]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Function { $($name),* }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

functions! {
    memcpy memmove mempcpy memset memcmp memchr memrchr rawmemchr bcopy bzero bcmp explicit_bzero
    strlen strnlen strchr strrchr strchrnul strcmp strncmp index rindex
    strcpy stpcpy strncpy stpncpy strcat strncat strdup strndup __strdup __strndup
    wcslen wcscpy wcsncpy wcscat wmemcpy wmemmove wmemset
    __memcpy_chk __memmove_chk __mempcpy_chk __memset_chk
    __strcpy_chk __stpcpy_chk __strncpy_chk __stpncpy_chk __strcat_chk __strncat_chk
    __wcscpy_chk __wcsncpy_chk __wcscat_chk __wmemcpy_chk __wmemmove_chk __wmemset_chk
    sprintf snprintf vsprintf vsnprintf __sprintf_chk __snprintf_chk __vsprintf_chk __vsnprintf_chk
    read recv recvfrom fread fgets __read_chk __recv_chk __fread_chk __fgets_chk
    write pwrite pwrite64 send sendto fwrite writev pwritev pwritev64 sendmsg
    open open64 openat openat64 fopen fopen64 opendir popen system fclose pclose qsort qsort_r
}

/// Where they begin. Relaxed: code, which is there before anybody can name it.
pub static ORIGINALS: [AtomicUsize; NAMES.len()] = [const { AtomicUsize::new(0) }; NAMES.len()];

impl Function {
    /// As a program writes it.
    pub(crate) fn name(self) -> &'static [u8] {
        NAMES[self as usize].as_bytes()
    }

    /// Where libc's begins; 0 if that is not known.
    #[inline(always)]
    #[must_use]
    pub fn original(self) -> usize {
        ORIGINALS[self as usize].load(Ordering::Relaxed)
    }
}

/// Fills memory by libc's own `memset`: the name would come to ours, which looks for a block.
///
/// # Safety
/// The memory is the caller's to write.
#[inline(always)]
pub(crate) unsafe fn fill(start: *mut u8, len: usize, byte: u8) {
    match Function::memset.original() {
        // SAFETY: the caller's clause.
        0 => unsafe { start.write_bytes(byte, len) },
        // SAFETY: the caller's clause; `memset` has that signature.
        address => unsafe {
            transmute::<usize, Fill>(address)(start, i32::from(byte), len);
        },
    }
}

type Fill = unsafe extern "C" fn(*mut u8, i32, usize) -> *mut u8;

/// An entry of a file's dynamic section.
#[repr(C)]
struct Dynamic {
    tag: u64,
    value: usize,
}

/// The symbols that a file offers, by the hash of their names.
struct Symbols {
    bias: usize,
    names: usize,
    symbols: *const libc::Elf64_Sym,
    versions: *const u16,
    /// Counts of buckets and of symbols that are not hashed.
    buckets: usize,
    unhashed: usize,
    first_bucket: *const u32,
    first_chain: *const u32,
}

/// Looks all of them up. Not while libc is being relocated.
#[cold]
pub fn find() {
    let inside = libc::gnu_get_libc_version as *const () as usize;
    let Some(libc) = loader::find(inside).or_else(|| slowly(inside)) else {
        return;
    };
    let Some(symbols) = Symbols::of(&libc) else {
        return;
    };
    for (place, name) in ORIGINALS.iter().zip(NAMES) {
        place.store(
            symbols.find(name.as_bytes()).unwrap_or(0),
            Ordering::Relaxed,
        );
    }
}

/// As [`loader::find`], of a libc that has no such thing.
fn slowly(inside: usize) -> Option<Object> {
    let mut found = None;
    loader::each(|object| {
        if (object.start..object.end).contains(&inside) {
            found = Some(*object);
        }
    });
    found
}

impl Symbols {
    fn of(object: &Object) -> Option<Symbols> {
        const DT_STRTAB: u64 = 5;
        const DT_SYMTAB: u64 = 6;
        const DT_GNU_HASH: u64 = 0x6fff_fef5;
        const DT_VERSYM: u64 = 0x6fff_fff0;
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
                let is_offset = entry.value < object.bias;
                *value = entry.value + if is_offset { object.bias } else { 0 };
            }
            at = at.wrapping_add(1);
        }
        let [names, symbols, hash, versions] = values;
        if [names, symbols, hash, versions].contains(&0) {
            return None;
        }
        let head = hash as *const u32;
        // SAFETY: a table of that format, whose head are four numbers.
        let [buckets, unhashed, filter, _] = unsafe { *head.cast::<[u32; 4]>() };
        let first_bucket = head.wrapping_add(4 + 2 * filter as usize);
        Some(Symbols {
            bias: object.bias,
            names,
            symbols: symbols as *const libc::Elf64_Sym,
            versions: versions as *const u16,
            buckets: buckets as usize,
            unhashed: unhashed as usize,
            first_bucket,
            first_chain: first_bucket.wrapping_add(buckets as usize),
        })
    }

    /// Where a function of libc begins.
    fn find(&self, name: &[u8]) -> Option<usize> {
        let hash = name.iter().fold(5381u32, |hash, &byte| {
            hash.wrapping_mul(33).wrapping_add(u32::from(byte))
        });
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
                && let Some(address) = self.named(index, name)
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
    fn named(&self, index: usize, name: &[u8]) -> Option<usize> {
        const HIDDEN: u16 = 0x8000;
        const FUNCTION: u8 = 2;
        const CHOSEN: u8 = 10;
        // SAFETY: a symbol of the table, and its version.
        let (symbol, version) = unsafe { (&*self.symbols.add(index), *self.versions.add(index)) };
        // SAFETY: names end with a zero byte.
        let its = unsafe { CStr::from_ptr((self.names + symbol.st_name as usize) as *const _) };
        if its.to_bytes() != name || version & HIDDEN != 0 || symbol.st_shndx == 0 {
            return None;
        }
        let address = self.bias.wrapping_add(symbol.st_value as usize);
        match symbol.st_info & 15 {
            FUNCTION => Some(address),
            // SAFETY: such a symbol's code says where the function is, and takes nothing on
            // x86-64.
            CHOSEN => Some(unsafe { transmute::<usize, extern "C" fn() -> usize>(address)() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_has_all_of_them() {
        find();
        for (place, name) in ORIGINALS.iter().zip(NAMES) {
            let found = place.load(Ordering::Relaxed);
            assert_ne!(found, 0, "{name}");
            let object = loader::find(found).expect("an object");
            assert!(object.name().ends_with(b"libc.so.6"), "{name}");
        }
        // SAFETY: `strlen` has that signature.
        let strlen = unsafe {
            transmute::<usize, unsafe extern "C" fn(*const i8) -> usize>(
                Function::strlen.original(),
            )
        };
        // SAFETY: a string.
        assert_eq!(unsafe { strlen(c"four".as_ptr()) }, 4);
    }
}
