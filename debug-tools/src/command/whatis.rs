//! `hakmem whatis`: what an address is, in a core file, a process or a trace.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{Flags, Kind};
use serde_json::{Value, json};

use super::joined;
use super::kept::Kept;
use crate::answer::{self, Answer, Beside, parse_address};
use crate::event::{EventPrinter, kind_name};
use crate::failure::Failure;
use crate::heap::{Heap, Place, State};
use crate::image::Image;
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

/// The events of the last life of the block at an address: when it was handed out, and what came
/// after.
fn last_events(trace: &Trace, address: u64) -> Vec<Event> {
    let mut events = trace.history(address).events;
    let begins =
        |event: &Event| matches!(event.record.kind(), Some(Kind::Allocate | Kind::ResizeIn));
    let first = events.iter().rposition(begins).unwrap_or(0);
    let blocks = |event: &Event| event.record.kind().is_some_and(Kind::has_block);
    events.drain(..first);
    events.retain(blocks);
    events
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
            of_block(heap, (*slab, *index, *offset), *state, symbols)
        }
        Place::Guarded {
            guarded,
            offset,
            is_inside,
            is_live,
        } => of_guarded(heap, *guarded, *offset, (*is_inside, *is_live), symbols),
        _ => elsewhere(heap, address, &place, symbols),
    };
    said.word = word;
    if !matches!(place, Place::Block { .. } | Place::Guarded { .. }) {
        for (side, near) in ["below", "above"].into_iter().zip(heap.nearest(address)) {
            let Some((slab, index)) = near else { continue };
            let (block, bytes) = (heap.slabs[slab].block(index), heap.slabs[slab].bytes);
            let away = match side {
                "below" => address.saturating_sub(block.saturating_add(bytes - 1)),
                _ => block - address,
            };
            if away <= NEAR {
                said.more.push((
                    side,
                    format!("{block:#x}, live, {bytes} bytes; {away} bytes away"),
                ));
                said.json[side] =
                    json!({ "address": output::address(block), "bytes": bytes, "distance": away });
            }
        }
    }
    said
}

/// Blocks that are further away are no near misses.
const NEAR: u64 = 1 << 20;

/// Whether the last that happened to the block was a free that has been put off.
fn is_held_back(trace: &Trace, address: u64) -> bool {
    let events = last_events(trace, address);
    events.last().is_some_and(|event| {
        matches!(event.record.kind(), Some(Kind::Free | Kind::RemoteFree))
            && event.record.flags().has(Flags::HELD_BACK)
    })
}

fn of_block(
    heap: &Heap<'_>,
    (number, index, offset): (usize, usize, u64),
    state: State,
    symbols: &mut Symbols<'_>,
) -> Said {
    let slab = &heap.slabs[number];
    let block = slab.block(index);
    let class = if slab.is_large() {
        "large".to_owned()
    } else {
        slab.class.to_string()
    };
    let mut more = vec![
        (
            "block",
            format!("{block:#x}, {} bytes, class {class}", slab.bytes),
        ),
        (
            "slab",
            format!(
                "{:#x}, block {index} of {} (header {:#x})",
                slab.start, slab.blocks, slab.header
            ),
        ),
    ];
    let owner = heap.owner(slab);
    if let Some(owner) = owner {
        let busy = if owner.is_busy {
            "; it was being changed, so doubt this"
        } else {
            ""
        };
        more.push(("owner", format!("{}{busy}", owner.whose())));
    }
    let held = match state {
        State::Cached(held) => heap
            .caches
            .get(held.cache as usize)
            .map(|cache| format!("{} of {}", state.part(), cache.whose())),
        State::Returned => Some("freed by another thread, on its way home".into()),
        _ => None,
    };
    if let Some(held) = &held {
        more.push(("held", held.clone()));
    }
    // A word before it, or the first bytes: often meant for the block below.
    if offset < 16 && index > 0 {
        let below = slab.block(index - 1);
        let bits = heap.bits(slab);
        let state = heap.state(slab, index - 1, &bits).word();
        more.push((
            "below",
            format!("{below:#x}, {state}, {} bytes, ends here", slab.bytes),
        ));
    }
    let where_in = if offset == 0 {
        "begins".to_owned()
    } else {
        format!("is byte {offset} of")
    };
    let mut json = json!({
        "block": output::address(block),
        "bytes": slab.bytes,
        "offset": offset,
        "class": if slab.is_large() { Value::from("large") } else { Value::from(slab.class) },
        "slab": output::address(slab.start),
        "header": output::address(slab.header),
        "index": index,
        "part": state.part(),
        "owner": owner.map(|owner| owner.thread),
    });
    if let Some(record) = heap.bits(slab).records.get(index).copied() {
        let guards = heap.guards(slab, index, &record);
        let kept = Kept {
            heap,
            record,
            guards,
        };
        if let Some(why) = heap.disagreement(slab, index, state, &record) {
            more.push(("doubtful", why));
        }
        more.extend(kept.lines(symbols));
        json["record"] = kept.json(symbols);
    }
    Said {
        word: state.word(),
        text: format!("{where_in} a block of {} bytes", slab.bytes),
        more,
        json,
    }
}

