//! Where variables stand: this process's environment, a file, or a running process.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use hakmem_alloc::options::Builds;

use super::Place;
use super::running::Running;
use crate::failure::{Failure, Status};

/// See the head of this file.
#[derive(Clone)]
pub enum Source {
    Environment,
    File(PathBuf),
    Process(u32),
}

impl FromStr for Source {
    type Err = Infallible;

    /// `pid:N` is a process, all else a file; one of that name is `./pid:N`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let number = text.strip_prefix("pid:").map(u32::from_str);
        Ok(match number {
            Some(Ok(number)) => Self::Process(number),
            _ => Self::File(text.into()),
        })
    }
}

/// Variables as they were found.
pub struct Variables {
    /// The strings `NAME=value`.
    pub entries: Vec<Vec<u8>>,
    /// The build that reads them.
    pub build: Builds,
    /// The process that has them.
    pub running: Option<Running>,
}

impl Variables {
    /// Reads them from where they stand.
    pub fn at(place: &Place) -> Result<Self, Failure> {
        let (entries, running) = match place.source.as_ref().unwrap_or(&Source::Environment) {
            Source::Environment => (of_this_process(), None),
            Source::File(path) => {
                let content = fs::read(path).map_err(|error| {
                    Failure::new(
                        Status::Usage,
                        "cannot read the variables",
                        error.to_string(),
                        "name a file with NAME=VALUE lines, or pid:N",
                    )
                    .at(path)
                })?;
                (of_file(&content), None)
            }
            Source::Process(number) => {
                let running = Running::find(*number)?;
                (running.environment()?, Some(running))
            }
        };
        let loaded = running.as_ref().and_then(Running::build);
        let build = match (place.build, loaded) {
            (Some(asked), _) => asked.builds(),
            (None, loaded) => loaded.unwrap_or(Builds::Every),
        };
        Ok(Self {
            entries,
            build,
            running,
        })
    }

    /// As the table's functions take them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.entries.iter().map(Vec::as_slice)
    }

    /// The value of a name, if it stands there.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.iter().find_map(|entry| {
            let rest = entry.strip_prefix(name.as_bytes())?;
            rest.strip_prefix(b"=")
        })
    }

    /// The build's name.
    pub fn build_name(&self) -> &'static str {
        match self.build {
            Builds::Every => "release",
            Builds::Observed => "observed",
        }
    }
}

pub fn of_this_process() -> Vec<Vec<u8>> {
    let entry =
        |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    std::env::vars_os().map(entry).collect()
}

/// The entries of a file: strings that end with zero bytes, as the kernel has them, or lines as a
/// shell or a service's environment file has them.
fn of_file(content: &[u8]) -> Vec<Vec<u8>> {
    if content.contains(&0) {
        let entries = content.split(|&byte| byte == 0);
        return entries
            .filter(|entry| !entry.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
    }
    let lines = content.split(|&byte| byte == b'\n');
    lines.filter_map(of_line).collect()
}

/// `NAME=value`, also behind `export`, with quotes around the value or not; not comments.
fn of_line(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii();
    if line.starts_with(b"#") {
        return None;
    }
    let sign = line.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&line[..sign], &line[sign + 1..]);
    let quoted = |quote: u8| {
        let inner = value.strip_prefix(&[quote])?;
        inner.strip_suffix(&[quote])
    };
    let value = quoted(b'"').or_else(|| quoted(b'\'')).unwrap_or(value);
    Some([name, b"=", value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_shells_and_services() {
        let file = b"# a comment=1\n\n A=1\nexport B='2 3'\nC=\"x\"\r\nD='\nE\nF=a=b\n";
        let entries: Vec<String> = of_file(file)
            .into_iter()
            .map(|entry| String::from_utf8(entry).unwrap())
            .collect();
        assert_eq!(entries, ["A=1", "B=2 3", "C=x", "D='", "F=a=b"]);
        assert_eq!(of_file(b"A=1\0B=\n\0"), [&b"A=1"[..], b"B=\n"]);
    }
}
