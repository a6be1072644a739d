//! `hakmem whatis`: what an address is, in a core file, a process or a trace.

mod block;
mod elsewhere;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{Flags, Kind};
use serde_json::{Value, json};

use super::joined;
use crate::answer::{self, Answer, Beside, parse_address};
use crate::event::{EventPrinter, kind_name};
use crate::failure::Failure;
use crate::heap::{Heap, Place, State};
use crate::output::{self, Output};
use crate::source::Source;
use crate::symbols::Symbols;

/// Tell what an address is
///
/// The first line says it in a word: live, free, cached or quarantined for a block of the heap; else
/// tail (behind the last block of a slab), reserved, metadata, stack, module, mapping or unmapped. Then
/// come the block's size, class, slab and owner, where in it the address is, what is nearest if it is
/// no block, and with a trace who asked for it and who gave it back. A build with checks also knows the
/// size that was asked for, who did and who freed it, and whether what stands around the block, or in it
/// since it was freed, is as it has to be.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem whatis core 0x7f12a4001040
  hakmem whatis pid:4711 0x7f12a4001040 0x7ffd1c0de0f0
  hakmem whatis --json core 0x7f12a4001040 | jq -r .state

With --json each address is an object on a line of its own.

Exit status: 0 if all addresses are known, 1 if one is unmapped or unknown, 2 if the source cannot \
be read or the command line is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Whatis {
    /// A core file, pid:N, or a trace directory
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// The addresses: hexadecimal with 0x in front, or decimal
    #[arg(value_name = "ADDR", value_parser = parse_address, required = true)]
    addresses: Vec<u64>,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    beside: Beside,
}

/// What is said of an address.
struct Said {
    word: &'static str,
    /// The rest of the first line, and more lines.
    text: String,
    more: Vec<(&'static str, String)>,
    json: Value,
}

impl Whatis {
    /// Prints what they are.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let mut output = Output::new();
        let mut is_unknown = false;
        match &source {
            Source::Trace(trace) => {
                for address in &self.addresses {
                    let said = of_trace(trace, *address);
                    is_unknown |= said.word == "unknown";
                    self.print(*address, said, Some(trace), &mut output)?;
                }
            }
            Source::Image(image) => {
                let heap = Heap::open(image)?;
                let trace = joined::with_image(image, Some(&heap), &self.beside)?;
                let mut symbols = Symbols::new(&**image, &self.answer);
                for address in &self.addresses {
                    let said = of_heap(&heap, *address, trace.as_ref(), &mut symbols);
                    is_unknown |= said.word == "unmapped";
                    self.print(*address, said, trace.as_ref(), &mut output)?;
                }
            }
        }
        output.end()?;
        Ok(answer::status(is_unknown, source.is_truncated()))
    }

    fn print(
        &self,
        address: u64,
        said: Said,
        trace: Option<&Trace>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let events = trace.map_or(vec![], |trace| last_events(trace, address));
        let mut printer =
            trace.map(|trace| EventPrinter::plain(trace, &self.answer, Some(address)));
        if self.answer.json {
            let mut json = said.json;
            json["address"] = output::address(address);
            json["state"] = said.word.into();
            if let Some(printer) = &mut printer {
                json["events"] = events.iter().map(|event| printer.json(event)).collect();
            }
            return output.json(&json);
        }
        output.line(format_args!("{}: {address:#x} {}", said.word, said.text))?;
        for (name, value) in &said.more {
            output.line(format_args!("  {name:<9} {value}"))?;
        }
        if let Some(printer) = &mut printer {
            for event in &events {
                output.line(format_args!(
                    "  {:<9} {}",
                    kind_name(&event.record),
                    printer.line(event).trim_start()
                ))?;
            }
        }
        Ok(())
    }
}

fn of_heap(
    heap: &Heap<'_>,
    address: u64,
    trace: Option<&Trace>,
    symbols: &mut Symbols<'_>,
) -> Said {
    let place = heap.place(address);
    let mut word = place.word();
    let mut said = match &place {
        Place::Block {
            slab,
            index,
            offset,
            state,
        } => {
            if *state == State::Live && trace.is_some_and(|trace| is_held_back(trace, address)) {
                word = "quarantined";
            }
            block::of_slab(heap, (*slab, *index, *offset), *state, symbols)
        }
        Place::Guarded {
            guarded,
            offset,
            is_inside,
            is_live,
        } => block::guarded(heap, *guarded, *offset, (*is_inside, *is_live), symbols),
        _ => elsewhere::of(heap, address, &place, symbols),
    };
    said.word = word;
    said
}

/// Whether the last that happened to the block was a free that has been put off.
fn is_held_back(trace: &Trace, address: u64) -> bool {
    let events = last_events(trace, address);
    events.last().is_some_and(|event| {
        matches!(event.record.kind(), Some(Kind::Free | Kind::RemoteFree))
            && event.record.flags().has(Flags::HELD_BACK)
    })
}

/// The events of the last life of the block at an address: when it was handed out, and what came
/// after.
fn last_events(trace: &Trace, address: u64) -> Vec<Event> {
    let mut events = trace.history(address).events;
    let begins =
        |event: &Event| matches!(event.record.kind(), Some(Kind::Allocate | Kind::ResizeIn));
    let first = events.iter().rposition(begins).unwrap_or(0);
    // A fault may be about one byte of the block, or beside it.
    let blocks = |event: &Event| {
        let kind = event.record.kind();
        kind.is_some_and(|kind| kind.has_block() && kind != Kind::Fault)
    };
    events.drain(..first);
    events.retain(blocks);
    events
}

/// What an address is by the events of a trace alone.
fn of_trace(trace: &Trace, address: u64) -> Said {
    let events = last_events(trace, address);
    let Some(last) = events.last() else {
        return Said {
            word: "unknown",
            text: "is in no block that the trace knows".into(),
            more: vec![],
            json: json!({}),
        };
    };
    let record = &last.record;
    let word = match record.kind() {
        Some(Kind::Allocate | Kind::ResizeIn) => "live",
        _ if record.flags().has(Flags::HELD_BACK) => "quarantined",
        _ => "free",
    };
    let offset = address.saturating_sub(record.address());
    let size = record.size();
    let place = if offset == 0 {
        "begins".into()
    } else {
        format!("is byte {offset} of")
    };
    Said {
        word,
        text: format!("{place} a block of {size} bytes, by the last of its events"),
        more: vec![],
        json: json!({ "block": output::address(record.address()), "bytes": size, "offset": offset }),
    }
}
