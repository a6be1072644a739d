//! What a run has left, said at its end: what was found, where the trace lies, what to run next.

use std::env;
use std::path::{Path, PathBuf};

use hakmem_trace_format::reader::Trace;

use crate::answer::Answer;
use crate::failure::say;
use crate::misdeed::{Misdeed, shell_word};
use crate::printable::Printable;
use crate::symbols::Symbols;

/// Findings that are said.
const TOLD: usize = 5;
/// Sessions of one process that are looked for.
const SESSIONS: u32 = 9;

/// Says it of the process `pid`, which was to record to a directory.
pub fn say_end(directory: &Path, pid: u32) {
    let Some(trace) = session_of(directory, pid) else {
        say(format_args!(
            "hakmem: note: the program has left no trace in {}",
            directory.display()
        ));
        return;
    };
    let directory = shown(trace.directory());
    let misdeeds = Misdeed::all(&trace);
    let mut symbols = Symbols::new(&trace, &Answer::default());
    for misdeed in misdeeds.iter().take(TOLD) {
        if let Some(line) = misdeed.lines(&mut symbols).first() {
            say(format_args!("hakmem: {line}"));
        }
    }
    if let Some(more) = misdeeds.len().checked_sub(TOLD).filter(|more| *more > 0) {
        say(format_args!("hakmem: and {more} more of these"));
    }
    say(format_args!("hakmem: the trace lies in {directory}"));
    let is_unknown = |misdeed: &&Misdeed| misdeed.by.is_none() && misdeed.rule.is_some();
    if let Some(rule) = misdeeds
        .iter()
        .find(is_unknown)
        .and_then(|m| m.rule.as_ref())
    {
        say(format_args!(
            "hakmem: who wrote there is named by: {}",
            again(rule)
        ));
    }
    if misdeeds.is_empty() && trace.crash().is_none() {
        say(format_args!(
            "hakmem: nothing was found. Next: hakmem live {directory}, hakmem history {directory} ADDRESS"
        ));
    } else {
        say(format_args!("hakmem: all of it: hakmem report {directory}"));
    }
}

/// The session that a process has left: in the directory, or beside it if that was taken.
fn session_of(directory: &Path, pid: u32) -> Option<Trace> {
    let beside = |number: u32| {
        let mut name = directory.as_os_str().to_owned();
        name.push(match number {
            0 => String::new(),
            1 => format!(".{pid}"),
            number => format!(".{pid}.{number}"),
        });
        PathBuf::from(name)
    };
    // The last one: an earlier process may have had the same number.
    (0..=SESSIONS).rev().map(beside).find_map(|path| {
        let trace = Trace::open(path).ok()?;
        (trace.session().header().pid == pid).then_some(trace)
    })
}

/// A path as it is typed here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    let short = short.filter(|short| !short.as_os_str().is_empty());
    let text = short.as_deref().unwrap_or(path).to_string_lossy();
    shell_word(&Printable(&text).to_string())
}

/// This command once more, under a rule.
fn again(rule: &str) -> String {
    let mut words = vec!["hakmem".to_owned()];
    let mut is_there = false;
    for word in env::args_os().skip(1) {
        words.push(shell_word(&Printable(&word.to_string_lossy()).to_string()));
        if !is_there && word == "run" {
            is_there = true;
            words.extend(["--watch".to_owned(), shell_word(rule)]);
        }
    }
    words.join(" ")
}