/// An address in the pages of a guarded block.
fn of_guarded(
    heap: &Heap<'_>,
    number: usize,
    offset: i64,
    (is_inside, is_live): (bool, bool),
    symbols: &mut Symbols<'_>,
) -> Said {
    let block = &heap.guarded[number];
    let size = block.record.size;
    let state = if is_live { "live" } else { "freed" };
    let text = match offset {
        _ if is_inside && offset == 0 => format!("begins a guarded block of {size} bytes"),
        _ if is_inside => format!("is byte {offset} of a guarded block of {size} bytes"),
        0.. => format!(
            "is {} bytes behind the end of a guarded block of {size} bytes, {state}",
            offset.unsigned_abs() - size.max(1) + 1
        ),
        _ => format!(
            "is {} bytes in front of a guarded block of {size} bytes, {state}",
            offset.unsigned_abs()
        ),
    };
    let pages = match block.is_closed {
        true => "taken away: the first access is refused".into(),
        false => format!("{:#x} to {:#x}", block.open.0, block.open.1),
    };
    let kept = Kept {
        heap,
        record: block.record,
        guards: if is_live {
            block.guards().to_vec()
        } else {
            vec![]
        },
    };
    let mut more = vec![
        (
            "block",
            format!("{:#x}, {size} bytes, guarded", block.start),
        ),
        ("pages", pages),
    ];
    more.extend(kept.lines(symbols));
    let json = json!({
        "block": output::address(block.start),
        "bytes": size,
        "offset": offset,
        "class": "guarded",
        "record": kept.json(symbols),
    });
    Said {
        word: "",
        text,
        more,
        json,
    }
}

fn elsewhere(heap: &Heap<'_>, address: u64, place: &Place, symbols: &mut Symbols<'_>) -> Said {
    let mut said = Said {
        word: place.word(),
        text: String::new(),
        more: vec![],
        json: json!({}),
    };
    said.text = match place {
        Place::Block { .. } | Place::Guarded { .. } => String::new(),
        Place::SlabTail { slab } => {
            let slab = &heap.slabs[*slab];
            format!(
                "is before the first block or behind the last one of the slab at {:#x}, of {} bytes each",
                slab.start, slab.bytes
            )
        }
        Place::Slot {
            superslab,
            slot,
            is_free,
        } => match is_free {
            true => format!("is in a free slot ({slot}) of the SuperSlab at {superslab:#x}"),
            false => format!(
                "is in a slot ({slot}) of the SuperSlab at {superslab:#x} that a thread has reserved"
            ),
        },
        Place::Stock => "is in a freed unit that waits for its next use".into(),
        Place::Reserved => "is in the arena, where nothing is mapped".into(),
        Place::Structures(purpose) => format!("is in the allocator's own memory: {purpose}"),
        _ => outside(heap.image, address, place, symbols),
    };
    said.json["what"] = said.text.clone().into();
    said
}

/// What is at an address that is not the heap's.
fn outside(image: &Image, address: u64, place: &Place, symbols: &mut Symbols<'_>) -> String {
    match place {
        Place::Stack {
            thread,
            from_pointer,
        } => match from_pointer {
            0.. => format!(
                "is on the stack of thread {thread}, {from_pointer} bytes above its stack pointer"
            ),
            _ => format!(
                "is on the stack of thread {thread}, {} bytes below its stack pointer: not in use",
                from_pointer.unsigned_abs()
            ),
        },
        Place::Module { module } => {
            let Some(module) = image.modules.iter().find(|m| m.index == *module) else {
                return "is in a file".into();
            };
            let path = module.path.display();
            let offset = address.wrapping_sub(module.base);
            let executable = image
                .memory
                .segment(address)
                .is_some_and(|s| s.access.execute);
            let name = executable.then(|| {
                let functions = symbols.functions_at_instruction(address, 0);
                functions
                    .first()
                    .map(|function| crate::event::named(function, true))
            });
            match name.flatten() {
                Some(name) => format!("is code of {path}: {name}"),
                None => {
                    let data = crate::data_symbols::of(module, offset);
                    let data = data.map_or(String::new(), |data| format!(": {data}"));
                    format!("is in {path} at {offset:#x}{data}")
                }
            }
        }
        Place::Mapping { name } if name.is_empty() => "is in a mapping without a name".into(),
        Place::Mapping { name } => format!("is in {name}"),
        _ => match address {
            0..0x10000 => "is a null pointer, or near one".into(),
            0x8000_0000_0000.. => "is no address of a program".into(),
            _ => "is not mapped".into(),
        },
    }
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
