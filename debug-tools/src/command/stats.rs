//! `hakmem stats`: how much of what there is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::Total;
use hakmem_trace_format::reader::Trace;
use serde_json::{Value, json};

use super::joined;
use crate::answer::{self, Answer, Choice};
use crate::event::kind_name;
use crate::failure::Failure;
use crate::heap::{Accounts, Heap};
use crate::image::Image;
use crate::output::{self, Output, lines, table};
use crate::progress::Progress;
use crate::source::Source;

/// Account for the heap's memory, or count a trace's events
///
/// Of a core file or process, every mapped byte of the heap: what the program holds (live), what threads
/// hold free (cached), what nobody holds (free), and the allocator's own structures (metadata) are
/// together what is mapped; by class as well. Of a trace, its events by kind and by size.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem stats core
  hakmem stats --json pid:4711 | jq .live
  hakmem stats --since -1s trace/

Exit status: 0, or 1 if the parts are not the whole, 2 if the source cannot be read or the command line is \
wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Stats {
    /// A core file, pid:N, or a trace directory
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    choice: Choice,
}

impl Stats {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let is_truncated = source.is_truncated();
        let mut output = Output::new();
        let balances = match &source {
            Source::Trace(trace) => {
                self.of_trace(trace, &mut output)?;
                true
            }
            Source::Image(image) => self.of_image(image, &mut output)?,
        };
        output.end()?;
        Ok(answer::status(!balances, is_truncated))
    }

    fn of_image(&self, image: &Image, output: &mut Output) -> Result<bool, Failure> {
        let mut accounts = Heap::open(image)?.accounts();
        // What changes while it is counted does not balance; a quieter moment may come.
        for _ in 0..3 {
            if accounts.balance() || !image.is_process {
                break;
            }
            let again = joined::image(&self.source)?;
            accounts = Heap::open(&again)?.accounts();
        }
        if self.answer.json {
            output.json(&json(&accounts))?;
        } else {
            print(&accounts, output)?;
        }
        Ok(accounts.balance())
    }

    fn of_trace(&self, trace: &Trace, output: &mut Output) -> Result<(), Failure> {
        let since = self.choice.since.map(|moment| moment.since_start(trace));
        let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut sizes: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        let progress = Progress::begin("counting events");
        for file in trace.files() {
            for slot in 0..file.slots() {
                let (state, record) = file.slot(slot);
                let is_chosen = state == hakmem_trace_format::reader::SlotState::Whole
                    && self
                        .choice
                        .thread
                        .is_none_or(|thread| thread == record.thread())
                    && since.is_none_or(|since| trace.clock().since_start(record.time()) >= since);
                if !is_chosen {
                    continue;
                }
                let add = |entry: &mut (u64, u64)| {
                    entry.0 += 1;
                    entry.1 = entry.1.saturating_add(record.size());
                };
                add(kinds.entry(kind_name(&record)).or_default());
                if record.kind() == Some(hakmem_trace_format::Kind::Allocate) {
                    add(sizes
                        .entry(record.size().max(1).next_power_of_two().ilog2())
                        .or_default());
                }
            }
        }
        progress.end();
        let totals = &trace.session().header().totals;
        let total = |total: Total| totals[total as usize];
        if self.answer.json {
            let kinds: Vec<Value> = kinds.iter().map(|(kind, (count, bytes))| json!({ "kind": kind, "events": count, "bytes": bytes })).collect();
            let sizes: Vec<Value> = sizes.iter().map(|(power, (count, bytes))| json!({ "up_to": 1_u64 << power.min(&63), "allocations": count, "bytes": bytes })).collect();
            return output.json(&json!({
                "kept": kinds, "sizes": sizes,
                "totals": { "events": total(Total::Events), "threads": total(Total::Threads), "lost": total(Total::Lost) },
            }));
        }
        let mut rows = table(&["kind", ">events", ">bytes"]);
        for (kind, (count, bytes)) in &kinds {
            rows.add_row([kind.clone(), count.to_string(), bytes.to_string()]);
        }
        for line in lines(&rows) {
            output.line(line)?;
        }
        output.line("")?;
        let mut rows = table(&[">size up to", ">allocations", ">bytes"]);
        for (power, (count, bytes)) in &sizes {
            rows.add_row([
                (1_u64 << power.min(&63)).to_string(),
                count.to_string(),
                bytes.to_string(),
            ]);
        }
        for line in lines(&rows) {
            output.line(line)?;
        }
        output.line(format_args!(
            "of the whole run, as the process counted: events {}, threads {}, events lost {}",
            total(Total::Events),
            total(Total::Threads),
            total(Total::Lost)
        ))
    }
}

