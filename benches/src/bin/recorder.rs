//! What the flight recorder costs: `programs/frames.c` on glibc, on the release library, and on
//! the observed one with the recorder off, on, and in full mode, in turns.
//!
//! Builds both libraries and the program itself. A round runs each once; printed are the least
//! and the median of each, and how they stand to glibc's.

use hakmem_benches::args::{Parameter, Program};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

const PROGRAM: Program = Program {
    name: "recorder",
    about: "Compares a program's CPU time with the flight recorder off and on.",
    parameters: &[
        Parameter::new("rounds", "runs of each", 11, 1, 1000),
        Parameter::new(
            "operations",
            "of each thread, in a run",
            5_000_000,
            1,
            1 << 40,
        ),
    ],
};

/// What differs between runs: the library, if any, and variables.
struct Build {
    name: &'static str,
    library: Option<PathBuf>,
    variables: &'static [(&'static str, &'static str)],
    traces: bool,
}

/// Ways to run the program: its arguments behind the number of operations.
const WAYS: [(&str, &str, &str, &str); 4] = [
    ("pair, 3 frames", "pair", "1", "3"),
    ("pair, 3 frames, 2 threads", "pair", "2", "3"),
    ("pair, 12 frames", "pair", "1", "12"),
    ("churn, 3 frames", "churn", "1", "3"),
];

fn main() {
    let [rounds, operations] = PROGRAM.values();
    let scratch = env::temp_dir().join(format!("hakmem-recorder-{}", process::id()));
    fs::create_dir_all(&scratch).expect("a directory for what is built");
    let builds = builds();
    let program = compile(&scratch);
    for (name, case, threads, frames) in WAYS {
        let arguments = [case, &operations.to_string(), threads, frames];
        let mut times = vec![Vec::new(); builds.len()];
        for _ in 0..rounds {
            for (build, times) in builds.iter().zip(&mut times) {
                times.push(run(&program, build, &arguments, &scratch));
            }
        }
        println!("\n{name}: ns of CPU time a malloc and a free");
        println!(
            "{:<22}{:>9}{:>9}{:>9}{:>9}",
            "", "least", "/glibc", "median", "/glibc"
        );
        let of_glibc = summary(&mut times[0]);
        for (build, times) in builds.iter().zip(&mut times) {
            let (least, median) = summary(times);
            let (to_least, to_median) = (least / of_glibc.0, median / of_glibc.1);
            let name = build.name;
            println!("{name:<22}{least:>9.2}{to_least:>9.2}{median:>9.2}{to_median:>9.2}");
        }
    }
    let _ = fs::remove_dir_all(scratch);
}

fn summary(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn builds() -> Vec<Build> {
    let release = library(&["--release"]);
    let observed = library(&["--profile", "observed", "--features", "trace"]);
    let build = |name, library: Option<&Path>, variables, traces| Build {
        name,
        library: library.map(Path::to_owned),
        variables,
        traces,
    };
    vec![
        build("glibc", None, &[], false),
        build("release", Some(&release), &[], false),
        build("observed, off", Some(&observed), &[], false),
        build("observed, recording", Some(&observed), &[], true),
        build(
            "  without stacks",
            Some(&observed),
            &[("HAKMEM_STACKS", "off")],
            true,
        ),
        build(
            "  stacks by tables",
            Some(&observed),
            &[("HAKMEM_STACKS", "table")],
            true,
        ),
        build(
            "  full mode",
            Some(&observed),
            &[("HAKMEM_TRACE_MODE", "full")],
            true,
        ),
    ]
}

/// Builds `libhakmem.so`, and says where it is.
fn library(how: &[&str]) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "-p",
            "hakmem-capi",
            "--message-format=json-render-diagnostics",
        ])
        .args(how)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "libhakmem.so does not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = messages
        .split('"')
        .find(|text| text.starts_with('/') && text.ends_with("/libhakmem.so"))
        .expect("cargo says where it is");
    PathBuf::from(path)
}

fn compile(scratch: &Path) -> PathBuf {
    let program = scratch.join("frames");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/frames.c");
    let status = Command::new("cc")
        .args([
            "-O2",
            "-fno-omit-frame-pointer",
            "-fno-builtin",
            "-fno-optimize-sibling-calls",
        ])
        .args(["-fno-inline", "-pthread", source, "-o"])
        .arg(&program)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "frames.c does not compile"
    );
    program
}

/// Nanoseconds an operation.
fn run(program: &Path, build: &Build, arguments: &[&str], scratch: &Path) -> f64 {
    let trace = scratch.join("trace");
    let _ = fs::remove_dir_all(&trace);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(build.variables.iter().copied());
    if let Some(library) = &build.library {
        command.env("LD_PRELOAD", library);
    }
    if build.traces {
        command.env("HAKMEM_TRACE_DIR", &trace);
    }
    let output = command.output().expect("the program can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().unwrap_or_else(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?}: {}\n{said}{errors}", output.status)
    })
}
