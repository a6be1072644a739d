//! The C and C++ files of `programs/`, compiled when a test first needs them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, OnceLock};

/// The program made of `programs/<source>`.
pub fn program(source: &str) -> PathBuf {
    compiled(source, &["-o"], source.replace('.', "_"))
}

/// As [`program`], with the optimisations that programs are shipped with.
pub fn optimized_program(source: &str) -> PathBuf {
    let name = format!("{}_optimized", source.replace('.', "_"));
    compiled(source, &["-O2", "-o"], name)
}

/// As [`optimized_program`], and without frame pointers, which some compilers keep by themselves.
pub fn without_frame_pointers(source: &str) -> PathBuf {
    let name = format!("{}_without_frames", source.replace('.', "_"));
    compiled(source, &["-O2", "-fomit-frame-pointer", "-o"], name)
}

/// The shared library made of `programs/<source>`.
pub fn shared_library(source: &str) -> PathBuf {
    let name = format!("lib{}.so", source.replace('.', "_"));
    compiled(source, &["-shared", "-fPIC", "-o"], name)
}

/// The shared library made of `programs/<source>` that has C++'s library in it, and calls that.
pub fn self_contained_library(source: &str) -> PathBuf {
    let name = format!("lib{}_self_contained.so", source.replace('.', "_"));
    let whole = ["-static-libstdc++", "-Wl,-Bsymbolic"];
    compiled(
        source,
        &[&whole[..], &["-shared", "-fPIC", "-o"]].concat(),
        name,
    )
}

/// The program made of `programs/<source>` and the archive, linked statically.
pub fn static_program(source: &str, archive: Option<&Path>) -> PathBuf {
    let mut options = vec!["-static"];
    if let Some(archive) = archive {
        options.push(archive.to_str().expect("a path in UTF-8"));
    }
    options.push("-o");
    compiled(
        source,
        &options,
        format!("{}_static", source.replace('.', "_")),
    )
}

/// The program made of `programs/<source>` and a library beside libc.
pub fn program_with(source: &str, library: Option<&Path>) -> PathBuf {
    let Some(library) = library else {
        return program(source);
    };
    let library = library.to_str().expect("a path in UTF-8");
    let directory = library.rsplit_once('/').expect("an absolute path").0;
    let kind = library.rsplit_once('.').expect("a library").1;
    let rpath = format!("-Wl,-rpath,{directory}");
    let name = format!("{}_with_{kind}", source.replace('.', "_"));
    compiled(source, &[library, &rpath, "-o"], name)
}

/// The program made of `programs/<source>`, which alone is set up to look for libraries where
/// [`shared_library`] puts them.
pub fn program_with_runpath(source: &str) -> PathBuf {
    let runpath = format!("-Wl,--enable-new-dtags,-rpath,{}", directory().display());
    let name = format!("{}_with_runpath", source.replace('.', "_"));
    compiled(source, &[&runpath, "-o"], name)
}

/// The directory of the sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// Compiles once a process. Another test binary may do the same at the same
/// time, or run the file: so it is made under a name of its own and moved.
fn compiled(source: &str, options: &[&str], name: String) -> PathBuf {
    static DONE: OnceLock<Mutex<HashMap<String, PathBuf>>> = OnceLock::new();
    let done = DONE.get_or_init(Mutex::default);
    // A test that failed to compile poisons it; the map is whole all the same.
    let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(path) = done.get(&name) {
        return path.clone();
    }
    let path = directory().join(&name);
    let unfinished = directory().join(format!("{name}.{}", process::id()));
    compile(&sources().join(source), options, &unfinished);
    fs::rename(&unfinished, &path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    done.insert(name, path.clone());
    path
}

/// `-fno-builtin`: the compiler may not drop a pair of malloc and free.
fn compile(source: &Path, options: &[&str], target: &Path) {
    let (compiler, standard) = match source.extension() {
        Some(extension) if extension == "cpp" => ("g++", "-std=c++17"),
        _ => ("gcc", "-std=gnu11"),
    };
    let mut arguments: Vec<&str> = vec![standard, "-O1", "-g", "-fno-builtin", "-pthread"];
    // A failed realloc leaves its block: the warning does not know.
    arguments.extend(["-Wall", "-Wextra", "-Wno-use-after-free"]);
    let (linked, rest): (Vec<&str>, Vec<&str>) = options
        .iter()
        .partition(|o| o.ends_with(".a") || o.ends_with(".so"));
    let output = Command::new(compiler)
        .args(arguments)
        .arg(source)
        .args(linked)
        .args(rest)
        .arg(target)
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e} (the tests need gcc and g++)"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} does not compile:\n{said}",
        source.display()
    );
    if !said.is_empty() {
        eprintln!("{said}");
    }
}

/// `programs/` beside the profiles in the target directory that this test was
/// built into (`target/debug/deps/test`, or one more level with `--target`).
pub(crate) fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of the test");
        let profile = test
            .parent()
            .and_then(Path::parent)
            .expect("target/profile/deps/test");
        let directory = profile.join("hakmem-tests-programs");
        fs::create_dir_all(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        directory
    })
}
