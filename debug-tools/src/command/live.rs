//! `hakmem live`: the blocks that the program holds, or held at its end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use hakmem_trace_format::reader::{self, LiveBlock, Trace};
use serde_json::json;

use super::joined;
use super::sites::{By, Groups, Key, Sites, Stacks, Tally};
use crate::answer::{self, Answer, Beside, Choice};
use crate::event::Seconds;
use crate::failure::{Failure, Status, say};
use crate::heap::{Heap, LiveBlock as LiveHere};
use crate::image::Image;
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::source::Source;

/// Tell which blocks the program holds, and who asked for them
///
/// Of a trace these are the blocks that were handed out and not given back at its end. Of a core
/// file or process they are found in its memory; with its trace, or of a build with checks, they are
/// grouped by who asked for them. Bytes are those that were asked for, where that is known.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem live trace/
  hakmem live --by size core
  hakmem live --by thread --since -10s trace/
  hakmem live --blocks pid:4711 | sort -k2n | tail

Exit status: 0, or 2 if the source cannot be read or the command line is wrong, or 3 if a part of \
the source is missing and the rest was used.")]
pub struct Live {
    /// A trace directory, a core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// What the blocks are grouped by [default: site with a trace, size without]
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,

    /// How many groups are printed; 0 for all
    #[arg(long, value_name = "N", default_value_t = 30)]
    top: usize,

    /// Print each block, in place of groups: address, bytes, thread
    #[arg(long, conflicts_with_all = ["by", "top"])]
    blocks: bool,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    beside: Beside,
}

/// A block, as far as it is known.
struct Known {
    address: u64,
    bytes: u64,
    thread: Option<u32>,
}

