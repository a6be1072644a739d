//! What a core file or a process says of how it ended, with its trace where there is one.

use hakmem_trace_format::reader::{Event, Trace};
use serde_json::{Value, json};

use super::registers::Registers;
use super::suspect::{self, Suspect};
use super::{Report, faults, print_next_run, print_run};
use crate::command::joined;
use crate::event::frames_json;
use crate::failure::Failure;
use crate::heap::{Finding, Heap, Place};
use crate::image::{Image, Thread};
use crate::misdeed;
use crate::output::{self, Output};
use crate::printable::Printable;
use crate::signals;
use crate::symbols::Symbols;

/// Findings that are told.
const FINDINGS: usize = 10;

/// What there is to tell from.
struct Sources<'a> {
    image: &'a Image,
    /// A program that was not on hakmem has an end, too.
    heap: Result<&'a Heap<'a>, &'a Failure>,
    trace: Option<&'a Trace>,
    /// Those that the trace has.
    faults: &'a [Event],
    findings: &'a [Finding],
}

impl Report {
    pub(super) fn of_image(&self, image: &Image, output: &mut Output) -> Result<bool, Failure> {
        let heap = Heap::open(image);
        let trace = joined::with_image(image, heap.as_ref().ok(), &self.beside)?;
        let faults = trace.as_ref().map_or(vec![], faults);
        let findings = heap.as_ref().map_or(vec![], |heap| heap.verify().findings);
        let sources = Sources {
            image,
            heap: heap.as_ref(),
            trace: trace.as_ref(),
            faults: &faults,
            findings: &findings,
        };
        if self.answer.json {
            output.json(&self.json_of_image(&sources))?;
        } else {
            self.print_image(&sources, output)?;
        }
        Ok(image.signal.is_some() || !findings.is_empty() || !faults.is_empty())
    }

    fn print_image(&self, sources: &Sources<'_>, output: &mut Output) -> Result<(), Failure> {
        let &Sources { image, trace, .. } = sources;
        let ended = ended(image).unwrap_or_else(|| "no signal is known".into());
        output.line(format_args!("ended: {ended}"))?;
        let misdeeds = match trace {
            Some(trace) => self.print_misdeeds(trace, output)?,
            None => vec![],
        };
        let suspects = match sources.heap {
            Ok(heap) if misdeeds.is_empty() => suspect::all(heap, trace),
            _ => vec![],
        };
        self.print_suspects(sources, &suspects, output)?;
        match (trace, trace.and_then(Trace::crash)) {
            (Some(trace), Some(page)) => self.print_page(trace, page, output)?,
            _ => self.print_thread(image, output)?,
        }
        if let Some(trace) = trace {
            self.print_faults(trace, sources.faults, output)?;
        }
        match sources.heap {
            Ok(heap) => self.print_heap(heap, sources, output)?,
            Err(failure) => output.line(format_args!("{failure}"))?,
        }
        if let Some(trace) = trace {
            print_next_run(trace, &misdeeds, output)?;
        }
        self.print_next_of_suspects(sources, &suspects, output)?;
        let about = sources.findings.first().map(|finding| finding.address);
        let about = about.or(suspects.first().map(Suspect::block));
        self.print_next_of_image(image, about, output)
    }

    /// Who is likely to have done it, where nobody was seen.
    fn print_suspects(
        &self,
        sources: &Sources<'_>,
        suspects: &[Suspect],
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut symbols = self.symbols(sources);
        for suspect in suspects {
            for line in suspect.lines(&mut symbols) {
                output.line(line)?;
            }
        }
        Ok(())
    }

