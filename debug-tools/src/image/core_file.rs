//! An ELF core file: its segments and its notes.
//!
//! ```text
//! ELF header ─► program headers ─┬► PT_LOAD  a range of addresses and its bytes
//!                                └► PT_NOTE  threads' registers, mapped files, the signal
//! ```
//!
//! All numbers come from the file and are compared with its length before they are used.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::memory::{Access, Memory, Segment};
use super::{Image, MappedFile, Registers, Signal, Thread};
use crate::failure::{Failure, Status};

const EHDR_BYTES: usize = 64;
const PHDR_BYTES: usize = 56;
const SHDR_BYTES: usize = 64;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const ET_CORE: u16 = 4;
const EM_X86_64: u16 = 62;
/// `e_phnum` where there are more program headers than it can say.
const PN_XNUM: u16 = 0xffff;
/// The most bytes of notes that are read: what 40 000 threads have.
const NOTES_MAX: u64 = 128 << 20;

const NT_PRSTATUS: u32 = 1;
const NT_PRPSINFO: u32 = 3;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;

/// `struct elf_prstatus` of x86-64: where the thread's number and its registers stand.
const PRSTATUS_SIGNAL: usize = 12;
const PRSTATUS_TID: usize = 32;
const PRSTATUS_REGISTERS: usize = 112;
/// `struct elf_prpsinfo`.
const PRPSINFO_PID: usize = 24;
const PRPSINFO_NAME: usize = 40;

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn quarter(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// Why a file cannot be read as a core file.
fn unusable(path: &Path, why: impl Into<String>, next: &str) -> Failure {
    Failure::new(Status::Usage, "cannot read the core file", why, next).at(path)
}

const ANOTHER: &str = "name a core file of a 64-bit x86-64 process, a trace directory, or pid:N";

/// Opens the core file.
pub fn open(path: &Path) -> Result<Image, Failure> {
    let failed = |error: std::io::Error| unusable(path, error.to_string(), ANOTHER);
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut header = [0; EHDR_BYTES];
    let have = (length as usize).min(EHDR_BYTES);
    file.read_exact_at(&mut header[..have], 0).map_err(failed)?;
    check_header(path, &header[..have])?;
    let mut notes = vec![];
    let headers = program_headers(&file, length, &header, &mut notes)
        .map_err(|why| unusable(path, why, "see whether it was written to its end"))?;
    let mut image = Image::new(path.display().to_string());
    let mut segments = vec![];
    for header in headers.as_chunks::<PHDR_BYTES>().0 {
        let Some(part) = Part::of(header) else {
            continue;
        };
        match part.kind {
            PT_LOAD => segments.push(part.segment()),
            PT_NOTE => read_notes(&file, &part, length, &mut image, &mut notes),
            _ => {}
        }
    }
    if segments.is_empty() {
        return Err(unusable(path, "it has no memory in it", ANOTHER));
    }
    let (memory, left_out) = Memory::new(file, Some(length), segments);
    if left_out > 0 {
        notes.push(format!(
            "{left_out} segments reach into others and are left out"
        ));
    }
    let missing = memory.missing();
    if missing > 0 {
        notes.push(format!(
            "it is cut short: {missing} bytes that its headers speak of are not there"
        ));
    }
    image.notes = notes;
    Ok(image.complete(memory))
}

fn check_header(path: &Path, header: &[u8]) -> Result<(), Failure> {
    if !header.starts_with(b"\x7fELF") {
        return Err(unusable(path, "it is not an ELF file", ANOTHER));
    }
    if header.len() < EHDR_BYTES {
        let why = format!("it has {} bytes, less than an ELF header", header.len());
        return Err(unusable(path, why, ANOTHER));
    }
    let kind = quarter(header, 16).unwrap_or(0);
    let machine = quarter(header, 18).unwrap_or(0);
    if header[4] != 2 || header[5] != 1 || machine != EM_X86_64 {
        let bits = if header[4] == 1 { "32-bit" } else { "64-bit" };
        let why = format!("it is of a {bits} process of machine {machine}, not of x86-64");
        return Err(unusable(path, why, ANOTHER));
    }
    if kind != ET_CORE {
        let why = "it is an ELF file, but a program or library, not a core file";
        return Err(unusable(path, why, ANOTHER));
    }
    Ok(())
}

/// The program headers that are there.
fn program_headers(
    file: &File,
    length: u64,
    header: &[u8],
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, String> {
    let offset = word(header, 32).unwrap_or(0);
    let each = quarter(header, 54).unwrap_or(0);
    if usize::from(each) != PHDR_BYTES {
        return Err(format!(
            "its program headers have {each} bytes, not {PHDR_BYTES}"
        ));
    }
    let mut count = u64::from(quarter(header, 56).unwrap_or(0));
    if count == u64::from(PN_XNUM) {
        // Then the first section header has the count.
        let at = word(header, 40).unwrap_or(0);
        let mut section = [0; SHDR_BYTES];
        match file.read_exact_at(&mut section, at) {
            Ok(()) => count = u64::from(half(&section, 44).unwrap_or(0)),
            Err(_) => notes.push("the number of its segments is not there".into()),
        }
    }
    let there = length.saturating_sub(offset) / PHDR_BYTES as u64;
    if there < count {
        notes.push(format!("of {count} program headers {there} are there"));
    }
    let mut bytes = vec![0; count.min(there) as usize * PHDR_BYTES];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|error| format!("its program headers cannot be read: {error}"))?;
    Ok(bytes)
}

/// A program header.
struct Part {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
}

impl Part {
    fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: half(bytes, 0)?,
            flags: half(bytes, 4)?,
            offset: word(bytes, 8)?,
            address: word(bytes, 16)?,
            in_file: word(bytes, 32)?,
            in_memory: word(bytes, 40)?,
        })
    }

    fn segment(&self) -> Segment {
        Segment {
            start: self.address,
            end: self.address.saturating_add(self.in_memory),
            offset: self.offset,
            in_file: self.in_file.min(self.in_memory),
            access: Access {
                read: self.flags & 4 != 0,
                write: self.flags & 2 != 0,
                execute: self.flags & 1 != 0,
            },
            name: String::new(),
        }
    }
}

