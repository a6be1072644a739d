//! Where the demonstration is played: a directory, in which commands run as if they were typed.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, Status};
use crate::misdeed::shell_word;
use crate::output::Output;

/// See the head of this file.
pub struct Stage {
    directory: PathBuf,
    /// What `hakmem` stands for.
    hakmem: PathBuf,
    output: Output,
    colours: bool,
}

impl Stage {
    /// One in a directory.
    pub fn new(directory: &Path) -> Result<Self, Failure> {
        Ok(Self {
            directory: directory.to_owned(),
            hakmem: env::current_exe().map_err(|error| failed("hakmem", &error))?,
            output: Output::new(),
            colours: Output::has_colours(),
        })
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Says something.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.output.line(text)?;
        self.output.flush()
    }

    /// Says something that stands out.
    pub fn announce(&mut self, text: &str) -> Result<(), Failure> {
        match self.colours {
            true => self.say(&format!("\x1b[1m{text}\x1b[0m")),
            false => self.say(text),
        }
    }

    /// Runs a command, and shows it with what it says and how it ends. `hakmem` is this one.
    pub fn run(&mut self, words: &[&str]) -> Result<ExitStatus, Failure> {
        let shown: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
        self.announce(&format!("$ {}", shown.join(" ")))?;
        let (name, arguments) = words.split_first().unwrap_or((&"true", &[]));
        let status = self.start(name, arguments).map_err(|e| failed(name, &e))?;
        if !status.success() {
            self.say(&format!("({status})"))?;
        }
        self.say("")?;
        Ok(status)
    }

    fn start(&mut self, name: &str, arguments: &[&str]) -> io::Result<ExitStatus> {
        let program = match name.strip_prefix("./") {
            Some(file) => self.path(file),
            None if name == "hakmem" => self.hakmem.clone(),
            None => name.into(),
        };
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command
            .arg0(name)
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        for (variable, _) in env::vars_os() {
            if is_in_the_way(&variable) {
                command.env_remove(variable);
            }
        }
        let mut child = command.spawn()?;
        // The ends of the pipe that it holds would keep the loop below from coming to an end.
        drop(command);
        for line in BufReader::new(reader).split(b'\n') {
            let line = line?;
            // That nobody reads it any more is no reason to leave the program alone.
            let _ = self.say(&String::from_utf8_lossy(&line));
        }
        child.wait()
    }
}

/// Whether a variable would make the commands do something else than is told.
fn is_in_the_way(variable: &OsStr) -> bool {
    let name = variable.as_encoded_bytes();
    let is_wanted = name.starts_with(b"HAKMEM_RUN_") || name == b"HAKMEM_WATCH_HARDWARE";
    name == b"LD_PRELOAD" || name.starts_with(b"HAKMEM_") && !is_wanted
}

fn failed(name: &str, error: &io::Error) -> Failure {
    Failure::new(
        Status::Usage,
        format!("cannot run `{name}` for the demonstration"),
        error.to_string(),
        "mend that and start `hakmem demo` again",
    )
}