    /// Names for return addresses, as long ago as the trace has them.
    fn symbols<'a>(&self, sources: &Sources<'a>) -> Symbols<'a> {
        match sources.trace {
            Some(trace) => Symbols::new(trace, &self.answer),
            None => Symbols::new(sources.image, &self.answer),
        }
    }

    /// Where the thread that died was, by its own memory.
    fn print_thread(&self, image: &Image, output: &mut Output) -> Result<(), Failure> {
        let Some(thread) = died(image) else {
            return Ok(());
        };
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
        Ok(())
    }

    /// The address that the signal is about, the blocks that registers point into, and what is wrong.
    fn print_heap(
        &self,
        heap: &Heap<'_>,
        sources: &Sources<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if let Some(address) = fault_address(sources.image) {
            let what = describe(&heap.place(address));
            output.line(format_args!("{address:#x} is {what}"))?;
        }
        let registers = Registers {
            heap,
            trace: sources.trace,
            answer: &self.answer,
        };
        registers.print(output)?;
        for finding in sources.findings.iter().take(FINDINGS) {
            let (check, address, what) = (finding.check, finding.address, &finding.what);
            output.line(format_args!("FINDING {check} at {address:#x}: {what}"))?;
        }
        match sources.findings.len().saturating_sub(FINDINGS) {
            0 => Ok(()),
            more => output.line(format_args!(
                "and {more} more of these: hakmem verify {} has all",
                self.source.display()
            )),
        }
    }

    /// The run that names who has written past a block's end.
    fn print_next_of_suspects(
        &self,
        sources: &Sources<'_>,
        suspects: &[Suspect],
        output: &mut Output,
    ) -> Result<(), Failure> {
        let Some(trace) = sources.trace else {
            if suspects.is_empty() {
                return Ok(());
            }
            let command = Printable(&sources.image.command_line);
            return print_run(&format!("hakmem run -- {command}"), output);
        };
        let mut symbols = Symbols::new(trace, &self.answer);
        let rule = suspects
            .iter()
            .find_map(|suspect| suspect.rule(trace, &mut symbols));
        match rule {
            Some(rule) => print_run(&misdeed::run_again(trace, &rule), output),
            None => Ok(()),
        }
    }

    fn print_next_of_image(
        &self,
        image: &Image,
        about: Option<u64>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let source = self.source.display();
        let about = about.or(fault_address(image));
        match about.filter(|address| *address > 0xffff) {
            Some(address) => output.line(format_args!(
                "next: hakmem whatis {source} {address:#x}, hakmem refs {source} {address:#x}"
            )),
            None => output.line(format_args!(
                "next: hakmem threads {source}, hakmem stats {source}"
            )),
        }
    }

    fn json_of_image(&self, sources: &Sources<'_>) -> Value {
        let image = sources.image;
        let mut json = match sources.trace {
            Some(trace) => self.json_of_trace(trace, sources.faults),
            None => json!({}),
        };
        json["ended"] = ended(image).into();
        json["thread"] = image.threads.first().map(|thread| thread.tid).into();
        let mut symbols = Symbols::new(image, &self.answer);
        let stack = image.threads.first().map(|thread| image.stack(thread));
        json["stack"] = stack.map_or(Value::Null, |stack| {
            frames_json(&mut symbols, &stack.frames, 0)
        });
        if let Ok(heap) = sources.heap {
            if let Some(address) = fault_address(image) {
                json["address"] = output::address(address);
                json["place"] = heap.place(address).word().into();
            }
            let suspects = suspect::all(heap, sources.trace);
            let mut symbols = self.symbols(sources);
            json["likely"] = suspects.iter().map(|s| s.json(&mut symbols)).collect();
        }
        let findings = sources.findings.iter();
        let finding = |f: &Finding| json!({ "check": f.check, "address": output::address(f.address), "what": f.what });
        json["findings"] = findings.map(finding).collect();
        json
    }
}

/// The signal that has ended it.
fn ended(image: &Image) -> Option<String> {
    let signal = image.signal?;
    let (number, code, address) = (signal.number, signal.code, signal.address);
    Some(signals::describe(number, code, Some(address)))
}

/// The thread that has died: of a core file the first one.
pub(super) fn died(image: &Image) -> Option<&Thread> {
    image.threads.first().filter(|_| !image.is_process)
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