impl Live {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let is_truncated = source.is_truncated();
        match &source {
            Source::Trace(trace) => self.of_trace(trace)?,
            Source::Image(image) => self.of_image(image)?,
        }
        Ok(answer::status(false, is_truncated))
    }

    fn of_trace(&self, trace: &Trace) -> Result<(), Failure> {
        let by = self.by.unwrap_or(By::Site);
        let since = self.choice.since.map(|moment| moment.since_start(trace));
        let state = Mutex::new((Sites::new(by, Some(trace)), vec![]));
        let progress = Progress::begin("looking through the records");
        trace.for_each_live(&reader::Choice::default(), &|block: &LiveBlock| {
            let record = &block.record;
            let is_chosen = self
                .choice
                .thread
                .is_none_or(|thread| thread == record.thread())
                && since.is_none_or(|since| trace.clock().since_start(record.time()) >= since);
            if !is_chosen {
                return;
            }
            let mut state = state
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let key = state.0.key(trace, record);
            state.0.add(key, record.size(), record.time());
            if self.blocks {
                let (address, bytes) = (record.address(), record.size());
                state.1.push(Known {
                    address,
                    bytes,
                    thread: Some(record.thread()),
                });
            }
        });
        progress.end();
        let (sites, blocks) = state
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(since) = trace.complete_since() {
            say(format_args!(
                "hakmem: note: records from before {} were overwritten in some rings: blocks from \
                 before may be missing, or given back since",
                Seconds(trace.clock().since_start(since)).to_string().trim()
            ));
        }
        let stacks = Stacks {
            trace: Some(trace),
            heap: None,
        };
        self.print(by, stacks, &sites, blocks)
    }

    fn of_image(&self, image: &Image) -> Result<(), Failure> {
        let heap = Heap::open(image)?;
        let trace = joined::with_image(image, Some(&heap), &self.beside)?;
        let has_stacks = heap.has_stacks();
        let by = self.by.unwrap_or(if trace.is_some() || has_stacks {
            By::Site
        } else {
            By::Size
        });
        let is_noted = by == By::Site && has_stacks;
        if trace.is_none() && (by.takes_trace() && !is_noted || self.choice.since.is_some()) {
            return Err(Failure::new(
                Status::Usage,
                "there is no trace with it",
                "memory does not say when and by whom blocks were asked for",
                "use --by size or --by thread, or run the program with `hakmem run`",
            )
            .at(&self.source));
        }
        let (sites, blocks) = match &trace {
            Some(trace) if by != By::Size => self.with_trace(&heap, trace, by),
            _ => self.without_trace(&heap, by),
        };
        let stacks = Stacks {
            trace: trace.as_ref(),
            heap: Some(&heap),
        };
        self.print(by, stacks, &sites, blocks)
    }

    fn without_trace(&self, heap: &Heap<'_>, by: By) -> (Sites, Vec<Known>) {
        let (mut sites, mut blocks) = (Sites::new(by, None), vec![]);
        heap.for_each_live(|block| {
            if self.choice.thread.is_some() && self.choice.thread != block.thread {
                return;
            }
            let bytes = block.bytes;
            let key = match (by, block.thread, block.stack) {
                (By::Size, ..) => Key::Size(bytes),
                (By::Site, _, 1..) => Key::Noted(block.stack),
                (By::Thread, Some(thread), _) => Key::Thread(thread),
                _ => Key::Unknown,
            };
            sites.add(key, bytes, 0);
            if self.blocks {
                blocks.push(Known {
                    address: block.address,
                    bytes,
                    thread: block.thread,
                });
            }
        });
        (sites, blocks)
    }

    /// Blocks that are live in memory, with who asked for them by the trace.
    fn with_trace(&self, heap: &Heap<'_>, trace: &Trace, by: By) -> (Sites, Vec<Known>) {
        let mut live: HashMap<u64, LiveHere> = HashMap::new();
        heap.for_each_live(|block| {
            live.insert(block.address, *block);
        });
        let since = self.choice.since.map(|moment| moment.since_start(trace));
        let state = Mutex::new((Sites::new(by, Some(trace)), vec![], live));
        trace.for_each_live(&reader::Choice::default(), &|block: &LiveBlock| {
            let record = &block.record;
            let mut state = state
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            if state.2.remove(&record.address()).is_none() {
                return;
            }
            let is_chosen = self
                .choice
                .thread
                .is_none_or(|thread| thread == record.thread())
                && since.is_none_or(|since| trace.clock().since_start(record.time()) >= since);
            if is_chosen {
                let key = state.0.key(trace, record);
                state.0.add(key, record.size(), record.time());
                let (address, bytes) = (record.address(), record.size());
                state.1.push(Known {
                    address,
                    bytes,
                    thread: Some(record.thread()),
                });
            }
        });
        let (mut sites, mut blocks, rest) = state
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // Asked for before the records that are left.
        if since.is_none() && self.choice.thread.is_none() {
            for (address, block) in rest {
                let key = match (by, block.stack) {
                    (By::Site, 1..) => Key::Noted(block.stack),
                    _ => Key::Unknown,
                };
                sites.add(key, block.bytes, 0);
                blocks.push(Known {
                    address,
                    bytes: block.bytes,
                    thread: None,
                });
            }
        }
        if !self.blocks {
            blocks.clear();
        }
        (sites, blocks)
    }

    fn print(
        &self,
        by: By,
        stacks: Stacks<'_>,
        sites: &Sites,
        mut blocks: Vec<Known>,
    ) -> Result<(), Failure> {
        let mut output = Output::new();
        if self.blocks {
            blocks.sort_by_key(|block| block.address);
            for Known {
                address,
                bytes,
                thread,
            } in blocks
            {
                if self.answer.json {
                    let address = output::address(address);
                    output
                        .json(&json!({ "address": address, "bytes": bytes, "thread": thread }))?;
                } else {
                    let thread = thread.map_or("-".into(), |thread| thread.to_string());
                    output.line(format_args!("{address:#x} {bytes} {thread}"))?;
                }
            }
            return output.end();
        }
        let groups = Groups {
            by,
            stacks,
            answer: &self.answer,
            top: self.top,
        };
        let Tally { blocks, bytes, .. } = sites.total;
        if self.answer.json {
            output
                .json(&json!({ "blocks": blocks, "bytes": bytes, "groups": groups.json(sites) }))?;
        } else {
            groups.print(sites, &mut output)?;
            let text = output::bytes(bytes);
            output.line(format_args!(
                "live: {blocks} blocks, {bytes} bytes ({text})"
            ))?;
        }
        output.end()
    }
}
