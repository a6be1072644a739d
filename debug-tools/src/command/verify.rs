//! `hakmem verify`: whether the heap's structures agree with each other.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::joined;
use crate::answer::{self, Answer};
use crate::failure::Failure;
use crate::heap::verify::Checked;
use crate::heap::{Finding, Heap};
use crate::image::Image;
use crate::output::{self, Output};
use crate::progress::Progress;

/// Check the heap's structures against each other
///
/// Walks every slab: bitmaps, their summaries and counts, fronts, the links of lists, buffers, the
/// registry's entries, and memory that was never handed out and has to be zero. Of a build with
/// checks also the record of each block, what stands around it, and the filling of freed ones. Says
/// what was checked, and of each finding the field, the place and the evidence. What differs in a
/// cache that a thread was changing is told apart: it may have been on its way.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem verify core
  hakmem verify pid:4711
  hakmem verify --json core | jq -r '.findings[].check'

A process that runs is looked at twice, and what is wrong both times is told.

Exit status: 0 if nothing is wrong, 1 if something is, 2 if the source cannot be read or the command line \
is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Verify {
    /// A core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    #[command(flatten)]
    answer: Answer,
}

impl Verify {
    /// Prints what was found.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let image = joined::image(&self.source)?;
        let progress = Progress::begin("checking the heap");
        let mut checked = Heap::open(&image)?.verify();
        if image.is_process && !checked.findings.is_empty() {
            checked = self.again(checked)?;
        }
        progress.end();
        let mut output = Output::new();
        if self.answer.json {
            output.json(&json(&checked))?;
        } else {
            print(&checked, &mut output)?;
        }
        output.end()?;
        Ok(answer::status(
            !checked.findings.is_empty(),
            image.is_truncated(),
        ))
    }

    /// Looks again, a while later: what changes is no finding.
    fn again(&self, first: Checked) -> Result<Checked, Failure> {
        thread::sleep(Duration::from_millis(50));
        let image: Image = joined::image(&self.source)?;
        let mut second = Heap::open(&image)?.verify();
        let places: HashSet<(&str, u64)> = first
            .findings
            .iter()
            .map(|f| (f.check, f.address))
            .collect();
        second
            .findings
            .retain(|finding| places.contains(&(finding.check, finding.address)));
        Ok(second)
    }
}

fn print(checked: &Checked, output: &mut Output) -> Result<(), Failure> {
    for Finding {
        check,
        address,
        what,
    } in &checked.findings
    {
        output.line(format_args!("FINDING {check} at {address:#x}: {what}"))?;
    }
    for Finding {
        check,
        address,
        what,
    } in &checked.doubtful
    {
        output.line(format_args!(
            "doubtful {check} at {address:#x}: {what} (a change was under way)"
        ))?;
    }
    let c = checked;
    output.line(format_args!(
        "checked: {} slabs, {} SuperSlabs, {} caches, {} registry entries",
        c.slabs, c.superslabs, c.caches, c.entries
    ))?;
    output.line(format_args!(
        "         {} blocks in {} bitmap words, {} counters, {} front entries, {} links, {} in remote buffers",
        c.blocks, c.words, c.counters, c.fronts, c.links, c.buffered
    ))?;
    output.line(format_args!(
        "         {} bytes that have to be zero",
        c.fills
    ))?;
    if c.records + c.guarded > 0 {
        output.line(format_args!(
            "         {} records: {} places around live blocks, {} freed and {} quarantined blocks, \
             {} guarded ones",
            c.records, c.canaries, c.filled, c.quarantined, c.guarded
        ))?;
    }
    match c.findings.len() {
        0 => output.line("clean: nothing is wrong"),
        count => output.line(output::count(count as u64, "finding")),
    }
}

fn json(checked: &Checked) -> serde_json::Value {
    let list = |findings: &[Finding]| {
        let all = findings.iter().map(|finding| {
            json!({ "check": finding.check, "address": output::address(finding.address), "what": finding.what })
        });
        all.collect::<Vec<_>>()
    };
    json!({
        "findings": list(&checked.findings),
        "doubtful": list(&checked.doubtful),
        "checked": {
            "slabs": checked.slabs,
            "superslabs": checked.superslabs,
            "caches": checked.caches,
            "registry_entries": checked.entries,
            "blocks": checked.blocks,
            "bitmap_words": checked.words,
            "counters": checked.counters,
            "front_entries": checked.fronts,
            "links": checked.links,
            "buffered": checked.buffered,
            "zero_bytes": checked.fills,
            "records": checked.records,
            "canaries": checked.canaries,
            "filled": checked.filled,
            "quarantined": checked.quarantined,
            "guarded": checked.guarded,
        },
    })
}
