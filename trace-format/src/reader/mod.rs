//! Reads a session directory, with the feature `reader`.
//!
//! ```text
//! mod.rs          Trace: a session, its files opened
//! history.rs      what happened to an address: a scan over all records
//! live.rs         which blocks were not given back: the same, with the last record of each address
//! events.rs       all records, in the order of time
//! record_file.rs  a ring or segment: its slots, and what state they are in
//! session.rs clock.rs stacks.rs modules.rs   the other files
//! mapping.rs      a mapped file, of which only copies are looked at
//! error.rs        why a trace cannot be read; notes on what could be read, but not all
//! ```
//!
//! Nothing in the files is trusted. The process may still write to them, may have been killed while
//! it did, the disk may have been full, or somebody may have made them up: numbers from a file are
//! compared with the file's size before they are used, and what does not hold is left out and said
//! so in [`Trace::notes`]. What is kept in memory is at most a small multiple of the records that
//! were asked for.
//!
//! The one thing that ends a reader is a file that becomes shorter while it is mapped (`SIGBUS`).
//! Writers of this format never shorten a file that they have open.
//!
//! ```
//! use hakmem_trace_format::reader::Trace;
//!
//! # let directory = tempfile::tempdir()?;
//! match Trace::open(directory.path()) {
//!     Ok(trace) => {
//!         for event in trace.history(0x7f00_0000_1000).events {
//!             let ns = trace.clock().since_start(event.record.time());
//!             println!("{ns} {:?} {}", event.record.kind(), event.record.size());
//!         }
//!     }
//!     Err(error) => eprintln!("{error}"),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod clock;
mod error;
mod events;
mod history;
mod live;
mod mapping;
mod modules;
mod record_file;
mod session;
mod stacks;

use std::fs;
use std::path::{Path, PathBuf};
use std::prelude::v1::*;
use std::{format, vec};

pub use clock::Clock;
pub use error::{Error, Note};
pub use events::{Event, Events};
pub use history::{History, Nearest};
pub use live::{Choice, LiveBlock};
pub use modules::Module;
pub use record_file::{RecordFile, SlotState, Survey};
pub use session::Session;
pub use stacks::NoStack;

use crate::crash::CrashPage;
use crate::file_name::FileName;
use crate::version::{MAGIC_CRASH, MAJOR, MINOR};
use mapping::Mapping;
use modules::Modules;
use stacks::Stacks;

/// A session directory, opened.
#[derive(Debug)]
pub struct Trace {
    directory: PathBuf,
    session: Session,
    clock: Clock,
    files: Vec<RecordFile>,
    stacks: Option<Stacks>,
    modules: Modules,
    crash: Option<Box<CrashPage>>,
    notes: Vec<Note>,
}

