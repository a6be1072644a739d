//! A session's directory, and the files in it.

use super::path::Path;
use crate::observe::own_memory;
use crate::sys::file::{self, Descriptor, Refusal};
use crate::sys::memory::PAGE;
use core::ffi::CStr;
use core::ptr::NonNull;
use hakmem_trace_format::FileName;

/// Directories that are tried before there is no name left.
const ATTEMPTS: u32 = 1000;

/// A file of `bytes` zeroes in a directory, mapped; memory without a name if there is none.
pub(super) fn make_file(
    directory: Option<&Descriptor>,
    name: FileName,
    bytes: u64,
) -> Result<NonNull<u8>, Refusal> {
    let Some(directory) = directory else {
        let address = own_memory::map((bytes as usize).next_multiple_of(PAGE));
        let address = address.and_then(|address| NonNull::new(address as *mut u8));
        return address.ok_or(Refusal::NO_MEMORY);
    };
    let mut buffer = [0; 32];
    let file = directory.create(name_of(name, &mut buffer))?;
    allocate_and_map(directory, &file, name, bytes)
}

pub(super) fn allocate_and_map(
    directory: &Descriptor,
    file: &Descriptor,
    name: FileName,
    bytes: u64,
) -> Result<NonNull<u8>, Refusal> {
    let mapped = file
        .allocate(bytes as usize)
        .and_then(|()| file.map(bytes as usize));
    if mapped.is_err() {
        let mut buffer = [0; 32];
        directory.remove(name_of(name, &mut buffer));
    }
    mapped
}

pub(super) fn name_of(name: FileName, buffer: &mut [u8; 32]) -> &CStr {
    name.write(buffer);
    CStr::from_bytes_until_nul(buffer).unwrap_or(c"")
}

/// A directory that no session is in, with its file `session`: the one that the template names,
/// or with the process's number behind it.
pub(super) fn claim(
    template: &Path,
    pid: u32,
    is_child: bool,
) -> Result<(Path, Descriptor, Descriptor), Refusal> {
    let mut last = Refusal::TAKEN;
    for attempt in 0..ATTEMPTS {
        let mut path = Path::EMPTY;
        let is_numbered = path.push_template(template.bytes(), pid);
        if attempt == 0 && is_child && !is_numbered {
            continue;
        }
        if attempt > 0 {
            path.push(b".");
            path.push_number(pid);
        }
        if attempt > 1 {
            path.push(b".");
            path.push_number(attempt);
        }
        for above in path.above() {
            let _ = file::make_directory(above.as_c_str()?);
        }
        match file::make_directory(path.as_c_str()?) {
            Ok(()) | Err(Refusal::TAKEN) => {}
            Err(refusal) => return Err(refusal),
        }
        let directory = file::open_directory(path.as_c_str()?)?;
        let mut buffer = [0; 32];
        match directory.create(name_of(FileName::Session, &mut buffer)) {
            Ok(session) => return Ok((path, directory, session)),
            Err(Refusal::TAKEN) => last = Refusal::TAKEN,
            Err(refusal) => return Err(refusal),
        }
    }
    Err(last)
}
