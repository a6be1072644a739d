//! A run of `programs/trace.c` under the observed library, and what it recorded.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use hakmem_trace_format::reader::{Event, SlotState, Trace};
use hakmem_trace_format::{Kind, Total};

use crate::{Allocator, Outcome, Run, Running, Scratch};

/// A case of the program, to be recorded in a directory of its own.
pub struct Recording {
    scratch: Scratch,
    run: Run,
}

impl Recording {
    /// Of the case with this name.
    pub fn of(case: &str) -> Self {
        let scratch = Scratch::new();
        let directory = scratch.file("trace");
        let run = Run::program("trace.c")
            .arg(case)
            .allocator(Allocator::Observed)
            .env("HAKMEM_TRACE_DIR", directory);
        Self { scratch, run }
    }

    /// Of any run.
    pub fn from(run: Run) -> Self {
        let scratch = Scratch::new();
        let run = run.env("HAKMEM_TRACE_DIR", scratch.file("trace"));
        Self { scratch, run }
    }

    /// With a variable of the environment; the last one of a name counts.
    pub fn env(self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        Self {
            run: self.run.env(name, value),
            ..self
        }
    }

    /// With more said of the run.
    pub fn with(self, more: impl FnOnce(Run, &Path) -> Run) -> Self {
        let run = more(self.run, self.scratch.path());
        Self { run, ..self }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn finish(self) -> Recorded {
        let outcome = self.run.output();
        Recorded {
            scratch: self.scratch,
            outcome,
        }
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> (Running, Scratch) {
        (self.run.start(), self.scratch)
    }
}

/// What came out of it.
pub struct Recorded {
    scratch: Scratch,
    /// The program's end, and what it said.
    pub outcome: Outcome,
}

impl Recorded {
    /// Of a run that was started.
    pub fn new(outcome: Outcome, scratch: Scratch) -> Self {
        Self { scratch, outcome }
    }

    /// The trace in the directory that was asked for.
    #[track_caller]
    pub fn trace(&self) -> Trace {
        self.trace_in("trace")
    }

    /// The trace in this directory beside it.
    #[track_caller]
    pub fn trace_in(&self, name: &str) -> Trace {
        open(&self.scratch.file(name), &self.outcome)
    }

    /// The names of the directories that there are.
    pub fn directories(&self) -> Vec<String> {
        let entries = fs::read_dir(self.scratch.path()).expect("the scratch directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The path of `name` beside the trace.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.file(name)
    }

    /// What the program told: numbers by name.
    #[track_caller]
    pub fn told(&self) -> HashMap<String, u64> {
        let text = self.outcome.stdout_text();
        let pair = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), u64::from_str_radix(value, 16).ok()?))
        };
        text.lines().filter_map(pair).collect()
    }
}

/// Opens a trace whose every file can be read, and of which nothing was lost.
#[track_caller]
pub fn open(directory: &Path, outcome: &Outcome) -> Trace {
    let trace = Trace::open(directory).unwrap_or_else(|e| panic!("{e}\n{}", outcome.report()));
    assert!(
        trace.notes().is_empty(),
        "{:?}\n{}",
        trace.notes(),
        outcome.report()
    );
    let lost = trace.session().header().totals[Total::Lost as usize];
    assert_eq!(lost, 0, "events were lost\n{}", outcome.report());
    trace
}

/// How many slots of a trace are torn.
pub fn torn(trace: &Trace) -> usize {
    let files = trace.files().iter();
    let torn = |file: &hakmem_trace_format::reader::RecordFile| {
        let slots = (0..file.slots()).map(|slot| file.slot(slot).0);
        slots.filter(|state| *state == SlotState::Torn).count()
    };
    files.map(torn).sum()
}

/// The events of a kind, in the order of time.
pub fn of_kind(trace: &Trace, kind: Kind) -> Vec<Event> {
    let events = trace.records();
    events
        .filter(|event| event.record.kind() == Some(kind))
        .collect()
}
