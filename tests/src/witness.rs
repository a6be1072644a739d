//! The testimony of the processes of a run about whose malloc they use.

use std::fs;
use std::path::{Path, PathBuf};

use crate::compile;

/// One process, or one program that a process turned into by exec.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Its process id.
    pub pid: u32,
    /// The file that it executed.
    pub executable: PathBuf,
    /// The file that defined its malloc.
    pub malloc: PathBuf,
}

impl Sighting {
    /// Whether its malloc is hakmem's.
    pub fn has_hakmem(&self) -> bool {
        self.malloc
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("libhakmem"))
    }
}

/// The library to preload after the allocator.
pub fn library() -> PathBuf {
    compile::shared_library("witness.c")
}

/// What has been written to the file so far.
pub fn read(file: &Path) -> Vec<Sighting> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().map(sighting).collect()
}

fn sighting(line: &str) -> Sighting {
    let fields: Vec<&str> = line.split('\t').collect();
    let [pid, executable, malloc] = fields[..] else {
        panic!("a witness wrote {line:?}")
    };
    Sighting {
        pid: pid.parse().expect("a process id"),
        executable: executable.into(),
        malloc: malloc.into(),
    }
}
