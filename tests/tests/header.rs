//! `hakmem.h` and `hakmem.pc`, used as an installed library is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{Scratch, compile, find, library, tool};

const HEADER: &str = include_str!("../../capi/include/hakmem.h");
const PC: &str = include_str!("../../capi/hakmem.pc");
/// The workspace has one version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a careful program is compiled with.
const STRICT: [&str; 6] = [
    "-O1",
    "-fno-builtin",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
];

/// A prefix with the library in it, as `make install` would have left it.
fn install() -> Scratch {
    let prefix = Scratch::new();
    for directory in ["include", "lib/pkgconfig"] {
        fs::create_dir_all(prefix.file(directory)).expect("a directory");
    }
    let write = |name, text| fs::write(prefix.file(name), text).expect("a file");
    write("include/hakmem.h", HEADER);
    write("lib/pkgconfig/hakmem.pc", PC);
    let soname = "libhakmem.so.0";
    fs::copy(library::shared(), prefix.file("lib").join(soname)).expect("the library");
    symlink(soname, prefix.file("lib/libhakmem.so")).expect("a link");
    prefix
}

/// The fields of `hakmem.pc` in this prefix, with the variables filled in.
fn fields(prefix: &Scratch) -> BTreeMap<String, String> {
    let directory = prefix.file("lib/pkgconfig").display().to_string();
    let mut variables = BTreeMap::from([("pcfiledir".to_owned(), directory)]);
    let mut fields = BTreeMap::new();
    let filled = |value: &str, variables: &BTreeMap<String, String>| {
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        variables.iter().fold(value.trim().to_owned(), fill)
    };
    for line in tool::lines(PC) {
        if let Some((field, value)) = line.split_once(':') {
            fields.insert(field.to_owned(), filled(value, &variables));
        } else if let Some((name, value)) = line.split_once('=') {
            variables.insert(name.to_owned(), filled(value, &variables));
        }
    }
    fields
}

/// Compiles `programs/header.c` with the flags of `hakmem.pc`, and runs it.
#[track_caller]
fn compile_and_run(compiler: &str, language: &str, standard: &str) {
    let prefix = install();
    let fields = fields(&prefix);
    let program = prefix.file("program");
    let mut command = Command::new(compiler);
    command.args(STRICT).arg(format!("-std={standard}"));
    command.args(fields["Cflags"].split(' '));
    command.args(["-x", language]);
    command.arg(compile::sources().join("header.c"));
    command.args(["-x", "none"]);
    command.args(fields["Libs"].split(' '));
    command.arg("-o").arg(&program);
    succeeds(&mut command);
    let mut run = Command::new(&program);
    run.env("LD_LIBRARY_PATH", prefix.file("lib"));
    assert_eq!(succeeds(&mut run), "fine\n");
}

/// Runs a command; its standard output.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_c_program_uses_it() {
    compile_and_run("gcc", "c", "c99");
}

#[test]
fn a_cpp_program_uses_it() {
    compile_and_run("g++", "c++", "c++11");
}

#[test]
fn it_compiles_alone_and_twice_and_weak() {
    let scratch = Scratch::new();
    fs::write(scratch.file("hakmem.h"), HEADER).expect("a file");
    let source = "#define HAKMEM_WEAK\n#include \"hakmem.h\"\n#include \"hakmem.h\"\n\
        int main(void) { return hakmem_walk || hakmem_version; }\n";
    fs::write(scratch.file("weak.c"), source).expect("a file");
    let program = scratch.file("weak");
    let mut command = Command::new("gcc");
    command.args(STRICT).args(["-std=c89", "-o"]).arg(&program);
    command.arg(scratch.file("weak.c"));
    succeeds(&mut command);
    succeeds(&mut Command::new(&program));
    let run = Command::new(&program)
        .env("LD_PRELOAD", library::shared())
        .status()
        .expect("a run");
    assert_eq!(
        run.code(),
        Some(1),
        "the functions are there when preloaded"
    );
}

#[test]
fn pkg_config_reads_the_same() {
    if find("pkg-config").is_none() {
        return;
    }
    let prefix = install();
    let ask = |question: &str| {
        let mut command = Command::new("pkg-config");
        // No path of the system's own is left out then.
        command.env("PKG_CONFIG_PATH", prefix.file("lib/pkgconfig"));
        succeeds(command.args([question, "hakmem"]))
            .trim()
            .to_owned()
    };
    let fields = fields(&prefix);
    assert_eq!(ask("--modversion"), fields["Version"]);
    let flags = |text: &str| -> Vec<_> {
        let flags = text.split(' ').filter(|flag| !flag.is_empty());
        flags.map(resolved).collect()
    };
    assert_eq!(flags(&ask("--libs")), flags(&fields["Libs"]));
    assert_eq!(flags(&ask("--cflags")), flags(&fields["Cflags"]));
}

/// A flag with the directory in it as the file system has it.
fn resolved(flag: &str) -> String {
    let (option, path) = flag.split_at(2);
    match Path::new(path).canonicalize() {
        Ok(path) => format!("{option}{}", path.display()),
        Err(_) => flag.to_owned(),
    }
}

#[test]
fn versions_are_the_workspaces() {
    let parts = ["MAJOR", "MINOR", "PATCH"];
    let numbers: Vec<String> = parts
        .iter()
        .map(|part| macro_value(&format!("HAKMEM_VERSION_{part}")).to_owned())
        .collect();
    assert_eq!(numbers.join("."), VERSION);
    assert_eq!(macro_value("HAKMEM_VERSION"), format!("\"{VERSION}\""));
    assert!(PC.contains(&format!("\nVersion: {VERSION}\n")));
    let headers = tool::output("objdump", ["-p".as_ref(), library::shared()]);
    let soname = format!("libhakmem.so.{}", macro_value("HAKMEM_ABI"));
    assert!(headers.contains(&soname), "{headers}");
}

fn macro_value(name: &str) -> &'static str {
    let define = format!("#define {name} ");
    let line = HEADER.lines().find_map(|line| line.strip_prefix(&define));
    line.unwrap_or_else(|| panic!("{name} is not defined"))
}

#[test]
fn it_declares_what_is_exported() {
    let declared: BTreeSet<&str> = HEADER
        .lines()
        .filter(|line| line.starts_with("HAKMEM_API "))
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .collect();
    let symbols = tool::output(
        "nm",
        [
            "-D".as_ref(),
            "--defined-only".as_ref(),
            library::shared().as_os_str(),
        ],
    );
    let exported: BTreeSet<&str> = symbols
        .split_whitespace()
        .filter(|symbol| symbol.starts_with("hakmem_"))
        .collect();
    assert_eq!(declared, exported);
}
