//! `hakmem refs`: who points to a block.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::joined;
use crate::answer::{self, Answer, parse_address};
use crate::failure::Failure;
use crate::heap::{Heap, Holder, Place, Reference};
use crate::output::{self, Output};
use crate::progress::Progress;

/// Find who points to a block
///
/// Looks through registers, stacks, data and all blocks for words that are addresses in the block that
/// ADDR is in; of an address that is in no block, for words that are this very address. Blocks that are
/// free may hold old pointers, and are listed as well.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem refs core 0x7f12a4001040
  hakmem refs --json pid:4711 0x7f12a4001040

With --json each reference is an object on a line of its own.

Exit status: 0 if something points there, 1 if nothing does, 2 if the source cannot be read or the \
command line is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Refs {
    /// A core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// The address: hexadecimal with 0x in front, or decimal
    #[arg(value_name = "ADDR", value_parser = parse_address)]
    address: u64,

    #[command(flatten)]
    answer: Answer,
}

impl Refs {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let image = joined::image(&self.source)?;
        let heap = Heap::open(&image)?;
        let (start, end) = match heap.place(self.address) {
            Place::Block { slab, index, .. } => {
                let slab = &heap.slabs[slab];
                (
                    slab.block(index),
                    slab.block(index).saturating_add(slab.bytes),
                )
            }
            Place::Guarded { guarded, .. } => {
                let block = &heap.guarded[guarded];
                let size = block.record.size.max(1);
                (block.start, block.start.saturating_add(size))
            }
            _ => (self.address, self.address.saturating_add(1)),
        };
        let progress = Progress::begin("looking for pointers");
        let (references, more) = heap.references(start, end);
        progress.end();
        let mut output = Output::new();
        for reference in &references {
            if self.answer.json {
                output.json(&json(&heap, reference, start))?;
            } else {
                output.line(line(&heap, reference, start))?;
            }
        }
        if !self.answer.json {
            let plus = if more { " and more" } else { "" };
            output.line(format_args!(
                "{}{plus} to {start:#x}, {}",
                output::count(references.len() as u64, "reference"),
                output::count(end - start, "byte")
            ))?;
        }
        output.end()?;
        Ok(answer::status(references.is_empty(), image.is_truncated()))
    }
}

fn line(heap: &Heap<'_>, reference: &Reference, start: u64) -> String {
    let to = match reference.value - start {
        0 => String::new(),
        offset => format!(", to byte {offset}"),
    };
    let at = reference.at;
    match &reference.holder {
        Holder::Register { thread, name } => format!("register {name} of thread {thread}{to}"),
        Holder::Stack { thread } => format!("stack of thread {thread} at {at:#x}{to}"),
        Holder::Data => format!("{} at {at:#x}{to}", data(heap, at)),
        Holder::Block {
            slab,
            index,
            offset,
            state,
        } => {
            let (block, bytes) = (heap.slabs[*slab].block(*index), heap.slabs[*slab].bytes);
            format!(
                "block {block:#x} +{offset} ({bytes} bytes, {}){to}",
                state.word()
            )
        }
        Holder::Guarded { guarded, offset } => {
            let block = &heap.guarded[*guarded];
            format!(
                "block {:#x} +{offset} ({} bytes, live, guarded){to}",
                block.start, block.record.size
            )
        }
    }
}

fn data(heap: &Heap<'_>, at: u64) -> String {
    match heap.image.module(at) {
        Some(module) => {
            let file = module.path.file_name().unwrap_or(module.path.as_os_str());
            let offset = at.wrapping_sub(module.base);
            let name = crate::data_symbols::of(module, offset);
            let name = name.map_or(format!("{offset:#x}"), |name| name);
            format!("data {} {name}", file.display())
        }
        None => match heap.image.memory.segment(at) {
            Some(segment) if !segment.name.is_empty() => format!("memory {}", segment.name),
            _ => "memory".into(),
        },
    }
}

fn json(heap: &Heap<'_>, reference: &Reference, start: u64) -> Value {
    let mut json = match &reference.holder {
        Holder::Register { thread, name } => {
            json!({ "holder": "register", "thread": thread, "register": name })
        }
        Holder::Stack { thread } => json!({ "holder": "stack", "thread": thread }),
        Holder::Data => json!({ "holder": "data", "where": data(heap, reference.at) }),
        Holder::Block {
            slab,
            index,
            offset,
            state,
        } => json!({
            "holder": "block",
            "block": output::address(heap.slabs[*slab].block(*index)),
            "bytes": heap.slabs[*slab].bytes,
            "offset": offset,
            "state": state.word(),
        }),
        Holder::Guarded { guarded, offset } => json!({
            "holder": "block",
            "block": output::address(heap.guarded[*guarded].start),
            "bytes": heap.guarded[*guarded].record.size,
            "offset": offset,
            "state": "live",
        }),
    };
    json["at"] = output::address(reference.at);
    json["value"] = output::address(reference.value);
    json["to_offset"] = (reference.value - start).into();
    json
}
