//! An installation: made, used, listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hakmem_tests::{Scratch, compile, find, library};

/// The root of the sources.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The directory of libraries in packages, below `usr`.
pub const MULTIARCH: &str = "lib/x86_64-linux-gnu";

/// A program of the system's, at the root of the sources.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(ROOT)
        .env("LC_ALL", "C")
        .env_remove("MAKEFLAGS");
    command.stdin(Stdio::null());
    command
}

/// The variables by which the Makefile and `scripts/deb` are told what has been built.
pub fn built() -> [(&'static str, PathBuf); 3] {
    let directory = |path: &Path| path.parent().unwrap().to_owned();
    [
        ("RELEASE", directory(library::shared())),
        ("OBSERVED", directory(library::observed())),
        ("HAKMEM", PathBuf::from(env!("CARGO_BIN_EXE_hakmem"))),
    ]
}

/// `make TARGET`, of what has been built.
pub fn make(target: &str, variables: &[String]) {
    let mut command = tool("make");
    command.args(["-s", target, "BUILD="]).args(variables);
    let built = built().map(|(name, path)| format!("{name}={}", path.display()));
    succeeds(command.args(built));
}

/// Runs a command that succeeds; what it writes to standard output.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{said}");
    String::from_utf8_lossy(&stdout).into_owned()
}

