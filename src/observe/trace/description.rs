//! What the file `session` says of the process, the program, and the heap.

use crate::metadata::{MAPPED, MappingKind};
use crate::observe::FEATURES;
use crate::size_class::SizeClass;
use crate::sys::file;
use crate::sys::process;
use hakmem_trace_format::SessionHeader;

/// A session's number.
pub(super) fn random_id() -> [u64; 2] {
    let mut bytes = [0; 16];
    process::fill_random(&mut bytes);
    let mut id = [0; 2];
    for (word, bytes) in id.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, b| word << 8 | u64::from(*b));
    }
    if id == [0; 2] {
        // There is no randomness so early.
        id = [crate::sys::time_stamp::now(), crate::sys::clock::realtime()];
    }
    id
}

/// The kernel's id of the time since the system was started.
pub(super) fn boot_id() -> [u8; 16] {
    let mut text = [0; 36];
    let mut id = [0; 16];
    let length = file::read(c"/proc/sys/kernel/random/boot_id", &mut text).unwrap_or(0);
    let digits = text[..length]
        .iter()
        .filter_map(|&digit| char::from(digit).to_digit(16));
    for (index, digit) in digits.enumerate().take(32) {
        id[index / 2] = id[index / 2] << 4 | digit as u8;
    }
    id
}

pub(super) fn describe_program(header: &mut SessionHeader) {
    let length = file::read_link(c"/proc/self/exe", &mut header.exe);
    header.exe_bytes = length.unwrap_or(0) as u32;
    let length = file::read(c"/proc/self/cmdline", &mut header.command_line);
    header.command_bytes = length.unwrap_or(0) as u32;
    let mut at = 0;
    for (name, _) in FEATURES.iter().filter(|(_, is_on)| *is_on) {
        let blank = usize::from(at > 0);
        let end = at + blank + name.len();
        header.features[at..at + blank].fill(b' ');
        header.features[at + blank..end].copy_from_slice(name.as_bytes());
        at = end;
    }
}

pub(super) fn describe_heap(header: &mut SessionHeader) {
    for class in SizeClass::all() {
        header.class_bytes[class.index()] = class.bytes() as u32;
        header.class_count = header.class_count.max(class.index() as u32 + 1);
    }
    let arena = MAPPED
        .iter()
        .find_map(|mapping| mapping.of(MappingKind::Arena));
    if let Some((address, len)) = arena {
        header.arena_base = address as u64;
        header.arena_limit = (address + len) as u64;
    }
}
