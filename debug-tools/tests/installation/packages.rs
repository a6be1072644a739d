//! The Debian packages: installed by dpkg into a root of their own, used, and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hakmem_tests::{Scratch, find, skip};

use crate::installed::{Installed, MULTIARCH, built, files_in, succeeds, tool};

const NAMES: [&str; 3] = ["libhakmem0", "libhakmem-dev", "hakmem-tools"];

/// Makes the packages in a directory, with a umask; their paths, in the order in which they depend on
/// one another.
fn build(directory: &Path, umask: &str) -> Vec<PathBuf> {
    let mut command = tool("sh");
    command.args(["-c", &format!("umask {umask}; exec scripts/deb \"$0\"")]);
    command.arg(directory).envs(built());
    command.env("SOURCE_DATE_EPOCH", "1750000000");
    let made = succeeds(&mut command);
    let paths: Vec<PathBuf> = made.lines().map(PathBuf::from).collect();
    let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
    let expected: Vec<PathBuf> = NAMES
        .iter()
        .map(|name| directory.join(format!("{name}_{version}_amd64.deb")))
        .collect();
    assert_eq!(paths, expected);
    paths
}

/// Whether this system has Debian's tools, for the machine that there are packages for.
fn is_debian() -> bool {
    let there = ["dpkg", "dpkg-deb", "make"]
        .into_iter()
        .all(|name| find(name).is_some());
    if !there {
        return false;
    }
    let architecture = succeeds(Command::new("dpkg").arg("--print-architecture"));
    if architecture.trim() != "amd64" {
        skip(&format!(
            "there are packages for amd64, and this is {architecture}"
        ));
    }
    architecture.trim() == "amd64"
}

/// A system with nothing on it but what dpkg knows of this one's libc.
struct Root {
    scratch: Scratch,
}

impl Root {
    fn new() -> Self {
        let scratch = Scratch::new();
        let admin = scratch.file("var/lib/dpkg");
        for directory in ["info", "updates", "triggers"] {
            fs::create_dir_all(admin.join(directory)).unwrap();
        }
        let known = succeeds(Command::new("dpkg-query").args(["-s", "libc6", "libgcc-s1"]));
        fs::write(admin.join("status"), format!("{}\n\n", known.trim())).unwrap();
        Self { scratch }
    }

    fn dpkg(&self, arguments: &[&str], packages: &[PathBuf]) -> Output {
        let mut command = Command::new("dpkg");
        command
            .arg(format!("--root={}", self.scratch.path().display()))
            .args([
                "--force-not-root",
                "--force-script-chrootless",
                "--log=/dev/null",
            ])
            .args(arguments)
            .args(packages)
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .env("LC_ALL", "C");
        command.output().unwrap()
    }

