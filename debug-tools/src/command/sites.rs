//! Blocks in groups: by the place that asked for them, their size, thread or age.

use std::collections::HashMap;

use clap::ValueEnum;
use hakmem_trace_format::Record;
use hakmem_trace_format::reader::Trace;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::event::{named, stack_json};
use crate::failure::Failure;
use crate::heap::Heap;
use crate::output::{self, Output, lines, table};
use crate::symbols::Symbols;

/// What blocks are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The stack of calls that asked for them; takes a trace, or a build with checks
    Site,
    /// Their size
    Size,
    /// The thread that asked for them; without a trace, the one whose slab they are in
    Thread,
    /// How long before the end they were asked for, by powers of ten; takes a trace
    Age,
}

impl By {
    /// Whether it takes a trace.
    pub fn takes_trace(self) -> bool {
        matches!(self, Self::Site | Self::Age)
    }

    fn head(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Size => "size",
            Self::Thread => "thread",
            Self::Age => "age",
        }
    }
}

/// What the blocks of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The stack, by its id, and the caller.
    Site(u32, u64),
    /// The stack that a checked build has noted, by its number.
    Noted(u32),
    /// Bytes.
    Size(u64),
    /// The thread.
    Thread(u32),
    /// The power of ten of milliseconds.
    Age(i8),
    /// There is no record of them.
    Unknown,
}

/// How much a group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// A time at which it was asked for one, in ticks.
    pub time: u64,
}

/// The groups.
#[derive(Debug)]
pub struct Sites {
    by: By,
    groups: HashMap<Key, Tally>,
    /// All of them.
    pub total: Tally,
    /// When the trace ends, in ns after its start.
    end: i64,
}

impl Sites {
    /// Without any yet.
    pub fn new(by: By, trace: Option<&Trace>) -> Self {
        let last = |trace: &Trace| {
            let times = trace
                .surveys()
                .into_iter()
                .map(|(_, survey)| survey.last_time);
            trace.clock().since_start(times.max().unwrap_or(0))
        };
        let end = trace.filter(|_| by == By::Age).map_or(0, last);
        Self {
            by,
            groups: HashMap::new(),
            total: Tally::default(),
            end,
        }
    }

    /// The group of a block that the trace has a record of.
    pub fn key(&self, trace: &Trace, record: &Record) -> Key {
        match self.by {
            By::Site => Key::Site(
                record.stack(),
                if record.stack() == 0 {
                    record.caller()
                } else {
                    0
                },
            ),
            By::Size => Key::Size(record.size()),
            By::Thread => Key::Thread(record.thread()),
            By::Age => {
                let age = self
                    .end
                    .saturating_sub(trace.clock().since_start(record.time()));
                let ms = age.max(0) as u64 / 1_000_000;
                Key::Age(ms.checked_ilog10().map_or(-1, |power| power as i8))
            }
        }
    }

    /// Adds a block.
    pub fn add(&mut self, key: Key, bytes: u64, time: u64) {
        let group = self.groups.entry(key).or_default();
        group.time = group.time.max(time);
        for tally in [group, &mut self.total] {
            tally.blocks += 1;
            tally.bytes = tally.bytes.saturating_add(bytes);
        }
    }

    /// The groups, those with the most bytes first.
    pub fn sorted(&self) -> Vec<(Key, Tally)> {
        let mut groups: Vec<_> = self
            .groups
            .iter()
            .map(|(key, tally)| (*key, *tally))
            .collect();
        groups.sort_by_key(|(key, tally)| (std::cmp::Reverse((tally.bytes, tally.blocks)), *key));
        groups
    }
}

/// What knows the stacks of groups.
#[derive(Clone, Copy)]
pub struct Stacks<'a> {
    /// The trace, if there is one.
    pub trace: Option<&'a Trace>,
    /// The heap, if there is one.
    pub heap: Option<&'a Heap<'a>>,
}

impl<'a> Stacks<'a> {
    /// Names for their addresses.
    pub fn symbols(&self, answer: &Answer) -> Option<Symbols<'a>> {
        match (self.trace, self.heap) {
            (Some(trace), _) => Some(Symbols::new(trace, answer)),
            (None, Some(heap)) => Some(Symbols::new(heap.image, answer)),
            (None, None) => None,
        }
    }

    /// The return addresses of a group, and why there are none.
    fn of(&self, key: Key) -> (Vec<u64>, Option<String>) {
        match (key, self.trace, self.heap) {
            (Key::Site(stack, caller), Some(trace), _) => site_frames(trace, stack, caller),
            (Key::Noted(number), _, Some(heap)) => (heap.noted_stack(number), None),
            _ => (vec![], None),
        }
    }
}

