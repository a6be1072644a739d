//! What a run has left, said at its end: what was found, where the trace lies, what to run next.
//!
//! A run is a process and those that it started: each that recorded has a session of its own, whose
//! directory begins with the same name.

use std::env;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hakmem_trace_format::reader::Trace;

use crate::again::Again;
use crate::answer::Answer;
use crate::event::named;
use crate::failure::say;
use crate::misdeed::{Misdeed, shell_word};
use crate::printable::Printable;
use crate::symbols::Symbols;
use crate::trace::TraceDirectory;
use crate::wishes;

/// Findings of a process that are said, and processes of which they are.
const TOLD: usize = 5;
/// Findings of a process that are looked through.
const LOOKED_THROUGH: usize = 100;
/// Directories that are looked into.
const LOOKED_AT: usize = 1000;

/// Says it of the process `pid`, which was started at a time, and of its children.
pub fn say_end(directory: &TraceDirectory, pid: u32, since: SystemTime, again: &Again) {
    let sessions = sessions(directory, pid, since);
    let of_program = |trace: &Trace| trace.session().header().pid == pid;
    match sessions.first().filter(|trace| of_program(trace)) {
        Some(trace) => say(format_args!(
            "hakmem: the trace lies in {}",
            shown(trace.directory())
        )),
        None => say(format_args!(
            "hakmem: note: the program has left no trace in {}",
            directory.of_process(pid).display()
        )),
    }
    let wrong: Vec<(&Trace, Vec<Misdeed>)> = sessions
        .iter()
        .map(|trace| (trace, Misdeed::all(trace)))
        .filter(|(trace, misdeeds)| !misdeeds.is_empty() || trace.crash().is_some())
        .collect();
    for (trace, misdeeds) in wrong.iter().take(TOLD) {
        if !of_program(trace) {
            let program = trace.session().exe().to_string_lossy().into_owned();
            let number = trace.session().header().pid;
            say(format_args!(
                "hakmem: in process {number}, {}:",
                Printable(&program)
            ));
        }
        say_findings(trace, misdeeds, again);
    }
    if let Some(more) = wrong.len().checked_sub(TOLD).filter(|more| *more > 0) {
        say(format_args!(
            "hakmem: and in {more} more processes: hakmem report says it of each"
        ));
    }
    if let ([], Some(trace)) = (&wrong[..], sessions.first()) {
        let directory = shown(trace.directory());
        say(format_args!(
            "hakmem: nothing was found{}. Next: hakmem live {directory}, hakmem history {directory} ADDRESS",
            match sessions.len() {
                1 => String::new(),
                processes => format!(" in {processes} processes"),
            }
        ));
        if !again.has("--guard") && env::var_os(wishes::GUARD).is_none() {
            say(format_args!(
                "hakmem: wrong reads, and writes that leave no trace, are stopped by: {}",
                again.with("--guard", "all")
            ));
        }
    }
}

fn say_findings(trace: &Trace, misdeeds: &[Misdeed], again: &Again) {
    let mut symbols = Symbols::new(trace, &Answer::default());
    let lines = once_each(misdeeds, &mut symbols);
    for (line, times) in &lines {
        match times {
            1 => say(format_args!("hakmem: {line}")),
            _ => say(format_args!("hakmem: {line} (the first of {times} there)")),
        }
    }
    let told: usize = lines.iter().map(|(_, times)| times).sum();
    if misdeeds.len() > told {
        let more = misdeeds.len() - told;
        say(format_args!("hakmem: and {more} more of these"));
    }
    if let Some(rule) = Misdeed::next_rule(misdeeds) {
        say(format_args!(
            "hakmem: who wrote there is named by: {}",
            again.with("--watch", rule)
        ));
    }
    if let Some(guard) = Misdeed::next_guard(misdeeds) {
        say(format_args!(
            "hakmem: it is stopped where that happens by: {}",
            again.with_only("--guard", guard)
        ));
    }
    say(format_args!(
        "hakmem: all of it: hakmem report {}",
        shown(trace.directory())
    ));
}

/// The lines of misdeeds, one for each place in the code and kind, with how many there were; of those whose
/// culprit is not known each has its own.
fn once_each(misdeeds: &[Misdeed], symbols: &mut Symbols<'_>) -> Vec<(String, usize)> {
    let mut told: Vec<(Option<String>, String, usize)> = vec![];
    for misdeed in misdeeds.iter().take(LOOKED_THROUGH) {
        let culprit = misdeed.culprit(symbols);
        let place = culprit.map(|function| format!("{} {}", misdeed.kind, named(&function, true)));
        let known = told
            .iter_mut()
            .find(|(known, ..)| known.is_some() && *known == place);
        if let Some((_, _, times)) = known {
            *times += 1;
        } else if let Some(line) = misdeed.lines(symbols).into_iter().next() {
            told.push((place, line, 1));
        }
    }
    let lines = told.into_iter().take(TOLD);
    lines.map(|(_, line, times)| (line, times)).collect()
}

/// The sessions of a run, that of the program first.
fn sessions(directory: &TraceDirectory, pid: u32, since: SystemTime) -> Vec<Trace> {
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let directories = directory.of_run(pid);
    if let Some(more) = directories.len().checked_sub(LOOKED_AT).filter(|n| *n > 0) {
        say(format_args!(
            "hakmem: note: {more} more directories of this name were not looked into"
        ));
    }
    let opened = directories
        .into_iter()
        .take(LOOKED_AT)
        .filter_map(|path| Trace::open(path).ok());
    // What an earlier run has left there is not this one's.
    let mut sessions: Vec<Trace> = opened
        .filter(|trace| u128::from(trace.session().header().start_realtime) >= since.as_nanos())
        .collect();
    sessions.sort_by_key(|trace| {
        let number = trace.session().header().pid;
        (number != pid, number)
    });
    sessions
}

/// A path as it is typed here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    let short = short.filter(|short| !short.as_os_str().is_empty());
    let text = short.as_deref().unwrap_or(path).to_string_lossy();
    shell_word(&Printable(&text).to_string())
}
