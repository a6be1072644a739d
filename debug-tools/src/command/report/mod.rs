//! `hakmem report`: what ended a process, and what is known of it.
//!
//! ```text
//! of_trace.rs   what a trace says            registers.rs  blocks that the registers point into
//! of_image.rs   what a core file says        content.rs    what words in a block look like
//!                                            suspect.rs    who is likely to have done it
//! ```

mod content;
mod of_image;
mod of_trace;
mod registers;
mod suspect;

use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{CrashPage, Kind, REGISTER_NAMES};

use crate::answer::{self, Answer, Beside};
use crate::event::{EventPrinter, named};
use crate::failure::Failure;
use crate::image::Frame;
use crate::misdeed::{self, Misdeed};
use crate::output::Output;
use crate::printable::Printable;
use crate::source::Source;
use crate::symbols::Symbols;

/// Tell what ended a process
///
/// First the culprit, if a check or a watch has seen it, or what is likely where nothing was checked.
/// Then the signal or fault, the thread and where it was, by functions, files and lines; what the
/// address is that it is about; who asked for that block and who gave it back; and the faults that
/// were found before. Of a core file or process also what is wrong with the heap. At the end what to
/// run next.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem report trace/
  hakmem report core
  hakmem report --json pid:4711

Exit status: 0 if nothing is known to be wrong, 1 if something is, 2 if the source cannot be read or the \
command line is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Report {
    /// A trace directory, a core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Print the registers as well
    #[arg(long)]
    registers: bool,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    beside: Beside,
}

/// Events of a block that are told.
const EVENTS: usize = 6;

impl Report {
    /// Prints it.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let mut output = Output::new();
        let is_wrong = match &source {
            Source::Trace(trace) => self.of_trace(trace, &mut output)?,
            Source::Image(image) => self.of_image(image, &mut output)?,
        };
        output.end()?;
        Ok(answer::status(is_wrong, source.is_truncated()))
    }

    /// What was done wrong, and by whom: what most want to know.
    fn print_misdeeds(&self, trace: &Trace, output: &mut Output) -> Result<Vec<Misdeed>, Failure> {
        let misdeeds = Misdeed::all(trace);
        let mut symbols = Symbols::new(trace, &self.answer);
        for misdeed in misdeeds.iter().take(misdeed::TOLD) {
            for line in misdeed.lines(&mut symbols) {
                output.line(line)?;
            }
        }
        if let Some(more) = misdeeds.len().checked_sub(misdeed::TOLD).filter(|n| *n > 0) {
            output.line(format_args!("and {more} more of these: --json has all"))?;
        }
        Ok(misdeeds)
    }

    fn print_page(
        &self,
        trace: &Trace,
        page: &CrashPage,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(page.text()).into_owned();
        for line in text.lines() {
            output.line(format_args!("  {}", Printable(line)))?;
        }
        if !page.frames().is_empty() {
            output.line(format_args!("thread {} was at", page.tid))?;
        }
        let mut symbols = Symbols::new(trace, &self.answer);
        self.print_stack(&mut symbols, &frames_of_page(page), page.time, output)?;
        if self.registers {
            for (name, value) in REGISTER_NAMES.iter().zip(page.registers()) {
                output.line(format_args!("    {name:<8} {value:#018x}"))?;
            }
        }
        self.print_block(trace, page.fault_address, output)
    }

    /// A stack. How hakmem got from a call of the program's to what ended it is no news, unless it is
    /// hakmem that was stopped.
    fn print_stack(
        &self,
        symbols: &mut Symbols<'_>,
        frames: &[Frame],
        time: u64,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut own = 0;
        let innermost = frames
            .first()
            .map(|frame| symbols.functions_of(frame, time));
        let is_hakmem_stopped = innermost.is_some_and(|f| f.iter().any(misdeed::is_of_hakmem));
        for frame in frames {
            for function in symbols.functions_of(frame, time).iter() {
                if !is_hakmem_stopped && misdeed::is_of_hakmem(function) {
                    own += 1;
                    continue;
                }
                print_own(&mut own, output)?;
                output.line(format_args!("    {}", named(function, true)))?;
            }
        }
        print_own(&mut own, output)
    }

    /// What happened to the block at an address.
    fn print_block(&self, trace: &Trace, address: u64, output: &mut Output) -> Result<(), Failure> {
        let events = trace.history(address).events;
        if address == 0 || events.is_empty() {
            return Ok(());
        }
        let mut printer = EventPrinter::plain(trace, &self.answer, Some(address));
        output.line(format_args!("what happened to {address:#x}:"))?;
        for event in &events[events.len().saturating_sub(EVENTS)..] {
            output.line(format_args!("  {}", printer.line(event).trim_start()))?;
        }
        Ok(())
    }

    fn print_faults(
        &self,
        trace: &Trace,
        faults: &[Event],
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut printer = EventPrinter::plain(trace, &self.answer, None);
        for event in faults.iter().filter(|event| !is_told(trace, event)) {
            output.line(format_args!("fault: {}", printer.line(event).trim_start()))?;
        }
        Ok(())
    }
}

/// How many calls in hakmem were left out, and begins to count anew.
fn print_own(own: &mut usize, output: &mut Output) -> Result<(), Failure> {
    match mem::take(own) {
        0 => Ok(()),
        1 => output.line("    … (a call in hakmem)"),
        calls => output.line(format_args!("    … ({calls} calls in hakmem)")),
    }
}

/// The run that names who did it, if that is not known yet.
fn print_next_run(trace: &Trace, misdeeds: &[Misdeed], output: &mut Output) -> Result<(), Failure> {
    match Misdeed::next_rule(misdeeds) {
        Some(rule) => print_run(&misdeed::run_again(trace, rule), output),
        None => Ok(()),
    }
}

fn print_run(command: &str, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!("next, to name who did it: {command}"))
}

/// The faults that were recorded.
fn faults(trace: &Trace) -> Vec<Event> {
    let is_fault =
        |event: &Event| matches!(event.record.kind(), Some(Kind::Fault | Kind::WatchHit));
    misdeed::rare(trace).filter(is_fault).collect()
}

/// Whether an event stands in what was said of misdeeds or in the crash page.
fn is_told(trace: &Trace, event: &Event) -> bool {
    let text = trace.crash().map_or(&[][..], CrashPage::text);
    match event.record.kind() {
        Some(Kind::WatchHit) => true,
        // A signal has no text but the page's.
        _ if event.payload.is_empty() => trace.crash().is_some(),
        _ => text
            .windows(event.payload.len())
            .any(|window| window == event.payload),
    }
}

/// The frames of a crash page: the first is the instruction itself.
fn frames_of_page(page: &CrashPage) -> Vec<Frame> {
    let frames = page.frames().iter().enumerate();
    frames
        .map(|(index, pc)| Frame {
            pc: *pc,
            is_exact: index == 0,
        })
        .collect()
}
