//! `hakmem threads`: the threads of a process, and what their caches hold.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::Kind;
use hakmem_trace_format::reader::Trace;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::event::{Seconds, frames_json, named};
use crate::failure::Failure;
use crate::heap::{Cache, Heap};
use crate::image::{Image, Stack, Thread};
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

/// A thread of a trace.
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
        let threads = recorded(trace);
        let since = |ticks: u64| trace.clock().since_start(ticks);
        if self.answer.json {
            return threads.iter().try_for_each(|(thread, of)| {
                output.json(&json!({
                    "thread": thread, "name": of.name, "events": of.events,
                    "began_ns": of.began.map(since), "ended_ns": of.ended.map(since),
                    "first_ns": since(of.first), "last_ns": since(of.last),
                }))
            });
        }
        let mut rows = table(&[
            ">thread",
            "name",
            ">events kept",
            ">began",
            ">ended",
            ">last event",
        ]);
        let time = |ticks: Option<u64>| {
            ticks.map_or("-".into(), |ticks| {
                Seconds(since(ticks)).to_string().trim().to_owned()
            })
        };
        for (thread, of) in &threads {
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
        let threads = image.threads.iter();
        let threads: Vec<Seen<'_>> = threads
            .map(|thread| {
                let has_stack = self.stacks || self.answer.json;
                Seen::of(image, thread, caches, has_stack, &mut symbols)
            })
            .collect();
        if self.answer.json {
            return threads
                .iter()
                .try_for_each(|seen| output.json(&seen.json(&mut symbols)));
        }
        let mut rows = table(&[
            ">thread", "name", "cache", ">front", ">list", ">buffer", "at",
        ]);
        for seen in &threads {
            rows.add_row(seen.row());
        }
        for line in lines(&rows) {
            output.line(line)?;
        }
        let parked = caches
            .iter()
            .filter(|cache| cache.state != Cache::RUNS)
            .count();
        output.line(format_args!(
            "{}, {}, {parked} of them parked",
            output::count(threads.len() as u64, "thread"),
            output::count(caches.len() as u64, "cache")
        ))?;
        if self.stacks {
            for seen in &threads {
                seen.print_stack(&mut symbols, output)?;
            }
        }
        Ok(())
    }
}

/// The threads of a trace, by their numbers.
fn recorded(trace: &Trace) -> BTreeMap<u32, Of> {
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
    threads
}

/// A thread of a core file or process.
struct Seen<'a> {
    thread: &'a Thread,
    cache: Option<&'a Cache>,
    /// Blocks in its cache's fronts, lists and buffers.
    held: [usize; 3],
    /// The function that it is in.
    at: Option<String>,
    stack: Stack,
}

impl<'a> Seen<'a> {
    fn of(
        image: &Image,
        thread: &'a Thread,
        caches: &'a [Cache],
        has_stack: bool,
        symbols: &mut Symbols<'_>,
    ) -> Self {
        let is_its = |cache: &&Cache| cache.state == Cache::RUNS && cache.thread == thread.tid;
        let cache = caches.iter().find(is_its);
        let held = |cache: &Cache| {
            [
                cache.fronts.iter().map(|front| front.blocks.len()).sum(),
                cache.lists.iter().map(|list| list.blocks.len()).sum(),
                cache.buffers.iter().map(|buffer| buffer.blocks.len()).sum(),
            ]
        };
        let at = thread.registers.as_ref().map(|registers| {
            let functions = symbols.functions_at_instruction(registers.instruction(), 0);
            let function = functions.first();
            function.map_or(String::new(), |function| named(function, true))
        });
        Self {
            thread,
            cache,
            held: cache.map_or([0; 3], held),
            at,
            stack: match has_stack {
                true => image.stack(thread),
                false => Stack::default(),
            },
        }
    }

    fn row(&self) -> [String; 7] {
        let whose = match self.cache {
            None => "-".into(),
            Some(cache) if cache.is_busy => "busy".into(),
            Some(cache) => format!("{:#x}", cache.address),
        };
        let [front, list, buffer] = self.held.map(|count| count.to_string());
        let name = Printable(&self.thread.name).to_string();
        let at = self.at.clone().unwrap_or_default();
        [
            self.thread.tid.to_string(),
            name,
            whose,
            front,
            list,
            buffer,
            at,
        ]
    }

    fn json(&self, symbols: &mut Symbols<'_>) -> Value {
        let (thread, [front, list, buffer]) = (self.thread, self.held);
        json!({
            "thread": thread.tid, "name": thread.name, "signal": thread.signal,
            "cache": self.cache.map(|cache| output::address(cache.address)),
            "busy": self.cache.map(|cache| cache.is_busy),
            "front": front, "list": list, "buffer": buffer, "at": self.at,
            "stack": frames_json(symbols, &self.stack.frames, 0),
            "stack_is_whole": self.stack.is_whole,
            "stack_pointer": thread.stack_pointer().map(output::address),
        })
    }

    fn print_stack(&self, symbols: &mut Symbols<'_>, output: &mut Output) -> Result<(), Failure> {
        output.line(format_args!("thread {}", self.thread.tid))?;
        for frame in &self.stack.frames {
            for function in symbols.functions_of(frame, 0).iter() {
                output.line(format_args!("    {}", named(function, true)))?;
            }
        }
        if !self.stack.is_whole {
            output.line("    (what called this is not known)")?;
        }
        Ok(())
    }
}