/// Files and links below a directory, by their paths in it.
pub fn files_in(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                let path = entry.path();
                let path = path.strip_prefix(directory).unwrap();
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Where things have been installed.
pub struct Installed {
    /// In front of each path: for packages, the root that they were unpacked in.
    pub root: PathBuf,
    /// As it was given.
    pub prefix: PathBuf,
    /// As it was given.
    pub lib: PathBuf,
}

impl Installed {
    /// Where a directory lies now.
    fn now(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap();
        match self.root.as_os_str() {
            root if root.is_empty() => path.to_owned(),
            _ => self.root.join(below),
        }
    }

    /// Where the libraries lie now.
    pub fn libraries(&self) -> PathBuf {
        self.now(&self.lib)
    }

    /// A file of the prefix, as it lies now.
    pub fn file(&self, name: &str) -> PathBuf {
        self.now(&self.prefix).join(name)
    }

    /// `hakmem` as installed, with nothing set that it looks at.
    fn hakmem(&self, scratch: &Scratch) -> Command {
        let mut command = Command::new(self.file("bin/hakmem"));
        command.current_dir(scratch.path());
        for variable in ["LD_PRELOAD", "HAKMEM_TRACE_DIR", "HAKMEM_RUN_LIBRARY"] {
            command.env_remove(variable);
        }
        command
    }

    /// Programs run on both libraries: preloaded by the installed path, and by `hakmem run`.
    pub fn runs_programs(&self) {
        let scratch = Scratch::new();
        let maps = |command: &mut Command, library: &Path| {
            let maps = succeeds(command.args(["cat", "/proc/self/maps"]));
            let library = library.canonicalize().unwrap();
            let shown = maps
                .lines()
                .any(|line| line.ends_with(library.to_str().unwrap()));
            assert!(shown, "no {} in {maps}", library.display());
        };
        let release = self.libraries().join("libhakmem.so.0");
        let observed = self.libraries().join("libhakmem-observed.so");
        for library in [&release, &observed] {
            maps(Command::new("env").env("LD_PRELOAD", library), library);
        }
        maps(
            self.hakmem(&scratch).args(["run", "--release", "--"]),
            &release,
        );
        maps(self.hakmem(&scratch).args(["run", "--"]), &observed);
        // What that has recorded can be read.
        let traces: Vec<PathBuf> = fs::read_dir(scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(traces.len(), 1, "{traces:?}");
        let info = succeeds(
            self.hakmem(&scratch)
                .args(["info", "--json"])
                .arg(&traces[0]),
        );
        assert!(info.contains("exited with status 0"), "{info}");
    }

    /// A C program is built with the flags of `hakmem.pc`, with the shared library and the static one.
    pub fn builds_programs(&self) {
        if find("pkg-config").is_none() {
            return;
        }
        let scratch = Scratch::new();
        let ask = |questions: &[&str]| {
            let mut command = Command::new("pkg-config");
            command
                .env("PKG_CONFIG_LIBDIR", self.libraries().join("pkgconfig"))
                .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
                .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1");
            if !self.root.as_os_str().is_empty() {
                command.env("PKG_CONFIG_SYSROOT_DIR", &self.root);
            }
            succeeds(command.args(questions).arg("hakmem"))
                .trim()
                .to_owned()
        };
        assert_eq!(ask(&["--modversion"]), env!("CARGO_PKG_VERSION"));
        for (name, option, questions) in [
            ("shared", "-pthread", &["--cflags", "--libs"][..]),
            ("static", "-static", &["--static", "--cflags", "--libs"]),
        ] {
            let program = scratch.file(name);
            let source = compile::sources().join("header.c");
            let mut command = Command::new("gcc");
            command
                .args([option, "-fno-builtin", "-o"])
                .arg(&program)
                .arg(source);
            succeeds(command.args(ask(questions).split_whitespace()));
            let needed = succeeds(Command::new("objdump").arg("-p").arg(&program));
            assert_eq!(
                needed.contains("libhakmem.so.0"),
                name == "shared",
                "{needed}"
            );
            let said = succeeds(Command::new(&program).env("LD_LIBRARY_PATH", self.libraries()));
            assert_eq!(said, "fine\n");
        }
    }

    /// Each command has its page, and each shell its completions.
    pub fn has_pages_and_completions(&self, zsh: &str) {
        let man = self.file("share/man");
        let pages = files_in(&man);
        let suffix = if pages.contains("man1/hakmem.1.gz") {
            ".gz"
        } else {
            ""
        };
        for command in [
            "", "-run", "-whatis", "-verify", "-history", "-report", "-man",
        ] {
            let page = format!("man1/hakmem{command}.1{suffix}");
            assert!(pages.contains(&page), "no {page} in {pages:?}");
        }
        if find("man").is_some() {
            let mut command = Command::new("man");
            command
                .arg("-M")
                .arg(&man)
                .args(["-w", "hakmem", "hakmem-whatis"]);
            let found = succeeds(&mut command);
            assert!(
                found.contains(&format!("hakmem-whatis.1{suffix}")),
                "{found}"
            );
        }
        for (shell, script) in [
            ("bash", "share/bash-completion/completions/hakmem"),
            ("zsh", zsh),
            ("fish", "share/fish/vendor_completions.d/hakmem.fish"),
        ] {
            let script = self.file(script);
            assert!(fs::read_to_string(&script).unwrap().contains("whatis"));
            if find(shell).is_some() {
                succeeds(Command::new(shell).arg("-n").arg(&script));
            }
        }
        let complete = "source \"$0\"; COMP_WORDS=(hakmem what) COMP_CWORD=1; \
            _hakmem hakmem what hakmem; echo \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", complete]);
        bash.arg(self.file("share/bash-completion/completions/hakmem"));
        assert_eq!(succeeds(&mut bash), "whatis\n");
    }

    /// The loader's own tool does not take the observed library for the one that programs ask for,
    /// though both have that SONAME.
    pub fn keeps_its_soname(&self) {
        let path = "/usr/sbin:/sbin:/usr/bin:/bin";
        let mut command = Command::new("ldconfig");
        command
            .env("PATH", path)
            .args(["-n", "-X"])
            .arg(self.libraries());
        succeeds(&mut command);
        let mut command = Command::new("ldconfig");
        command.env("PATH", path).args(["-n"]).arg(self.libraries());
        succeeds(&mut command);
        let link = self.libraries().join("libhakmem.so.0");
        let file = link.canonicalize().unwrap();
        assert_eq!(
            file.file_name().unwrap(),
            "libhakmem.so.0",
            "{}",
            file.display()
        );
    }
}
