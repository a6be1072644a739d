//! The blocks that the registers of the thread that died point into: what they hold, and who had
//! them.

use std::collections::HashSet;

use hakmem_trace_format::Kind;
use hakmem_trace_format::reader::Trace;

use super::content;
use super::of_image::died;
use crate::answer::Answer;
use crate::command::kept::Kept;
use crate::event::EventPrinter;
use crate::failure::Failure;
use crate::heap::{Heap, Place, State};
use crate::output::Output;
use crate::symbols::Symbols;

/// A block, and the first of the registers that point into it.
pub struct Pointed {
    /// The register.
    pub register: &'static str,
    /// What it has.
    pub value: u64,
    /// The block: its slab, which of its blocks it is, and where in it the register points.
    pub slab: usize,
    pub index: usize,
    pub offset: u64,
    /// What the block is doing.
    pub state: State,
}

/// All of them, each once, in the order of the registers.
pub fn pointed(heap: &Heap<'_>) -> Vec<Pointed> {
    let registers = died(heap.image).and_then(|thread| thread.registers.as_ref());
    let mut seen = HashSet::new();
    let mut all = vec![];
    for (register, value) in registers.iter().flat_map(|registers| registers.named()) {
        if let Place::Block {
            slab,
            index,
            offset,
            state,
        } = heap.place(value)
            && seen.insert((slab, index))
        {
            all.push(Pointed {
                register,
                value,
                slab,
                index,
                offset,
                state,
            });
        }
    }
    all
}

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
    /// The blocks, with who asked for each and for the one below, whose end may have been passed.
    pub fn print(&self, output: &mut Output) -> Result<(), Failure> {
        for pointed in pointed(self.heap) {
            self.print_block(&pointed, output)?;
        }
        Ok(())
    }

    fn print_block(&self, pointed: &Pointed, output: &mut Output) -> Result<(), Failure> {
        let slab = &self.heap.slabs[pointed.slab];
        let (block, bytes) = (slab.block(pointed.index), slab.bytes);
        let (word, offset) = (pointed.state.word(), pointed.offset);
        output.line(format_args!(
            "{} is {:#x}: {word}, byte {offset} of the block {block:#x} of {bytes} bytes",
            pointed.register, pointed.value
        ))?;
        let mut symbols = Symbols::new(self.heap.image, self.answer);
        let holds = content::of(self.heap, block, bytes, offset, &mut symbols);
        output.line(format_args!("    holds     {holds}"))?;
        let Some(trace) = self.trace else {
            return self.print_kept(pointed, &mut symbols, output);
        };
        self.print_last(trace, block, output)?;
        if pointed.index > 0 {
            let below = slab.block(pointed.index - 1);
            output.line(format_args!("  below it ends the block {below:#x}"))?;
            self.print_last(trace, below, output)?;
        }
        Ok(())
    }

    /// What a checked build keeps of a block.
    fn print_kept(
        &self,
        pointed: &Pointed,
        symbols: &mut Symbols<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let heap = self.heap;
        let slab = &heap.slabs[pointed.slab];
        let Some(record) = heap.bits(slab).records.get(pointed.index).copied() else {
            return Ok(());
        };
        let guards = heap.guards(slab, pointed.index, &record);
        let kept = Kept {
            heap,
            record,
            guards,
        };
        for (name, value) in kept.lines(symbols) {
            output.line(format_args!("    {name:<9} {value}"))?;
        }
        Ok(())
    }

    /// The last two things that happened to a block.
    fn print_last(&self, trace: &Trace, block: u64, output: &mut Output) -> Result<(), Failure> {
        let mut events = trace.history(block).events;
        events.retain(|event| event.record.kind().is_some_and(Kind::has_block));
        let mut printer = EventPrinter::plain(trace, self.answer, Some(block));
        for event in &events[events.len().saturating_sub(2)..] {
            output.line(format_args!("    {}", printer.line(event).trim_start()))?;
        }
        Ok(())
    }
}