/// A group's name, on one line or more.
pub fn name(
    key: Key,
    time: u64,
    stacks: &Stacks<'_>,
    symbols: &mut Option<Symbols<'_>>,
) -> Vec<String> {
    match key {
        Key::Size(bytes) => vec![format!("{bytes}")],
        Key::Thread(thread) => vec![format!("{thread}")],
        Key::Age(power) => vec![age(power)],
        Key::Unknown => vec!["(not in the trace)".into()],
        Key::Site(..) | Key::Noted(_) => {
            let (frames, missing) = stacks.of(key);
            let Some(symbols) = symbols.as_mut() else {
                return frames.iter().map(|frame| format!("{frame:#x}")).collect();
            };
            let mut names = vec![];
            for frame in frames {
                let functions = symbols.functions(frame, time);
                names.extend(functions.iter().map(|function| named(function, true)));
            }
            names.extend(missing);
            if names.is_empty() {
                names.push("(no stack)".into());
            }
            names
        }
    }
}

fn age(power: i8) -> String {
    const NAMES: [&str; 9] = [
        "1 ms to 10 ms",
        "10 ms to 100 ms",
        "100 ms to 1 s",
        "1 s to 10 s",
        "10 s to 100 s",
        "100 s to 1000 s",
        "1000 s to 10000 s",
        "3 h to 28 h",
        "28 h to 12 days",
    ];
    match usize::try_from(power) {
        Err(_) => "less than 1 ms".into(),
        Ok(power) => NAMES
            .get(power)
            .copied()
            .unwrap_or("more than 12 days")
            .into(),
    }
}

fn site_frames(trace: &Trace, stack: u32, caller: u64) -> (Vec<u64>, Option<String>) {
    match trace.stack(stack) {
        Ok(frames) => (frames, None),
        Err(_) if caller != 0 => (vec![caller], None),
        Err(missing) => (vec![], Some(format!("({missing})"))),
    }
}

/// How groups are printed.
pub struct Groups<'a> {
    /// What they are grouped by.
    pub by: By,
    /// What knows their stacks.
    pub stacks: Stacks<'a>,
    /// How the answer is wanted.
    pub answer: &'a Answer,
    /// The most that are printed; 0 for all.
    pub top: usize,
}

impl Groups<'_> {
    /// Prints the largest groups as a table, or stacks beneath their sums.
    pub fn print(&self, sites: &Sites, output: &mut Output) -> Result<(), Failure> {
        let groups = sites.sorted();
        let shown = if self.top == 0 {
            groups.len()
        } else {
            self.top.min(groups.len())
        };
        let mut symbols = self.stacks.symbols(self.answer);
        if self.by == By::Site {
            for (key, tally) in &groups[..shown] {
                output.line(format_args!(
                    "{} in {}",
                    output::bytes(tally.bytes),
                    output::count(tally.blocks, "block")
                ))?;
                for line in name(*key, tally.time, &self.stacks, &mut symbols) {
                    output.line(format_args!("    {line}"))?;
                }
            }
        } else {
            let mut rows = table(&[&format!(">{}", self.by.head()), ">blocks", ">bytes"]);
            for (key, tally) in &groups[..shown] {
                let name = name(*key, tally.time, &self.stacks, &mut symbols).join(" ");
                rows.add_row([name, tally.blocks.to_string(), tally.bytes.to_string()]);
            }
            for line in lines(&rows) {
                output.line(line)?;
            }
        }
        let rest = &groups[shown..];
        if !rest.is_empty() {
            let bytes: u64 = rest.iter().map(|(_, tally)| tally.bytes).sum();
            let blocks: u64 = rest.iter().map(|(_, tally)| tally.blocks).sum();
            let (groups, bytes) = (rest.len(), output::bytes(bytes));
            output.line(format_args!(
                "and {bytes} in {blocks} blocks of {groups} more (--top 0 shows all)"
            ))?;
        }
        Ok(())
    }

    /// The same as JSON.
    pub fn json(&self, sites: &Sites) -> Value {
        let mut symbols = self.stacks.symbols(self.answer);
        let groups = sites.sorted();
        let shown = if self.top == 0 {
            groups.len()
        } else {
            self.top.min(groups.len())
        };
        let group = |(key, tally): &(Key, Tally)| {
            let mut group = json!({ "blocks": tally.blocks, "bytes": tally.bytes });
            let (name, value) = match *key {
                Key::Size(size) => ("size", Value::from(size)),
                Key::Thread(thread) => ("thread", Value::from(thread)),
                Key::Age(power) => ("age", Value::from(age(power))),
                Key::Unknown => ("unknown", Value::from(true)),
                Key::Site(..) | Key::Noted(_) => {
                    let (frames, _) = self.stacks.of(*key);
                    let stack = symbols
                        .as_mut()
                        .map(|symbols| stack_json(symbols, &frames, false, tally.time));
                    ("stack", stack.unwrap_or_default())
                }
            };
            group[name] = value;
            group
        };
        Value::from(groups[..shown].iter().map(group).collect::<Vec<_>>())
    }
}
