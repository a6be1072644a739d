//! `hakmem registry`: what the heap consists of: the arena, SuperSlabs, slabs, mappings.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::joined;
use crate::answer::{self, Answer};
use crate::failure::Failure;
use crate::heap::{Bits, Heap, Slab, SuperSlab};
use crate::output::{self, Output};

/// List what the heap consists of
///
/// The arena, each SuperSlab with its slots drawn (a digit or letter for a slab's size range, `L` LARGE,
/// `.` clean and free, `:` free and used before, `r` reserved by a thread), LARGE blocks with mappings
/// of their own, and the allocator's own memory. With --slabs each slab has a line.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem registry core
  hakmem registry --slabs --json pid:4711

Exit status: 0, or 1 if an entry is wrong, 2 if the source cannot be read or the command line is wrong, 3 \
if a part of the source is missing and the rest was used.")]
pub struct Registry {
    /// A core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Print a line for each slab
    #[arg(long)]
    slabs: bool,

    #[command(flatten)]
    answer: Answer,
}

impl Registry {
    /// Prints it.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let image = joined::image(&self.source)?;
        let heap = Heap::open(&image)?;
        let mut output = Output::new();
        if self.answer.json {
            self.print_json(&heap, &mut output)?;
        } else {
            self.print(&heap, &mut output)?;
        }
        output.end()?;
        Ok(answer::status(
            !heap.damage.is_empty(),
            image.is_truncated(),
        ))
    }

    fn print(&self, heap: &Heap<'_>, output: &mut Output) -> Result<(), Failure> {
        output.line(format_args!(
            "root {:#x}: hakmem {}; arena from {:#x}, {} slots entered",
            heap.root.address,
            heap.root.version(),
            heap.base,
            heap.limit
        ))?;
        for mapping in &heap.mappings {
            output.line(format_args!(
                "mapping {:#x} {} {}",
                mapping.address,
                output::bytes(mapping.len),
                mapping.purpose()
            ))?;
        }
        for superslab in &heap.superslabs {
            self.print_superslab(heap, superslab, output)?;
        }
        let is_apart = |slab: &&Slab| heap.superslab_at(slab.start).is_none();
        for slab in heap.slabs.iter().filter(is_apart) {
            output.line(line(heap, slab))?;
        }
        for (start, bytes) in &heap.stock {
            output.line(format_args!("stock {start:#x} {}", output::bytes(*bytes)))?;
        }
        for finding in &heap.damage {
            output.line(format_args!(
                "FINDING {} at {:#x}: {}",
                finding.check, finding.address, finding.what
            ))?;
        }
        output.line(format_args!(
            "{}, {}, {}, {}",
            output::count(heap.superslabs.len() as u64, "SuperSlab"),
            output::count(heap.slabs.len() as u64, "slab"),
            output::count(heap.caches.len() as u64, "cache"),
            output::count(heap.mappings.len() as u64, "mapping")
        ))
    }

    fn print_superslab(
        &self,
        heap: &Heap<'_>,
        superslab: &SuperSlab,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let free = superslab.free.count_ones();
        let outside = if superslab.outside { " outside" } else { "" };
        output.line(format_args!(
            "superslab {:#x} |{}| {free} free{outside}",
            superslab.base,
            slots(heap, superslab)
        ))?;
        let is_inside =
            |slab: &&Slab| slab.start.wrapping_sub(superslab.base) < heap.layout.superslab;
        for slab in heap.slabs.iter().filter(is_inside).filter(|_| self.slabs) {
            output.line(format_args!("  {}", line(heap, slab)))?;
        }
        Ok(())
    }

    fn print_json(&self, heap: &Heap<'_>, output: &mut Output) -> Result<(), Failure> {
        let superslabs = heap.superslabs.iter().map(|s| {
            json!({ "base": output::address(s.base), "record": output::address(s.record), "free": s.free, "clean": s.clean, "outside": s.outside })
        });
        let slabs = heap.slabs.iter().map(|slab| {
            let counts = counts(&heap.bits(slab), slab);
            json!({
                "start": output::address(slab.start), "header": output::address(slab.header),
                "kind": format!("{:?}", slab.kind).to_lowercase(), "class": slab.class, "blocks": slab.blocks,
                "bytes": slab.bytes, "slots": slab.slots, "used": slab.used, "free": counts.0, "returned": counts.1,
                "owner": heap.owner(slab).map(|cache| cache.thread),
            })
        });
        let mappings = heap.mappings.iter().map(|m| json!({ "address": output::address(m.address), "bytes": m.len, "purpose": m.purpose() }));
        let damage = heap.damage.iter().map(
            |f| json!({ "check": f.check, "address": output::address(f.address), "what": f.what }),
        );
        let stock = heap
            .stock
            .iter()
            .map(|(start, bytes)| json!({ "address": output::address(*start), "bytes": bytes }));
        output.json(&json!({
            "root": output::address(heap.root.address),
            "version": heap.root.version(),
            "base": output::address(heap.base),
            "limit": heap.limit,
            "superslabs": superslabs.collect::<Vec<_>>(),
            "slabs": slabs.collect::<Vec<_>>(),
            "stock": stock.collect::<Vec<_>>(),
            "mappings": mappings.collect::<Vec<_>>(),
            "findings": damage.collect::<Vec<_>>(),
        }))
    }
}

/// The slots of a SuperSlab, a letter each.
fn slots(heap: &Heap<'_>, superslab: &SuperSlab) -> String {
    let layout = &heap.layout;
    let letter = |slot: u64| {
        let bit = 1_u32.checked_shl(slot as u32).unwrap_or(0);
        match heap.slab_at(superslab.base + slot * layout.slot) {
            Some(number) => {
                let slab = &heap.slabs[number];
                let tier = match slab.bytes {
                    _ if slab.is_large() => return 'L',
                    0..=2048 => slab
                        .bytes
                        .next_power_of_two()
                        .trailing_zeros()
                        .saturating_sub(3),
                    2049..=8192 => return 'P',
                    _ => return 'M',
                };
                char::from_digit(tier, 36).unwrap_or('T')
            }
            None if superslab.free & bit == 0 => 'r',
            None if superslab.clean & bit != 0 => '.',
            None => ':',
        }
    };
    (0..layout.superslab / layout.slot).map(letter).collect()
}

/// Free and returned blocks by their bits.
fn counts(bits: &Bits, slab: &Slab) -> (u32, u32) {
    let ones = |words: &[u64]| {
        words
            .iter()
            .map(|word| word.count_ones())
            .sum::<u32>()
            .min(u32::from(slab.blocks))
    };
    (ones(&bits.free), ones(&bits.remote))
}

fn line(heap: &Heap<'_>, slab: &Slab) -> String {
    let (free, returned) = counts(&heap.bits(slab), slab);
    let owner = heap.owner(slab).map_or("-".into(), |cache| cache.whose());
    if slab.is_large() {
        return format!(
            "large {:#x} {} in {} slots",
            slab.start,
            output::bytes(slab.bytes),
            slab.slots
        );
    }
    format!(
        "slab {:#x} {} B x {} in {} slots, {} out, {free} free, {returned} returned, of {owner}",
        slab.start, slab.bytes, slab.blocks, slab.slots, slab.used
    )
}
