//! The program that is to run: found as a shell would find it, and looked at before it starts.
//!
//! ```text
//! name ──PATH──▶ path ──#! line, env──▶ … ──▶ image, an ELF file
//! ```
//!
//! It is the image that the library is loaded into; the dynamic loader that the image asks for
//! does it. Without one (a static program), in one of another architecture or C library, and
//! where the program gains privilege, `LD_PRELOAD` has no effect, and nothing tells so. That is
//! why it is told here.
//!
//! A file that may be executed but not read cannot be looked into. It is taken to be in order.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::elf::{self, Elf, ElfError, Kind};
use crate::failure::{Failure, Status};
use crate::privilege::Privilege;
use crate::search_path::{self, SearchError, SearchPath};
use crate::shebang::{self, Shebang};

/// How many scripts may stand one behind the other: as many as the kernel follows.
const LEVELS: usize = 5;

/// What a file without a `#!` line is run by if it is no ELF file either (execvp(3)).
const SHELL: &str = "/bin/sh";

/// A program that the library can be preloaded into.
#[derive(Debug)]
pub struct Program {
    /// As the user called it.
    name: OsString,
    path: PathBuf,
}

/// What the first bytes of a file make it.
enum Content {
    /// An ELF file, from its start.
    Elf(File),
    Script(Shebang),
    /// A text without a `#!` line, or an empty file.
    Text,
    /// Something that Linux does not execute by itself.
    Data,
    /// It may not be read.
    Hidden,
}

impl Program {
    /// Finds the program by its name or path, and checks that the library can be preloaded
    /// into it.
    pub fn find(name: &OsStr) -> Result<Self, Failure> {
        Self::find_in(&SearchPath::from_environment(), name)
    }

    fn find_in(search: &SearchPath, name: &OsStr) -> Result<Self, Failure> {
        let program = Self {
            name: name.to_owned(),
            path: search.find(name).map_err(|error| not_found(name, error))?,
        };
        program.follow(search)?;
        Ok(program)
    }

