//! What the file `session` says, in words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::prelude::v1::*;
use std::{format, vec};

use super::error::{Error, Note};
use super::mapping::Mapping;
use super::{misfit, note_newer};
use crate::file_name::FileName;
use crate::session::{ClockKind, End, Mode, SESSION_BYTES, SessionHeader, StacksMode};
use crate::version::{MAGIC_SESSION, MAJOR};

/// How much of the file there has to be: what it is, of which version, and of which session.
const LEAST: usize = 32;

/// The session.
#[derive(Clone, Debug)]
pub struct Session {
    header: Box<SessionHeader>,
}

impl Session {
    pub(super) fn of(
        path: &Path,
        mapping: std::io::Result<Mapping>,
        notes: &mut Vec<Note>,
    ) -> Result<Self, Error> {
        const WHAT: &str = "cannot read the trace";
        let mapping = mapping.map_err(|error| {
            let next = "name a session directory, which has a file `session` in it";
            Error::new(WHAT, path, error, next)
        })?;
        let header: SessionHeader = mapping.read(0);
        let bytes = mapping.bytes();
        if bytes < LEAST {
            let why = format!("it has {bytes} bytes and should have {SESSION_BYTES}");
            let next = "record the program again";
            return Err(Error::new(WHAT, path, why, next));
        }
        if let Some(why) = misfit((header.magic, MAGIC_SESSION), header.major, None) {
            let next = match header.major {
                other if other != MAJOR && header.magic == MAGIC_SESSION => {
                    "use the `hakmem` that belongs to the library that wrote it"
                }
                _ => "record the program again",
            };
            return Err(Error::new(WHAT, path, why, next));
        }
        note_newer(FileName::Session, header.minor, notes);
        if bytes < SESSION_BYTES {
            let text =
                format!("it has {bytes} bytes of {SESSION_BYTES}; what is missing reads as 0");
            notes.push(Note::new(FileName::Session, text));
        }
        let header = Box::new(header);
        Ok(Self { header })
    }

    /// All its fields.
    pub fn header(&self) -> &SessionHeader {
        &self.header
    }

    /// The session's own number, as 32 hexadecimal digits.
    pub fn id(&self) -> String {
        let [low, high] = self.header.session;
        format!("{high:016x}{low:016x}")
    }

    /// The path of the program.
    pub fn exe(&self) -> PathBuf {
        let used = (self.header.exe_bytes as usize).min(self.header.exe.len());
        PathBuf::from(OsStr::from_bytes(&self.header.exe[..used]))
    }

    /// The program's arguments, its name first.
    pub fn arguments(&self) -> Vec<OsString> {
        let used = (self.header.command_bytes as usize).min(self.header.command_line.len());
        let text = &self.header.command_line[..used];
        let text = text.strip_suffix(b"\0").unwrap_or(text);
        if text.is_empty() {
            return vec![];
        }
        let arguments = text.split(|byte| *byte == 0);
        arguments.map(|a| OsString::from_vec(a.to_vec())).collect()
    }

    /// The version of hakmem that wrote it.
    pub fn hakmem_version(&self) -> String {
        text(&self.header.hakmem_version)
    }

    /// The features that it had.
    pub fn features(&self) -> Vec<String> {
        let text = text(&self.header.features);
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Its clock. None if this version does not know it.
    pub fn clock_kind(&self) -> Option<ClockKind> {
        ClockKind::from_code(self.header.clock)
    }

    /// What was kept. None if this version does not know it.
    pub fn mode(&self) -> Option<Mode> {
        Mode::from_code(self.header.mode)
    }

    /// Of what stacks were kept. None if this version does not know it.
    pub fn stacks_mode(&self) -> Option<StacksMode> {
        StacksMode::from_code(self.header.stacks)
    }

    /// How it ended, with the status, signal or process that goes with it. None if this version
    /// does not know it.
    pub fn end(&self) -> Option<(End, i32)> {
        Some((End::from_code(self.header.end)?, self.header.end_detail))
    }
}

/// The text in a field that is padded with zeroes.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    let bytes = &field[..end.unwrap_or(field.len())];
    String::from_utf8_lossy(bytes).into_owned()
}
