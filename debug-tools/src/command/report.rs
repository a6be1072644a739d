//! `hakmem report`: what ended a process, and what is known of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{CrashPage, Kind, REGISTER_NAMES};
use serde_json::{Value, json};

use super::registers::Registers;
use super::suspect::{self, Suspect};
use super::{info, joined};
use crate::answer::{self, Answer, Beside};
use crate::event::{EventPrinter, frames_json, named};
use crate::failure::Failure;
use crate::heap::{Finding, Heap, Place};
use crate::image::{Frame, Image};
use crate::misdeed::{self, Misdeed};
use crate::output::{self, Output};
use crate::printable::Printable;
use crate::signals;
use crate::source::Source;
use crate::symbols::Symbols;

/// Tell what ended a process
///
/// The signal or fault, the thread and where it was, by functions, files and lines; what the address is
/// that it is about; who asked for that block and who gave it back; and the faults that were found before.
/// Of a core file also what is wrong with the heap.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem report trace/
  hakmem report core

Exit status: 0 if nothing is known to be wrong, 1 if something is, 2 if the source cannot be read or the
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

    fn of_trace(&self, trace: &Trace, output: &mut Output) -> Result<bool, Failure> {
        let faults = faults(trace);
        if self.answer.json {
            output.json(&self.json_of_trace(trace, &faults))?;
        } else {
            output.line(format_args!("ended: {}", info::end(trace)))?;
            let misdeeds = self.print_misdeeds(trace, output)?;
            if let Some(page) = trace.crash() {
                self.print_page(trace, page, output)?;
            }
            self.print_faults(trace, &faults, output)?;
            self.print_next(trace, &misdeeds, output)?;
        }
        Ok(trace.crash().is_some() || !faults.is_empty())
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

    /// A stack.
    fn print_stack(
        &self,
        symbols: &mut Symbols<'_>,
        frames: &[Frame],
        time: u64,
        output: &mut Output,
    ) -> Result<(), Failure> {
        for frame in frames {
            for function in symbols.functions_of(frame, time).iter() {
                output.line(format_args!("    {}", named(function, true)))?;
            }
        }
        Ok(())
    }

    /// What happened to the block at an address.
    fn print_block(&self, trace: &Trace, address: u64, output: &mut Output) -> Result<(), Failure> {
        let events = trace.history(address).events;
        if address == 0 || events.is_empty() {
            return Ok(());
        }
        let mut printer = EventPrinter {
            trace,
            symbols: Symbols::new(trace, &self.answer),
            lines: true,
            colours: false,
            address: Some(address),
        };
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
        let mut printer = EventPrinter {
            trace,
            symbols: Symbols::new(trace, &self.answer),
            lines: true,
            colours: false,
            address: None,
        };
        for event in faults.iter().filter(|event| !is_told(trace, event)) {
            output.line(format_args!("fault: {}", printer.line(event).trim_start()))?;
        }
        Ok(())
    }

    fn print_next(
        &self,
        trace: &Trace,
        misdeeds: &[Misdeed],
        output: &mut Output,
    ) -> Result<(), Failure> {
        let source = self.source.display();
        print_next_run(trace, misdeeds, output)?;
        let caught = misdeeds.iter().find(|misdeed| misdeed.address != 0);
        if let Some(misdeed) = caught {
            let address = misdeed.address;
            return output.line(format_args!(
                "next: hakmem history {source} {address:#x}, hakmem whatis {source} {address:#x}"
            ));
        }
        let has_address = |page: &&CrashPage| {
            page.fault_address != 0 && signals::has_address(page.signal, page.code)
        };
        match trace.crash().filter(has_address) {
            Some(page) => output.line(format_args!(
                "next: hakmem history {source} {:#x}",
                page.fault_address
            )),
            None => output.line(format_args!(
                "next: hakmem events {source}, hakmem live {source}"
            )),
        }
    }

    fn json_of_trace(&self, trace: &Trace, faults: &[Event]) -> Value {
        let mut printer = EventPrinter {
            trace,
            symbols: Symbols::new(trace, &self.answer),
            lines: true,
            colours: false,
            address: None,
        };
        let faults: Vec<Value> = faults.iter().map(|event| printer.json(event)).collect();
        let crash = trace.crash().map(|page| {
            let registers: serde_json::Map<String, Value> = REGISTER_NAMES
                .iter()
                .zip(page.registers())
                .map(|(name, value)| ((*name).to_owned(), output::address(*value)))
                .collect();
            let events = trace.history(page.fault_address).events;
            let last = events.len().saturating_sub(EVENTS);
            json!({
                "signal": (page.signal != 0).then(|| signals::name(page.signal)),
                "code": page.code,
                "thread": page.tid,
                "address": output::address(page.fault_address),
                "stack": frames_json(&mut printer.symbols, &frames_of_page(page), page.time),
                "registers": registers,
                "text": String::from_utf8_lossy(page.text()),
                "block_events": events[last..].iter().map(|event| printer.json(event)).collect::<Vec<_>>(),
            })
        });
        let misdeeds = Misdeed::all(trace).into_iter();
        let misdeeds: Vec<Value> = misdeeds.map(|m| m.json(&mut printer.symbols)).collect();
        json!({ "ended": info::end(trace), "misdeeds": misdeeds, "crash": crash, "faults": faults })
    }

    fn of_image(&self, image: &Image, output: &mut Output) -> Result<bool, Failure> {
        // A program that was not on hakmem has an end, too.
        let heap = Heap::open(image);
        let trace = joined::with_image(image, heap.as_ref().ok(), &self.beside)?;
        if self.answer.json {
            return self.json_of_image(image, heap.as_ref().ok(), trace.as_ref(), output);
        }
        let ended = image
            .signal
            .map(|s| signals::describe(s.number, s.code, Some(s.address)));
        output.line(format_args!(
            "ended: {}",
            ended.unwrap_or_else(|| "no signal is known".into())
        ))?;
        let misdeeds = match &trace {
            Some(trace) => self.print_misdeeds(trace, output)?,
            None => vec![],
        };
        let suspects = match &heap {
            Ok(heap) if misdeeds.is_empty() => suspect::all(heap, trace.as_ref()),
            _ => vec![],
        };
        self.print_suspects(image, trace.as_ref(), &suspects, output)?;
        let page = trace.as_ref().and_then(Trace::crash);
        if let (Some(trace), Some(page)) = (&trace, page) {
            self.print_page(trace, page, output)?;
        } else if let Some(thread) = image.threads.first().filter(|_| !image.is_process) {
            output.line(format_args!("thread {} was at", thread.tid))?;
            let mut symbols = Symbols::new(image, &self.answer);
            let stack = image.stack(thread);
            self.print_stack(&mut symbols, &stack.frames, 0, output)?;
            if !stack.is_whole {
                output.line("    (what called this is not known)")?;
            }
            if let Some(registers) = thread.registers.as_ref().filter(|_| self.registers) {
                for (name, value) in registers.named() {
                    output.line(format_args!("    {name:<8} {value:#018x}"))?;
                }
            }
        }
        let faults = trace.as_ref().map_or(vec![], faults);
        if let Some(trace) = &trace {
            self.print_faults(trace, &faults, output)?;
        }
        let mut findings = vec![];
        match &heap {
            Ok(heap) => {
                if let Some(address) = fault_address(image) {
                    output.line(format_args!(
                        "{address:#x} is {}",
                        describe(&heap.place(address))
                    ))?;
                }
                Registers {
                    heap,
                    trace: trace.as_ref(),
                    answer: &self.answer,
                }
                .print(output)?;
                findings = heap.verify().findings;
                for Finding {
                    check,
                    address,
                    what,
                } in findings.iter().take(10)
                {
                    output.line(format_args!("FINDING {check} at {address:#x}: {what}"))?;
                }
            }
            Err(failure) => output.line(format_args!("{failure}"))?,
        }
        if let Some(trace) = &trace {
            print_next_run(trace, &misdeeds, output)?;
            let mut symbols = Symbols::new(trace, &self.answer);
            let mut rules = suspects
                .iter()
                .map(|suspect| suspect.rule(trace, &mut symbols));
            if let Some(rule) = rules.find_map(|rule| rule) {
                let again = misdeed::run_again(trace, &rule);
                output.line(format_args!("next, to name who did it: {again}"))?;
            }
        } else if !suspects.is_empty() {
            let command = Printable(&image.command_line);
            output.line(format_args!(
                "next, to name who did it: hakmem run -- {command}"
            ))?;
        }
        let about = findings.first().map(|finding| finding.address);
        let about = about.or(suspects.first().map(Suspect::block));
        self.print_next_of_image(image, about, output)?;
        Ok(image.signal.is_some() || !findings.is_empty() || !faults.is_empty())
    }

    /// Who is likely to have done it, where nobody was seen.
    fn print_suspects(
        &self,
        image: &Image,
        trace: Option<&Trace>,
        suspects: &[Suspect],
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut symbols = match trace {
            Some(trace) => Symbols::new(trace, &self.answer),
            None => Symbols::new(image, &self.answer),
        };
        for line in suspects
            .iter()
            .flat_map(|suspect| suspect.lines(&mut symbols))
        {
            output.line(line)?;
        }
        Ok(())
    }

    fn print_next_of_image(
        &self,
        image: &Image,
        about: Option<u64>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let source = self.source.display();
        match about
            .or(fault_address(image))
            .filter(|address| *address > 0xffff)
        {
            Some(address) => output.line(format_args!(
                "next: hakmem whatis {source} {address:#x}, hakmem refs {source} {address:#x}"
            )),
            None => output.line(format_args!(
                "next: hakmem threads {source}, hakmem stats {source}"
            )),
        }
    }

    fn json_of_image(
        &self,
        image: &Image,
        heap: Option<&Heap<'_>>,
        trace: Option<&Trace>,
        output: &mut Output,
    ) -> Result<bool, Failure> {
        let findings = heap.map_or(vec![], |heap| heap.verify().findings);
        let mut json = match trace {
            Some(trace) => self.json_of_trace(trace, &faults(trace)),
            None => json!({}),
        };
        let mut symbols = Symbols::new(image, &self.answer);
        json["ended"] = image
            .signal
            .map(|s| signals::describe(s.number, s.code, Some(s.address)))
            .into();
        json["thread"] = image.threads.first().map(|thread| thread.tid).into();
        json["stack"] = match image.threads.first() {
            Some(thread) => frames_json(&mut symbols, &image.stack(thread).frames, 0),
            None => Value::Null,
        };
        if let (Some(heap), Some(address)) = (heap, fault_address(image)) {
            json["address"] = output::address(address);
            json["place"] = heap.place(address).word().into();
        }
        if let Some(heap) = heap {
            let suspects = suspect::all(heap, trace);
            let of_trace = trace.map(|trace| Symbols::new(trace, &self.answer));
            let mut symbols = of_trace.unwrap_or(symbols);
            json["likely"] = suspects.iter().map(|s| s.json(&mut symbols)).collect();
        }
        json["findings"] = findings.iter().map(|f| json!({ "check": f.check, "address": output::address(f.address), "what": f.what })).collect();
        output.json(&json)?;
        Ok(image.signal.is_some() || !findings.is_empty())
    }
}

/// The run that names who did it, if that is not known yet.
fn print_next_run(trace: &Trace, misdeeds: &[Misdeed], output: &mut Output) -> Result<(), Failure> {
    match Misdeed::next_rule(misdeeds) {
        Some(rule) => {
            let again = misdeed::run_again(trace, rule);
            output.line(format_args!("next, to name who did it: {again}"))
        }
        None => Ok(()),
    }
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

/// The address that the signal is about.
fn fault_address(image: &Image) -> Option<u64> {
    let signal = image.signal?;
    signals::has_address(signal.number, signal.code).then_some(signal.address)
}

fn describe(place: &Place) -> String {
    match place {
        Place::Block { offset, state, .. } => format!("{}: byte {offset} of a block", state.word()),
        Place::Mapping { name } if !name.is_empty() => format!("in {name}"),
        place => place.word().into(),
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