    /// The file to execute. It holds a slash, so that it is not searched for again.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to say if execve failed in spite of all.
    pub fn not_executed(&self, error: &io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::NotFound => Status::NotFound,
            _ => Status::NotExecutable,
        };
        Failure::new(
            status,
            format!("cannot execute `{}`", self.name.display()),
            error.to_string(),
            "run it without hakmem; if that works, this is a fault of hakmem: please report it",
        )
        .at(&self.path)
    }

    /// Goes from the file to its image, and checks that.
    fn follow(&self, search: &SearchPath) -> Result<(), Failure> {
        let mut file = self.path.clone();
        for _ in 0..=LEVELS {
            match look_into(&file) {
                Content::Elf(opened) => {
                    self.check_privilege(&file)?;
                    return self.check_image(&file, opened);
                }
                Content::Hidden => return self.check_privilege(&file),
                Content::Text => file = SHELL.into(),
                Content::Data => return Err(self.unknown_format(&file)),
                Content::Script(shebang) => file = self.interpreter(&file, &shebang, search)?,
            }
        }
        Err(self.not_executable(
            &self.path,
            "its interpreter is a script, whose interpreter is a script, and so on".into(),
            "name a program as interpreter in its `#!` line",
        ))
    }

    /// The file that interprets `script`.
    fn interpreter(
        &self,
        script: &Path,
        shebang: &Shebang,
        search: &SearchPath,
    ) -> Result<PathBuf, Failure> {
        let found = search_path::check_executable(&shebang.interpreter)
            .map_err(|error| self.no_interpreter(script, shebang.interpreter.as_os_str(), error))?;
        match shebang.command_of_env() {
            None => Ok(found),
            Some(command) => search
                .find(command)
                .map_err(|error| self.no_interpreter(script, command, error)),
        }
    }

    fn check_privilege(&self, image: &Path) -> Result<(), Failure> {
        match Privilege::gained_by(image) {
            // What cannot be told is left to the kernel.
            Ok(None) | Err(_) => Ok(()),
            Ok(Some(privilege)) => Err(self.not_preloadable(
                image,
                privilege.description(),
                "the dynamic loader takes no library from the caller for such a program",
                "run it as the user whom it runs as, or run a copy that has lost these rights \
                 (`cp` makes one)",
            )),
        }
    }

    fn check_image(&self, image: &Path, file: File) -> Result<(), Failure> {
        const ONE_OF_ITS_KIND: &str = "libhakmem.so is a 64-bit x86-64 library";
        let elf = match Elf::read(file) {
            Ok(elf) => elf,
            Err(ElfError::Foreign(machine)) => {
                return Err(self.not_preloadable(
                    image,
                    &format!("it is built for {machine}"),
                    ONE_OF_ITS_KIND,
                    "build or install the program for 64-bit x86-64 and run that",
                ));
            }
            Err(error) => {
                return Err(self.not_executable(
                    image,
                    error.to_string(),
                    "build or install it anew",
                ));
            }
        };
        if elf.kind == Kind::Other {
            return Err(self.not_executable(
                image,
                "it is an ELF file, but no program (an object or core file)".into(),
                "link it to a program and run that",
            ));
        }
        match elf.interpreter {
            Some(loader) => self.check_loader(image, &loader),
            None if is_loader(image) => Ok(()),
            None => Err(self.not_preloadable(
                image,
                "it is statically linked",
                "it has no dynamic loader, which is what would load the library",
                "link it dynamically, or build hakmem in: link libhakmem.a into it; in Rust, \
                 make hakmem_alloc::Hakmem its #[global_allocator]",
            )),
        }
    }

    fn check_loader(&self, image: &Path, loader: &Path) -> Result<(), Failure> {
        let is_musl = loader
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld-musl"));
        if is_musl {
            return Err(self.not_preloadable(
                image,
                "it uses the C library musl",
                "libhakmem.so is built for the GNU C library",
                "build the program for the GNU C library (target x86_64-unknown-linux-gnu)",
            ));
        }
        search_path::check_executable(loader)
            .map(drop)
            .map_err(|error| {
                let (status, why) = explain(error);
                Failure::new(
                    status,
                    format!("cannot execute `{}`", self.name.display()),
                    format!("its dynamic loader {}: {why}", loader.display()),
                    "install the C library that the program was built for",
                )
                .at(image)
            })
    }

    fn not_preloadable(&self, image: &Path, reason: &str, why: &str, next: &str) -> Failure {
        Failure::new(
            Status::Usage,
            format!("cannot run `{}` on hakmem: {reason}", self.name.display()),
            self.said_of(image, why.to_owned()),
            next,
        )
        .at(image)
    }

    fn not_executable(&self, image: &Path, why: String, next: &str) -> Failure {
        Failure::new(
            Status::NotExecutable,
            format!("cannot execute `{}`", self.name.display()),
            self.said_of(image, why),
            next,
        )
        .at(image)
    }

    fn unknown_format(&self, image: &Path) -> Failure {
        self.not_executable(
            image,
            "it is neither an ELF program nor a script".into(),
            "name the program that runs such files: `hakmem run --release -- INTERPRETER FILE`",
        )
    }

    fn no_interpreter(&self, script: &Path, interpreter: &OsStr, error: SearchError) -> Failure {
        let (status, why) = explain(error);
        Failure::new(
            status,
            format!("cannot execute `{}`", self.name.display()),
            format!(
                "the interpreter in its `#!` line, `{}`: {why}",
                interpreter.display()
            ),
            "install the interpreter, or correct the line",
        )
        .at(script)
    }

    /// Adds why `image` is spoken of where it is not the program itself.
    fn said_of(&self, image: &Path, why: String) -> String {
        match image == self.path {
            true => why,
            false => format!("{why}; it is what runs the script {}", self.path.display()),
        }
    }
}

/// Whether the file is glibc's dynamic loader, which can be called as a program, and preloads
/// then as always.
fn is_loader(image: &Path) -> bool {
    image.file_name() == Some(OsStr::new("ld-linux-x86-64.so.2"))
}

fn look_into(path: &Path) -> Content {
    let mut head = [0; shebang::LOOKED_AT];
    let Ok(mut file) = File::open(path) else {
        return Content::Hidden;
    };
    let Ok(length) = elf::read_fully(&mut file, &mut head) else {
        return Content::Hidden;
    };
    let head = &head[..length];
    if head.starts_with(&elf::MAGIC) {
        Content::Elf(file)
    } else if let Some(shebang) = Shebang::parse(head) {
        Content::Script(shebang)
    } else if first_line(head).contains(&0) {
        Content::Data
    } else {
        Content::Text
    }
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|byte| *byte == b'\n').next().unwrap_or(head)
}

