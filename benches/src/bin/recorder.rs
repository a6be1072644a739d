//! What the flight recorder costs: `programs/frames.c` and three real programs on glibc, on the
//! release library, and on the observed one with the recorder off, on, and in full mode, in turns.
//!
//! Builds both libraries and the program itself. A round runs each once; printed are the least
//! and the median of each, and how they stand to glibc's. A real program that is not installed is
//! left out, and a line says so.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::usage::Usage;
use std::env;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

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
    variables: Variables,
    traces: bool,
}

/// Ways to run the program: its arguments behind the number of operations.
const WAYS: [(&str, &str, &str, &str); 4] = [
    ("pair, 3 frames", "pair", "1", "3"),
    ("pair, 3 frames, 2 threads", "pair", "2", "3"),
    ("pair, 12 frames", "pair", "1", "12"),
    ("churn, 3 frames", "churn", "1", "3"),
];

type Variables = &'static [(&'static str, &'static str)];

/// Real programs, with their arguments (`@`: where the benches' programs are) and what they need in
/// the environment.
const PROGRAMS: [(&str, &[&str], Variables); 3] = [
    (
        "python3",
        &["@json_documents.py", "10"],
        &[("PYTHONHASHSEED", "0"), ("PYTHONMALLOC", "malloc")],
    ),
    (
        "g++",
        &[
            "-std=c++17",
            "-O1",
            "-DDEPTH=2",
            "-S",
            "-o",
            "/dev/null",
            "@templates.cpp",
        ],
        &[],
    ),
    (
        "sqlite3",
        &[
            "-cmd",
            "CREATE TABLE size AS SELECT 200000 AS rows",
            ":memory:",
            ".read @inserts.sql",
        ],
        &[],
    ),
];

fn main() {
    let [rounds, operations] = PROGRAM.values();
    let scratch = env::temp_dir().join(format!("hakmem-recorder-{}", process::id()));
    fs::create_dir_all(&scratch).expect("a directory for what is built");
    let builds = builds();
    let program = compile(&scratch);
    for (name, case, threads, frames) in WAYS {
        let arguments = [case, &operations.to_string(), threads, frames];
        compare(
            &format!("{name}: ns of CPU time a malloc and a free"),
            rounds,
            &builds,
            |build| run(&program, build, &arguments, &scratch),
        );
    }
    // Full mode is for a look at little, not for whole programs.
    let builds: Vec<Build> = (builds.into_iter())
        .filter(|build| !build.name.contains("full"))
        .collect();
    for (name, arguments, variables) in PROGRAMS {
        let Some(program) = real(name) else {
            eprintln!("{name} is not installed: left out");
            continue;
        };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/");
        let arguments: Vec<String> = (arguments.iter())
            .map(|argument| argument.replace('@', source))
            .collect();
        compare(
            &format!("{name}: ms of CPU time, its children included"),
            rounds,
            &builds,
            |build| run_real(&program, &arguments, variables, build, &scratch),
        );
    }
    let _ = fs::remove_dir_all(scratch);
}

/// The program of this name; of `python3` the interpreter, which may stand behind a script that
/// runs dozens of processes.
fn real(name: &str) -> Option<String> {
    let question = match name {
        "python3" => &["-c", "import sys; print(sys.executable)"][..],
        _ => &["--version"],
    };
    let output = Command::new(name).args(question).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    Some(match name {
        "python3" => said.trim().to_owned(),
        _ => name.to_owned(),
    })
}

/// Measures each build once a round, and prints what it took.
fn compare(what: &str, rounds: u64, builds: &[Build], measure: impl Fn(&Build) -> f64) {
    let mut times = vec![Vec::new(); builds.len()];
    for _ in 0..rounds {
        for (build, times) in builds.iter().zip(&mut times) {
            times.push(measure(build));
        }
    }
    println!("\n{what}");
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

fn summary(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn builds() -> Vec<Build> {
    let release = library(&["--release"]);
    let observed = library(&["--profile", "observed", "--features", "observe-all"]);
    let build = |name, library: Option<&Path>, variables, traces| Build {
        name,
        library: library.map(Path::to_owned),
        variables,
        traces,
    };
    // Checks of blocks are on if nothing is said, and cost what they cost.
    const UNCHECKED: (&str, &str) = ("HAKMEM_INTEGRITY_CHECKS", "0");
    let observed = Some(observed.as_path());
    vec![
        build("glibc", None, &[], false),
        build("release", Some(&release), &[], false),
        build("observed, off", observed, &[UNCHECKED], false),
        build("observed, recording", observed, &[UNCHECKED], true),
        build("  and checking", observed, &[], true),
        build(
            "  without stacks",
            observed,
            &[UNCHECKED, ("HAKMEM_STACKS", "off")],
            true,
        ),
        build(
            "  stacks by tables",
            observed,
            &[UNCHECKED, ("HAKMEM_STACKS", "table")],
            true,
        ),
        build(
            "  full mode",
            observed,
            &[UNCHECKED, ("HAKMEM_TRACE_MODE", "full")],
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

/// A program as `build` has it run, with the trace before it taken away.
fn command(program: impl AsRef<std::ffi::OsStr>, build: &Build, scratch: &Path) -> Command {
    let traces = scratch.join("traces");
    let _ = fs::remove_dir_all(&traces);
    let mut command = Command::new(program);
    command.envs(build.variables.iter().copied());
    if let Some(library) = &build.library {
        command.env("LD_PRELOAD", library);
    }
    if build.traces {
        // Each of the program's processes has its own.
        fs::create_dir_all(&traces).expect("a directory for traces");
        command.env("HAKMEM_TRACE_DIR", traces.join("%p"));
    }
    command
}

/// Nanoseconds an operation.
fn run(program: &Path, build: &Build, arguments: &[&str], scratch: &Path) -> f64 {
    let mut command = command(program, build, scratch);
    let output = command
        .args(arguments)
        .output()
        .expect("the program can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().unwrap_or_else(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?}: {}\n{said}{errors}", output.status)
    })
}

/// Milliseconds.
fn run_real(
    program: &str,
    arguments: &[String],
    variables: &[(&str, &str)],
    build: &Build,
    scratch: &Path,
) -> f64 {
    let mut command = command(program, build, scratch);
    // `wait4` says what it used, as `Child` does not.
    #[expect(clippy::zombie_processes, reason = "it is waited for below")]
    let child = command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program can be run");
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointers are to a whole status and a whole rusage.
    let waited = unsafe {
        libc::wait4(
            child.id() as libc::pid_t,
            &mut status,
            0,
            usage.as_mut_ptr(),
        )
    };
    assert!(waited > 0 && status == 0, "{command:?}: status {status:#x}");
    // SAFETY: all bytes were zero at least, which is a valid rusage.
    Usage::from(&unsafe { usage.assume_init() }).cpu() * 1e3
}
