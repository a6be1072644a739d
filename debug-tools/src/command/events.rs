//! `hakmem events`: a trace's events in the order of time.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{FileName, Kind};

use super::{info, joined};
use crate::answer::{self, Answer, Beside, Choice, parse_address};
use crate::event::EventPrinter;
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::source;
use crate::symbols::Symbols;

/// Print a trace's events in the order of time
///
/// One line each; filters can be combined, and all of them have to hold.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem events trace/ | less
  hakmem events --kind fault,watch-hit,mark trace/
  hakmem events --size 64-128 --site parse_line --last 100 trace/
  hakmem events --around 123456 trace/
  hakmem events --follow trace/

With --json each line is an object. Events are numbered from 1 in the order of time; --numbers prints \
the numbers, for --around.

Exit status: 0 if there are such events, 1 if there are none, 2 if the trace cannot be read or the \
command line is wrong, 3 if a part of the trace is missing and the rest was used.")]
pub struct Events {
    /// A trace directory; or a core file or pid:N with one
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Only these kinds, with commas between: allocate, free, remote-free, resize-in, mark, fault, …
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = parse_kind)]
    kind: Vec<Kind>,

    /// Only sizes in this range: 64, 64-128, 64-
    #[arg(long, value_name = "RANGE", value_parser = parse_range)]
    size: Option<(u64, u64)>,

    /// Only events whose stack has a function with this in its name
    #[arg(long, value_name = "TEXT")]
    site: Option<String>,

    /// Only events of blocks that the address is in
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    address: Option<u64>,

    /// Only this event and as many before and after it as --context says
    #[arg(long, value_name = "NUMBER")]
    around: Option<u64>,

    /// How many events before and after
    #[arg(long, value_name = "N", default_value_t = 10, requires = "around")]
    context: u64,

    /// Only the last so many
    #[arg(long, value_name = "N")]
    last: Option<usize>,

    /// Go on with events as they are recorded, until the process has ended
    #[arg(long, conflicts_with_all = ["around", "last"])]
    follow: bool,

    /// Print each event's number
    #[arg(long)]
    numbers: bool,

    /// Print file and line behind each function's name
    #[arg(long)]
    lines: bool,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    beside: Beside,
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    let all = (0..=u8::MAX).filter_map(Kind::from_code);
    let names: Vec<&str> = all.clone().map(Kind::name).collect();
    let mut all = all;
    all.find(|kind| kind.name() == text)
        .ok_or_else(|| format!("there are {}", names.join(", ")))
}

fn parse_range(text: &str) -> Result<(u64, u64), String> {
    let wrong = || "write it as 64, 64-128 or 64-".to_owned();
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    match text.split_once('-') {
        None => number(text).map(|size| (size, size)),
        Some((low, "")) => Ok((number(low)?, u64::MAX)),
        Some((low, high)) => Ok((number(low)?, number(high)?)),
    }
}

/// What has been looked at of a trace that still grows.
#[derive(Default)]
struct Followed {
    files: BTreeMap<FileName, Seen>,
    /// Events so far.
    count: u64,
}

/// Which records of a file have been looked at.
#[derive(Default)]
struct Seen {
    /// The number of the newest one.
    newest: u64,
    /// Where several threads write, one may be finished after the next one: all that were there
    /// at the last look, and at this one.
    before: HashSet<u64>,
    now: HashSet<u64>,
}

impl Followed {
    /// The number of an event that was not looked at yet.
    fn number_of(&mut self, trace: &Trace, event: &Event) -> Option<u64> {
        let file = trace.files().get(event.file)?;
        let seen = self.files.entry(file.name()).or_default();
        let seq = event.record.seq();
        let is_new = if file.header().owners == 0 {
            seen.now.insert(seq);
            !seen.before.contains(&seq)
        } else {
            seq > seen.newest
        };
        seen.newest = seen.newest.max(seq);
        self.count += u64::from(is_new);
        is_new.then_some(self.count)
    }

    /// Ends a look at all files.
    fn turn(&mut self) {
        for seen in self.files.values_mut() {
            seen.before = std::mem::take(&mut seen.now);
        }
    }
}

