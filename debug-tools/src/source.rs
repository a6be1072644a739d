//! What a command looks at: a trace directory, a core file, or a process; and the trace that belongs
//! to a core file or process.
//!
//! ```text
//! DIRECTORY ─► Trace          pid:N, FILE ─► Image ─┬► its trace, by the session's number:
//!                                                   │    the one that --trace names
//!                                                   │    in the core file itself
//!                                                   │    where the process had it mapped from
//!                                                   └►   a directory beside the core file
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hakmem_trace_format::FileName;
use hakmem_trace_format::reader::{Error, Trace};

use crate::failure::{Failure, Status, say};
use crate::heap::Heap;
use crate::image::Image;
use crate::printable::Printable;
use crate::version;

/// Notes about a source that are said.
const NOTES: usize = 10;
/// Directories beside a core file in which a trace is looked for.
const BESIDE_MAX: usize = 4096;

/// What was named.
pub enum Source {
    /// A session directory.
    Trace(Box<Trace>),
    /// A core file, or a process.
    Image(Box<Image>),
}

impl Source {
    /// Opens what the user named, and says what could not be read of it.
    pub fn open(name: &Path) -> Result<Self, Failure> {
        let source = Self::find(name)?;
        let notes: Vec<String> = match &source {
            Self::Trace(trace) => trace.notes().iter().map(ToString::to_string).collect(),
            Self::Image(image) => image.notes.clone(),
        };
        say_notes(&notes);
        if let Self::Trace(trace) = &source {
            version::compare(&name.to_string_lossy(), &trace.session().hakmem_version());
        }
        Ok(source)
    }

    fn find(name: &Path) -> Result<Self, Failure> {
        if let Some(process) = name.to_str().and_then(|name| name.strip_prefix("pid:")) {
            return Ok(Self::Image(Box::new(of_process(process)?)));
        }
        // Looked at before it is opened: to open a pipe would wait for a writer.
        let kind = fs::metadata(name).map_err(|error| {
            let next =
                "name a session directory, which has a file `session` in it, a core file, or pid:N";
            Failure::new(
                Status::Usage,
                "cannot open the source",
                error.to_string(),
                next,
            )
            .at(name)
        })?;
        if kind.is_dir() {
            return Ok(Self::Trace(Box::new(trace(name)?)));
        }
        if !kind.is_file() {
            let next = "name a trace directory, a core file, or pid:N";
            let why = "it is neither a directory nor a regular file";
            return Err(Failure::new(Status::Usage, "cannot open the source", why, next).at(name));
        }
        // `session` in a directory is the directory.
        if name.file_name().is_some_and(|name| name == "session")
            && let Some(directory) = name.parent()
        {
            return Ok(Self::Trace(Box::new(trace(directory)?)));
        }
        Ok(Self::Image(Box::new(Image::of_core(name)?)))
    }

    /// Whether something of it is missing.
    pub fn is_truncated(&self) -> bool {
        match self {
            Self::Trace(trace) => !trace.notes().is_empty(),
            Self::Image(image) => image.is_truncated(),
        }
    }
}

/// `N`, or `N,MAPS`, which the debuggers' scripts hand on.
fn of_process(process: &str) -> Result<Image, Failure> {
    let (pid, handed) = match process.split_once(',') {
        Some((pid, maps)) => (pid, Some(Path::new(maps))),
        None => (process, None),
    };
    let pid = pid.parse().map_err(|_| {
        let why = format!("`{pid}` is no process id");
        Failure::new(
            Status::Usage,
            "cannot read the process",
            why,
            "write it as pid:1234",
        )
    })?;
    Image::of_process(pid, handed)
}

/// Opens a session directory.
pub fn trace(directory: &Path) -> Result<Trace, Failure> {
    Trace::open(directory).map_err(failure)
}

fn failure(error: Error) -> Failure {
    Failure::new(Status::Usage, error.what, error.why, error.next).at(&error.place)
}

/// Says notes, as many as one reads.
pub fn say_notes(notes: &[String]) {
    for note in notes.iter().take(NOTES) {
        say(format_args!("hakmem: note: {}", Printable(note)));
    }
    if let Some(more) = notes.len().checked_sub(NOTES).filter(|more| *more > 0) {
        say(format_args!("hakmem: note: {more} more of these"));
    }
}

/// The trace of an image, if there is one. Fails if the one that was named is another's.
pub fn trace_of(
    image: &Image,
    heap: Option<&Heap<'_>>,
    named: Option<&Path>,
) -> Result<Option<Trace>, Failure> {
    let id = heap.and_then(session_of);
    if let Some(directory) = named {
        let trace = trace(directory)?;
        if id.is_some_and(|id| id != trace.session().header().session) {
            let why = "its session's number is not that of the process";
            let next = "leave out --trace, or name the directory that the process recorded to";
            let failure = Failure::new(Status::Usage, "the trace is of another process", why, next);
            return Err(failure.at(directory));
        }
        return Ok(Some(trace));
    }
    let fits = |trace: &Trace| {
        let header = trace.session().header();
        match id {
            Some(id) => header.session == id && (image.pid == 0 || header.pid == image.pid),
            None => image.pid != 0 && header.pid == image.pid,
        }
    };
    if let Some(trace) = in_core(image).filter(fits) {
        tracing::info!("the trace is in the core file");
        return Ok(Some(trace));
    }
    if id.is_none() {
        return Ok(None);
    }
    let beside = mapped_from(image).into_iter().chain(beside(image));
    for directory in beside {
        if let Ok(trace) = Trace::open(&directory)
            && fits(&trace)
        {
            tracing::info!(directory = %directory.display(), "the trace");
            return Ok(Some(trace));
        }
    }
    Ok(None)
}

/// The number of the process's session, if it recorded.
fn session_of(heap: &Heap<'_>) -> Option<[u64; 2]> {
    let address = heap.layout.session?;
    let words = heap.memory().words(address, 2)?;
    let id = [words[0], words[1]];
    (id != [0; 2]).then_some(id)
}

/// The trace whose files are in the core file, where the kernel was asked to put them there.
fn in_core(image: &Image) -> Option<Trace> {
    if image.is_process {
        return None;
    }
    let mut parts = BTreeMap::new();
    for file in &image.files {
        let name = Path::new(&file.path).file_name()?.to_str()?;
        let name = name.strip_suffix(" (deleted)").unwrap_or(name);
        let Some(name) = FileName::parse(name) else {
            continue;
        };
        let Some(segment) = image.memory.segment(file.start) else {
            continue;
        };
        // One that is mapped from its beginning, in one piece.
        if file.offset == 0 && segment.start == file.start && segment.in_file > 0 {
            parts
                .entry(name)
                .or_insert((segment.offset, segment.in_file));
        }
    }
    parts.get(&FileName::Session)?;
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(name, (offset, bytes))| (name, offset, bytes))
        .collect();
    Trace::open_parts(&image.source, &parts).ok()
}

/// Directories that the process had a session's files mapped from.
fn mapped_from(image: &Image) -> Option<PathBuf> {
    let session = image
        .files
        .iter()
        .find_map(|file| file.path.strip_suffix("/session"));
    session.map(PathBuf::from)
}

/// Directories beside a core file that have a session in them.
fn beside(image: &Image) -> Vec<PathBuf> {
    if image.is_process {
        return vec![];
    }
    let core = Path::new(&image.source);
    let directory = match core.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let entries = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .take(BESIDE_MAX);
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.join("session").is_file())
        .collect()
}
