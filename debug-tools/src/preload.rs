//! The value of `LD_PRELOAD`.
//!
//! The dynamic loader separates its entries by colons and spaces, knows no quoting, and replaces
//! `$ORIGIN`, `$LIB` and `$PLATFORM` in them (ld.so(8)). So a path that holds one of the three
//! characters cannot be named in it.
//!
//! The library stands first: the first library that defines `malloc` is the one that is used.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::{Failure, Status};
use crate::library::Library;

/// The variable that the dynamic loader reads.
pub const VARIABLE: &str = "LD_PRELOAD";

/// A list of libraries to preload, hakmem first.
#[derive(Debug)]
pub struct Preload(OsString);

impl Preload {
    /// The library, and behind it the entries of `existing` in their order, without such as are
    /// the same file as the library.
    pub fn new(library: &Library, existing: Option<&OsStr>) -> Result<Self, Failure> {
        let path = library.path();
        if let Some(&byte) = path.as_os_str().as_bytes().iter().find(|b| is_special(**b)) {
            return Err(unfit(path, byte as char));
        }
        let mut value = path.as_os_str().as_bytes().to_vec();
        for entry in entries(existing.unwrap_or_default()) {
            if !is_same_file(path, Path::new(entry)) {
                value.push(b':');
                value.extend_from_slice(entry.as_bytes());
            }
        }
        Ok(Self(OsString::from_vec(value)))
    }

    /// As the variable holds it.
    pub fn value(&self) -> &OsStr {
        &self.0
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b':')
}

fn is_special(byte: u8) -> bool {
    is_separator(byte) || byte == b'$'
}

fn entries(value: &OsStr) -> impl Iterator<Item = &OsStr> {
    value
        .as_bytes()
        .split(|byte| is_separator(*byte))
        .filter(|entry| !entry.is_empty())
        .map(OsStr::from_bytes)
}

/// Whether both name one file. An entry without a slash is searched for by the loader in its own
/// directories, so that it is never a file of the current one.
fn is_same_file(library: &Path, entry: &Path) -> bool {
    if !entry.as_os_str().as_bytes().contains(&b'/') {
        return false;
    }
    let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    match (identity(library), identity(entry)) {
        (Ok(library), Ok(entry)) => library == entry,
        _ => library == entry,
    }
}

fn unfit(path: &Path, character: char) -> Failure {
    let named = match character {
        ' ' => "a space",
        ':' => "a colon",
        _ => "a dollar sign",
    };
    Failure::new(
        Status::Usage,
        "cannot preload the library from this path",
        format!("the path holds {named}, which the dynamic loader cannot read in LD_PRELOAD"),
        format!(
            "name the library through a link: `ln -s '{}' ~/libhakmem.so`, then \
             `hakmem run --lib ~/libhakmem.so …`",
            path.display()
        ),
    )
    .at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preload(library: &str, existing: Option<&str>) -> String {
        let library = Library::unchecked(Path::new(library));
        let preload = Preload::new(&library, existing.map(OsStr::new)).unwrap();
        preload.value().to_str().unwrap().to_owned()
    }

    #[test]
    fn stands_alone_when_nothing_was_set() {
        assert_eq!(preload("/l/libhakmem.so", None), "/l/libhakmem.so");
        assert_eq!(preload("/l/libhakmem.so", Some("")), "/l/libhakmem.so");
        assert_eq!(preload("/l/libhakmem.so", Some(" : ")), "/l/libhakmem.so");
    }

    #[test]
    fn stands_before_what_was_set() {
        assert_eq!(
            preload("/l/libhakmem.so", Some("/a.so libb.so:/c.so")),
            "/l/libhakmem.so:/a.so:libb.so:/c.so"
        );
    }

    #[test]
    fn is_not_doubled() {
        assert_eq!(
            preload("/l/libhakmem.so", Some("/a.so:/l/libhakmem.so")),
            "/l/libhakmem.so:/a.so"
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("libhakmem.so");
        let link = directory.path().join("link.so");
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(
            preload(file.to_str().unwrap(), link.to_str()),
            file.to_str().unwrap()
        );
    }

    #[test]
    fn refuses_what_the_loader_would_take_apart() {
        for path in ["/a b/l.so", "/a:b/l.so", "/$LIB/l.so"] {
            let library = Library::unchecked(Path::new(path));
            let failure = Preload::new(&library, None).unwrap_err().to_string();
            assert!(
                failure.contains(path) && failure.contains("ln -s"),
                "{failure}"
            );
        }
    }
}
