//! What is in the release `libhakmem.so`, and above all what is not.

use std::collections::BTreeSet;
use std::fs;

use hakmem_tests::{library, tool};

/// Crates of which nothing may be in the library: the standard library's own, and those
/// that observers are built on. As v0 and legacy mangling spell them, length first.
const ABSENT_CRATES: [&str; 12] = [
    "std",
    "alloc",
    "panic_unwind",
    "std_detect",
    "gimli",
    "hakmem_trace_format",
    "backtrace",
    "ringbuf",
    "tracing",
    "tracing_core",
    "metrics",
    "framehop",
];

/// The one observer of the release build.
const SILENT: &str = "6Silent";

fn symbols(arguments: &[&str]) -> Vec<String> {
    let path = library::shared().display().to_string();
    let text = tool::output("nm", arguments.iter().copied().chain([path.as_str()]));
    let name = |line: &str| line.split_whitespace().next_back().map(str::to_owned);
    text.lines().filter_map(name).collect()
}

/// Without the version behind the name, `@…`.
fn unversioned(symbol: &str) -> &str {
    symbol.split('@').next().unwrap_or(symbol)
}

#[test]
fn it_needs_libc_alone() {
    let path = library::shared().display().to_string();
    let headers = tool::output("objdump", ["-p", &path]);
    let values = |key: &str| -> BTreeSet<String> {
        let value = |line: &str| line.trim().strip_prefix(key).map(|rest| rest.trim().into());
        headers.lines().filter_map(value).collect()
    };
    let needed = values("NEEDED ");
    assert!(needed.contains("libc.so.6"), "{needed:?}");
    let others: Vec<_> = needed
        .iter()
        .filter(|name| *name != "libc.so.6" && !name.starts_with("ld-linux"))
        .collect();
    assert!(others.is_empty(), "it also needs {others:?}");
    assert_eq!(values("SONAME "), BTreeSet::from(["libhakmem.so.0".into()]));
}

#[test]
fn it_is_made_of_two_crates_and_libc() {
    let tree = tool::output(
        &tool::cargo(),
        [
            "tree",
            "-e",
            "normal",
            "-p",
            "hakmem-capi",
            "--prefix",
            "none",
            "--no-dedupe",
        ],
    );
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["hakmem-alloc", "hakmem-capi", "libc"])
    );
}

#[test]
fn nothing_of_std_or_of_observers_is_in_it() {
    let symbols = symbols(&[]);
    assert!(
        symbols.iter().any(|s| s.contains("12hakmem_alloc")),
        "the library has no symbol table to look into"
    );
    for name in ABSENT_CRATES {
        let legacy = format!("_ZN{}{name}", name.len());
        // v0: crate roots are `C`, a disambiguator `s…_`, the length and the name.
        let v0 = format!("_{}{name}", name.len());
        let found: Vec<_> = symbols
            .iter()
            .filter(|s| s.starts_with(&legacy) || s.starts_with("_R") && s.contains(&v0))
            .collect();
        assert!(found.is_empty(), "of {name}: {found:?}");
    }
    let observers: Vec<_> = symbols
        .iter()
        .filter(|s| s.contains("7observe") && !s.contains(SILENT))
        .collect();
    assert!(observers.is_empty(), "{observers:?}");
    // What std's own start and panics are reached through.
    for name in [
        "__rust_alloc",
        "__rdl_alloc",
        "rust_eh_personality",
        "_Unwind_Resume",
    ] {
        assert!(!symbols.iter().any(|s| unversioned(s) == name), "{name}");
    }
}

#[test]
fn no_debug_variable_is_in_it() {
    let bytes = fs::read(library::shared()).expect("the library");
    let holds = |name: &str| bytes.windows(name.len()).any(|w| w == name.as_bytes());
    // The names of variables that are read stand in the library so that this finds them.
    for variable in hakmem_alloc::options::PRODUCTION {
        assert!(holds(variable.name), "{} is not read", variable.name);
    }
    let production = |name| {
        hakmem_alloc::options::PRODUCTION
            .iter()
            .any(|v| v.name == name)
    };
    for variable in hakmem_alloc::options::DEBUG {
        let name = variable.name;
        assert!(production(name) || !holds(name), "{name}");
    }
}

#[test]
fn it_exports_what_is_listed() {
    let listed: BTreeSet<&str> = tool::lines(include_str!("../../capi/exports.txt")).collect();
    let symbols = symbols(&["-D", "--defined-only"]);
    let exported: BTreeSet<&str> = symbols.iter().map(|s| unversioned(s)).collect();
    let missing: Vec<_> = listed.difference(&exported).collect();
    let unlisted: Vec<_> = exported.difference(&listed).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
    assert!(unlisted.is_empty(), "not in capi/exports.txt: {unlisted:?}");
}

/// One build unites what its packages ask of their dependencies: `hakmem-benches` wants the
/// libc crate with std.
#[test]
fn it_links_the_same_when_built_beside_another_package() {
    let elsewhere = concat!(env!("CARGO_TARGET_TMPDIR"), "/beside");
    let build = ["build", "--release", "--lib", "--quiet"];
    let packages = ["-p", "hakmem-capi", "-p", "hakmem-benches"];
    let target = ["--target-dir", elsewhere];
    tool::output(&tool::cargo(), [&build[..], &packages, &target].concat());
    let needs = |path: &str| tool::output("nm", ["-D", "--undefined-only", path]);
    assert_eq!(
        needs(&format!("{elsewhere}/release/libhakmem.so")),
        needs(&library::shared().display().to_string())
    );
}

#[test]
fn a_thread_costs_one_word_of_static_tls() {
    let path = library::shared().display().to_string();
    let segments = tool::output("readelf", ["-lW", &path]);
    let tls: Vec<&str> = segments
        .lines()
        .filter(|line| line.trim().starts_with("TLS "))
        .collect();
    // Type, offset, virtual and physical address, file size, memory size.
    let bytes = tls.iter().map(|line| {
        let field = line.split_whitespace().nth(5).expect("a size in memory");
        u64::from_str_radix(field.trim_start_matches("0x"), 16).expect("a number")
    });
    assert!(bytes.sum::<u64>() <= 8, "{tls:?}");
}

/// A program that never allocates pays for what the loader does with the library: it copies
/// the pages that it writes to (one with addresses, one that ends in zeros), and runs what is
/// to run at the start.
#[test]
fn the_loader_copies_two_pages_and_runs_nothing() {
    const PAGE: u64 = 4096;
    let path = library::shared().display().to_string();
    let segments = tool::output("readelf", ["-lW", &path]);
    let mut pages = 0;
    for line in segments.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Type, offset, virtual and physical address, file size, memory size, flags.
        let ["LOAD", _, address, _, in_file, _, "RW", ..] = fields[..] else {
            continue;
        };
        let number = |field: &str| {
            u64::from_str_radix(field.trim_start_matches("0x"), 16).expect("a number")
        };
        let (start, len) = (number(address), number(in_file));
        if len > 0 {
            pages += (start + len).div_ceil(PAGE) - start / PAGE;
        }
    }
    assert_eq!(pages, 2, "{segments}");
    let dynamic = tool::output("readelf", ["-dW", &path]);
    for entry in ["(INIT)", "(INIT_ARRAY)", "(FINI)", "(FINI_ARRAY)"] {
        assert!(!dynamic.contains(entry), "{dynamic}");
    }
}

/// Each is looked up by name at every start of a program.
#[test]
fn few_names_are_looked_up() {
    let undefined = symbols(&["-D", "--undefined-only"]);
    assert!(undefined.len() <= 28, "{}: {undefined:?}", undefined.len());
}
