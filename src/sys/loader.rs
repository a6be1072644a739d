//! What the dynamic loader has mapped: the files whose code may run.

use core::arch::asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr;

/// A file that is mapped.
#[derive(Clone, Copy)]
pub(crate) struct Object {
    /// What is added to the file's addresses.
    pub(crate) bias: usize,
    /// The lowest address of its mapping, and the one behind the highest.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Its table of unwind information (PT_GNU_EH_FRAME); 0 if it has none.
    pub(crate) eh_frame_hdr: usize,
    /// Its program headers; none if they are not in memory.
    headers: *const libc::Elf64_Phdr,
    count: usize,
    name: *const c_char,
}

/// glibc's `struct dl_find_object`, with which version 2.35 began.
#[repr(C)]
struct Found {
    flags: u64,
    map_start: usize,
    map_end: usize,
    link_map: *const LinkMap,
    eh_frame: usize,
    reserved: [u64; 7],
}

/// The public part of `struct link_map`.
#[repr(C)]
struct LinkMap {
    bias: usize,
    name: *const c_char,
}

/// Whether [`find`] can find anything: glibc has had it since 2.35.
pub(crate) fn finds() -> bool {
    finder() != 0
}

fn finder() -> usize {
    let address: usize;
    // SAFETY: reads the symbol's entry in the global offset table, which is zero where the weak
    // symbol is not defined.
    unsafe {
        asm!(
            // In each object file that the compiler makes of this crate.
            ".weak _dl_find_object",
            "mov {}, qword ptr [rip + _dl_find_object@GOTPCREL]",
            out(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    address
}

/// The file in whose mapping `address` lies. Takes no lock, and may be called from signal
/// handlers. What it returns may be unmapped by another thread, unless code of it is running.
pub(crate) fn find(address: usize) -> Option<Object> {
    type Find = unsafe extern "C" fn(*const c_void, *mut Found) -> c_int;
    let function = finder();
    if function == 0 {
        return None;
    }
    // SAFETY: `_dl_find_object` has that signature.
    let function = unsafe { transmute::<usize, Find>(function) };
    let mut found = Found {
        flags: 0,
        map_start: 0,
        map_end: 0,
        link_map: ptr::null(),
        eh_frame: 0,
        reserved: [0; 7],
    };
    // SAFETY: `found` is a place for the result.
    if unsafe { function(address as *const c_void, &mut found) } != 0 {
        return None;
    }
    // SAFETY: the loader's description of a file that is mapped.
    let map = unsafe { &*found.link_map };
    let mut object = Object {
        bias: map.bias,
        start: found.map_start,
        end: found.map_end,
        eh_frame_hdr: found.eh_frame,
        headers: ptr::null(),
        count: 0,
        name: map.name,
    };
    object.read_headers();
    Some(object)
}

impl Object {
    /// Finds the program headers behind the ELF header at the start of the mapping.
    fn read_headers(&mut self) {
        let start = self.start as *const libc::Elf64_Ehdr;
        // SAFETY: the first page of a mapped file can be read, as far as glibc maps one: it
        // begins with its first segment.
        let header = unsafe { &*start };
        let table = header.e_phoff as usize;
        let size = usize::from(header.e_phnum) * size_of::<libc::Elf64_Phdr>();
        let plausible = header.e_ident.starts_with(b"\x7fELF")
            && usize::from(header.e_phentsize) == size_of::<libc::Elf64_Phdr>()
            && table.is_multiple_of(8)
            && table + size <= crate::sys::memory::PAGE;
        if plausible {
            self.headers = (self.start + table) as *const libc::Elf64_Phdr;
            self.count = usize::from(header.e_phnum);
        }
    }

    fn headers(&self) -> &[libc::Elf64_Phdr] {
        if self.headers.is_null() {
            return &[];
        }
        // SAFETY: the headers of a mapped file are in memory.
        unsafe { core::slice::from_raw_parts(self.headers, self.count) }
    }

    /// Where its first segment of this type begins.
    #[allow(dead_code, reason = "integrity looks for functions")]
    pub(crate) fn segment(&self, kind: u32) -> Option<usize> {
        let found = self.headers().iter().find(|header| header.p_type == kind)?;
        Some(self.bias.wrapping_add(found.p_vaddr as usize))
    }

    /// As the loader names it: a path, empty for the program.
    pub(crate) fn name(&self) -> &[u8] {
        if self.name.is_null() {
            return &[];
        }
        // SAFETY: the loader's name of a file that is mapped.
        unsafe { CStr::from_ptr(self.name) }.to_bytes()
    }

    /// The bytes of the notes of type `wanted` by `GNU`, of which the first is returned.
    fn gnu_note(&self, wanted: u32) -> Option<&[u8]> {
        let notes = |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_NOTE;
        self.headers().iter().filter(notes).find_map(|header| {
            let start = self.bias.wrapping_add(header.p_vaddr as usize);
            let end = start.checked_add(header.p_memsz as usize)?;
            if start < self.start || end > self.end {
                return None;
            }
            // SAFETY: a segment of a mapped file.
            let mut notes = unsafe { core::slice::from_raw_parts(start as *const u8, end - start) };
            let align = (header.p_align as usize).clamp(4, 8);
            loop {
                let (head, rest) = notes.split_at_checked(12)?;
                let word = |at: usize| {
                    u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
                };
                let (name_len, len) = (word(0) as usize, word(4) as usize);
                let at = (12 + name_len).next_multiple_of(align) - 12;
                let content = rest.get(at..at.checked_add(len)?)?;
                if word(8) == wanted && rest.starts_with(b"GNU\0") {
                    return Some(content);
                }
                notes = notes.get((12 + at + len).next_multiple_of(align)..)?;
            }
        })
    }

    /// The GNU build id; empty if there is none.
    pub(crate) fn build_id(&self) -> &[u8] {
        const NT_GNU_BUILD_ID: u32 = 3;
        self.gnu_note(NT_GNU_BUILD_ID).unwrap_or_default()
    }
}

/// Calls `each` with the files that the loader searches behind the one in which `address` lies, as
/// long as it says so. Takes the loader's lock: not from a hook.
#[allow(dead_code, reason = "integrity looks for functions")]
pub(crate) fn each_behind(address: usize, mut wants: impl FnMut(&Object) -> bool) {
    let (mut is_behind, mut goes_on) = (false, true);
    each(|object| {
        if is_behind && goes_on {
            goes_on = wants(object);
        }
        is_behind |= (object.start..object.end).contains(&address);
    });
}

/// Calls `each` with every file that is mapped. Takes the loader's lock: not from a hook.
pub(crate) fn each(mut each: impl FnMut(&Object)) {
    unsafe extern "C" fn one<F: FnMut(&Object)>(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        each: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes a description, and what `each` passed to it.
        let (info, each) = unsafe { (&*info, &mut *each.cast::<F>()) };
        each(&of_headers(info));
        0
    }
    fn call<F: FnMut(&Object)>(each: &mut F) {
        // SAFETY: `one` is for this type.
        unsafe { libc::dl_iterate_phdr(Some(one::<F>), ptr::from_mut(each).cast()) };
    }
    super::keep_errno(|| call(&mut each));
}

fn of_headers(info: &libc::dl_phdr_info) -> Object {
    let mut object = Object {
        bias: info.dlpi_addr as usize,
        start: usize::MAX,
        end: 0,
        eh_frame_hdr: 0,
        headers: info.dlpi_phdr,
        count: usize::from(info.dlpi_phnum),
        name: info.dlpi_name,
    };
    let (mut start, mut end, mut table) = (usize::MAX, 0, 0);
    for header in object.headers() {
        let first = object.bias.wrapping_add(header.p_vaddr as usize);
        match header.p_type {
            libc::PT_LOAD => {
                start = start.min(first & !(crate::sys::memory::PAGE - 1));
                end = end.max(first.wrapping_add(header.p_memsz as usize));
            }
            libc::PT_GNU_EH_FRAME => table = first,
            _ => {}
        }
    }
    (object.start, object.end, object.eh_frame_hdr) = (start, end, table);
    object
}
