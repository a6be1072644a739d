//! `hakmem history`: what happened to an address, from a trace.
//!
//! ```text
//! Trace::history ── the records of every block that the address was in
//! EventPrinter   ── one line an event on standard output
//! ```
//!
//! Where nothing is known of the address, standard error has the nearest blocks, and the exit status
//! is 1.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};

use super::joined;
use crate::answer::{self, Answer, Beside, Choice, When, parse_address};
use crate::event::{EventPrinter, Seconds, kind_name};
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::symbols::Symbols;

/// Tell what happened to an address
///
/// Looks through a trace for every block that the address was ever in, and prints one line for each
/// event: the time since the start, the thread, what happened and through which function, the size
/// in bytes, the block's address and where in it the address is, which life of the place it is, and
/// the functions that were running, innermost first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem history trace/ 0x7f12a4001040
  hakmem history core 0x7f12a4001040
  hakmem history --lines --thread 4711 trace/ 0x7f12a4001040
  hakmem history --json trace/ 139718112546880 | jq .kind

With --json each line is an object.

Exit status: 0 if something happened to the address, 1 if nothing is known of it, 2 if the trace \
cannot be read or the command line is wrong, 3 if a part of the trace is missing.")]
pub struct History {
    /// A trace directory; or a core file or pid:N with one
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// The address: hexadecimal with 0x in front, or decimal
    #[arg(value_name = "ADDR", value_parser = parse_address)]
    address: u64,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    beside: Beside,

    /// The same as --symbols=off
    #[arg(long, hide = true)]
    no_symbols: bool,

    /// Print file and line behind each function's name
    #[arg(long)]
    lines: bool,
}

impl History {
    /// Prints the events.
    pub fn execute(mut self) -> Result<ExitCode, Failure> {
        if self.no_symbols {
            self.answer.symbols = When::Off;
        }
        let (trace, is_truncated) = joined::trace(&self.source, &self.beside)?;
        let history = trace.history(self.address);
        if history.torn > 0 {
            say(format_args!(
                "hakmem: note: {} records that may be about it are torn and left out",
                history.torn
            ));
        }
        let since = self.choice.since.map(|moment| moment.since_start(&trace));
        let is_chosen = |event: &&Event| {
            let record = &event.record;
            self.choice
                .thread
                .is_none_or(|thread| record.thread() == thread)
                && since.is_none_or(|since| trace.clock().since_start(record.time()) >= since)
        };
        let events: Vec<&Event> = history.events.iter().filter(is_chosen).collect();
        if events.is_empty() {
            self.say_unknown(&trace, history.events.len());
            return Ok(ExitCode::from(1));
        }
        let mut printer = EventPrinter {
            trace: &trace,
            symbols: Symbols::new(&trace, &self.answer),
            lines: self.lines,
            colours: Output::has_colours(),
            address: Some(self.address),
        };
        let mut output = Output::new();
        for event in events {
            if self.answer.json {
                output.json(&printer.json(event))?;
            } else {
                output.line(printer.line(event))?;
            }
        }
        output.end()?;
        Ok(answer::status(false, is_truncated))
    }

    /// Says that there is nothing, and what is near.
    fn say_unknown(&self, trace: &Trace, of_others: usize) {
        let address = self.address;
        if let (Some(thread), 1..) = (self.choice.thread, of_others) {
            say(format_args!(
                "hakmem: thread {thread} did nothing to {address:#x}, but other threads did: \
                 {of_others} events\n  next:  leave out --thread"
            ));
            return;
        }
        if of_others > 0 {
            say(format_args!(
                "hakmem: nothing happened to {address:#x} since then, but before: {of_others} \
                 events\n  next:  leave out --since"
            ));
            return;
        }
        say(format_args!("hakmem: nothing is known of {address:#x}"));
        let nearest = trace.nearest(address);
        let mut known = false;
        for (event, side) in [(nearest.below, "below"), (nearest.above, "above")] {
            let Some(Event { record, .. }) = event else {
                continue;
            };
            known = true;
            let since = Seconds(trace.clock().since_start(record.time()));
            say(format_args!(
                "  nearest {side}: {:#x}, {} bytes, {} bytes away; {} by thread {} at {}",
                record.address(),
                record.size(),
                record.address().abs_diff(address),
                kind_name(&record),
                record.thread(),
                since.to_string().trim_start(),
            ));
        }
        let next = if known {
            "try one of these addresses"
        } else {
            "the trace has no blocks: look whether the program ran on the observed library"
        };
        say(format_args!("  next:  {next}"));
    }
}
