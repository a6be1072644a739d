//! `hakmem sll`: what threads hold free, drawn: fronts, lists, buffers.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::joined;
use crate::answer::{self, Answer};
use crate::failure::Failure;
use crate::heap::{Buffer, Cache, Front, Heap, List, ListEnd};
use crate::output::{self, Output};

/// Draw what threads hold free: fronts, lists and buffers
///
/// Of each thread's cache the front of each class (the newest block first), the list behind it, and
/// other threads' blocks that wait to be sent home.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem sll core
  hakmem sll --thread 4711 --class 3 --all core

Exit status: 0, or 1 if a list is broken, 2 if the source cannot be read or the command line is wrong, 3 \
if a part of the source is missing and the rest was used.")]
pub struct Sll {
    /// A core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Only this thread's cache, by the kernel's number of the thread
    #[arg(long, value_name = "THREAD")]
    thread: Option<u32>,

    /// Only this class, by its index
    #[arg(long, value_name = "CLASS")]
    class: Option<u8>,

    /// Draw every block, not the first few
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    answer: Answer,
}

/// Blocks that are drawn without --all.
const FEW: usize = 6;

impl Sll {
    /// Draws them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let image = joined::image(&self.source)?;
        let heap = Heap::open(&image)?;
        let mut output = Output::new();
        let mut is_broken = false;
        for cache in &heap.caches {
            if self.thread.is_some_and(|thread| thread != cache.thread) {
                continue;
            }
            is_broken |= cache
                .lists
                .iter()
                .any(|list| list.end != ListEnd::Whole && !cache.is_busy);
            if self.answer.json {
                output.json(&json(cache))?;
            } else {
                self.draw(&heap, cache, &mut output)?;
            }
        }
        output.end()?;
        Ok(answer::status(is_broken, image.is_truncated()))
    }

    fn draw(&self, heap: &Heap<'_>, cache: &Cache, output: &mut Output) -> Result<(), Failure> {
        let busy = if cache.is_busy { ", being changed" } else { "" };
        output.line(format_args!(
            "cache {:#x}: {}{busy}",
            cache.address,
            cache.whose()
        ))?;
        let is_chosen = |class: u8| self.class.is_none_or(|chosen| chosen == class);
        let bytes = |class: u8| heap.layout.bytes_of(class).unwrap_or(0);
        for front in cache.fronts.iter().filter(|front| is_chosen(front.class)) {
            self.draw_front(front, bytes(front.class), output)?;
        }
        for list in cache.lists.iter().filter(|list| is_chosen(list.class)) {
            self.draw_list(list, bytes(list.class), output)?;
        }
        for buffer in &cache.buffers {
            self.draw_buffer(heap, buffer, output)?;
        }
        Ok(())
    }

    fn draw_front(&self, front: &Front, bytes: u64, output: &mut Output) -> Result<(), Failure> {
        let newest = self.chain(front.blocks.iter().rev(), " ");
        let wrong = if front.is_clipped {
            "  (its ends do not fit)"
        } else {
            ""
        };
        let count = front.blocks.len();
        output.line(format_args!(
            "  front {bytes:>6} B {count:>5}  {newest}{wrong}"
        ))
    }

    fn draw_list(&self, list: &List, bytes: u64, output: &mut Output) -> Result<(), Failure> {
        let List {
            length,
            blocks,
            end,
            ..
        } = list;
        let chain = self.chain(blocks.iter(), " -> ");
        let end = match end {
            ListEnd::Whole => "null".into(),
            ListEnd::NotNull(next) => format!("{next:#x}, which should be null"),
            ListEnd::Early => format!("null, behind {} of {length}", blocks.len()),
            ListEnd::NoBlock(next) => format!("{next:#x}, which is no block: BROKEN"),
            ListEnd::Loop(block) => format!("{block:#x} again: BROKEN"),
            ListEnd::Unknown => "not in the image".into(),
        };
        output.line(format_args!(
            "  list  {bytes:>6} B {length:>5}  {chain} -> {end}"
        ))
    }

    fn draw_buffer(
        &self,
        heap: &Heap<'_>,
        buffer: &Buffer,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let slab = buffer.slab;
        let of = buffer
            .index
            .map_or(format!("{slab:#x}, which is no slab"), |index| {
                let slab = &heap.slabs[index];
                format!("slab {:#x} of {} B", slab.start, slab.bytes)
            });
        let chain = self.chain(buffer.blocks.iter(), " ");
        let count = buffer.blocks.len();
        output.line(format_args!("  buffer {count:>13}  {chain}  of {of}"))
    }

    fn chain<'b>(&self, blocks: impl ExactSizeIterator<Item = &'b u64>, between: &str) -> String {
        let count = blocks.len();
        let shown = if self.all { count } else { count.min(FEW) };
        let mut names: Vec<String> = blocks
            .take(shown)
            .map(|block| format!("{block:#x}"))
            .collect();
        if shown < count {
            names.push(format!("… {} more", count - shown));
        }
        names.join(between)
    }
}

fn json(cache: &Cache) -> serde_json::Value {
    let addresses = |blocks: &[u64]| {
        blocks
            .iter()
            .map(|block| output::address(*block))
            .collect::<Vec<_>>()
    };
    let fronts = cache
        .fronts
        .iter()
        .map(|front| json!({ "class": front.class, "blocks": addresses(&front.blocks) }));
    let lists = cache.lists.iter().map(|list| {
        json!({
            "class": list.class,
            "length": list.length,
            "blocks": addresses(&list.blocks),
            "whole": list.end == ListEnd::Whole,
        })
    });
    let buffers = cache.buffers.iter().map(|buffer| {
        json!({ "slab": output::address(buffer.slab), "blocks": addresses(&buffer.blocks) })
    });
    json!({
        "cache": output::address(cache.address),
        "thread": cache.thread,
        "state": cache.state,
        "busy": cache.is_busy,
        "fronts": fronts.collect::<Vec<_>>(),
        "lists": lists.collect::<Vec<_>>(),
        "buffers": buffers.collect::<Vec<_>>(),
    })
}
