//! The directory that the observed library records to, as `hakmem run` chooses it.
//!
//! What the user has set counts. Else it is `hakmem-trace.PID` in the directory that `hakmem`
//! was started in: the program may change its own before the library makes the directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{self, Path, PathBuf};
use std::process;

use crate::failure::{Failure, Status, say};

/// The variable that tells the library.
pub const VARIABLE: &str = "HAKMEM_TRACE_DIR";

/// What it is without a word from the user; `%p` is the process id, of each process of its own.
const DEFAULT: &str = "hakmem-trace.%p";

/// A trace directory, with `%p` as it is.
#[derive(Debug)]
pub struct TraceDirectory {
    path: PathBuf,
}

impl TraceDirectory {
    /// The one that the command line says, or else the environment.
    pub fn choose(given: Option<&Path>) -> Result<Self, Failure> {
        let set = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let path = match (given, &set) {
            (Some(path), _) => path,
            (None, Some(value)) => Path::new(value),
            (None, None) => Path::new(DEFAULT),
        };
        let absolute = path::absolute(path).map_err(|error| {
            Failure::new(
                Status::Usage,
                "cannot tell where the trace is to go",
                error.to_string(),
                "give an absolute path: `hakmem run --trace-dir DIR …`",
            )
            .at(path)
        })?;
        Ok(Self { path: absolute })
    }

    /// For the environment.
    pub fn value(&self) -> &OsStr {
        self.path.as_os_str()
    }

    /// Where the trace of a process is, if nothing is there yet.
    pub fn of_process(&self, id: u32) -> PathBuf {
        let id = id.to_string();
        let bytes = self.path.as_os_str().as_bytes();
        let mut filled = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"%p") {
            filled.extend_from_slice(&rest[..at]);
            filled.extend_from_slice(id.as_bytes());
            rest = &rest[at + 2..];
        }
        filled.extend_from_slice(rest);
        OsString::from_vec(filled).into()
    }

    /// Where processes of a run may have recorded to, that of a process first: what is called as this
    /// up to the process id, or has a number appended.
    pub fn of_run(&self, id: u32) -> Vec<PathBuf> {
        let own = self.of_process(id);
        let mut all = vec![own.clone()];
        let (Some(around), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return all;
        };
        let name = name.as_bytes();
        let end = name.windows(2).position(|pair| pair == b"%p");
        let begin = &name[..end.unwrap_or(name.len())];
        let entries = fs::read_dir(around).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().as_bytes().starts_with(begin));
        let directories = named.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        all.extend(
            directories
                .map(|entry| entry.path())
                .filter(|path| *path != own),
        );
        all
    }

    /// Says where the trace of this very process goes.
    pub fn announce(&self) {
        let directory = self.of_process(process::id());
        say(format_args!("hakmem: recording to {}", directory.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_id_takes_its_place() {
        let directory = TraceDirectory::choose(Some(Path::new("/t/%p/x%p%%p"))).unwrap();
        let id = process::id();
        assert_eq!(
            directory.of_process(id),
            PathBuf::from(format!("/t/{id}/x{id}%{id}"))
        );
        assert_eq!(directory.value(), "/t/%p/x%p%%p");
    }

    #[test]
    fn a_relative_path_becomes_an_absolute_one() {
        let directory = TraceDirectory::choose(Some(Path::new("traces"))).unwrap();
        assert_eq!(
            Path::new(directory.value()),
            env::current_dir().unwrap().join("traces")
        );
    }
}
