//! What a trace says of how its process ended.

use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{CrashPage, REGISTER_NAMES};
use serde_json::{Value, json};

use super::{EVENTS, Report, faults, frames_of_page, print_next_run};
use crate::command::info;
use crate::event::{EventPrinter, frames_json};
use crate::failure::Failure;
use crate::misdeed::Misdeed;
use crate::output::{self, Output};
use crate::signals;

impl Report {
    pub(super) fn of_trace(&self, trace: &Trace, output: &mut Output) -> Result<bool, Failure> {
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

    pub(super) fn json_of_trace(&self, trace: &Trace, faults: &[Event]) -> Value {
        let mut printer = EventPrinter::plain(trace, &self.answer, None);
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
}