impl Events {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let (trace, is_truncated) = joined::trace(&self.source, &self.beside)?;
        let mut output = Output::new();
        let mut followed = self.follow.then(Followed::default);
        let mut printed = self.print(&trace, followed.as_mut(), &mut output)?;
        if let Some(followed) = &mut followed {
            printed |= self.go_on(&trace, followed, &mut output)?;
        }
        output.end()?;
        Ok(answer::status(!printed, is_truncated))
    }

    /// Prints the events that were not looked at yet; whether there were any.
    fn print(
        &self,
        trace: &Trace,
        mut followed: Option<&mut Followed>,
        output: &mut Output,
    ) -> Result<bool, Failure> {
        let since = self.choice.since.map(|moment| moment.since_start(trace));
        let mut printer = EventPrinter {
            trace,
            symbols: Symbols::new(trace, &self.answer),
            lines: self.lines,
            colours: Output::has_colours(),
            address: self.address,
        };
        let mut last = VecDeque::new();
        let mut printed = false;
        let mut seen = 0;
        let events = trace.records();
        let events = events.zip(1_u64..);
        for (event, number) in events {
            let number = match &mut followed {
                Some(followed) => followed.number_of(trace, &event),
                None => Some(number),
            };
            let Some(number) = number else { continue };
            seen = number;
            if !self.is_chosen(trace, &mut printer, &event, number, since) {
                continue;
            }
            printed = true;
            match self.last {
                Some(count) => {
                    last.push_back((event, number));
                    if last.len() > count {
                        last.pop_front();
                    }
                }
                None => self.print_one(&mut printer, &event, number, output)?,
            }
            if output.is_closed() {
                break;
            }
        }
        for (event, number) in &last {
            self.print_one(&mut printer, event, *number, output)?;
        }
        if !printed && followed.is_none() {
            say(format_args!(
                "hakmem: of the trace's {seen} events none is as asked for"
            ));
        }
        followed.into_iter().for_each(Followed::turn);
        output.flush()?;
        Ok(printed)
    }

    fn print_one(
        &self,
        printer: &mut EventPrinter<'_>,
        event: &Event,
        number: u64,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if self.answer.json {
            let mut json = printer.json(event);
            json["number"] = number.into();
            return output.json(&json);
        }
        match self.numbers || self.around.is_some() {
            true => output.line(format_args!("#{number:<8} {}", printer.line(event))),
            false => output.line(printer.line(event)),
        }
    }

    fn is_chosen(
        &self,
        trace: &Trace,
        printer: &mut EventPrinter<'_>,
        event: &Event,
        number: u64,
        since: Option<i64>,
    ) -> bool {
        let record = &event.record;
        let in_context = |around: u64| number.abs_diff(around) <= self.context;
        let covers = |address: u64| {
            let offset = address.checked_sub(record.address());
            record.kind().is_some_and(Kind::has_block)
                && offset.is_some_and(|offset| offset < record.size().max(1))
        };
        self.around.is_none_or(in_context)
            && (self.kind.is_empty() || record.kind().is_some_and(|kind| self.kind.contains(&kind)))
            && self
                .size
                .is_none_or(|(low, high)| (low..=high).contains(&record.size()))
            && self.address.is_none_or(covers)
            && self
                .choice
                .thread
                .is_none_or(|thread| thread == record.thread())
            && since.is_none_or(|since| trace.clock().since_start(record.time()) >= since)
            && self
                .site
                .as_ref()
                .is_none_or(|site| printer.stack(record).contains(site))
    }

    /// Looks again and again, until the process has ended and all was printed.
    fn go_on(
        &self,
        trace: &Trace,
        followed: &mut Followed,
        output: &mut Output,
    ) -> Result<bool, Failure> {
        let mut printed = false;
        // One that is in a core file does not go on.
        if !trace.directory().is_dir() {
            return Ok(false);
        }
        let mut has_ended = false;
        while !output.is_closed() {
            thread::sleep(Duration::from_millis(200));
            // Files are made when threads begin, so the directory is opened anew; and once more
            // after the end, for one may have been made between.
            let now = source::trace(trace.directory())?;
            printed |= self.print(&now, Some(followed), output)?;
            if has_ended {
                break;
            }
            let header = now.session().header();
            has_ended = header.end != 0 || !info::runs(header.pid, &header.boot_id);
        }
        Ok(printed)
    }
}
