//! `PATH`: from the name of a command to its file, as execvp(3) does it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

/// What is searched if `PATH` is not set (`confstr(_CS_PATH)` of glibc).
const DEFAULT: &str = "/bin:/usr/bin";

/// A list of directories, separated by colons; an empty one is the current directory.
#[derive(Debug)]
pub struct SearchPath(OsString);

/// Why a name has no file that can be executed.
#[derive(Debug, PartialEq, Eq)]
pub enum SearchError {
    /// There is none of this name.
    NotFound,
    /// There is one, but it cannot be executed for this reason.
    NotExecutable(PathBuf, String),
}

impl SearchPath {
    /// The one of this process.
    pub fn from_environment() -> Self {
        Self(env::var_os("PATH").unwrap_or_else(|| DEFAULT.into()))
    }

    /// The file that `name` stands for. A name with a slash is a path already. A file that cannot
    /// be executed is passed over as long as a later directory has one that can.
    pub fn find(&self, name: &OsStr) -> Result<PathBuf, SearchError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Err(SearchError::NotFound);
        }
        if bytes.contains(&b'/') {
            return check_executable(Path::new(name));
        }
        let mut result = Err(SearchError::NotFound);
        for directory in self.0.as_bytes().split(|byte| *byte == b':') {
            let directory = match directory {
                [] => Path::new("."),
                _ => Path::new(OsStr::from_bytes(directory)),
            };
            match check_executable(&directory.join(name)) {
                Ok(path) => return Ok(path),
                Err(SearchError::NotFound) => {}
                Err(error) if result == Err(SearchError::NotFound) => result = Err(error),
                Err(_) => {}
            }
        }
        result
    }
}

/// Whether the kernel would let this process execute the file.
pub fn check_executable(path: &Path) -> Result<PathBuf, SearchError> {
    let refused = |reason: String| Err(SearchError::NotExecutable(path.to_owned(), reason));
    match rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(SearchError::NotFound),
        Err(Errno::ACCESS) if path.is_file() => {
            return refused("it has no execute permission for this user".into());
        }
        Err(error) => return refused(error.to_string()),
    }
    match fs::metadata(path) {
        Ok(file) if file.is_file() => Ok(path.to_owned()),
        Ok(file) if file.is_dir() => refused("it is a directory".into()),
        Ok(_) => refused("it is not a regular file".into()),
        Err(error) => refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn create(directory: &Path, name: &str, mode: u32) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn search(directories: &[&Path]) -> SearchPath {
        SearchPath(env::join_paths(directories).unwrap())
    }

    #[test]
    fn takes_the_first_that_can_be_executed() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        create(a.path(), "plain", 0o644);
        let second = create(b.path(), "plain", 0o755);
        let path = search(&[Path::new("/nonexistent"), a.path(), b.path()]);
        assert_eq!(path.find("plain".as_ref()), Ok(second));

        let first = create(a.path(), "both", 0o755);
        create(b.path(), "both", 0o755);
        assert_eq!(path.find("both".as_ref()), Ok(first));
    }

    #[test]
    fn tells_missing_from_not_executable() {
        let directory = tempfile::tempdir().unwrap();
        let path = search(&[directory.path()]);
        assert_eq!(path.find("none".as_ref()), Err(SearchError::NotFound));
        assert_eq!(path.find("".as_ref()), Err(SearchError::NotFound));
        assert_eq!(
            path.find("/dev/null/x".as_ref()),
            Err(SearchError::NotFound)
        );

        let plain = create(directory.path(), "plain", 0o644);
        fs::create_dir(directory.path().join("directory")).unwrap();
        for name in ["plain", "directory"] {
            let error = path.find(name.as_ref()).unwrap_err();
            assert!(matches!(error, SearchError::NotExecutable(..)), "{error:?}");
        }
        let error = path.find(plain.as_ref()).unwrap_err();
        assert!(matches!(error, SearchError::NotExecutable(..)), "{error:?}");
    }

    #[test]
    fn an_empty_entry_is_the_current_directory() {
        let path = SearchPath("/nonexistent:".into());
        assert_eq!(path.find("none".as_ref()), Err(SearchError::NotFound));
        let path = SearchPath("".into());
        let error = path.find("src".as_ref()).unwrap_err();
        assert_eq!(
            error,
            SearchError::NotExecutable("./src".into(), "it is a directory".into())
        );
    }
}
