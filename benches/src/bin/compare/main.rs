//! `compare`: hakmem beside its peers, on the same programs, in one run.
//!
//! | module | what it holds |
//! |---|---|
//! | `cli` | the command line |
//! | `allocator` | who is measured, and where the libraries are |
//! | `workload` | the table of what is run |
//! | `redis` | the client of the redis workload |
//! | `scratch` | a directory with the sources for real programs |
//! | `child` | one process and what it cost |
//! | `run` | one run of a workload on an allocator |
//! | `samples` | all runs |
//! | `summary` | medians and ratios of them |
//! | `table`, `json`, `svg` | the three outputs |
//! | `machine` | what they were measured on |

mod allocator;
mod child;
mod cli;
mod json;
mod machine;
mod redis;
mod run;
mod samples;
mod scratch;
mod summary;
mod svg;
mod table;
mod workload;

use allocator::{Allocator, Found, SUBJECT};
use clap::Parser;
use clap::error::ErrorKind;
use cli::Options;
use hakmem_benches::prng::Prng;
use machine::Machine;
use run::Runner;
use samples::{Cell, Samples};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use summary::Summary;
use workload::Workload;

/// Failed runs, different answers, or an output that could not be written.
const PROBLEMS: u8 = 1;

fn main() -> ExitCode {
    let options = Options::parse();
    let workloads = workload::select(&options.workloads)
        .unwrap_or_else(|pattern| usage(&format!("no workload is called '{pattern}'; see --list")));
    if let Some(cpu) = options.cpus.iter().find(|&&cpu| cpu >= CPU_LIMIT) {
        usage(&format!(
            "CPU {cpu} is beyond the {CPU_LIMIT} that can be set"
        ));
    }
    if options.list {
        return list(&workloads, options.quick);
    }
    let allocators = search(&options);
    if allocators.is_empty() {
        usage("no allocator is left to measure");
    }
    let machine = Machine::this();
    let runner = match Runner::new(&options) {
        Ok(runner) => runner,
        Err(error) => {
            eprintln!("the scratch directory cannot be made: {error}");
            return ExitCode::from(PROBLEMS);
        }
    };
    let workloads = ready(&runner, workloads);
    let samples = measure(&options, &runner, workloads, allocators);
    let summary = Summary::of(&samples, options.metric);
    print(&machine, &options, &samples, &summary);
    conclude(&machine, &options, &samples, &summary)
}

/// The CPUs that a `cpu_set_t` has room for.
const CPU_LIMIT: usize = libc::CPU_SETSIZE as usize;

/// A wrong command line: message and status 2, as clap's own.
fn usage(message: &str) -> ! {
    use clap::CommandFactory;
    Options::command()
        .error(ErrorKind::InvalidValue, message)
        .exit()
}

fn list(workloads: &[Workload], quick: bool) -> ExitCode {
    for workload in workloads {
        say(&format!(
            "{:<22} {}\n{:<22}   {} {}",
            workload.name,
            workload.about,
            "",
            workload.work.name(),
            workload.work.arguments(quick).join(" ")
        ));
    }
    ExitCode::SUCCESS
}

/// Prints to stdout; a reader that went away ends the program quietly.
fn say(text: &str) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(PROBLEMS.into());
    }
}

fn search(options: &Options) -> Vec<Allocator> {
    let found = Found::search(options);
    for line in &found.missing {
        eprintln!("SKIPPED {line}");
    }
    let has_subject = found.allocators.iter().any(|a| a.name == SUBJECT);
    if !has_subject && !options.without.iter().any(|name| name == SUBJECT) {
        eprintln!("NOT MEASURED: hakmem itself. Build it with");
        eprintln!("    cargo build --release -p hakmem-capi");
        eprintln!("or name the library with --hakmem PATH. The peers are measured alone.");
    }
    found.allocators
}

/// The workloads that can be run here; a line for each of the others.
fn ready(runner: &Runner, mut workloads: Vec<Workload>) -> Vec<Workload> {
    workloads.retain(|workload| {
        let ready = runner.is_ready(&workload.work);
        if let Err(reason) = &ready {
            eprintln!("SKIPPED {}: {reason}", workload.name);
        }
        ready.is_ok()
    });
    workloads
}

/// A first run of everything, then the rounds.
fn measure(
    options: &Options,
    runner: &Runner,
    workloads: Vec<Workload>,
    allocators: Vec<Allocator>,
) -> Samples {
    let mut samples = Samples::new(workloads, allocators);
    let mut prng = Prng::new(options.seed);
    let rounds = options.rounds();
    for round in 0..=rounds {
        match round {
            0 => eprintln!("first run of each, not measured"),
            _ => eprintln!("round {round} of {rounds}"),
        }
        for index in 0..samples.workloads.len() {
            let mut order: Vec<usize> = (0..samples.allocators.len()).collect();
            prng.shuffle(&mut order);
            for column in order {
                let workload = samples.workloads[index];
                let allocator = &samples.allocators[column];
                let cell = &mut samples.cells[index][column];
                step(runner, &workload, allocator, cell, round == 0);
            }
        }
    }
    samples
}

fn step(
    runner: &Runner,
    workload: &Workload,
    allocator: &Allocator,
    cell: &mut Cell,
    warming: bool,
) {
    if cell.failure.is_some() {
        return;
    }
    let proof = if warming {
        runner.prove(&workload.work, allocator)
    } else {
        Ok(())
    };
    match proof.and_then(|()| runner.run(&workload.work, allocator)) {
        Ok(_) if warming => {}
        Ok(run) => cell.runs.push(Some(run)),
        Err(failure) => {
            eprintln!("FAILED {} on {}: {failure}", workload.name, allocator.name);
            cell.failure = Some(failure);
            if !warming {
                cell.runs.push(None);
            }
        }
    }
}

fn print(machine: &Machine, options: &Options, samples: &Samples, summary: &Summary) {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let titles: Vec<String> = samples.allocators.iter().map(Allocator::title).collect();
    say(&format!("{}\n{}\n", machine.line(), titles.join(", ")));
    say(&format!(
        "Medians of {} interleaved rounds; ± is the interquartile range; * is the best peer.\n",
        options.rounds()
    ));
    say(&format!("{}\n", table::rows(summary, colour)));
    say(&table::means(summary).to_string());
    let behind = table::behind(summary);
    if !behind.is_empty() {
        say(&format!(
            "\nbehind the best peer by more than {}:",
            table::LEVEL
        ));
        for line in behind {
            say(&format!("  {line}"));
        }
    }
}

/// Writes the files, repeats what went wrong, and decides the exit status.
fn conclude(
    machine: &Machine,
    options: &Options,
    samples: &Samples,
    summary: &Summary,
) -> ExitCode {
    let mut worked = true;
    if let Some(path) = &options.json {
        let command: Vec<String> = std::env::args().collect();
        let document = json::document(machine, &command, samples, summary);
        worked &= write(path, &format!("{document:#}\n"));
    }
    if let Some(path) = &options.svg {
        worked &= write(path, &svg::drawing(machine, summary));
    }
    let complaints = samples.complaints();
    for line in &complaints {
        eprintln!("PROBLEM {line}");
    }
    if worked && complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PROBLEMS)
    }
}

fn write(path: &Path, text: &str) -> bool {
    match std::fs::write(path, text) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            false
        }
    }
}
