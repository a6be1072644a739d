//! The blocks that the registers of the thread that died point into: what they hold, and who had them.

use std::collections::HashSet;

use hakmem_trace_format::Kind;
use hakmem_trace_format::reader::Trace;

use super::content;
use super::kept::Kept;
use crate::answer::Answer;
use crate::event::EventPrinter;
use crate::failure::Failure;
use crate::heap::{Heap, Place};
use crate::output::Output;
use crate::symbols::Symbols;

/// See the head of this file.
pub struct Registers<'a> {
    /// The heap.
    pub heap: &'a Heap<'a>,
    /// Its trace.
    pub trace: Option<&'a Trace>,
    /// How the answer is wanted.
    pub answer: &'a Answer,
}

impl Registers<'_> {
    /// The registers of the first thread that point into blocks, with who asked for the block and
    /// for the one below, whose end may have been passed.
    pub fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let heap = self.heap;
        let thread = heap
            .image
            .threads
            .first()
            .filter(|_| !heap.image.is_process);
        let registers = thread.and_then(|thread| thread.registers.as_ref());
        let mut seen = HashSet::new();
        for (name, value) in registers.iter().flat_map(|registers| registers.named()) {
            let Place::Block {
                slab,
                index,
                offset,
                state,
            } = heap.place(value)
            else {
                continue;
            };
            let number = slab;
            let slab = &heap.slabs[number];
            let block = slab.block(index);
            if !seen.insert(block) {
                continue;
            }
            let (word, bytes) = (state.word(), slab.bytes);
            output.line(format_args!(
                "{name} is {value:#x}: {word}, byte {offset} of the block {block:#x} of {bytes} bytes"
            ))?;
            let mut symbols = Symbols::new(heap.image, self.answer);
            let holds = content::of(heap, block, bytes, offset, &mut symbols);
            output.line(format_args!("    holds     {holds}"))?;
            let Some(trace) = self.trace else {
                self.print_kept(number, index, output)?;
                continue;
            };
            self.print_last(trace, "    ", block, output)?;
            if index > 0 {
                output.line(format_args!(
                    "  below it ends the block {:#x}",
                    slab.block(index - 1)
                ))?;
                self.print_last(trace, "    ", slab.block(index - 1), output)?;
            }
        }
        Ok(())
    }

    /// What a checked build keeps of a block.
    fn print_kept(&self, slab: usize, index: usize, output: &mut Output) -> Result<(), Failure> {
        let heap = self.heap;
        let slab = &heap.slabs[slab];
        let Some(record) = heap.bits(slab).records.get(index).copied() else {
            return Ok(());
        };
        let guards = heap.guards(slab, index, &record);
        let kept = Kept {
            heap,
            record,
            guards,
        };
        for (name, value) in kept.lines(&mut Symbols::new(heap.image, self.answer)) {
            output.line(format_args!("    {name:<9} {value}"))?;
        }
        Ok(())
    }

    /// The last two things that happened to a block.
    fn print_last(
        &self,
        trace: &Trace,
        indent: &str,
        block: u64,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut events = trace.history(block).events;
        events.retain(|event| event.record.kind().is_some_and(Kind::has_block));
        let mut printer = EventPrinter {
            trace,
            symbols: Symbols::new(trace, self.answer),
            lines: true,
            colours: false,
            address: Some(block),
        };
        for event in &events[events.len().saturating_sub(2)..] {
            output.line(format_args!("{indent}{}", printer.line(event).trim_start()))?;
        }
        Ok(())
    }
}