/// What is free, by what kind of place it is.
fn free_parts(accounts: &Accounts) -> [(&'static str, u64); 7] {
    let returned: u64 = accounts
        .classes
        .iter()
        .map(|class| class.returned.bytes)
        .sum();
    let blocks: u64 = accounts.classes.iter().map(|class| class.free.bytes).sum();
    [
        ("blocks in slabs", blocks),
        ("blocks on their way home", returned),
        ("behind the last blocks of slabs", accounts.tails),
        ("free slots, used before", accounts.dirty_slots),
        ("free slots, clean", accounts.clean_slots),
        ("slots reserved by threads", accounts.reserved_slots),
        ("freed units in stock", accounts.stock),
    ]
}

fn print(accounts: &Accounts, output: &mut Output) -> Result<(), Failure> {
    let mut rows = table(&[
        ">class",
        ">slabs",
        ">live",
        ">front",
        ">list",
        ">buffer",
        ">returned",
        ">free",
        ">live bytes",
    ]);
    for class in accounts.classes.iter().filter(|class| class.slabs > 0) {
        let name = if class.block_bytes == 0 {
            "large".into()
        } else {
            class.block_bytes.to_string()
        };
        let counts = [
            class.slabs,
            class.live.blocks,
            class.front.blocks,
            class.list.blocks,
            class.buffer.blocks,
            class.returned.blocks,
            class.free.blocks,
            class.live.bytes,
        ];
        rows.add_row(
            [name]
                .into_iter()
                .chain(counts.map(|count| count.to_string())),
        );
    }
    for line in lines(&rows) {
        output.line(line)?;
    }
    output.line("")?;
    let mut row = |name: &str, bytes: u64| {
        output.line(format_args!(
            "{name:<36} {bytes:>16}  {}",
            output::bytes(bytes)
        ))
    };
    row("live", accounts.live())?;
    row("cached", accounts.cached())?;
    if accounts.quarantined() > 0 {
        row("  in quarantine", accounts.quarantined())?;
    }
    row("free", accounts.free())?;
    for (name, bytes) in free_parts(accounts) {
        row(&format!("  {name}"), bytes)?;
    }
    row("metadata", accounts.metadata)?;
    let sum = accounts.live() + accounts.cached() + accounts.free() + accounts.metadata;
    row("live + cached + free + metadata", sum)?;
    row("mapped", accounts.mapped())?;
    row("  SuperSlabs", accounts.superslabs)?;
    row("  LARGE mappings", accounts.mappings)?;
    row("  freed units in stock", accounts.stock)?;
    row("  metadata", accounts.metadata)?;
    if let Some(committed) = accounts.committed {
        row("of the arena: by the registry", accounts.registered)?;
        row("of the arena: by the kernel", committed)?;
    }
    match accounts.balance() {
        true => output.line("the sums agree"),
        false => output.line("FINDING: the sums do not agree"),
    }
}

fn json(accounts: &Accounts) -> Value {
    let classes = accounts.classes.iter().filter(|class| class.slabs > 0).map(|class| {
        json!({
            "block_bytes": class.block_bytes, "slabs": class.slabs, "live": class.live.blocks, "front": class.front.blocks,
            "list": class.list.blocks, "buffer": class.buffer.blocks, "returned": class.returned.blocks, "free": class.free.blocks,
            "live_bytes": class.live.bytes, "cached_bytes": class.cached_bytes(), "free_bytes": class.free_bytes(),
        })
    });
    let parts: serde_json::Map<String, Value> = free_parts(accounts)
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes.into()))
        .collect();
    json!({
        "live": accounts.live(), "cached": accounts.cached(), "quarantined": accounts.quarantined(), "free": accounts.free(), "metadata": accounts.metadata,
        "mapped": accounts.mapped(), "superslabs": accounts.superslabs, "large_mappings": accounts.mappings, "stock": accounts.stock,
        "free_parts": parts, "arena_registered": accounts.registered, "arena_committed": accounts.committed,
        "balances": accounts.balance(), "classes": classes.collect::<Vec<_>>(),
    })
}
