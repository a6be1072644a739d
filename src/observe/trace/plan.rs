//! What the variables say of the recorder.

use super::filter::Filter;
use super::path::Path;
use crate::observe::settings;
use crate::sys::file;
use crate::sys::stderr::Line;
use hakmem_trace_format::{Mode, RECORD_BYTES};

/// The directory where none is named.
const DIRECTORY: &[u8] = b"hakmem-trace.%p";
/// Records that are said at the end, if it is not said how many.
const USUAL_DUMP: u32 = 128;

/// What the variables say of this process's sessions, and its children's.
pub(super) struct Plan {
    /// The directory, absolute, perhaps with `%p` in it; none if nothing goes to files.
    pub(super) template: Option<Path>,
    pub(super) mode: Mode,
    /// Slots of a thread's ring, a power of two.
    pub(super) ring_slots: u64,
    /// Bytes of the table of stacks.
    pub(super) stacks_bytes: u64,
    /// The most bytes of full mode's segments.
    pub(super) full_bytes: u64,
    pub(super) filter: Filter,
    /// Each record is said as well.
    pub(super) is_verbose: bool,
    /// How many of the newest records are said at the end.
    pub(super) dump: u32,
}

impl Plan {
    /// Reads the variables; `None` if nothing is to be recorded. Called once, at the set-up.
    pub(super) fn read() -> Option<Plan> {
        let directory = match settings::text("HAKMEM_TRACE_DIR") {
            Some(directory) if !directory.is_empty() => Some(directory),
            _ if settings::is_on("HAKMEM_TRACE_ALLOCATIONS") => Some(DIRECTORY),
            _ if settings::text("HAKMEM_TRACE") == Some(b"1") => Some(DIRECTORY),
            _ => None,
        };
        let is_verbose = settings::is_on("HAKMEM_PTR_TRACE_VERBOSE");
        let dump = match settings::is_on("HAKMEM_PTR_TRACE_DUMP") {
            true => Some(settings::count("HAKMEM_PTR_TRACE_DUMP")),
            false => None,
        };
        if directory.is_none() && !is_verbose && dump.is_none() {
            return None;
        }
        let megabytes = |name| u64::from(settings::count(name)) << 20;
        let ring_bytes = u64::from(settings::count("HAKMEM_TRACE_RING_KB")) << 10;
        Some(Plan {
            template: directory.map(absolute),
            mode: mode(directory.is_some()),
            ring_slots: (ring_bytes / RECORD_BYTES as u64).next_power_of_two(),
            stacks_bytes: megabytes("HAKMEM_TRACE_STACKS_MB"),
            full_bytes: megabytes("HAKMEM_TRACE_MAX_MB"),
            filter: match settings::text("HAKMEM_TRACE_FILTER") {
                Some(conditions) => Filter::read(conditions),
                None => Filter::NONE,
            },
            is_verbose,
            dump: match dump {
                None => 0,
                Some(0 | 1) => USUAL_DUMP,
                Some(count) => count,
            },
        })
    }
}

/// As it is seen from the directory that the process starts in: it may go elsewhere.
fn absolute(directory: &[u8]) -> Path {
    let mut path = Path::EMPTY;
    if !directory.starts_with(b"/") {
        let mut buffer = [0; 1024];
        if let Some(length) = file::working_directory(&mut buffer) {
            path.push(&buffer[..length]);
            path.push(b"/");
        }
    }
    path.push(directory);
    path
}

fn mode(goes_to_files: bool) -> Mode {
    match settings::text("HAKMEM_TRACE_MODE") {
        None | Some(b"ring") => Mode::Ring,
        Some(b"full") if goes_to_files => Mode::Full,
        Some(b"full") => Mode::Ring,
        Some(other) => {
            Line::new()
                .text(b"hakmem: HAKMEM_TRACE_MODE=")
                .text(&other[..other.len().min(32)])
                .text(b" is not ring or full; using the default ring")
                .write();
            Mode::Ring
        }
    }
}
