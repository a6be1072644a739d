//! `hakmem leaks`: the blocks that nothing in a process's memory leads to.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use hakmem_trace_format::Record;
use hakmem_trace_format::reader::{self, LiveBlock, Trace};
use serde_json::{Value, json};

use super::joined;
use crate::answer::{self, Answer, Beside};
use crate::event::{frames, named, stack_json};
use crate::failure::Failure;
use crate::heap::{Heap, Leak, LeakKind, Reach};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::symbols::Symbols;

/// Find blocks that nothing leads to
///
/// Begins with registers, stacks and data, and follows every word that is an address in a block, wherever
/// in the block it points. A block that is not reached is lost: definitely if no other lost block
/// points to it (or it stands for a ring of them), and indirectly with one that does. With a trace, or
/// of a build with checks, they are grouped by who asked for them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem leaks core
  hakmem leaks --trace trace/ core
  hakmem leaks --json pid:4711

Of a process that runs registers are not known, and what it changes meanwhile may be missed: what is \
found twice is lost.

Exit status: 0 if nothing is lost, 1 if something is, 2 if the source cannot be read or the command line \
is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Leaks {
    /// A core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// How many groups are printed; 0 for all
    #[arg(long, value_name = "N", default_value_t = 30)]
    top: usize,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    beside: Beside,
}

/// Definite leaks that were asked for at one place.
#[derive(Default)]
struct Group {
    blocks: Vec<u64>,
    bytes: u64,
    indirect: u64,
    indirect_bytes: u64,
    record: Option<Record>,
    /// The stack that a checked build has noted; 0 if there is none.
    stack: u32,
    block_bytes: u64,
}

/// Addresses of a group that are told.
const FEW: usize = 4;

impl Group {
    /// Who asked for them, and when, in ticks.
    fn frames(&self, trace: Option<&Trace>, heap: &Heap<'_>) -> (Vec<u64>, u64) {
        match (&self.record, trace) {
            (Some(record), Some(trace)) => (frames(trace, record).0, record.time()),
            _ => (heap.noted_stack(self.stack), 0),
        }
    }

    fn print(
        &self,
        trace: Option<&Trace>,
        heap: &Heap<'_>,
        symbols: &mut Symbols<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let with = match self.indirect {
            0 => String::new(),
            blocks => format!(
                ", and with them {} in {}",
                output::bytes(self.indirect_bytes),
                output::count(blocks, "block")
            ),
        };
        let (count, bytes) = (self.blocks.len(), output::bytes(self.bytes));
        let blocks = output::count(count as u64, "block");
        output.line(format_args!("lost: {bytes} in {blocks}{with}"))?;
        let (frames, time) = self.frames(trace, heap);
        for frame in &frames {
            for function in symbols.functions(*frame, time).iter() {
                output.line(format_args!("    {}", named(function, true)))?;
            }
        }
        match trace {
            _ if !frames.is_empty() => {}
            Some(_) => output.line("    (not in the trace)")?,
            None => output.line(format_args!("    blocks of {} bytes", self.block_bytes))?,
        }
        let few = self.blocks.iter().take(FEW);
        let few: Vec<String> = few.map(|block| format!("{block:#x}")).collect();
        let more = if count > FEW { " …" } else { "" };
        output.line(format_args!("    at {}{more}", few.join(" ")))
    }
}