    #[track_caller]
    fn dpkg_succeeds(&self, arguments: &[&str], packages: &[PathBuf]) {
        let output = self.dpkg(arguments, packages);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// All files but dpkg's own.
    fn files(&self) -> Vec<String> {
        let files = files_in(self.scratch.path()).into_iter();
        files
            .filter(|file| !file.starts_with("var/lib/dpkg/"))
            .collect()
    }
}

#[test]
fn packages_are_made_installed_used_and_removed() {
    if !is_debian() {
        return;
    }
    let (first, second) = (Scratch::new(), Scratch::new());
    let packages = build(first.path(), "022");
    for (one, other) in packages.iter().zip(build(second.path(), "077")) {
        let same = fs::read(one).unwrap() == fs::read(&other).unwrap();
        assert!(same, "{} and {} differ", one.display(), other.display());
    }
    say_what_they_are(&packages);
    can_be_used(&packages);
}

fn can_be_used(packages: &[PathBuf]) {
    let root = Root::new();
    // Of one alone: what it depends on is not there.
    let refused = root.dpkg(&["--install"], &packages[2..]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("depends on libhakmem0 (="),
        "{said}"
    );
    root.dpkg_succeeds(&["--purge", "hakmem-tools"], &[]);

    root.dpkg_succeeds(&["--install"], packages);
    root.dpkg_succeeds(&["--verify"], &[]);
    let installed = Installed {
        root: root.scratch.path().canonicalize().unwrap(),
        prefix: "/usr".into(),
        lib: Path::new("/usr").join(MULTIARCH),
    };
    installed.builds_programs();
    installed.has_pages_and_completions("share/zsh/vendor-completions/_hakmem");
    installed.keeps_its_soname();
    installed.runs_programs();
    let scripts = installed.file("share/gdb/auto-load/usr").join(MULTIARCH);
    for library in ["libhakmem.so.0", "libhakmem-observed.so"] {
        let script = fs::read_to_string(scripts.join(format!("{library}-gdb.py"))).unwrap();
        assert_eq!(
            script,
            "gdb.execute(\"source /usr/share/hakmem/hakmem_gdb.py\")\n"
        );
        assert!(installed.file("share/hakmem/hakmem_gdb.py").exists());
    }
    // Without the headers and the link that comes with them, programs run as before.
    root.dpkg_succeeds(&["--purge", "libhakmem-dev"], &[]);
    assert!(!installed.libraries().join("libhakmem.so").exists());
    installed.runs_programs();

    root.dpkg_succeeds(&["--purge", "hakmem-tools", "libhakmem0"], &[]);
    assert_eq!(root.files(), [""; 0]);
}

/// Their control files, documents and sums.
fn say_what_they_are(packages: &[PathBuf]) {
    let field = |package: usize, name: &str| {
        let mut command = Command::new("dpkg-deb");
        let value = succeeds(command.arg("-f").arg(&packages[package]).arg(name));
        value.trim().to_owned()
    };
    let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
    assert_eq!(field(1, "Depends"), format!("libhakmem0 (= {version})"));
    assert!(field(2, "Depends").contains(&format!("libhakmem0 (= {version})")));
    for package in 0..3 {
        assert_eq!(field(package, "Architecture"), "amd64");
        assert_eq!(field(package, "Package"), NAMES[package]);
        let unpacked = Scratch::new();
        succeeds(
            Command::new("dpkg-deb")
                .arg("-R")
                .arg(&packages[package])
                .arg(unpacked.path()),
        );
        let doc = unpacked.file("usr/share/doc").join(NAMES[package]);
        for file in ["copyright", "changelog.gz", "changelog.Debian.gz"] {
            assert!(doc.join(file).exists(), "{file}");
        }
        let mut command = Command::new("md5sum");
        command
            .args(["--quiet", "-c", "DEBIAN/md5sums"])
            .current_dir(unpacked.path());
        succeeds(&mut command);
        check_needs(&unpacked, &field(package, "Depends"));
    }
}

/// What Debian's own tool finds that the files of a package need is what the package says.
fn check_needs(unpacked: &Scratch, depends: &str) {
    let files: Vec<String> = files_in(unpacked.path())
        .into_iter()
        .filter(|file| file.ends_with("/hakmem") && file.contains("/bin/") || file.contains(".so"))
        .filter(|file| !unpacked.file(file).is_symlink() && !file.ends_with(".py"))
        .collect();
    if files.is_empty() || find("dpkg-shlibdeps").is_none() {
        return;
    }
    fs::create_dir(unpacked.file("debian")).unwrap();
    fs::write(
        unpacked.file("debian/control"),
        "Source: hakmem\n\nPackage: hakmem\nArchitecture: any\n",
    )
    .unwrap();
    let mut command = Command::new("dpkg-shlibdeps");
    command.arg("-O").args(&files).current_dir(unpacked.path());
    let found = succeeds(&mut command);
    let found = found.trim().trim_start_matches("shlibs:Depends=");
    for need in found.split(", ").filter(|need| need.starts_with("libc6")) {
        assert!(
            depends.contains(need),
            "{files:?} need {found}, not {depends}"
        );
    }
    let gcc = |text: &str| text.contains("libgcc-s1");
    assert_eq!(gcc(found), gcc(depends), "{found}; {depends}");
}
