//! A process that runs: read while it does, from `/proc`, without stopping it.
//!
//! What changes meanwhile shows as it happens to be read.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::memory::{Access, Memory, Segment, of_process};
use super::{Image, MappedFile, Thread, refusal};
use crate::failure::{Failure, Status};

/// Opens the memory of a process. Where a debugger is the one that may read it, it hands on what it has
/// opened: the list of mappings is in the file `handed`, and the memory is standard input.
pub fn open(pid: u32, handed: Option<&Path>) -> Result<Image, Failure> {
    let place = PathBuf::from(format!("/proc/{pid}"));
    let failed = |error: io::Error| refusal::of(pid, &error);
    let (maps, file) = match handed {
        None => (
            fs::read_to_string(place.join("maps")).map_err(failed)?,
            of_process(pid).map_err(failed)?,
        ),
        Some(maps) => (
            fs::read_to_string(maps).map_err(|error| not_handed(maps, &error))?,
            input().map_err(|error| not_handed(Path::new("/dev/stdin"), &error))?,
        ),
    };
    let mut image = Image::new(format!("pid:{pid}"));
    image.pid = pid;
    image.is_process = true;
    let mut segments = vec![];
    for line in maps.lines() {
        let Some((segment, offset)) = segment(line) else {
            continue;
        };
        if segment.name.starts_with('/') {
            image.files.push(MappedFile {
                start: segment.start,
                end: segment.end,
                offset,
                path: segment.name.clone(),
            });
        }
        segments.push(segment);
    }
    if segments.is_empty() {
        let gone = "it has no memory: it has ended, or is one of the kernel's";
        return Err(failed(io::Error::other(gone)));
    }
    image.name = text(&place.join("comm")).trim_end().to_owned();
    let line = fs::read(place.join("cmdline")).unwrap_or_default();
    let line = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    image.command_line = line.collect::<Vec<_>>().join(" ").trim_end().to_owned();
    image.exe = fs::read_link(place.join("exe")).ok();
    image.threads = threads(&place);
    let (memory, _) = Memory::new(file, None, segments);
    Ok(image.complete(memory))
}

/// What a debugger should have handed on cannot be read.
fn not_handed(place: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Status::Usage,
        "cannot read what the debugger hands on",
        error.to_string(),
        "name the process as pid:N, or ask in the debugger",
    )
    .at(place)
}

/// Standard input, which has to be a file.
fn input() -> io::Result<File> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(
            "standard input is not the memory of a process",
        )),
    }
}

fn text(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A line of `maps`: the segment, and its offset in the file that is mapped.
fn segment(line: &str) -> Option<(Segment, u64)> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let access = words.next()?.as_bytes();
    let access = Access {
        read: access.first() == Some(&b'r'),
        write: access.get(1) == Some(&b'w'),
        execute: access.get(2) == Some(&b'x'),
    };
    let offset = u64::from_str_radix(words.next()?, 16).ok()?;
    let name = words.nth(2).unwrap_or_default().trim_start().to_owned();
    // To read what the process itself may not would fail, or make pages; the kernel's own data
    // cannot be read.
    let readable = access.read && !name.starts_with("[vvar") && name != "[vsyscall]";
    let segment = Segment {
        start,
        end,
        offset: start,
        in_file: if readable { end.checked_sub(start)? } else { 0 },
        access,
        name,
    };
    Some((segment, offset))
}

fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// Its threads. Where a thread waits in the kernel, that tells its stack pointer and where it is.
fn threads(place: &Path) -> Vec<Thread> {
    let Ok(entries) = fs::read_dir(place.join("task")) else {
        return vec![];
    };
    let thread = |entry: fs::DirEntry| {
        let tid = entry.file_name().to_str()?.parse().ok()?;
        let call = text(&entry.path().join("syscall"));
        let mut last = call.split_whitespace().rev().map(hexadecimal);
        let (instruction, pointer) = (last.next().flatten(), last.next().flatten());
        Some(Thread {
            tid,
            name: text(&entry.path().join("comm")).trim_end().to_owned(),
            signal: 0,
            registers: None,
            stack_pointer: pointer,
            instruction: instruction.filter(|_| pointer.is_some()),
        })
    };
    let mut threads: Vec<Thread> = entries.flatten().filter_map(thread).collect();
    threads.sort_by_key(|thread| thread.tid);
    threads
}
