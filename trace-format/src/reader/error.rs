//! Why a trace cannot be read, and what of one could not be.

use core::fmt;
use std::path::{Path, PathBuf};
use std::prelude::v1::*;

use crate::file_name::FileName;

/// Why there is nothing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What failed.
    pub what: &'static str,
    /// The file or directory.
    pub place: PathBuf,
    /// The cause.
    pub why: String,
    /// What to do.
    pub next: &'static str,
}

impl Error {
    pub(super) fn new(
        what: &'static str,
        place: &Path,
        why: impl ToString,
        next: &'static str,
    ) -> Self {
        Self {
            what,
            place: place.to_owned(),
            why: why.to_string(),
            next,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.display();
        write!(f, "{}: {place}: {}; {}", self.what, self.why, self.next)
    }
}

impl std::error::Error for Error {}

/// Something in a file that was left out, or that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub file: FileName,
    /// What is the matter with it.
    pub text: String,
}

impl Note {
    pub(super) fn new(file: FileName, text: impl Into<String>) -> Self {
        Self {
            file,
            text: text.into(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.text)
    }
}
