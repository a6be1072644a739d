//! Who is likely to have done it where nothing has checked: a block whose end was passed, by what stands
//! behind it. Told of the blocks that the thread that died was looking at.

use hakmem_trace_format::reader::Trace;
use hakmem_trace_format::{Kind, Record};
use serde_json::{Value, json};

use super::registers;
use crate::event::frames;
use crate::heap::{Heap, Pattern, Spill, State};
use crate::misdeed::{self, Stack};
use crate::output;
use crate::signals;
use crate::symbols::Symbols;

/// Frames of who asked for a block that may be at the site of a rule.
const DEPTH: usize = 8;

/// A block, as far as it is known who asked for it.
struct Owned {
    address: u64,
    /// Bytes that were asked for, or that it has.
    bytes: u64,
    allocated: Option<Stack>,
}

/// See the head of this file.
pub struct Suspect {
    below: Owned,
    into: Owned,
    spill: Spill,
    /// The register that points to the block behind.
    register: &'static str,
}

/// All of a core file whose first thread has died of an access to memory.
pub fn all(heap: &Heap<'_>, trace: Option<&Trace>) -> Vec<Suspect> {
    let signal = heap.image.signal;
    if !signal.is_some_and(|signal| signals::is_fault(signal.number, signal.code)) {
        return vec![];
    }
    let mut blocks = registers::pointed(heap);
    blocks.retain(|block| block.state == State::Live);
    blocks
        .iter()
        .filter_map(|block| {
            let (slab, index) = (block.slab, block.index);
            Some(Suspect {
                spill: heap.spill(slab, index)?,
                below: owned(heap, trace, slab, index - 1),
                into: owned(heap, trace, slab, index),
                register: block.register,
            })
        })
        .collect()
}

fn owned(heap: &Heap<'_>, trace: Option<&Trace>, slab: usize, index: usize) -> Owned {
    let slab = &heap.slabs[slab];
    let address = slab.block(index);
    let mut owned = Owned {
        address,
        bytes: slab.bytes,
        allocated: None,
    };
    let is_made = |record: &Record| {
        record.address() == address
            && matches!(record.kind(), Some(Kind::Allocate | Kind::ResizeIn))
    };
    let events = trace.map_or(vec![], |trace| trace.history(address).events);
    let made = events
        .iter()
        .rev()
        .map(|event| &event.record)
        .find(|record| is_made(record));
    if let (Some(trace), Some(record)) = (trace, made) {
        owned.bytes = record.size();
        owned.allocated = Some(Stack {
            frames: frames(trace, record).0,
            is_instruction: false,
            time: record.time(),
        });
    } else if let Some(record) = heap.bits(slab).records.get(index) {
        let frames = heap.noted_stack(record.allocated.stack);
        owned.allocated = (!frames.is_empty()).then(|| Stack {
            frames,
            ..Stack::default()
        });
    }
    owned
}

impl Suspect {
    /// The block whose end was passed.
    pub fn block(&self) -> u64 {
        self.below.address
    }

    /// It in lines.
    pub fn lines(&self, symbols: &mut Symbols<'_>) -> Vec<String> {
        let (spill, register) = (&self.spill, self.register);
        let mut lines = vec![format!(
            "likely: {} over the end of the block {:#x} of {} bytes, {} bytes into the block {:#x}, to \
             which {register} points",
            self.what(),
            self.below.address,
            self.below.bytes,
            spill.bytes.1,
            self.into.address
        )];
        for (what, owned) in [
            ("allocated by", &self.below),
            ("ran into that of", &self.into),
        ] {
            if let Some(stack) = &owned.allocated {
                lines.push(format!("  {what:<16} {}", stack.line(symbols)));
            }
        }
        lines
    }

    fn what(&self) -> String {
        match self.spill.pattern {
            Pattern::Text => {
                let text = String::from_utf8_lossy(&self.spill.sample);
                format!("text was written ({text:?})")
            }
            Pattern::Word(word) => format!("the word {word:#x} was written again and again"),
        }
    }

    /// The rule of the next run, which names who writes to the block that was run into: of all blocks
    /// that are asked for at the same place.
    pub fn rule(&self, trace: &Trace, symbols: &mut Symbols<'_>) -> Option<String> {
        let stack = self.into.allocated.as_ref()?;
        let mut frames = stack.frames.iter().take(DEPTH).enumerate();
        let mut is_own = |pc: u64| {
            let functions = symbols.functions(pc, stack.time);
            functions
                .iter()
                .any(|function| !misdeed::is_of_library(function))
        };
        let (index, pc) = frames.find(|(_, pc)| is_own(**pc))?;
        let module = trace.modules().iter().find(|m| m.range.contains(pc))?;
        let name = module.path.file_name()?.to_string_lossy();
        let depth = match index {
            0 => String::new(),
            _ => format!(" depth={}", index + 1),
        };
        let (offset, size) = (pc.wrapping_sub(module.base), self.into.bytes);
        Some(format!(
            "site={name}+{offset:#x}{depth} size={size} on=alloc do=arm"
        ))
    }

    /// It as JSON.
    pub fn json(&self, symbols: &mut Symbols<'_>) -> Value {
        let mut owned = |owned: &Owned| {
            let stack = owned.allocated.as_ref();
            json!({
                "address": output::address(owned.address),
                "bytes": owned.bytes,
                "allocated_by": stack.map(|stack| stack.json(symbols)),
            })
        };
        json!({
            "block": owned(&self.below),
            "into": owned(&self.into),
            "bytes_into": self.spill.bytes.1,
            "what": self.what(),
        })
    }
}