fn explain(error: SearchError) -> (Status, String) {
    match error {
        SearchError::NotFound => (Status::NotFound, "it does not exist".into()),
        SearchError::NotExecutable(path, reason) => (
            Status::NotExecutable,
            format!("{} cannot be executed, {reason}", path.display()),
        ),
    }
}

fn not_found(name: &OsStr, error: SearchError) -> Failure {
    match error {
        SearchError::NotFound => Failure::new(
            Status::NotFound,
            format!("there is no program `{}`", name.display()),
            match name.as_encoded_bytes().contains(&b'/') {
                true => "no file has this path",
                false => "no directory of PATH holds a file of this name",
            },
            "check the spelling, or give the path of the program",
        ),
        SearchError::NotExecutable(path, reason) => Failure::new(
            Status::NotExecutable,
            format!("cannot execute `{}`", name.display()),
            reason,
            "make it executable (`chmod +x`), or name what runs it: \
             `hakmem run --release -- INTERPRETER FILE`",
        )
        .at(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn create(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (directory, path)
    }

    fn failure(content: &[u8]) -> (String, u8) {
        let (_directory, path) = create(content);
        let failure = Program::find(path.as_os_str()).unwrap_err();
        (failure.to_string(), failure.status() as u8)
    }

    #[test]
    fn is_found_in_the_search_path() {
        let program = Program::find("true".as_ref()).unwrap();
        assert!(program.path().is_absolute());
        assert!(program.path().ends_with("true"));
    }

    #[test]
    fn scripts_are_followed() {
        for script in [
            "",
            "exit 0\n",
            "#!/bin/sh\n",
            "#!/usr/bin/env sh\n",
            "#!/usr/bin/env -S A=1 sh -e\n",
        ] {
            let (_directory, path) = create(script.as_bytes());
            let program = Program::find(path.as_os_str()).unwrap();
            assert_eq!(program.path(), path, "{script:?}");
        }
    }

    #[test]
    fn a_script_that_nothing_interprets_is_told() {
        let (text, status) = failure(b"#!/nonexistent/interpreter\n");
        assert!(
            text.contains("`/nonexistent/interpreter`: it does not exist"),
            "{text}"
        );
        assert_eq!(status, 127);
        let (text, status) = failure(b"#!/usr/bin/env no-such-command\n");
        assert!(text.contains("`no-such-command`"), "{text}");
        assert_eq!(status, 127);
        let (text, status) = failure(b"#!/dev/null\n");
        assert!(text.contains("`/dev/null`"), "{text}");
        assert_eq!(status, 126);
    }

    #[test]
    fn a_script_that_interprets_itself_is_told() {
        let (_directory, path) = create(b"");
        fs::write(&path, format!("#!{}\n", path.display())).unwrap();
        let failure = Program::find(path.as_os_str()).unwrap_err();
        assert!(failure.to_string().contains("and so on"), "{failure}");
        assert_eq!(failure.status(), Status::NotExecutable);
    }

    #[test]
    fn what_is_no_program_is_told() {
        let (text, status) = failure(b"MZ\x90\0\x03\0\0\0");
        assert!(
            text.contains("neither an ELF program nor a script"),
            "{text}"
        );
        assert_eq!(status, 126);
        let (text, status) = failure(b"\x7fELF\x02\x01\x01");
        assert!(text.contains("damaged"), "{text}");
        assert_eq!(status, 126);
    }

    #[test]
    fn a_program_of_another_c_library_or_machine_is_told() {
        let mut own = fs::read("/proc/self/exe").unwrap();
        let loader = b"/lib64/ld-linux-x86-64.so.2\0";
        let at = own.windows(loader.len()).position(|w| w == loader).unwrap();
        own[at..][..24].copy_from_slice(b"/lib/ld-musl-x86_64.so.1");
        own[at + 24] = 0;
        let (text, status) = failure(&own);
        assert!(text.contains("musl"), "{text}");
        assert_eq!(status, 2);

        own[at..][..24].copy_from_slice(b"/nonexistent/loader.so.1");
        let (text, status) = failure(&own);
        assert!(text.contains("/nonexistent/loader.so.1"), "{text}");
        assert_eq!(status, 127);

        let (text, status) = failure(&elf::tests::header_of_a_32_bit_program());
        assert!(text.contains("32-bit x86"), "{text}");
        assert_eq!(status, 2);
    }
}
