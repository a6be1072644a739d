//! [`Scratch`]: a directory with the sources of the real programs' work.
//!
//! The sources are in this binary, so that it runs from anywhere. The directory is made
//! when the first workload needs it and removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// In the arguments of a command this stands for the directory.
pub const PLACE: &str = "@programs";

/// The files, by name.
const FILES: [(&str, &str); 5] = [
    (
        "json_documents.py",
        include_str!("../../../programs/json_documents.py"),
    ),
    ("objects.rb", include_str!("../../../programs/objects.rb")),
    ("inserts.sql", include_str!("../../../programs/inserts.sql")),
    (
        "templates.cpp",
        include_str!("../../../programs/templates.cpp"),
    ),
    (
        "maps_strings.cpp",
        include_str!("../../../programs/maps_strings.cpp"),
    ),
];

/// The directory of this process; dropping it removes it.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
}

impl Scratch {
    /// Makes the directory and writes the files.
    pub fn new() -> io::Result<Self> {
        let name = format!("hakmem-compare-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        // Fails if it exists: nobody else may have put a program there, and later none can.
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let scratch = Self { directory };
        for (name, text) in FILES {
            fs::write(scratch.directory.join(name), text)?;
        }
        Ok(scratch)
    }

    /// The path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// `argument` with the directory in its place.
    pub fn fill_in(&self, argument: &str) -> String {
        argument.replace(PLACE, &self.directory.display().to_string())
    }

    /// The program that a command names: found on the path, or compiled here from C++.
    pub fn find(&self, program: &str) -> Result<PathBuf, String> {
        match program.strip_prefix(PLACE) {
            Some(name) => self.compile(name.trim_start_matches('/')),
            None => on_path(program).ok_or_else(|| format!("{program} is not installed")),
        }
    }

    fn compile(&self, name: &str) -> Result<PathBuf, String> {
        let binary = self.path(name);
        if binary.exists() {
            return Ok(binary);
        }
        let compiler = on_path("g++").ok_or("g++ is not installed")?;
        let status = Command::new(compiler)
            .args(["-O2", "-o"])
            .arg(&binary)
            .arg(self.path(&format!("{name}.cpp")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|error| format!("g++ does not start: {error}"))?;
        if status.success() {
            Ok(binary)
        } else {
            Err(format!("{name}.cpp does not compile"))
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The system's own program first: what comes earlier on the path may be a wrapper
/// script, whose shell would be measured too.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from("/usr/bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(program))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_there_until_the_end() {
        let scratch = Scratch::new().unwrap();
        let file = scratch.fill_in("@programs/inserts.sql");
        assert!(fs::read_to_string(&file).unwrap().contains("CREATE TABLE"));
        assert!(scratch.find("sh").unwrap().ends_with("sh"));
        let missing = scratch.find("no-such-program").unwrap_err();
        assert_eq!(missing, "no-such-program is not installed");
        drop(scratch);
        assert!(!Path::new(&file).exists());
    }
}