impl Leaks {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let image = joined::image(&self.source)?;
        let heap = Heap::open(&image)?;
        let trace = joined::with_image(&image, Some(&heap), &self.beside)?;
        let progress = Progress::begin("following pointers");
        let reach = heap.reach();
        progress.end();
        let groups = groups(&reach, trace.as_ref());
        let mut output = Output::new();
        if self.answer.json {
            output.json(&self.json(&reach, &groups, trace.as_ref(), &heap))?;
        } else {
            self.print(&reach, &groups, trace.as_ref(), &heap, &mut output)?;
        }
        output.end()?;
        Ok(answer::status(
            !reach.leaks.is_empty(),
            image.is_truncated(),
        ))
    }

    fn print(
        &self,
        reach: &Reach,
        groups: &[Group],
        trace: Option<&Trace>,
        heap: &Heap<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut symbols = self.symbols(trace, heap);
        let shown = if self.top == 0 {
            groups.len()
        } else {
            self.top.min(groups.len())
        };
        for group in &groups[..shown] {
            group.print(trace, heap, &mut symbols, output)?;
        }
        if shown < groups.len() {
            output.line(format_args!(
                "and {} more groups (--top 0 shows all)",
                groups.len() - shown
            ))?;
        }
        print_sums(reach, output)
    }

    fn symbols<'a>(&self, trace: Option<&'a Trace>, heap: &'a Heap<'_>) -> Symbols<'a> {
        match trace {
            Some(trace) => Symbols::new(trace, &self.answer),
            None => Symbols::new(heap.image, &self.answer),
        }
    }

    fn json(
        &self,
        reach: &Reach,
        groups: &[Group],
        trace: Option<&Trace>,
        heap: &Heap<'_>,
    ) -> Value {
        let mut symbols = self.symbols(trace, heap);
        let shown = if self.top == 0 {
            groups.len()
        } else {
            self.top.min(groups.len())
        };
        let mut list = vec![];
        for group in &groups[..shown] {
            let stack = match group.frames(trace, heap) {
                (frames, _) if frames.is_empty() => Value::Null,
                (frames, time) => stack_json(&mut symbols, &frames, false, time),
            };
            list.push(json!({
                "blocks": group.blocks.iter().map(|block| output::address(*block)).collect::<Vec<_>>(),
                "bytes": group.bytes,
                "indirect_blocks": group.indirect,
                "indirect_bytes": group.indirect_bytes,
                "stack": stack,
            }));
        }
        let [definite, indirect] = sums(reach);
        json!({
            "definite": { "blocks": definite.0, "bytes": definite.1 },
            "indirect": { "blocks": indirect.0, "bytes": indirect.1 },
            "reachable": { "blocks": reach.reachable, "bytes": reach.reachable_bytes },
            "groups": list,
        })
    }
}

/// Blocks and bytes that are definitely and indirectly lost.
fn sums(reach: &Reach) -> [(u64, u64); 2] {
    [LeakKind::Definite, LeakKind::Indirect].map(|kind| {
        let leaks = reach.leaks.iter().filter(|leak| leak.kind == kind);
        leaks.fold((0, 0), |(blocks, bytes), leak| {
            (blocks + 1, bytes + leak.bytes)
        })
    })
}

fn print_sums(reach: &Reach, output: &mut Output) -> Result<(), Failure> {
    let [definite, indirect] = sums(reach);
    let reachable = (reach.reachable, reach.reachable_bytes);
    let sums = [
        ("definite:", definite),
        ("indirect:", indirect),
        ("reachable:", reachable),
    ];
    for (name, (blocks, bytes)) in sums {
        let (blocks, bytes) = (output::count(blocks, "block"), output::count(bytes, "byte"));
        output.line(format_args!("{name:<10} {blocks}, {bytes}"))?;
    }
    Ok(())
}

/// The leaks by who asked for them, or else by their size; the largest first.
fn groups(reach: &Reach, trace: Option<&Trace>) -> Vec<Group> {
    let definite: HashMap<u64, &Leak> = reach
        .leaks
        .iter()
        .filter(|leak| leak.kind == LeakKind::Definite)
        .map(|leak| (leak.address, leak))
        .collect();
    let records = trace
        .map(|trace| records(trace, &definite))
        .unwrap_or_default();
    let mut groups: BTreeMap<(u32, u64, u64), Group> = BTreeMap::new();
    let mut keys = HashMap::new();
    for leak in reach
        .leaks
        .iter()
        .filter(|leak| leak.kind == LeakKind::Definite)
    {
        let record = records.get(&leak.address).copied();
        let key = match (record, leak.stack) {
            (Some(record), _) => (record.stack(), record.caller(), 0),
            (None, 0) if trace.is_some() => (0, 0, 0),
            (None, 0) => (0, 0, leak.bytes),
            (None, stack) => (stack, 0, u64::MAX),
        };
        keys.insert(leak.address, key);
        let group = groups.entry(key).or_default();
        group.blocks.push(leak.address);
        group.bytes += record.map_or(leak.bytes, |record| record.size());
        group.stack = leak.stack;
        group.block_bytes = leak.bytes;
        group.record = record;
    }
    for leak in reach
        .leaks
        .iter()
        .filter(|leak| leak.kind == LeakKind::Indirect)
    {
        if let Some(group) = keys.get(&leak.head).and_then(|key| groups.get_mut(key)) {
            group.indirect += 1;
            group.indirect_bytes += leak.bytes;
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.bytes + group.indirect_bytes));
    groups
}

/// The records of when blocks were handed out.
fn records(trace: &Trace, blocks: &HashMap<u64, &Leak>) -> HashMap<u64, Record> {
    let records = Mutex::new(HashMap::new());
    trace.for_each_live(&reader::Choice::default(), &|block: &LiveBlock| {
        let address = block.record.address();
        if blocks.contains_key(&address) {
            let mut records = records
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            records.insert(address, block.record);
        }
    });
    records
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