impl Trace {
    /// Opens the session in `directory`. Its records are mapped, not read yet.
    ///
    /// # Errors
    ///
    /// If there is no directory, or no file `session` in it that says what the rest is. Of any
    /// other file that cannot be read there is a note.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let path = directory.join("session");
        let names = names(directory)?;
        let files = names.into_iter().map(|name| {
            let mapping = Mapping::open(&directory.join(format!("{name}")));
            (name, mapping)
        });
        Self::of_files(directory, &path, Mapping::open(&path), files)
    }

    /// Opens a session whose files are parts of another file, such as a core file that has the
    /// process's mappings of them: of each the name, where it begins, and its bytes.
    ///
    /// # Errors
    ///
    /// If there is no file `session` among them that says what the rest is.
    pub fn open_parts(
        path: impl AsRef<Path>,
        parts: &[(FileName, u64, u64)],
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let part = |(name, offset, bytes): &(FileName, u64, u64)| {
            (*name, Mapping::of_part(path, *offset, *bytes))
        };
        let session = parts.iter().find(|(name, ..)| *name == FileName::Session);
        let session = match session {
            Some(session) => part(session).1,
            None => Err(std::io::Error::other("the session is not in it")),
        };
        let mut parts: Vec<_> = parts.to_vec();
        parts.sort_unstable();
        parts.dedup_by_key(|(name, ..)| *name);
        let files: Vec<_> = parts.iter().map(part).collect();
        Self::of_files(path, path, session, files)
    }

    fn of_files(
        directory: &Path,
        path: &Path,
        session: std::io::Result<Mapping>,
        files: impl IntoIterator<Item = (FileName, std::io::Result<Mapping>)>,
    ) -> Result<Self, Error> {
        let mut notes = vec![];
        let session = Session::of(path, session, &mut notes)?;
        let own = session.header().session;
        let mut trace = Self {
            directory: directory.to_owned(),
            clock: Clock::of(session.header()),
            session,
            files: vec![],
            stacks: None,
            modules: Modules::default(),
            crash: None,
            notes,
        };
        for (name, mapping) in files {
            let notes = &mut trace.notes;
            let mapping = match mapping {
                Ok(mapping) => mapping,
                Err(error) => {
                    notes.push(Note::new(name, format!("it cannot be read: {error}")));
                    continue;
                }
            };
            match name {
                FileName::Session => {}
                FileName::Ring(_) | FileName::Rare(_) | FileName::Full(..) => {
                    let file = RecordFile::new(name, mapping, own, notes);
                    trace.files.extend(file);
                }
                FileName::Stacks => trace.stacks = Stacks::new(mapping, own, notes),
                FileName::Modules => trace.modules = Modules::new(&mapping, own, notes),
                FileName::Crash => trace.crash = crash(&mapping, own, notes),
            }
        }
        Ok(trace)
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the file `session` says.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// From ticks to time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The files of records, by name.
    pub fn files(&self) -> &[RecordFile] {
        &self.files
    }

    /// All whole records, merged in the order of time. Of each file they come in the order in
    /// which they were written.
    pub fn records(&self) -> Events<'_> {
        Events::of_all(&self.files)
    }

    /// The whole records of one file, in the order in which they were written. `file` is an index
    /// of [`Trace::files`]; there are none of one that does not exist.
    pub fn records_of(&self, file: usize) -> Events<'_> {
        Events::of_one(&self.files, file)
    }

    /// What is in the slots of each file. Reads all of them.
    pub fn surveys(&self) -> Vec<(FileName, Survey)> {
        let survey = |file: &RecordFile| (file.name(), file.survey());
        self.files.iter().map(survey).collect()
    }

    /// All that happened to blocks that ever covered an address, and to it. Reads all records.
    pub fn history(&self, address: u64) -> History {
        history::History::search(&self.files, self.session.header(), address)
    }

    /// The blocks that were nearest to an address that no block covered. Reads all records.
    pub fn nearest(&self, address: u64) -> Nearest {
        Nearest::search(&self.files, address)
    }

    /// Calls `each` for every block that was handed out and not given back, as far as the records
    /// say: the last one of an address counts. Blocks come in no order, from several threads. Reads all
    /// records.
    pub fn for_each_live(&self, choice: &Choice, each: &(dyn Fn(&LiveBlock) + Sync)) {
        live::search(&self.files, choice, each);
    }

    /// Since when each thread's records are complete: of blocks that were handed out before, the
    /// record of their end may have been overwritten. None if no record was.
    pub fn complete_since(&self) -> Option<u64> {
        live::complete_since(&self.files)
    }

    /// The return addresses of a stack, innermost first.
    ///
    /// # Errors
    ///
    /// Says why there are none.
    pub fn stack(&self, id: u32) -> Result<Vec<u64>, NoStack> {
        stacks::frames(self.stacks.as_ref(), id)
    }

    /// The files whose code was mapped, in the order in which they were noted.
    pub fn modules(&self) -> &[Module] {
        self.modules.all()
    }

    /// The file whose code was at `pc` at a time in ticks. If none was then, the one that was
    /// there last before, or else first after.
    pub fn module_of(&self, pc: u64, time: u64) -> Option<&Module> {
        self.modules.find(pc, time)
    }

    /// What ended the process, if it was a fault.
    pub fn crash(&self) -> Option<&CrashPage> {
        self.crash.as_deref()
    }

    /// What could not be read, or not be understood.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// The files of a session that are in the directory, in order.
fn names(directory: &Path) -> Result<Vec<FileName>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::new(
            "cannot open the trace",
            directory,
            error,
            "name a session directory, which has a file `session` in it",
        )
    };
    let mut names = vec![];
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        names.extend(name.to_str().and_then(FileName::parse));
    }
    names.sort_unstable();
    Ok(names)
}

/// Why a file that begins like this cannot be read as one of the session's. None if it can be.
fn misfit(
    magic: ([u8; 8], [u8; 8]),
    major: u16,
    session: Option<([u64; 2], [u64; 2])>,
) -> Option<String> {
    if magic.0 == [0; 8] {
        Some("nothing was written to it".into())
    } else if magic.0 != magic.1 {
        Some("it does not begin as such a file does".into())
    } else if major != MAJOR {
        Some(format!(
            "it has format {major}, and this reader knows {MAJOR}"
        ))
    } else if session.is_some_and(|(of_file, own)| of_file != own) {
        Some("it belongs to another session".into())
    } else {
        None
    }
}

/// A note if a file was written by a later minor version.
fn note_newer(file: FileName, minor: u16, notes: &mut Vec<Note>) {
    if minor > MINOR {
        let text = format!(
            "it has format {MAJOR}.{minor}; what is newer than {MAJOR}.{MINOR} is not read"
        );
        notes.push(Note::new(file, text));
    }
}

fn crash(mapping: &Mapping, own: [u64; 2], notes: &mut Vec<Note>) -> Option<Box<CrashPage>> {
    let page: CrashPage = mapping.read(0);
    let session = Some((page.session, own));
    if let Some(why) = misfit((page.magic, MAGIC_CRASH), page.major, session) {
        notes.push(Note::new(FileName::Crash, why));
        return None;
    }
    note_newer(FileName::Crash, page.minor, notes);
    if mapping.bytes() < size_of::<CrashPage>() {
        let (bytes, whole) = (mapping.bytes(), size_of::<CrashPage>());
        let text = format!("it has {bytes} bytes of {whole}; what is missing reads as 0");
        notes.push(Note::new(FileName::Crash, text));
    }
    if page.happened() && !page.is_complete() {
        let text = "the report was not written to its end";
        notes.push(Note::new(FileName::Crash, text));
    }
    page.happened().then(|| Box::new(page))
}
