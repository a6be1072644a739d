//! `hakmem threads`: the threads of a process, and what their caches hold.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::Kind;
use hakmem_trace_format::reader::Trace;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::event::{Seconds, frames_json, named};
use crate::failure::Failure;
use crate::heap::{Cache, Heap};
use crate::image::{Image, Stack};
use crate::output::{self, Output, lines, table};
use crate::printable::Printable;
use crate::source::Source;
use crate::symbols::Symbols;

/// List the threads
///
/// Of a trace: when each began and ended, and how many of its events are kept. Of a core file or process:
/// where each is, and what its cache holds free.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem threads trace/
  hakmem threads --stacks core

Exit status: 0, or 2 if the source cannot be read or the command line is wrong, or 3 if a part of the \
source is missing and the rest was used.")]
pub struct Threads {
    /// A trace directory, a core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Print the calls of each thread, the innermost first; of a process that runs those of threads that
    /// wait
    #[arg(long)]
    stacks: bool,

    #[command(flatten)]
    answer: Answer,
}

#[derive(Default)]
struct Of {
    name: String,
    began: Option<u64>,
    ended: Option<u64>,
    first: u64,
    last: u64,
    events: u64,
}

impl Threads {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let mut output = Output::new();
        match &source {
            Source::Trace(trace) => self.of_trace(trace, &mut output)?,
            Source::Image(image) => self.of_image(image, &mut output)?,
        }
        output.end()?;
        Ok(answer::status(false, source.is_truncated()))
    }

    fn of_trace(&self, trace: &Trace, output: &mut Output) -> Result<(), Failure> {
        let mut threads: BTreeMap<u32, Of> = BTreeMap::new();
        for event in trace.records() {
            let record = &event.record;
            let of = threads.entry(record.thread()).or_default();
            of.events += 1;
            if of.events == 1 {
                of.first = record.time();
            }
            of.last = record.time();
            match record.kind() {
                Some(Kind::ThreadBegan) => {
                    of.began = Some(record.time());
                    of.name = String::from_utf8_lossy(&event.payload).into_owned();
                }
                Some(Kind::ThreadEnded) => of.ended = Some(record.time()),
                _ => {}
            }
        }
        for file in trace.files() {
            let header = file.header();
            let name = String::from_utf8_lossy(&header.thread_name);
            let name = name.trim_end_matches('\0');
            if let Some(of) = threads.get_mut(&header.tid)
                && of.name.is_empty()
                && !name.is_empty()
            {
                of.name = name.to_owned();
            }
        }
        let since = |ticks: u64| trace.clock().since_start(ticks);
        if self.answer.json {
            for (thread, of) in &threads {
                output.json(&json!({
                    "thread": thread, "name": of.name, "events": of.events,
                    "began_ns": of.began.map(since), "ended_ns": of.ended.map(since),
                    "first_ns": since(of.first), "last_ns": since(of.last),
                }))?;
            }
            return Ok(());
        }
        let mut rows = table(&[
            ">thread",
            "name",
            ">events kept",
            ">began",
            ">ended",
            ">last event",
        ]);
        for (thread, of) in &threads {
            let time = |ticks: Option<u64>| {
                ticks.map_or("-".into(), |ticks| {
                    Seconds(since(ticks)).to_string().trim().to_owned()
                })
            };
            rows.add_row([
                thread.to_string(),
                Printable(&of.name).to_string(),
                of.events.to_string(),
                time(of.began),
                time(of.ended),
                time(Some(of.last)),
            ]);
        }
        lines(&rows)
            .into_iter()
            .try_for_each(|line| output.line(line))
    }

    fn of_image(&self, image: &Image, output: &mut Output) -> Result<(), Failure> {
        // Threads are there without a heap, too.
        let heap = Heap::open(image).ok();
        let mut symbols = Symbols::new(image, &self.answer);
        let caches: &[Cache] = heap.as_ref().map_or(&[], |heap| &heap.caches);
        let held = |cache: &Cache| {
            let fronts: usize = cache.fronts.iter().map(|front| front.blocks.len()).sum();
            let lists: usize = cache.lists.iter().map(|list| list.blocks.len()).sum();
            let buffers: usize = cache.buffers.iter().map(|buffer| buffer.blocks.len()).sum();
            [fronts, lists, buffers]
        };
        let mut rows = table(&[
            ">thread", "name", "cache", ">front", ">list", ">buffer", "at",
        ]);
        let mut stacks = vec![];
        for thread in &image.threads {
            let cache = caches
                .iter()
                .find(|cache| cache.state == 1 && cache.thread == thread.tid);
            let [front, list, buffer] = cache.map_or([0; 3], held);
            let stack = if self.stacks || self.answer.json {
                image.stack(thread)
            } else {
                Stack::default()
            };
            let at = thread.registers.as_ref().map(|registers| {
                let functions = symbols.functions_at_instruction(registers.instruction(), 0);
                functions
                    .first()
                    .map_or(String::new(), |function| named(function, true))
            });
            let whose = cache.map_or("-".into(), |cache| {
                if cache.is_busy {
                    "busy".into()
                } else {
                    format!("{:#x}", cache.address)
                }
            });
            if self.answer.json {
                output.json(&json!({
                    "thread": thread.tid, "name": thread.name, "signal": thread.signal,
                    "cache": cache.map(|cache| crate::output::address(cache.address)),
                    "busy": cache.map(|cache| cache.is_busy),
                    "front": front, "list": list, "buffer": buffer, "at": at,
                    "stack": frames_json(&mut symbols, &stack.frames, 0),
                    "stack_is_whole": stack.is_whole,
                    "stack_pointer": thread.stack_pointer().map(crate::output::address),
                }))?;
            }
            rows.add_row([
                thread.tid.to_string(),
                Printable(&thread.name).to_string(),
                whose,
                front.to_string(),
                list.to_string(),
                buffer.to_string(),
                at.unwrap_or_default(),
            ]);
            stacks.push(stack);
        }
        if !self.answer.json {
            for line in lines(&rows) {
                output.line(line)?;
            }
            let parked = caches.iter().filter(|cache| cache.state != 1).count();
            output.line(format_args!(
                "{}, {}, {parked} of them parked",
                output::count(image.threads.len() as u64, "thread"),
                output::count(caches.len() as u64, "cache")
            ))?;
            self.print_stacks(image, &stacks, &mut symbols, output)?;
        }
        Ok(())
    }

    fn print_stacks(
        &self,
        image: &Image,
        stacks: &[Stack],
        symbols: &mut Symbols<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if !self.stacks {
            return Ok(());
        }
        for (thread, stack) in image.threads.iter().zip(stacks) {
            output.line(format_args!("thread {}", thread.tid))?;
            for frame in &stack.frames {
                for function in symbols.functions_of(frame, 0).iter() {
                    output.line(format_args!("    {}", named(function, true)))?;
                }
            }
            if !stack.is_whole {
                output.line("    (what called this is not known)")?;
            }
        }
        Ok(())
    }
}