/// Reads the notes of a segment, as far as they are there.
fn read_notes(file: &File, part: &Part, length: u64, image: &mut Image, said: &mut Vec<String>) {
    let there = part.in_file.min(length.saturating_sub(part.offset));
    if there < part.in_file {
        said.push(format!(
            "of {} bytes of notes {there} are there",
            part.in_file
        ));
    }
    let mut bytes = vec![0; there.min(NOTES_MAX) as usize];
    if file.read_exact_at(&mut bytes, part.offset).is_err() {
        said.push("its notes cannot be read".into());
        return;
    }
    let mut rest = &bytes[..];
    while let Some(note) = Note::first(rest) {
        rest = note.behind;
        let content = note.content;
        match (note.name, note.kind) {
            (b"CORE", NT_PRSTATUS) => image.threads.extend(thread(content)),
            (b"CORE", NT_PRPSINFO) => process(content, image),
            (b"CORE", NT_SIGINFO) => image.signal = signal(content),
            (b"CORE", NT_FILE) => image.files = files(content),
            _ => {}
        }
    }
}

/// A note.
struct Note<'b> {
    name: &'b [u8],
    kind: u32,
    content: &'b [u8],
    /// The bytes behind it.
    behind: &'b [u8],
}

impl<'b> Note<'b> {
    /// The first note, if it is whole.
    fn first(bytes: &'b [u8]) -> Option<Self> {
        let padded = |length: usize| Some(length.checked_add(3)? & !3);
        let name_bytes = half(bytes, 0)? as usize;
        let content_bytes = half(bytes, 4)? as usize;
        let kind = half(bytes, 8)?;
        let rest = bytes.get(12..)?;
        let name = rest.get(..name_bytes)?;
        let rest = rest.get(padded(name_bytes)?..)?;
        Some(Self {
            name: name.strip_suffix(b"\0").unwrap_or(name),
            kind,
            content: rest.get(..content_bytes)?,
            behind: rest.get(padded(content_bytes)?..).unwrap_or(&[]),
        })
    }
}

fn thread(content: &[u8]) -> Option<Thread> {
    let tid = half(content, PRSTATUS_TID)?;
    let registers = (0..Registers::COUNT).map(|n| word(content, PRSTATUS_REGISTERS + 8 * n));
    let registers: Option<Vec<u64>> = registers.collect();
    Some(Thread {
        tid,
        name: String::new(),
        signal: quarter(content, PRSTATUS_SIGNAL)?,
        registers: Registers::new(&registers?),
        stack_pointer: None,
        instruction: None,
    })
}

fn process(content: &[u8], image: &mut Image) {
    image.pid = half(content, PRPSINFO_PID).unwrap_or(0);
    let text = |at: usize, bytes: usize| {
        let field = content.get(at..at + bytes).unwrap_or(&[]);
        let end = field
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    image.name = text(PRPSINFO_NAME, 16);
    image.command_line = text(PRPSINFO_NAME + 16, 80).trim_end().to_owned();
}

fn signal(content: &[u8]) -> Option<Signal> {
    Some(Signal {
        number: half(content, 0)?.cast_signed(),
        code: half(content, 8)?.cast_signed(),
        address: word(content, 16)?,
    })
}

fn files(content: &[u8]) -> Vec<MappedFile> {
    let read = || {
        let count = usize::try_from(word(content, 0)?).ok()?;
        let page = word(content, 8)?;
        let names = content.get(16_usize.checked_add(count.checked_mul(24)?)?..)?;
        let mut names = names.split(|byte| *byte == 0);
        let mut files = vec![];
        for index in 0..count {
            let at = 16 + 24 * index;
            files.push(MappedFile {
                start: word(content, at)?,
                end: word(content, at + 8)?,
                offset: word(content, at + 16)?.saturating_mul(page),
                path: String::from_utf8_lossy(names.next()?).into_owned(),
            });
        }
        Some(files)
    };
    read().unwrap_or_default()
}
